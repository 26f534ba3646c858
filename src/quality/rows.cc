#include "quality/rows.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

#include <simdjson.h>

#include "base/event_time.h"
#include "base/limits.h"
#include "base/random.h"

namespace stillwatch::quality {
namespace {

namespace dom = simdjson::dom;

// FNV-1a, mixed: enough for a baseline that runs on one's own log.
std::uint64_t hash(std::string_view bytes, std::uint64_t seed) {
  std::uint64_t state = 0xCBF29CE484222325ULL ^ seed;
  for (const char byte : bytes) state = (state ^ static_cast<unsigned char>(byte)) * 0x100000001B3ULL;
  return base::mix64(state) | 1U;
}

std::string_view text_of(const dom::object& object, std::string_view key) {
  std::string_view text;
  return object.at_key(key).get(text) == simdjson::SUCCESS ? text : std::string_view{};
}

// A required, not empty, bounded string.
bool id_of(const dom::object& object, std::string_view key, std::string_view& out) {
  return object.at_key(key).get(out) == simdjson::SUCCESS && !out.empty() && out.size() <= base::limits::kIdBytesMax;
}

// An optional name: absent, null or a string. Anything else is a wrong type.
bool name_of(const dom::object& object, std::string_view key, std::string_view& out) {
  out = {};
  dom::element element;
  if (object.at_key(key).get(element) != simdjson::SUCCESS || element.is_null()) return true;
  return element.get(out) == simdjson::SUCCESS && out.size() <= base::limits::kIdBytesMax;
}

bool time_of(const dom::object& object, std::string_view key, std::int64_t& out) {
  const auto time = base::parse_time(text_of(object, key));
  if (time) out = *time;
  return time.has_value();
}

template <class Enum, std::size_t kCount>
std::optional<Enum> named(std::string_view name) {
  for (std::size_t i = 0; i < kCount; ++i) {
    if (event::name(static_cast<Enum>(i)) == name) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

// "203.0.113.7" -> "203.0.113"; "2001:db8:1:2::" -> its first three groups. Text is enough to compare with itself.
std::uint64_t network_of(std::string_view ip) {
  if (ip.empty()) return 0;
  const char separator = ip.find(':') == std::string_view::npos ? '.' : ':';
  std::size_t end = 0;
  for (int part = 0; part < 3 && end != std::string_view::npos; ++part)
    end = ip.find(separator, part == 0 ? 0 : end + 1);
  return hash(ip.substr(0, end), 1);
}

std::uint64_t client_of(const dom::object& client) {
  std::string all(text_of(client, "user_agent"));
  all += '\n';
  all += text_of(client, "ja4");
  dom::array headers;
  if (client.at_key("headers").get(headers) == simdjson::SUCCESS) {
    for (const dom::element& header : headers) {
      std::string_view name;
      if (header.get(name) == simdjson::SUCCESS) {
        all += '\n';
        all += name;
      }
    }
  }
  return all.size() <= 1 ? 0 : hash(all, 2);
}

std::uint32_t count_of(const dom::object& object, std::string_view key) {
  std::uint64_t count = 0;
  if (object.at_key(key).get(count) != simdjson::SUCCESS) return 0;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(count, UINT32_MAX));
}

// Content is a string or an array of parts; all text of it in order. `joined` holds the text of several parts.
void read_content(const dom::element& content, std::string& joined, LogRow& row) {
  std::string_view text;
  row.prompt = 0;
  row.text = {};
  if (content.get(text) == simdjson::SUCCESS) {
    row.prompt = hash(text, 3);
    row.text = text;
    return;
  }
  dom::array parts;
  if (content.get(parts) != simdjson::SUCCESS) return;
  joined.clear();
  for (const dom::element& part : parts) {
    if (part.at_key("text").get(text) != simdjson::SUCCESS) continue;
    row.prompt = hash(text, row.prompt + 3);
    if (!joined.empty()) joined += '\n';
    joined += text;
  }
  row.text = joined;
}

void read_messages(const dom::array& messages, std::string& joined, LogRow& row) {
  dom::element last;
  bool found = false;
  for (const dom::element& message : messages) {
    dom::object fields;
    ++row.turns;
    if (message.get(fields) != simdjson::SUCCESS || text_of(fields, "role") != "user") continue;
    found = fields.at_key("content").get(last) == simdjson::SUCCESS || found;
  }
  if (found) read_content(last, joined, row);
}

void read_request(const dom::object& request, std::string& joined, LogRow& row) {
  dom::array messages;
  dom::element prompt;
  if (request.at_key("messages").get(messages) == simdjson::SUCCESS ||
      request.at_key("input").get(messages) == simdjson::SUCCESS) {
    read_messages(messages, joined, row);
  } else if (request.at_key("prompt").get(prompt) == simdjson::SUCCESS ||
             request.at_key("input").get(prompt) == simdjson::SUCCESS) {
    row.turns = 1;
    read_content(prompt, joined, row);
  }
  for (const char* name : {"max_tokens", "max_completion_tokens", "max_output_tokens"})
    row.output_tokens_max = std::max(row.output_tokens_max, count_of(request, name));
}

}  // namespace

struct RowParser::State {
  dom::parser parser{base::limits::kLineBytesMax};
  std::string padded, joined;

  // The object of a line; false for anything else. Depth and size are the parser's bounds.
  bool object(std::string_view line, dom::object& out) {
    if (line.size() > base::limits::kLineBytesMax) return false;
    padded.assign(line);
    padded.append(simdjson::SIMDJSON_PADDING, '\0');
    return parser.parse(padded.data(), line.size(), false).get(out) == simdjson::SUCCESS;
  }
};

RowParser::RowParser() : state_(std::make_unique<State>()) {}
RowParser::~RowParser() = default;

bool RowParser::read(std::string_view line, TruthRow& row) {
  dom::object object;
  return state_->object(line, object) && id_of(object, "account", row.account) &&
         object.at_key("hostile").get(row.hostile) == simdjson::SUCCESS && name_of(object, "campaign", row.campaign) &&
         name_of(object, "family", row.family) && name_of(object, "stratum", row.stratum) &&
         name_of(object, "unit", row.unit) && name_of(object, "language", row.language);
}

bool RowParser::read(std::string_view line, HostileRow& row) {
  dom::object object;
  if (!state_->object(line, object) || !id_of(object, "account", row.account) || !time_of(object, "time", row.time_us))
    return false;
  // The file lists hostile requests only; one marked otherwise is no theft.
  bool hostile = true;
  if (object.at_key("hostile").get(hostile) != simdjson::SUCCESS) hostile = true;
  if (object.at_key("output_tokens").get(row.output_tokens) != simdjson::SUCCESS) row.output_tokens = 0;
  constexpr std::uint64_t kTokensMax = 1ULL << 32;  // sums of 10^9 requests stay exact
  row.output_tokens = std::min(row.output_tokens, kTokensMax);
  return hostile;
}

bool RowParser::read(std::string_view line, VerdictRow& row) {
  dom::object object, subject;
  std::uint64_t version = 0;
  if (!state_->object(line, object) || object.at_key("v").get(version) != simdjson::SUCCESS || version != 1 ||
      !time_of(object, "time", row.time_us) || object.at_key("subject").get(subject) != simdjson::SUCCESS ||
      !id_of(subject, "id", row.subject)) {
    return false;
  }
  const auto kind = named<event::SubjectKind, 3>(text_of(subject, "kind"));
  const auto level = named<event::Level, 7>(text_of(object, "level"));
  if (!kind || !level || !name_of(object, "campaign", row.campaign)) return false;
  row.kind = *kind;
  row.level = *level;
  row.class_ = named<event::Class, 4>(text_of(object, "class"));
  return true;
}

bool RowParser::read(std::string_view line, AccountRow& row) {
  dom::object object;
  return state_->object(line, object) && id_of(object, "account", row.account) &&
         name_of(object, "payment", row.payment);
}

bool RowParser::read(std::string_view line, LogRow& row) {
  dom::object object, client, request, response, usage;
  if (!state_->object(line, object) || !id_of(object, "account", row.account) || !time_of(object, "time", row.time_us))
    return false;
  const auto account = row.account;
  const auto time_us = row.time_us;
  row = {};
  row.account = account;
  row.time_us = time_us;
  if (object.at_key("client").get(client) == simdjson::SUCCESS) {
    row.network = network_of(text_of(client, "ip"));
    row.client = client_of(client);
  }
  if (object.at_key("request").get(request) == simdjson::SUCCESS) read_request(request, state_->joined, row);
  if (object.at_key("response").get(response) == simdjson::SUCCESS &&
      response.at_key("usage").get(usage) == simdjson::SUCCESS) {
    row.output_tokens = count_of(usage, "output_tokens");
  }
  return true;
}

bool RowParser::read(std::string_view line, RunRow& row) {
  dom::object object;
  if (!state_->object(line, object) || !time_of(object, "first", row.first_us) || !time_of(object, "last", row.last_us))
    return false;
  double promised = 0;
  row.promised_false_campaigns.reset();
  if (object.at_key("promised_false_campaigns_per_month").get(promised) == simdjson::SUCCESS)
    row.promised_false_campaigns = promised;
  return true;
}

}  // namespace stillwatch::quality
