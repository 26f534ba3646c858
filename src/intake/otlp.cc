#include "intake/otlp.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include <fmt/format.h>

#include "base/event_time.h"
#include "base/limits.h"
#include "intake/otlp_value.h"

namespace stillwatch::intake {
namespace {

constexpr Refusal kNotJson{RejectReason::not_json, ""};

enum Slot : std::size_t {
  kOperation,
  kModel,
  kTemperature,
  kTopP,
  kMaxTokens,
  kChoices,
  kInputTokens,
  kOutputTokens,
  kPromptTokens,
  kCompletionTokens,
  kMessages,
  kSystem,
  kTools,
  kPrompt,
  kUserId,
  kEndUserId,
  kAddress,
  kUserAgent,
  kHttpStatus,
  kEventName,
  kAccount,
  kSlots,
};
constexpr std::array<std::string_view, kAccount> kNames{"gen_ai.operation.name",
                                                        "gen_ai.request.model",
                                                        "gen_ai.request.temperature",
                                                        "gen_ai.request.top_p",
                                                        "gen_ai.request.max_tokens",
                                                        "gen_ai.request.choice.count",
                                                        "gen_ai.usage.input_tokens",
                                                        "gen_ai.usage.output_tokens",
                                                        "gen_ai.usage.prompt_tokens",
                                                        "gen_ai.usage.completion_tokens",
                                                        "gen_ai.input.messages",
                                                        "gen_ai.system_instructions",
                                                        "gen_ai.tool.definitions",
                                                        "gen_ai.prompt",
                                                        "user.id",
                                                        "enduser.id",
                                                        "client.address",
                                                        "user_agent.original",
                                                        "http.response.status_code",
                                                        "event.name"};
constexpr std::string_view kDetailsEvent = "gen_ai.client.inference.operation.details";
constexpr std::string_view kPromptEvent = "gen_ai.content.prompt";
constexpr std::string_view kFlatPrompt = "gen_ai.prompt.";

/// One span or log record, as views into the export.
struct Call {
  std::array<std::string_view, kSlots> values{};                                // AnyValues
  std::map<std::uint32_t, std::pair<std::string_view, std::string_view>> flat;  // gen_ai.prompt.N.role and .content
  std::string event_messages;  // of span events, one for each message, as elements of `messages`
  std::string_view trace_id, span_id, start, end, event_name;  // texts without quotes
  std::string_view status;                                     // as it stands
};

bool is_call_of_a_model(const Call& call) {
  const std::string_view operation = scalar_of(call.values[kOperation]);
  if (!operation.empty())
    return operation == "chat" || operation == "text_completion" || operation == "generate_content";
  // Before the operation had a name.
  return !call.values[kModel].empty() && (!call.values[kPrompt].empty() || !call.flat.empty() ||
                                          !call.values[kMessages].empty() || !call.event_messages.empty());
}

}  // namespace

struct OtlpReader::State {
  explicit State(std::string attribute) : account_attribute(std::move(attribute)) {}

  std::string account_attribute;
  OtlpCounters counters;
  JsonText text;
  Call resource;
  std::string record, messages, plain;

  void take_attribute(std::string_view key, std::string_view value, Call& call) const {
    const auto found = std::find(kNames.begin(), kNames.end(), key);
    if (found != kNames.end()) call.values[static_cast<std::size_t>(found - kNames.begin())] = value;
    if (key == account_attribute) call.values[kAccount] = value;
    if (!key.starts_with(kFlatPrompt)) return;
    key.remove_prefix(kFlatPrompt.size());
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), number);
    if (error != std::errc{} || number >= base::limits::kMessagesMax) return;
    const std::string_view field = key.substr(static_cast<std::size_t>(end - key.data()));
    if (field == ".role") call.flat[number].first = scalar_of(value);
    if (field == ".content") call.flat[number].second = scalar_of(value);
  }

  /// [{key, value}].
  bool read_attributes(JsonCursor& cursor, Call& call) const {
    if (cursor.peek() != '[') return cursor.skip();
    return cursor.each_element([&](std::size_t) {
      if (cursor.peek() != '{') return cursor.skip();
      std::string_view key, value;
      const bool is_whole = cursor.each_member([&](std::string_view name, std::size_t) {
        const bool is_key = name == "key", is_value = name == "value";
        const auto span = cursor.span();
        if (!span) return false;
        if (is_key) key = scalar_text(*span);
        if (is_value) value = *span;
        return true;
      });
      if (!is_whole) return false;
      if (!key.empty() && !value.empty()) take_attribute(key, value, call);
      return true;
    });
  }

  /// An event of a span: the details, the old prompt, or one message (conventions before 1.37).
  bool read_span_event(JsonCursor& cursor, Call& call) {
    if (cursor.peek() != '{') return cursor.skip();
    std::string_view name, attributes;
    const bool is_whole = cursor.each_member([&](std::string_view key, std::size_t) {
      const bool is_name = key == "name", is_attributes = key == "attributes";
      const auto span = cursor.span();
      if (!span) return false;
      if (is_name) name = scalar_text(*span);
      if (is_attributes) attributes = *span;
      return true;
    });
    if (!is_whole || attributes.empty()) return is_whole;
    JsonCursor inner(attributes);
    if (name == kDetailsEvent || name == kPromptEvent) return read_attributes(inner, call);
    if (!name.starts_with("gen_ai.") || !name.ends_with(".message")) return true;
    const std::string_view role = name.substr(7, name.size() - 7 - 8);
    if (role.find_first_not_of("abcdefghijklmnopqrstuvwxyz") != std::string_view::npos) return true;
    std::string_view content;
    const bool is_read = inner.peek() == '[' && inner.each_element([&](std::size_t) {
      const auto attribute = inner.span();
      if (!attribute) return false;
      JsonCursor pair(*attribute);
      if (pair.look_for("key", text) != "content") return true;
      return pair.each_member([&](std::string_view key, std::size_t) {
        const bool is_value = key == "value";
        const auto span = pair.span();
        if (span && is_value) content = scalar_of(*span);
        return span.has_value();
      });
    });
    if (!is_read) return true;
    if (!call.event_messages.empty()) call.event_messages += ',';
    call.event_messages += fmt::format(R"({{"role":"{}","content":"{}"}})", role, content);
    return true;
  }

  bool read_call(JsonCursor& cursor, bool is_log, const Sink& sink) {
    if (cursor.peek() != '{') return cursor.skip();
    ++(is_log ? counters.log_records : counters.spans);
    Call call;
    const bool is_whole = cursor.each_member([&](std::string_view key, std::size_t) {
      if (key == "attributes") return read_attributes(cursor, call);
      if (key == "events" && cursor.peek() == '[')
        return cursor.each_element([&](std::size_t) { return read_span_event(cursor, call); });
      std::string_view* const place = key == "traceId"                                      ? &call.trace_id
                                      : key == "spanId"                                     ? &call.span_id
                                      : key == "startTimeUnixNano" || key == "timeUnixNano" ? &call.start
                                      : key == "endTimeUnixNano"                            ? &call.end
                                      : key == "eventName"                                  ? &call.event_name
                                      : key == "status"                                     ? &call.status
                                                                                            : nullptr;
      const bool is_status = key == "status";
      const auto span = cursor.span();
      if (span && place != nullptr) *place = is_status ? *span : scalar_text(*span);
      return span.has_value();
    });
    if (!is_whole) return false;
    const bool is_details = call.event_name == kDetailsEvent || scalar_of(call.values[kEventName]) == kDetailsEvent;
    if ((is_log && !is_details) || !is_call_of_a_model(call)) {
      ++counters.not_a_call;
      return true;
    }
    write(call, sink);
    return true;
  }

  static std::string time_of(std::string_view nanoseconds) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(nanoseconds.data(), nanoseconds.data() + nanoseconds.size(), number);
    if (error != std::errc{} || end != nanoseconds.data() + nanoseconds.size()) return {};
    return base::format_time(static_cast<std::int64_t>(number / 1'000));
  }

  std::string_view value_of(const Call& call, Slot slot) const {
    const std::string_view own = scalar_of(call.values[slot]);
    return own.empty() ? scalar_of(resource.values[slot]) : own;
  }

  void add_text(std::string_view name, std::string_view raw) {
    if (!raw.empty()) record += fmt::format(R"(,"{}":"{}")", name, raw);
  }
  void add_number(std::string_view name, const Call& call, Slot slot) {
    const std::string_view digits = number_of_value(call.values[slot]);
    if (!digits.empty()) record += fmt::format(R"(,"{}":{})", name, digits);
  }

  void write_messages(const Call& call) {
    messages = "[";
    if (!call.values[kSystem].empty() && plain_json_of(call.values[kSystem], text, plain))
      (void)append_system(plain, messages);
    const std::string_view whole = !call.values[kMessages].empty() ? call.values[kMessages] : call.values[kPrompt];
    if (!whole.empty()) {
      if (plain_json_of(whole, text, plain)) (void)append_messages(plain, messages);
    } else if (!call.event_messages.empty()) {
      if (messages.size() > 1) messages += ',';
      messages += call.event_messages;
    } else {
      for (const auto& [number, turn] : call.flat) {
        if (messages.size() > 1) messages += ',';
        messages +=
            fmt::format(R"({{"role":"{}","content":"{}"}})", turn.first.empty() ? "user" : turn.first, turn.second);
      }
    }
    if (messages.size() == 1) ++counters.without_content;
    messages += ']';
  }

  void write(const Call& call, const Sink& sink) {
    std::string_view account = value_of(call, kAccount), end_user;
    for (const Slot slot : {kUserId, kEndUserId}) {
      const std::string_view user = value_of(call, slot);
      if (account.empty())
        account = user;
      else if (end_user.empty() && user != account)
        end_user = user;
    }
    if (account.empty()) {
      ++counters.without_account;
      return;
    }
    record = fmt::format(R"({{"v":1,"id":"{}{}","time":"{}")", call.trace_id, call.span_id, time_of(call.start));
    if (const std::string ended = time_of(call.end); !ended.empty()) add_text("ended", ended);
    add_text("account", account);
    add_text("end_user", end_user);
    record += R"(,"client":{"asn":null)";
    add_text("ip", value_of(call, kAddress));
    add_text("user_agent", value_of(call, kUserAgent));
    write_messages(call);
    record.append(R"(},"dialect":"openai.chat","request":{"messages":)").append(messages);
    add_text("model", scalar_of(call.values[kModel]));
    add_number("temperature", call, kTemperature);
    add_number("top_p", call, kTopP);
    add_number("max_tokens", call, kMaxTokens);
    add_number("n", call, kChoices);
    if (!call.values[kTools].empty() && plain_json_of(call.values[kTools], text, plain) && plain.front() == '[')
      record.append(R"(,"tools":)").append(plain);
    record += R"(},"response":{)" + fmt::format(R"("status":{})", status_of(call)) + R"(,"usage":{"cached_tokens":0)";
    const auto usage = [&](std::string_view name, Slot slot, Slot old) {
      add_number(name, call, call.values[slot].empty() ? old : slot);
    };
    usage("input_tokens", kInputTokens, kPromptTokens);
    usage("output_tokens", kOutputTokens, kCompletionTokens);
    record += "}}}";
    // One record is one line: what broke lines between tokens becomes a space, and within a text, where it may not
    // stand, it must not start a line of its own.
    for (char& letter : record) {
      if (static_cast<unsigned char>(letter) < 0x20) letter = ' ';
    }
    ++counters.records;
    sink(record);
  }

  /// A status that was told, else the span's own: 2 is an error.
  std::string status_of(const Call& call) {
    const std::string_view told = number_of_value(call.values[kHttpStatus]);
    if (!told.empty()) return std::string(told);
    if (call.status.empty() || call.status.front() != '{') return "200";
    bool is_error = false;
    JsonCursor cursor(call.status);
    (void)cursor.each_member([&](std::string_view key, std::size_t) {
      const bool is_code = key == "code";
      const auto span = cursor.span();
      if (span && is_code) is_error = *span == "2" || scalar_text(*span) == "STATUS_CODE_ERROR";
      return span.has_value();
    });
    return is_error ? "500" : "200";
  }

  /// An element of resourceSpans or resourceLogs: the resource first, wherever it stands.
  bool read_resource(JsonCursor& cursor, const Sink& sink) {
    if (cursor.peek() != '{') return cursor.skip();
    resource = {};
    JsonCursor ahead = cursor;
    const bool is_whole = ahead.each_member([&](std::string_view key, std::size_t) {
      if (key != "resource" || ahead.peek() != '{') return ahead.skip();
      return ahead.each_member([&](std::string_view inner, std::size_t) {
        return inner == "attributes" ? read_attributes(ahead, resource) : ahead.skip();
      });
    });
    if (!is_whole) return false;
    return cursor.each_member([&](std::string_view key, std::size_t) {
      if ((key != "scopeSpans" && key != "scopeLogs") || cursor.peek() != '[') return cursor.skip();
      const bool is_log = key == "scopeLogs";
      return cursor.each_element([&](std::size_t) {
        if (cursor.peek() != '{') return cursor.skip();
        return cursor.each_member([&](std::string_view inner, std::size_t) {
          if (inner != (is_log ? "logRecords" : "spans") || cursor.peek() != '[') return cursor.skip();
          return cursor.each_element([&](std::size_t) { return read_call(cursor, is_log, sink); });
        });
      });
    });
  }
};

OtlpReader::OtlpReader(std::string account_attribute) : state_(std::make_unique<State>(std::move(account_attribute))) {}
OtlpReader::~OtlpReader() = default;

std::optional<Refusal> OtlpReader::read(std::string_view body, const Sink& sink) {
  // The records are read as UTF-8 lines: better the export is refused than each of them.
  if (!is_utf8(body)) return Refusal{RejectReason::not_utf8, ""};
  JsonCursor cursor(body);
  if (cursor.peek() != '{') return kNotJson;
  const bool is_whole = cursor.each_member([&](std::string_view key, std::size_t) {
    if ((key != "resourceSpans" && key != "resourceLogs") || cursor.peek() != '[') return cursor.skip();
    return cursor.each_element([&](std::size_t) { return state_->read_resource(cursor, sink); });
  });
  if (!is_whole || !cursor.at_end()) return kNotJson;
  return {};
}

const OtlpCounters& OtlpReader::counters() const { return state_->counters; }

}  // namespace stillwatch::intake
