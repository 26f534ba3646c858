#include "gateway/api_input.h"

#include <fmt/format.h>
#include <simdjson.h>

#include "base/event_time.h"
#include "base/limits.h"
#include "ledger/hold_file.h"
#include "ledger/retention.h"
#include "ledger/vault_leaves.h"

namespace stillwatch::gateway {
namespace {

using base::Fault;
using simdjson::dom::element;

constexpr std::size_t kRecordIdBytesMax = 26;  // "req_" and 22 letters

base::Result<element> parse_object(simdjson::dom::parser& parser, std::string_view body) {
  if (body.size() > kApiBodyBytesMax) return base::fail(Fault::caller, "the body is longer than 1 MiB");
  element root;
  if (parser.parse(body.data(), body.size()).get(root) != simdjson::SUCCESS || !root.is_object())
    return base::fail(Fault::caller, "the body is not a JSON object");
  return root;
}

/// Into `out` when it is there; an error when it is no text or too long.
base::Status take_text(element object, const char* name, std::size_t bytes_max, std::string& out) {
  element value;
  if (object[name].get(value) != simdjson::SUCCESS || value.is_null()) return {};
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS) return base::fail(Fault::caller, fmt::format("\"{}\" is not a text", name));
  if (text.size() > bytes_max)
    return base::fail(Fault::caller, fmt::format("\"{}\" is longer than {} bytes", name, bytes_max));
  out = text;
  return {};
}

base::Status take_flag(element object, const char* name, bool& out) {
  element value;
  if (object[name].get(value) != simdjson::SUCCESS || value.is_null()) return {};
  if (value.get(out) != simdjson::SUCCESS)
    return base::fail(Fault::caller, fmt::format("\"{}\" is neither true nor false", name));
  return {};
}

base::Status take_count(element object, const char* name, std::int64_t& out) {
  element value;
  if (object[name].get(value) != simdjson::SUCCESS || value.is_null()) return {};
  std::int64_t number = 0;
  if (value.get(number) != simdjson::SUCCESS || number < 0)
    return base::fail(Fault::caller, fmt::format("\"{}\" is not a whole number of 0 or more", name));
  out = number;
  return {};
}

/// `why` is the field that says it. Both stay in the ledger.
base::Status take_who_and_why(element object, const char* why_field, std::string& who, std::string& why) {
  STILLWATCH_CHECK(take_text(object, "who", ledger::kWhoWhyBytesMax, who));
  STILLWATCH_CHECK(take_text(object, why_field, ledger::kWhoWhyBytesMax, why));
  if (who.empty()) who = "admin";
  if (ledger::is_leaf_text(why)) return {};
  return base::fail(Fault::caller, fmt::format("\"{}\" is missing, or has control characters: why?", why_field));
}

/// "2026-11-28" into days since 1970, when it is there.
base::Status take_day(element object, const char* name, std::int64_t& day) {
  std::string text;
  STILLWATCH_CHECK(take_text(object, name, 10, text));
  if (text.empty()) return {};
  const auto time = base::parse_time(text + "T00:00:00Z");
  if (!time) return base::fail(Fault::caller, fmt::format("\"{}\" is no day such as 2026-11-28", name));
  day = ledger::day_of(*time);
  return {};
}

std::optional<event::Level> level_named(std::string_view text) {
  for (int level = 0; level <= static_cast<int>(event::Level::suspend); ++level) {
    if (event::name(static_cast<event::Level>(level)) == text) return static_cast<event::Level>(level);
  }
  return std::nullopt;
}

int hex_digit(char letter) {
  if (letter >= '0' && letter <= '9') return letter - '0';
  if (letter >= 'a' && letter <= 'f') return letter - 'a' + 10;
  if (letter >= 'A' && letter <= 'F') return letter - 'A' + 10;
  return -1;
}

}  // namespace

base::Result<CheckInput> read_check(std::string_view body) {
  simdjson::dom::parser parser;
  STILLWATCH_TRY(root, parse_object(parser, body));
  CheckInput input;
  constexpr std::size_t kIdMax = base::limits::kIdBytesMax;
  STILLWATCH_CHECK(take_text(root, "account", kIdMax, input.account));
  STILLWATCH_CHECK(take_text(root, "end_user", kIdMax, input.end_user));
  STILLWATCH_CHECK(take_text(root, "key", kIdMax, input.key));
  STILLWATCH_CHECK(take_text(root, "address", kIdMax, input.address));
  STILLWATCH_CHECK(take_text(root, "region", kIdMax, input.region));
  STILLWATCH_CHECK(take_text(root, "model", kIdMax, input.model));
  STILLWATCH_CHECK(take_flag(root, "logprobs", input.logprobs));
  STILLWATCH_CHECK(take_flag(root, "mutual_tls", input.mutual_tls));
  STILLWATCH_CHECK(take_flag(root, "batch", input.batch));
  std::int64_t n = 1;
  STILLWATCH_CHECK(take_count(root, "n", n));
  input.n = static_cast<std::uint32_t>(std::min<std::int64_t>(n, UINT32_MAX));
  STILLWATCH_CHECK(take_count(root, "max_output_tokens", input.output_tokens_max));
  if (input.account.empty()) return base::fail(Fault::caller, "\"account\" is missing: whose request is it?");
  return input;
}

base::Result<policy::Override> read_override(std::string_view body, std::int64_t now_us) {
  simdjson::dom::parser parser;
  STILLWATCH_TRY(root, parse_object(parser, body));
  element subject;
  if (root["subject"].get(subject) != simdjson::SUCCESS || !subject.is_object())
    return base::fail(Fault::caller, "\"subject\" is missing: {\"kind\":\"account\",\"id\":...}");
  std::string kind, id, level, until;
  policy::Override made;
  constexpr std::size_t kIdMax = base::limits::kIdBytesMax;
  STILLWATCH_CHECK(take_text(subject, "kind", kIdMax, kind));
  STILLWATCH_CHECK(take_text(subject, "id", kIdMax, id));
  STILLWATCH_CHECK(take_text(subject, "account", kIdMax, made.account));
  if (kind == "account" || kind.empty()) {
    made.account = id;
  } else if (kind == "end_user") {
    made.end_user = id;
    if (id.empty()) return base::fail(Fault::caller, "\"subject.id\" is missing");
  } else {
    return base::fail(Fault::caller, "\"subject.kind\" is neither \"account\" nor \"end_user\"");
  }
  if (made.account.empty()) return base::fail(Fault::caller, "\"subject\" names no account");
  STILLWATCH_CHECK(take_text(root, "level", 16, level));
  STILLWATCH_CHECK(take_text(root, "until", 64, until));
  STILLWATCH_CHECK(take_text(root, "who", policy::kOverrideWhoBytesMax, made.who));
  STILLWATCH_CHECK(take_text(root, "note", policy::kOverrideNoteBytesMax, made.note));
  const auto named = level_named(level);
  if (!named)
    return base::fail(Fault::caller,
                      "\"level\" is none of clear, observe, notice, verify, throttle, restrict, suspend");
  const auto until_us = base::parse_time(until);
  if (!until_us) return base::fail(Fault::caller, "\"until\" is no RFC 3339 time such as 2026-12-01T00:00:00Z");
  made.level = *named;
  made.until_us = *until_us;
  made.set_us = now_us;
  return made;
}

base::Result<DryRunInput> read_dry_run(std::string_view body) {
  simdjson::dom::parser parser;
  STILLWATCH_TRY(root, parse_object(parser, body));
  element on;
  if (root["on"].get(on) != simdjson::SUCCESS || !on.is_bool())
    return base::fail(Fault::caller, "\"on\" must be true or false");
  DryRunInput input;
  STILLWATCH_CHECK(take_flag(root, "on", input.on));
  STILLWATCH_CHECK(take_text(root, "remedy", 16, input.remedy));
  return input;
}

base::Result<audit::ErasureRequest> read_erasure(std::string_view body) {
  simdjson::dom::parser parser;
  STILLWATCH_TRY(root, parse_object(parser, body));
  audit::ErasureRequest input;
  STILLWATCH_CHECK(take_text(root, "account", base::limits::kIdBytesMax, input.account));
  STILLWATCH_CHECK(take_text(root, "record", kRecordIdBytesMax, input.record));
  STILLWATCH_CHECK(take_who_and_why(root, "reason", input.who, input.why));
  if (input.account.empty()) return base::fail(Fault::caller, "\"account\" is missing: who is to be erased?");
  return input;
}

base::Result<HoldInput> read_hold(std::string_view body) {
  simdjson::dom::parser parser;
  STILLWATCH_TRY(root, parse_object(parser, body));
  HoldInput input;
  ledger::HoldRequest& hold = input.request;
  STILLWATCH_CHECK(take_text(root, "name", ledger::kHoldNameBytesMax, hold.name));
  STILLWATCH_CHECK(take_text(root, "case", ledger::kHoldCaseBytesMax, hold.case_id));
  STILLWATCH_CHECK(take_who_and_why(root, "why", hold.who, hold.why));
  STILLWATCH_CHECK(take_text(root, "record", kRecordIdBytesMax, input.record));
  STILLWATCH_CHECK(take_day(root, "from", hold.from_day));
  hold.until_day = ledger::kHoldDayMax;
  STILLWATCH_CHECK(take_day(root, "until", hold.until_day));
  element accounts;
  if (root["accounts"].get(accounts) != simdjson::SUCCESS || accounts.is_null()) return input;
  simdjson::dom::array list;
  if (accounts.get(list) != simdjson::SUCCESS) return base::fail(Fault::caller, "\"accounts\" is not a list");
  for (const element one : list) {
    std::string_view account;
    if (one.get(account) != simdjson::SUCCESS || account.empty() || account.size() > base::limits::kIdBytesMax)
      return base::fail(Fault::caller, "\"accounts\" has something that is no account");
    hold.subjects.emplace_back(account);
  }
  // An empty list would hold everybody, which nobody says by naming none of them.
  if (hold.subjects.empty()) return base::fail(Fault::caller, "\"accounts\" is empty; leave it out to hold everybody");
  return input;
}

base::Result<ReleaseInput> read_release(std::string_view body) {
  simdjson::dom::parser parser;
  STILLWATCH_TRY(root, parse_object(parser, body));
  ReleaseInput input;
  STILLWATCH_CHECK(take_text(root, "name", ledger::kHoldNameBytesMax, input.name));
  STILLWATCH_CHECK(take_who_and_why(root, "why", input.who, input.why));
  if (input.name.empty()) return base::fail(Fault::caller, "\"name\" is missing: which hold?");
  return input;
}

std::string query_parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view{} : query.substr(end + 1);
    const std::size_t equals = pair.find('=');
    if (pair.substr(0, equals) != name || equals == std::string_view::npos) continue;
    const std::string_view raw = pair.substr(equals + 1);
    std::string value;
    for (std::size_t i = 0; i < raw.size(); ++i) {
      if (raw[i] == '%' && i + 2 < raw.size() && hex_digit(raw[i + 1]) >= 0 && hex_digit(raw[i + 2]) >= 0) {
        value += static_cast<char>(hex_digit(raw[i + 1]) * 16 + hex_digit(raw[i + 2]));
        i += 2;
      } else {
        value += raw[i] == '+' ? ' ' : raw[i];
      }
    }
    return value;
  }
  return {};
}

}  // namespace stillwatch::gateway
