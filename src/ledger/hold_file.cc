#include "ledger/hold_file.h"

#include <fmt/format.h>
#include <simdjson.h>

#include "base/event_time.h"
#include "base/json_text.h"
#include "crypto/hmac.h"

namespace stillwatch::ledger {
namespace {

namespace dom = simdjson::dom;
using base::Fault;

constexpr std::string_view kSeal = "{\"v\":1,\"holds\":";

void append_text(std::string& out, std::string_view key, std::string_view text) {
  out.append(",\"").append(key).append("\":");
  base::append_json_string(out, text);
}

std::string date_of(std::int64_t day) { return base::format_time(day * base::kDayUs).substr(0, 10); }

bool read_text(dom::object line, std::string_view key, std::size_t bytes_max, std::string& out) {
  std::string_view text;
  if (line[key].get(text) != simdjson::SUCCESS || text.size() > bytes_max) return false;
  out = std::string(text);
  return true;
}

bool read_time(dom::object line, std::string_view key, std::string_view suffix, std::int64_t& time_us) {
  std::string text;
  if (!read_text(line, key, base::kTimeTextBytes, text)) return false;
  const auto time = base::parse_time(text.append(suffix));
  time_us = time.value_or(0);
  return time.has_value();
}

bool read_subjects(dom::object line, std::vector<NameTag>& out) {
  dom::array subjects;
  if (line["subjects"].get(subjects) != simdjson::SUCCESS || subjects.size() > kHoldSubjectsMax) return false;
  for (const dom::element subject : subjects) {
    std::string_view text;
    if (subject.get(text) != simdjson::SUCCESS) return false;
    const auto tag = read_base64url<std::tuple_size_v<NameTag>>(text);
    if (!tag) return false;
    out.push_back(*tag);
  }
  return true;
}

bool read_hold(dom::element line, Hold& hold) {
  dom::object fields;
  std::int64_t version = 0, from_us = 0, until_us = 0;
  if (line.get(fields) != simdjson::SUCCESS || fields["v"].get(version) != simdjson::SUCCESS || version != 1)
    return false;
  if (!read_text(fields, "hold", kHoldNameBytesMax, hold.name) ||
      !read_text(fields, "case", kHoldCaseBytesMax, hold.case_id) ||
      !read_text(fields, "who", kHoldTextBytesMax, hold.who) ||
      !read_text(fields, "why", kHoldTextBytesMax, hold.why) || !read_subjects(fields, hold.subjects) ||
      !read_time(fields, "from", "T00:00:00Z", from_us) || !read_time(fields, "until", "T00:00:00Z", until_us) ||
      !read_time(fields, "placed", "", hold.placed_us)) {
    return false;
  }
  hold.from_day = day_of(from_us);
  hold.until_day = day_of(until_us);
  dom::element released;
  if (fields["released"].get(released) != simdjson::SUCCESS) return false;
  if (released.is_null()) return true;
  dom::object release;
  return released.get(release) == simdjson::SUCCESS && read_time(release, "time", "", hold.released_us) &&
         hold.released_us > 0 && read_text(release, "who", kHoldTextBytesMax, hold.released_by) &&
         read_text(release, "why", kHoldTextBytesMax, hold.released_why);
}

std::string seal_of(std::string_view lines, std::size_t holds, const Key32& key) {
  const Hash32 mac = crypto::hmac_sha256(key.view(), {lines});
  return fmt::format("{}{},\"mac\":\"{}\"}}\n", kSeal, holds, base64url(mac));
}

}  // namespace

std::string hold_line(const Hold& hold) {
  std::string out = "{\"v\":1,\"hold\":";
  base::append_json_string(out, hold.name);
  append_text(out, "case", hold.case_id);
  append_text(out, "who", hold.who);
  append_text(out, "why", hold.why);
  out += ",\"subjects\":[";
  for (std::size_t i = 0; i < hold.subjects.size(); ++i) {
    out += i == 0 ? "\"" : ",\"";
    out += base64url(hold.subjects[i]) + "\"";
  }
  out += "]";
  append_text(out, "from", date_of(hold.from_day));
  append_text(out, "until", date_of(hold.until_day));
  append_text(out, "placed", base::format_time(hold.placed_us));
  if (hold.holds()) return out + ",\"released\":null}";
  out += ",\"released\":{\"time\":\"" + base::format_time(hold.released_us) + "\"";
  append_text(out, "who", hold.released_by);
  append_text(out, "why", hold.released_why);
  return out + "}}";
}

base::Result<std::vector<Hold>> parse_hold_lines(std::string_view lines) {
  std::vector<Hold> holds;
  dom::parser parser;
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n');
    const simdjson::padded_string line(lines.substr(0, end));
    dom::element parsed;
    Hold hold;
    if (end == std::string_view::npos || parser.parse(line).get(parsed) != simdjson::SUCCESS ||
        !read_hold(parsed, hold)) {
      return base::fail(Fault::input, fmt::format("line {} is no hold", holds.size() + 1));
    }
    holds.push_back(std::move(hold));
    lines.remove_prefix(end + 1);
  }
  return holds;
}

std::string write_holds(const std::vector<Hold>& holds, const Key32& key) {
  std::string lines;
  for (const Hold& hold : holds) lines += hold_line(hold) + "\n";
  return lines + seal_of(lines, holds.size(), key);
}

base::Result<std::vector<Hold>> parse_holds(std::string_view bytes, const Key32& key) {
  const std::size_t last = bytes.size() < 2 ? std::string_view::npos : bytes.rfind('\n', bytes.size() - 2);
  const std::size_t seal_at = last == std::string_view::npos ? 0 : last + 1;
  const std::string_view lines = bytes.substr(0, seal_at);
  const auto count = static_cast<std::size_t>(std::count(lines.begin(), lines.end(), '\n'));
  if (bytes.substr(seal_at) != seal_of(lines, count, key)) {
    return base::fail(Fault::input, "its last line does not fit the others: something in it was changed or is missing");
  }
  return parse_hold_lines(lines);
}

std::int64_t first_day_of_scope(const KeyScope& scope) {
  return scope.kind == KeyKind::payload ? scope.period : first_day_of(static_cast<std::int32_t>(scope.period));
}

std::int64_t last_day_of_scope(const KeyScope& scope) {
  return scope.kind == KeyKind::payload ? scope.period : first_day_after(static_cast<std::int32_t>(scope.period)) - 1;
}

}  // namespace stillwatch::ledger
