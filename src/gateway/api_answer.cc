#include "gateway/api_answer.h"

#include <cstdlib>

#include <fmt/format.h>

#include "base/json_text.h"
#include "gateway/api_input.h"
#include "gateway/decision_api.h"

namespace stillwatch::gateway {
namespace {

constexpr std::int64_t kLookMs = 100, kHeartbeatMs = 15'000;
/// One of the followers as long as it lives.
class Follower {
 public:
  Follower(std::atomic<std::uint32_t>& followers, std::uint32_t followers_max)
      : followers_(followers), admitted_(followers.fetch_add(1) < followers_max) {}
  ~Follower() { followers_.fetch_sub(1); }
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;
  bool admitted() const { return admitted_; }

 private:
  std::atomic<std::uint32_t>& followers_;
  bool admitted_;
};

}  // namespace

void JsonWriter::key(std::string_view name) {
  if (out_.size() > 1) out_ += ',';
  base::append_json_string(out_, name);
  out_ += ':';
}
void JsonWriter::text(std::string_view name, std::string_view value) {
  key(name);
  base::append_json_string(out_, value);
}
void JsonWriter::number(std::string_view name, std::uint64_t value) {
  key(name);
  out_ += std::to_string(value);
}
void JsonWriter::flag(std::string_view name, bool value) {
  key(name);
  out_ += value ? "true" : "false";
}
void JsonWriter::raw(std::string_view name, std::string_view json) {
  key(name);
  out_ += json;
}
std::string JsonWriter::finish() {
  out_ += '}';
  return std::move(out_);
}

http::Task<void> answer_json(http::Exchange& exchange, int status, std::string body) {
  http::ResponseHead head;
  head.status = status;
  head.fields.set("content-type", "application/json");
  head.fields.set("cache-control", "no-store");
  (void)co_await exchange.respond(std::move(head), body);
}

http::Task<void> answer_problem(http::Exchange& exchange, int status, std::string_view sentence) {
  JsonWriter json;
  json.text("error", sentence);
  co_await answer_json(exchange, status == 0 || status == 499 ? 400 : status, json.finish());
}

std::string campaign_name(std::uint32_t campaign) { return fmt::format("c-{:06}", campaign); }

std::string next_page(const engine::ListedLevel& last, std::size_t source) {
  const std::string table = source == 0 ? std::string() : fmt::format("{}-", source);
  return fmt::format(R"(,"next":"{}{:016x}-{:016x}")", table, last.account, last.end_user);
}

http::Task<void> follow_decisions(Desk& desk, http::Exchange& exchange) {
  const Follower follower(desk.station.followers, desk.rules.refresh()->configuration().decisions.stream_clients_max);
  if (!follower.admitted()) co_return co_await answer_problem(exchange, 503, "too many follow the decisions already");
  const DecisionFeed& feed = desk.station.feed;
  std::string from = query_parameter(exchange.head().query(), "after");
  if (const auto last = exchange.head().fields.find("last-event-id"); last) from = *last;
  std::uint64_t after = from.empty() ? feed.newest() : std::strtoull(from.c_str(), nullptr, 10);
  http::ResponseHead head;
  head.fields.set("content-type", "text/event-stream");
  head.fields.set("cache-control", "no-store");
  const base::Status began = co_await exchange.begin(std::move(head));
  if (!began) co_return;
  const base::Status flushed = co_await exchange.flush();
  if (!flushed) co_return;
  std::int64_t quiet_ms = 0;
  while (!exchange.client_gone() && !desk.station.draining.load(std::memory_order_relaxed)) {
    bool missed = false;
    const auto events = feed.after(after, 256, missed);
    std::string out;
    // Numbers begin anew with the process: a follower from before reads the list, then goes on from here.
    if (missed) out += "event: reset\ndata: {}\n\n";
    for (const DecisionFeed::Event& event : events) {
      out += fmt::format("id: {}\nevent: verdict\ndata: {}\n\n", event.number, *event.line);
      after = event.number;
    }
    if (missed && events.empty()) after = feed.newest();
    if (out.empty() && quiet_ms >= kHeartbeatMs) out = ": here\n\n";
    if (!out.empty()) {
      quiet_ms = 0;
      if (!co_await exchange.write(out)) co_return;
    }
    if (!co_await http::sleep_ms(exchange.io(), kLookMs)) co_return;
    quiet_ms += kLookMs;
  }
  (void)co_await exchange.end();
}

}  // namespace stillwatch::gateway
