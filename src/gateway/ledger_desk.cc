#include "gateway/ledger_desk.h"

#include <algorithm>
#include <array>
#include <deque>
#include <mutex>
#include <optional>

#include <fmt/format.h>

#include "audit/erasure_leaves.h"
#include "audit/ledger_paths.h"
#include "base/event_time.h"
#include "base/json_text.h"
#include "gateway/api_answer.h"
#include "gateway/erasure_run.h"
#include "gateway/turn_queue.h"
#include "ledger/hold_book.h"
#include "ledger/vault_leaves.h"

namespace stillwatch::gateway {
namespace {

using base::Fault;

constexpr std::size_t kOrdersKeptMax = 1'000;  // that are told of; the ledger has their leaves
constexpr auto kRetry = std::chrono::seconds(30);
constexpr auto kLook = std::chrono::milliseconds(50);

int status_of(const base::Error& error) { return error.fault == Fault::environment ? 503 : 400; }

void answer(DeskAnswer& to, int status, std::string body) {
  to.status = status;
  to.body = std::move(body);
  to.is_there.store(true, std::memory_order_release);
}
void refuse(DeskAnswer& to, const base::Error& error) {
  JsonWriter json;
  json.text("error", error.message);
  answer(to, status_of(error), json.finish());
}

std::string texts(const std::vector<std::string>& list) {
  std::string out = "[";
  for (const std::string& text : list) {
    if (out.size() > 1) out += ',';
    base::append_json_string(out, text);
  }
  return out + "]";
}

std::string day_text(std::int64_t day) { return base::format_time(day * base::kDayUs).substr(0, 10); }

std::string json_of(const ledger::Hold& hold) {
  JsonWriter json;
  json.text("name", hold.name);
  json.text("case", hold.case_id);
  json.number("subjects", hold.subjects.size());
  json.text("from", day_text(hold.from_day));
  json.text("until", day_text(hold.until_day));
  json.text("placed", base::format_time(hold.placed_us));
  json.flag("holds", hold.holds());
  return json.finish();
}

}  // namespace

std::string_view name(OrderState state) {
  constexpr std::array<std::string_view, 6> kNames{"placed", "keys", "files", "engine", "done", "failed"};
  return kNames[static_cast<std::size_t>(state)];
}

std::string erasure_fields(const ledger::ErasureResult& result) {
  std::string out = fmt::format(
      "\"complete\":{},\"keys\":{},\"records\":{},\"lines\":{},\"files_rewritten\":{},\"files_removed\":{},"
      "\"keys_held\":{},\"records_held\":{},\"lines_held\":{},\"files_held\":{},\"overwrites_failed\":{},\"held_by\":",
      result.complete, result.keys.size(), result.records, result.lines, result.files_rewritten, result.files_removed,
      result.keys_held, result.records_held, result.lines_held, result.files_held, result.overwrites_failed);
  return out + texts(result.held_by) + ",\"remains\":" + texts(result.remains);
}

struct LedgerDesk::State {
  struct Order {
    std::string id;
    std::int64_t placed_us = 0;
    OrderState state = OrderState::placed;
    std::string problem;                          // of the last try
    std::optional<ledger::ErasureResult> result;  // when it is done
  };
  explicit State(DeskOptions given) : options(std::move(given)) {}

  DeskOptions options;
  mutable std::mutex mutex;
  std::deque<Order> orders;
  TurnQueue quick, erasing;  // the last: their threads use all of it

  template <class Edit>
  void change(const std::string& id, Edit edit) {
    const std::lock_guard lock(mutex);
    for (Order& order : orders) {
      if (order.id == id) edit(order);
    }
  }
  /// False when it is known: the disk has it as soon as it is placed.
  bool note(const ledger::ErasureOrder& order) {
    const std::lock_guard lock(mutex);
    if (std::any_of(orders.begin(), orders.end(), [&](const Order& one) { return one.id == order.id; })) return false;
    orders.push_back({order.id, order.placed_us, OrderState::placed, {}, {}});
    if (orders.size() > kOrdersKeptMax) orders.pop_front();
    return true;
  }

  base::Result<audit::RecordFeed*> feed() const {
    audit::RecordFeed* const open = options.feed();
    if (open != nullptr) return open;
    return base::fail(Fault::environment, "the audit log cannot be written; see its alarm, and try again", true);
  }
  ErasureRun::Ports ports(const std::string& id) {
    ErasureRun::Ports out;
    out.desk = &options;
    out.on_state = [this, id](OrderState state) { change(id, [&](Order& order) { order.state = state; }); };
    out.is_stopping = [this] { return erasing.is_stopping(); };
    out.pause = [this] { return !erasing.sleep(kLook); };
    return out;
  }

  std::shared_ptr<DeskAnswer> ask(std::function<void(DeskAnswer&)> work);
  base::Result<ledger::ErasureOrder> place(const audit::ErasureRequest& request);
  void queue(ledger::ErasureOrder order);
  void attempt(ledger::ErasureOrder order);
  base::Status carry_out(const ledger::ErasureOrder& order);
  void take_up();
  base::Result<ledger::HoldChange> change_holds(
      const std::function<base::Result<ledger::HoldChange>(ledger::HoldBook&)>& act);
};

std::shared_ptr<DeskAnswer> LedgerDesk::State::ask(std::function<void(DeskAnswer&)> work) {
  auto out = std::make_shared<DeskAnswer>();
  if (!quick.add([out, work = std::move(work)] { work(*out); }))
    refuse(*out, {Fault::environment, "too many orders wait, or the gateway is being stopped", true});
  return out;
}

base::Result<ledger::ErasureOrder> LedgerDesk::State::place(const audit::ErasureRequest& request) {
  STILLWATCH_TRY(to, feed());
  STILLWATCH_TRY(order, audit::erasure_order(options.ledger_folder, to->keys(), request));
  return ErasureRun(ports({}), *to).place(std::move(order));
}

void LedgerDesk::State::queue(ledger::ErasureOrder order) {
  if (note(order)) attempt(std::move(order));
}

/// What finds no place in the queue stays on the disk, for the next start.
void LedgerDesk::State::attempt(ledger::ErasureOrder order) {
  (void)erasing.add([this, order = std::move(order)] {
    const base::Status status = carry_out(order);
    if (status || erasing.is_stopping()) return;
    change(order.id, [&](Order& one) {
      one.state = OrderState::failed;
      one.problem = status.error().message;
    });
    if (options.on_problem) options.on_problem(status.error().message);
    // Behind the others: one file that cannot be read must not stop them all.
    if (!erasing.sleep(kRetry)) attempt(order);
  });
}

base::Status LedgerDesk::State::carry_out(const ledger::ErasureOrder& order) {
  STILLWATCH_TRY(to, feed());
  STILLWATCH_TRY(result, ErasureRun(ports(order.id), *to).run(order));
  change(order.id, [&](Order& one) {
    one.state = OrderState::done;
    one.problem.clear();
    one.result = std::move(result);
  });
  return {};
}

/// What a former process, or a command, has left on the disk.
void LedgerDesk::State::take_up() {
  (void)erasing.add([this] {
    for (;;) {
      const auto to = feed();
      if (to) {
        auto found = ErasureRun(ports({}), **to).open_orders();
        if (found) {
          for (ledger::ErasureOrder& order : *found) queue(std::move(order));
          return;
        }
        if (options.on_problem) options.on_problem(found.error().message);
      }
      if (erasing.sleep(kRetry)) return;
    }
  });
}

base::Result<ledger::HoldChange> LedgerDesk::State::change_holds(
    const std::function<base::Result<ledger::HoldChange>(ledger::HoldBook&)>& act) {
  STILLWATCH_TRY(to, feed());
  std::optional<ledger::HoldChange> changed;
  const base::Status status = to->run([&]() -> base::Status {
    STILLWATCH_TRY(book, ledger::HoldBook::open(audit::holds_path(options.ledger_folder), to->keys()));
    STILLWATCH_TRY(done, act(book));
    changed = std::move(done);
    return audit::write_now(to->log(), ledger::Leaf(ledger::leaf_of(*changed)));
  });
  if (status) return std::move(*changed);
  base::Error error = status.error();
  if (changed) {
    error.message += fmt::format("; the hold {} is {} all the same, but no leaf may say so", changed->hold.name,
                                 changed->released ? "released" : "in force");
  }
  return base::fail(std::move(error));
}

std::unique_ptr<LedgerDesk> LedgerDesk::start(DeskOptions options) {
  auto state = std::make_unique<State>(std::move(options));
  state->take_up();
  return std::unique_ptr<LedgerDesk>(new LedgerDesk(std::move(state)));
}

LedgerDesk::LedgerDesk(std::unique_ptr<State> state) : state_(std::move(state)) {}
LedgerDesk::~LedgerDesk() { stop(); }

void LedgerDesk::begin_stop() {
  state_->quick.begin_stop();
  state_->erasing.begin_stop();
}

void LedgerDesk::stop() {
  state_->quick.stop();
  state_->erasing.stop();
}

std::shared_ptr<DeskAnswer> LedgerDesk::erase(audit::ErasureRequest request) {
  return state_->ask([state = state_.get(), request = std::move(request)](DeskAnswer& to) {
    auto placed = state->place(request);
    if (!placed) return refuse(to, placed.error());
    JsonWriter json;
    json.text("order", placed->id);
    json.text("state", name(OrderState::placed));
    state->queue(std::move(*placed));
    answer(to, 202, json.finish());
  });
}

std::shared_ptr<DeskAnswer> LedgerDesk::hold(HoldInput input) {
  return state_->ask([state = state_.get(), input = std::move(input)](DeskAnswer& to) mutable {
    if (!input.record.empty()) {
      const auto feed = state->feed();
      if (!feed) return refuse(to, feed.error());
      const auto narrowed =
          audit::narrow_to_record(state->options.ledger_folder, (*feed)->keys(), input.record, input.request);
      if (!narrowed) return refuse(to, narrowed.error());
    }
    const auto changed = state->change_holds([&](ledger::HoldBook& book) { return book.place(input.request); });
    if (!changed) return refuse(to, changed.error());
    answer(to, 200, fmt::format("{{\"hold\":{},\"keys\":{}}}", json_of(changed->hold), changed->keys));
  });
}

std::shared_ptr<DeskAnswer> LedgerDesk::release(ReleaseInput input) {
  return state_->ask([state = state_.get(), input = std::move(input)](DeskAnswer& to) {
    const auto changed =
        state->change_holds([&](ledger::HoldBook& book) { return book.release(input.name, input.who, input.why); });
    if (!changed) return refuse(to, changed.error());
    answer(to, 200, fmt::format("{{\"hold\":{},\"keys\":{}}}", json_of(changed->hold), changed->keys));
  });
}

std::shared_ptr<DeskAnswer> LedgerDesk::holds() {
  return state_->ask([state = state_.get()](DeskAnswer& to) {
    const auto feed = state->feed();
    if (!feed) return refuse(to, feed.error());
    const auto book = ledger::HoldBook::open(audit::holds_path(state->options.ledger_folder), (*feed)->keys());
    if (!book) return refuse(to, book.error());
    std::string list;
    for (const ledger::Hold& hold : book->holds()) list += (list.empty() ? "" : ",") + json_of(hold);
    answer(to, 200, "{\"holds\":[" + list + "]}");
  });
}

std::string LedgerDesk::erasures(std::string_view order) const {
  const std::lock_guard lock(state_->mutex);
  std::string list;
  for (const State::Order& one : state_->orders) {
    if (!order.empty() && one.id != order) continue;
    std::string json;
    json = "{\"order\":";
    base::append_json_string(json, one.id);
    json += fmt::format(",\"placed\":\"{}\",\"state\":\"{}\"", base::format_time(one.placed_us), name(one.state));
    if (!one.problem.empty()) {
      json += ",\"problem\":";
      base::append_json_string(json, one.problem);
    }
    if (one.result) json += "," + erasure_fields(*one.result);
    json += "}";
    if (!order.empty()) return json;
    list += (list.empty() ? "" : ",") + json;
  }
  return order.empty() ? "{\"erasures\":[" + list + "]}" : std::string();
}

bool LedgerDesk::is_failing() const {
  const std::lock_guard lock(state_->mutex);
  return std::any_of(state_->orders.begin(), state_->orders.end(),
                     [](const State::Order& order) { return order.state == OrderState::failed; });
}

}  // namespace stillwatch::gateway
