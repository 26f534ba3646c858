#include "gateway/admin_ledger.h"

#include "gateway/api_answer.h"
#include "gateway/api_input.h"

namespace stillwatch::gateway {
namespace {

constexpr std::int64_t kLookMs = 20, kWaitMsMax = 60'000;  // a leaf takes a tenth of a second; a full queue longer

/// What the desk says, when it says it.
http::Task<void> pass_on(http::Exchange& exchange, std::shared_ptr<DeskAnswer> answer) {
  for (std::int64_t waited_ms = 0; !answer->is_there.load(std::memory_order_acquire); waited_ms += kLookMs) {
    const bool goes_on = co_await http::sleep_ms(exchange.io(), kLookMs);
    if (!goes_on) co_return;
    if (waited_ms >= kWaitMsMax) {
      co_return co_await answer_problem(exchange, 503,
                                        "the audit log is busy or cannot be written: whether this is done is not known "
                                        "yet; ask for the list");
    }
  }
  co_await answer_json(exchange, answer->status, answer->body);
}

template <class Input, class Read, class Give>
http::Task<void> take(http::Exchange& exchange, Read read, Give give) {
  const auto body = co_await exchange.read_all(kApiBodyBytesMax);
  if (!body) co_return co_await answer_problem(exchange, exchange.error_status(), body.error().message);
  base::Result<Input> input = read(*body);
  if (!input) co_return co_await answer_problem(exchange, 400, input.error().message);
  const std::shared_ptr<DeskAnswer> answer = give(std::move(*input));
  co_await pass_on(exchange, answer);
}

http::Task<void> tell_erasures(http::Exchange& exchange, const LedgerDesk& desk) {
  const std::string order = query_parameter(exchange.head().query(), "order");
  const std::string found = desk.erasures(order);
  if (found.empty()) {
    co_return co_await answer_problem(
        exchange, 404,
        "this process knows no such order: it is done, and the ledger has its leaf, or it "
        "was never given");
  }
  co_await answer_json(exchange, 200, found);
}

}  // namespace

http::Task<bool> serve_admin_ledger(http::Exchange& exchange, LedgerDesk* desk, std::string_view what) {
  const bool is_get = exchange.head().method == "GET", is_post = exchange.head().method == "POST";
  const bool is_erasures = what == "erasures", is_holds = what == "holds", is_release = what == "holds/release";
  if (!is_erasures && !is_holds && !is_release) co_return false;
  if (desk == nullptr) {
    co_await answer_problem(exchange, 404, "this gateway writes no audit log: [ledger] is not configured");
  } else if (!is_post && (!is_get || is_release)) {
    co_await answer_problem(exchange, 405, "use POST, or GET for a list");
  } else if (is_erasures && is_get) {
    co_await tell_erasures(exchange, *desk);
  } else if (is_erasures) {
    co_await take<audit::ErasureRequest>(exchange, read_erasure,
                                         [desk](audit::ErasureRequest input) { return desk->erase(std::move(input)); });
  } else if (is_holds && is_get) {
    const std::shared_ptr<DeskAnswer> answer = desk->holds();
    co_await pass_on(exchange, answer);
  } else if (is_holds) {
    co_await take<HoldInput>(exchange, read_hold, [desk](HoldInput input) { return desk->hold(std::move(input)); });
  } else {
    co_await take<ReleaseInput>(exchange, read_release,
                                [desk](ReleaseInput input) { return desk->release(std::move(input)); });
  }
  co_return true;
}

}  // namespace stillwatch::gateway
