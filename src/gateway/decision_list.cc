#include "gateway/decision_list.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include "base/event_time.h"
#include "gateway/api_answer.h"
#include "gateway/api_input.h"

namespace stillwatch::gateway {
namespace {

/// The engine's own table, then those of before a rotation.
struct Source {
  const engine::VerdictTable* table;
  std::function<std::string(base::Token)> open;
};

/// What a page goes on behind: a source and the last subject of it. "16 digits-16 digits", before it "N-" for a source.
struct After {
  std::size_t source = 0;
  bool has_subject = false;
  engine::ListedLevel subject;
};

After read_after(std::string_view text, std::size_t sources) {
  After after;
  if (text.size() == 35 && text[1] == '-' && text[0] > '0' && static_cast<std::size_t>(text[0] - '0') < sources) {
    after.source = static_cast<std::size_t>(text[0] - '0');
    text.remove_prefix(2);
  }
  if (text.size() != 33 || text[16] != '-') return after;
  after.has_subject = true;
  after.subject.account = std::strtoull(std::string(text.substr(0, 16)).c_str(), nullptr, 16);
  after.subject.end_user = std::strtoull(std::string(text.substr(17)).c_str(), nullptr, 16);
  return after;
}

std::string to_json(const engine::ListedLevel& level, const std::string& account, const std::string& end_user) {
  JsonWriter json;
  json.text("kind", event::name(level.kind));
  json.text("account", account);
  if (level.end_user != 0) json.text("end_user", end_user);
  json.text("level", event::name(level.level));
  json.text("class", event::name(level.class_));
  json.text("rule", level.rule);
  json.text("since", base::format_time(level.since_us));
  json.text("expires", base::format_time(level.expires_us));
  if (level.campaign != 0) json.text("campaign", campaign_name(level.campaign));
  return json.finish();
}

/// The level of a subject in one table, by the clock; clear when it has none.
event::Level level_in(const EarlierSource& source, const std::string& account, const std::string& end_user,
                      std::int64_t now_us) {
  return source.table->look_up(subject_in(source, account, end_user), now_us).level;
}

/// Shown at the first of the tables in which it stands highest, and nowhere else.
bool is_shown(const Station& station, std::size_t source, const engine::ListedLevel& level, const std::string& account,
              const std::string& end_user, std::int64_t now_us) {
  if (station.earlier.empty()) return true;
  if (source > 0 && level.expires_us <= now_us) return false;  // nobody clears these
  const EarlierSource own{&station.keyed_hash, &station.observer.verdicts(), {}};
  for (std::size_t other = 0; other <= station.earlier.size(); ++other) {
    if (other == source) continue;
    const event::Level there = level_in(other == 0 ? own : station.earlier[other - 1], account, end_user, now_us);
    if (other < source ? there >= level.level : there > level.level) return false;
  }
  return true;
}

}  // namespace

http::Task<void> list_decisions(Desk& desk, http::Exchange& exchange) {
  const std::string_view query = exchange.head().query();
  std::size_t count_max = 1'000;
  if (const std::string text = query_parameter(query, "count"); !text.empty())
    count_max = static_cast<std::size_t>(std::clamp(std::atoi(text.c_str()), 1, 10'000));
  Station& station = desk.station;
  std::vector<Source> sources{
      {&station.observer.verdicts(), [&station](base::Token token) { return station.observer.open(token); }}};
  for (const EarlierSource& one : station.earlier) sources.push_back({one.table, one.open});
  After after = read_after(query_parameter(query, "after"), sources.size());
  const std::int64_t now_us = station.observer.in_flight().now_us();
  std::string out = R"({"levels":[)", next;
  for (std::size_t left = count_max; after.source < sources.size() && left > 0;) {
    const Source& source = sources[after.source];
    const auto listed = source.table->list(left, after.has_subject ? &after.subject : nullptr);
    for (const engine::ListedLevel& level : listed) {
      const std::string account = source.open(level.account);
      const std::string end_user = level.end_user != 0 ? source.open(level.end_user) : std::string();
      if (!is_shown(station, after.source, level, account, end_user, now_us)) continue;
      if (out.back() == '}') out += ',';
      out += to_json(level, account, end_user);
    }
    if (listed.size() == left) {
      next = next_page(listed.back(), after.source);
      break;
    }
    left -= listed.size();
    after = {after.source + 1, false, {}};
  }
  out += ']';
  out += next;
  out += '}';
  co_await answer_json(exchange, 200, out);
}

}  // namespace stillwatch::gateway
