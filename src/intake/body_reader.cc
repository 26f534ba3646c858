#include "intake/body_reader.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "base/limits.h"
#include "intake/json_scan.h"
#include "text/fingerprint.h"

namespace stillwatch::intake {
namespace {

namespace od = simdjson::ondemand;
using event::Dialect;
using text::Role;
using MaybeRefusal = std::optional<Refusal>;

static_assert(kJsonPadding >= simdjson::SIMDJSON_PADDING);

constexpr Refusal kNotJson{RejectReason::not_json, "request"};
constexpr Refusal wrong_type(std::string_view field) { return {RejectReason::wrong_type, field}; }

/// False for "nul" and the like; simdjson's own answer would throw when it is read as a bool.
bool is_null(od::value& value) {
  bool null = false;
  return value.is_null().get(null) == simdjson::SUCCESS && null;
}

// A named reasoning effort is pinned by relays as a budget is; kept apart from budgets by its sign.
std::int64_t budget_of_effort(std::string_view effort) {
  constexpr std::array<std::string_view, 6> kEfforts{"none", "minimal", "low", "medium", "high", "xhigh"};
  const auto found = std::find(kEfforts.begin(), kEfforts.end(), effort);
  return -10 - static_cast<std::int64_t>(found - kEfforts.begin());
}

Role role_of(std::string_view name) {
  if (name == "system" || name == "developer") return Role::system;
  if (name == "assistant" || name == "model") return Role::assistant;
  if (name == "tool" || name == "function") return Role::tool;
  return Role::user;
}

Role role_of_item(std::string_view type) {
  if (type.ends_with("_output")) return Role::tool;
  if (type.ends_with("_call") || type == "reasoning") return Role::assistant;
  return Role::user;
}

bool is_text_kind(std::string_view type) {
  return type == "text" || type == "input_text" || type == "output_text" || type == "refusal";
}
bool is_tool_result(std::string_view type) { return type.ends_with("_result") || type.ends_with("_output"); }

/// A short name (role, part type) kept while other fields are read. Longer ones are cut: none is known.
struct ShortName {
  std::array<char, 48> bytes{};
  std::uint8_t size = 0;
  void set(std::string_view text) {
    size = static_cast<std::uint8_t>(std::min(text.size(), bytes.size()));
    std::copy_n(text.begin(), size, bytes.begin());
  }
  std::string_view view() const { return {bytes.data(), size}; }
};

// Fields that carry turns: a repeat of one makes the body be read again, the last one only.
enum TurnField : std::size_t { kMessages, kSystem, kInput, kInstructions, kPrompt, kTurnFields };
constexpr TurnField kNoTurnField = kTurnFields;

std::size_t turn_field_of(Dialect dialect, std::string_view key) {
  switch (dialect) {
    case Dialect::openai_chat: return key == "messages" ? kMessages : kNoTurnField;
    case Dialect::anthropic_messages: return key == "messages" ? kMessages : key == "system" ? kSystem : kNoTurnField;
    case Dialect::openai_responses:
      return key == "input" ? kInput : key == "instructions" ? kInstructions : kNoTurnField;
    case Dialect::text: return key == "prompt" ? kPrompt : kNoTurnField;
  }
  return kNoTurnField;
}

constexpr std::string_view kTurnFieldNames[] = {"request.messages", "request.system", "request.input",
                                                "request.instructions", "request.prompt"};

}  // namespace

std::optional<Dialect> dialect_of(std::string_view name) {
  if (name == "openai.chat") return Dialect::openai_chat;
  if (name == "openai.responses") return Dialect::openai_responses;
  if (name == "anthropic.messages") return Dialect::anthropic_messages;
  if (name == "text") return Dialect::text;
  return std::nullopt;
}

struct BodyReader::State {
  explicit State(const crypto::KeyedHash& hash) : keyed_hash(hash), fingerprinter(hash) {}

  const crypto::KeyedHash& keyed_hash;
  text::Fingerprinter fingerprinter;
  od::parser parser;
  JsonText text, key_text;
  const char* end = nullptr;   // of the JSON being read
  std::size_t json_bytes = 0;  // its size
  bool has_turns = false;      // the dialect's field of turns was there
  bool careful = false;        // a key was repeated: look for the last of each before reading
  bool repeated = false;
  text::Parameters parameters;
  std::int64_t tokens_max_old = -1;  // max_tokens, when max_completion_tokens is not there
  bool has_safety_identifier = false;
  event::Token model = 0, end_user = 0;
  std::string model_name;
  std::optional<Role> open_turn;  // of the message being read
  std::uint64_t turns_ignored = 0;

  // Scalars.
  std::optional<std::string_view> unescape(JsonText& into, const char* raw) const {
    return into.unescape(std::string_view(raw, static_cast<std::size_t>(end - raw)));
  }
  std::optional<std::string_view> key_of(od::field& field) { return unescape(key_text, field.key().raw()); }
  /// Text of a string; for null an empty view with no bytes at all.
  MaybeRefusal string_of(od::value value, std::string_view name, std::string_view& out) {
    out = {};
    od::raw_json_string raw;
    if (value.get_raw_json_string().get(raw)) {
      return is_null(value) ? MaybeRefusal{} : MaybeRefusal{wrong_type(name)};
    }
    const auto unescaped = unescape(text, raw.raw());
    if (!unescaped) return kNotJson;
    out = *unescaped;
    return {};
  }
  MaybeRefusal number_of(od::value value, std::string_view name, double& out) {
    if (value.get_double().get(out) == simdjson::SUCCESS) return {};
    return is_null(value) ? MaybeRefusal{} : MaybeRefusal{wrong_type(name)};
  }
  MaybeRefusal count_of(od::value value, std::string_view name, std::int64_t& out) {
    double number = -1;
    if (auto refusal = number_of(value, name, number)) return refusal;
    out = std::isfinite(number) ? static_cast<std::int64_t>(std::clamp(number, -1.0, 1e15)) : -1;
    return {};
  }
  static MaybeRefusal flag_of(od::value value, std::string_view name, bool& out) {
    if (value.get_bool().get(out) == simdjson::SUCCESS) return {};
    return is_null(value) ? MaybeRefusal{} : MaybeRefusal{wrong_type(name)};
  }
  /// Raw JSON of an array or object; empty for anything else.
  static std::string_view span_of(od::value value) {
    std::string_view raw;
    od::json_type type;
    if (value.type().get(type)) return {};
    if (type == od::json_type::object) {
      od::object object;
      if (value.get_object().get(object) || object.raw_json().get(raw)) return {};
    } else if (type == od::json_type::array) {
      od::array array;
      if (value.get_array().get(array) || array.raw_json().get(raw)) return {};
    }
    return raw;
  }

  /// Calls visit(key, value) for each field, in order.
  template <class Visit>
  MaybeRefusal each_field(od::object& object, Visit visit) {
    for (auto result : object) {
      od::field field;
      if (std::move(result).get(field)) return kNotJson;
      const auto key = key_of(field);
      if (!key) return kNotJson;
      if (auto refusal = visit(*key, field.value())) return refusal;
    }
    return {};
  }

  void turn(Role role) {
    if (open_turn == role) return;
    open_turn = role;
    fingerprinter.begin_turn(role);
  }
  void add_other(std::string_view kind, std::size_t bytes) { fingerprinter.add_other_part(kind, bytes); }

  MaybeRefusal read_part(od::object part, Role role);
  MaybeRefusal read_content(od::value content, Role role, std::string_view name);
  MaybeRefusal read_message(od::object message);
  MaybeRefusal read_messages(od::array messages, std::string_view name);
  MaybeRefusal read_turn_field(std::size_t field, od::value value);
  MaybeRefusal read_schema(od::value value, std::string_view name);
  MaybeRefusal read_parameter(Dialect dialect, std::string_view key, od::value value);
  MaybeRefusal read_nested(od::value value, std::string_view name, std::string_view wanted, std::string_view& out_text,
                           double& out_number);
  MaybeRefusal read_object(Dialect dialect, od::object& object);
  MaybeRefusal open(std::string_view json, od::document& document);
};

/// One part of a message's content: text is read, anything else counts by kind and size.
MaybeRefusal BodyReader::State::read_part(od::object part, Role role) {
  ShortName type;
  bool typed = false, fed = false;
  std::size_t texts = 0;
  const auto feed = [&](od::value value) -> MaybeRefusal {
    std::string_view bytes;
    if (auto refusal = string_of(value, "request.content.text", bytes)) return refusal;
    turn(role);
    fingerprinter.add_text(bytes);
    fed = true;
    return {};
  };
  const auto first = each_field(part, [&](std::string_view key, od::value value) -> MaybeRefusal {
    if (key == "type") {
      std::string_view name;
      if (auto refusal = string_of(value, "request.content.type", name)) return refusal;
      type.set(name);
      typed = true;
    } else if (key == "text" || key == "refusal") {
      if (++texts > 1) repeated = true;
      if (!careful && texts == 1 && typed && is_text_kind(type.view())) return feed(value);
    }
    return {};
  });
  if (first) return first;
  if (fed) return {};
  if (texts > 0 && (!typed || is_text_kind(type.view()))) {
    bool ignored = false;
    if (part.reset().get(ignored)) return kNotJson;
    std::size_t left = texts;
    return each_field(part, [&](std::string_view key, od::value value) -> MaybeRefusal {
      if ((key == "text" || key == "refusal") && --left == 0) return feed(value);
      return {};
    });
  }
  bool ignored = false;
  std::string_view raw;
  if (part.reset().get(ignored) || part.raw_json().get(raw)) return kNotJson;
  turn(is_tool_result(type.view()) ? Role::tool : role);
  add_other(typed ? type.view() : "part", raw.size());
  return {};
}

MaybeRefusal BodyReader::State::read_content(od::value content, Role role, std::string_view name) {
  od::json_type type;
  if (content.type().get(type)) return kNotJson;
  if (type == od::json_type::array) {
    od::array parts;
    if (content.get_array().get(parts)) return kNotJson;
    for (auto result : parts) {
      od::value part;
      if (std::move(result).get(part)) return kNotJson;
      od::object object;
      od::json_type part_type;
      if (part.type().get(part_type)) return kNotJson;
      if (part_type == od::json_type::object) {
        if (part.get_object().get(object)) return kNotJson;
        if (auto refusal = read_part(object, role)) return refusal;
      } else {
        std::string_view bytes;
        if (auto refusal = string_of(part, name, bytes)) return refusal;
        turn(role);
        fingerprinter.add_text(bytes);
      }
    }
    return {};
  }
  if (type == od::json_type::object) {
    od::object object;
    if (content.get_object().get(object)) return kNotJson;
    return read_part(object, role);
  }
  std::string_view bytes;
  if (auto refusal = string_of(content, name, bytes)) return refusal;
  if (bytes.data() == nullptr) return {};
  turn(role);
  fingerprinter.add_text(bytes);
  return {};
}

/// A chat message, or an item of a Responses input.
MaybeRefusal BodyReader::State::read_message(od::object message) {
  open_turn.reset();
  ShortName role_name, type;
  bool has_role = false, fed = false;
  std::size_t contents = 0, roles = 0, calls_bytes = 0;
  const auto feed = [&](od::value value) -> MaybeRefusal {
    fed = true;
    const Role role = role_of(role_name.view());
    if (role != Role::tool) return read_content(value, role, "request.messages.content");
    // A tool's answer is not the user's or the model's text: kind and size only, as in every dialect.
    std::string_view raw = span_of(value), bytes;
    if (raw.empty()) {
      if (auto refusal = string_of(value, "request.messages.content", bytes)) return refusal;
    }
    turn(Role::tool);
    add_other("tool_result", std::max(raw.size(), bytes.size()));
    return {};
  };
  const auto refusal = each_field(message, [&](std::string_view key, od::value value) -> MaybeRefusal {
    if (key == "role") {
      std::string_view name;
      if (auto refused = string_of(value, "request.messages.role", name)) return refused;
      role_name.set(name);
      has_role = true;
      if (++roles > 1) repeated = true;
    } else if (key == "content") {
      if (++contents > 1) repeated = true;
      if (!careful && has_role && contents == 1) return feed(value);
    } else if (key == "type") {
      std::string_view name;
      if (auto refused = string_of(value, "request.messages.type", name)) return refused;
      type.set(name);
    } else if (key == "tool_calls" || key == "function_call") {
      calls_bytes += span_of(value).size();
    }
    return {};
  });
  if (refusal) return refusal;
  if (!fed && contents > 0 && (has_role || type.size == 0 || type.view() == "message")) {
    bool ignored = false;
    if (message.reset().get(ignored)) return kNotJson;
    std::size_t left = contents;
    const auto second = each_field(message, [&](std::string_view key, od::value value) -> MaybeRefusal {
      if (key == "content" && --left == 0) return feed(value);
      return {};
    });
    if (second) return second;
  } else if (!fed) {
    // Calls, their outputs, reasoning items, references: kind and size.
    const Role role = has_role ? role_of(role_name.view()) : role_of_item(type.view());
    turn(role);
    bool ignored = false;
    std::string_view raw;
    if (type.size > 0) {
      if (message.reset().get(ignored) || message.raw_json().get(raw)) return kNotJson;
      add_other(type.view(), raw.size());
    }
  }
  if (calls_bytes > 0) {
    turn(role_of(role_name.view()));
    add_other("tool_use", calls_bytes);
  }
  return {};
}

MaybeRefusal BodyReader::State::read_messages(od::array messages, std::string_view name) {
  std::size_t skip = 0;
  // Counting costs a walk: only where the bytes could hold too many ("{}," a turn).
  if (json_bytes / 3 > base::limits::kMessagesMax) {
    bool ignored = false;
    std::size_t count = 0;
    if (messages.count_elements().get(count) || messages.reset().get(ignored)) return kNotJson;
    // The newest turns say what is asked: the oldest go.
    if (count > base::limits::kMessagesMax) skip = count - base::limits::kMessagesMax;
    turns_ignored += skip;
  }
  for (auto result : messages) {
    od::value element;
    if (std::move(result).get(element)) return kNotJson;
    if (skip > 0) {
      --skip;
      continue;
    }
    od::json_type type;
    if (element.type().get(type)) return kNotJson;
    if (type == od::json_type::object) {
      od::object message;
      if (element.get_object().get(message)) return kNotJson;
      if (auto refusal = read_message(message)) return refusal;
    } else {
      std::string_view bytes;
      if (auto refusal = string_of(element, name, bytes)) return refusal;
      open_turn.reset();
      turn(Role::user);
      fingerprinter.add_text(bytes);
    }
  }
  return {};
}

MaybeRefusal BodyReader::State::read_turn_field(std::size_t field, od::value value) {
  const std::string_view name = kTurnFieldNames[field];
  open_turn.reset();
  if (field == kSystem || field == kInstructions) return read_content(value, Role::system, name);
  od::json_type type;
  if (value.type().get(type)) return kNotJson;
  if (type == od::json_type::array) {
    od::array messages;
    if (value.get_array().get(messages)) return kNotJson;
    return read_messages(messages, name);
  }
  if (field == kMessages) return wrong_type(name);
  std::string_view bytes;
  if (auto refusal = string_of(value, name, bytes)) return refusal;
  if (bytes.data() == nullptr) return {};
  turn(Role::user);
  fingerprinter.add_text(bytes);
  return {};
}

/// response_format and its like: {"type":"text"} asks for nothing.
MaybeRefusal BodyReader::State::read_schema(od::value value, std::string_view name) {
  od::object object;
  if (value.get_object().get(object)) return is_null(value) ? MaybeRefusal{} : MaybeRefusal{wrong_type(name)};
  ShortName type;
  const auto refusal = each_field(object, [&](std::string_view key, od::value inner) -> MaybeRefusal {
    std::string_view text_of_type;
    if (key == "type") {
      if (auto refused = string_of(inner, name, text_of_type)) return refused;
      type.set(text_of_type);
    }
    return {};
  });
  if (refusal) return refusal;
  bool ignored = false;
  std::string_view raw;
  if (object.reset().get(ignored) || object.raw_json().get(raw)) return kNotJson;
  if (type.view() != "text") fingerprinter.set_schema(raw);
  return {};
}

/// One field of a nested object: its text or its number, whichever it is.
MaybeRefusal BodyReader::State::read_nested(od::value value, std::string_view name, std::string_view wanted,
                                            std::string_view& out_text, double& out_number) {
  od::object object;
  if (value.get_object().get(object)) return is_null(value) ? MaybeRefusal{} : MaybeRefusal{wrong_type(name)};
  return each_field(object, [&](std::string_view key, od::value inner) -> MaybeRefusal {
    if (key != wanted) return {};
    od::json_type type;
    if (inner.type().get(type)) return kNotJson;
    return type == od::json_type::number ? number_of(inner, name, out_number) : string_of(inner, name, out_text);
  });
}

MaybeRefusal BodyReader::State::read_parameter(Dialect dialect, std::string_view key, od::value value) {
  std::string_view bytes;
  double number = -1;
  switch (key.empty() ? '\0' : key[0]) {
    case 'm':
      if (key == "model") {
        if (auto refusal = string_of(value, "request.model", bytes)) return refusal;
        model_name.assign(bytes);
        model = bytes.empty() ? 0 : keyed_hash(crypto::Domain::model, bytes);
      } else if (key == "max_tokens") {
        return count_of(value, "request.max_tokens", tokens_max_old);
      } else if (key == "max_completion_tokens" || key == "max_output_tokens") {
        return count_of(value, "request.max_output_tokens", parameters.output_tokens_max);
      } else if (key == "metadata" && dialect == Dialect::anthropic_messages) {
        if (auto refusal = read_nested(value, "request.metadata.user_id", "user_id", bytes, number)) return refusal;
        if (!bytes.empty()) end_user = keyed_hash(crypto::Domain::end_user, bytes);
      }
      break;
    case 't':
      if (key == "temperature") return number_of(value, "request.temperature", parameters.temperature);
      if (key == "top_p") return number_of(value, "request.top_p", parameters.top_p);
      if (key == "tools") {
        const std::string_view raw = span_of(value);
        if (raw.size() > 2) fingerprinter.set_tools(raw);
      } else if (key == "thinking" && dialect == Dialect::anthropic_messages) {
        if (auto refusal = read_nested(value, "request.thinking.budget_tokens", "budget_tokens", bytes, number))
          return refusal;
        if (number >= 0) parameters.thinking_budget = static_cast<std::int64_t>(std::min(number, 1e15));
      } else if (key == "text" && dialect == Dialect::openai_responses) {
        od::object object;
        if (value.get_object().get(object))
          return is_null(value) ? MaybeRefusal{} : MaybeRefusal{wrong_type("request.text")};
        return each_field(object, [&](std::string_view inner_key, od::value inner) -> MaybeRefusal {
          return inner_key == "format" ? read_schema(inner, "request.text.format") : MaybeRefusal{};
        });
      }
      break;
    case 'n':
      if (key == "n") {
        std::int64_t count = -1;
        if (auto refusal = count_of(value, "request.n", count)) return refusal;
        parameters.n = static_cast<std::int32_t>(std::min<std::int64_t>(count, INT32_MAX));
      }
      break;
    case 's':
      if (key == "stream") return flag_of(value, "request.stream", parameters.stream);
      if (key == "safety_identifier") {
        if (auto refusal = string_of(value, "request.safety_identifier", bytes)) return refusal;
        if (bytes.empty()) break;
        end_user = keyed_hash(crypto::Domain::end_user, bytes);
        has_safety_identifier = true;
      }
      break;
    case 'u':
      if (key == "user" && dialect != Dialect::anthropic_messages) {
        if (auto refusal = string_of(value, "request.user", bytes)) return refusal;
        if (!bytes.empty() && !has_safety_identifier) end_user = keyed_hash(crypto::Domain::end_user, bytes);
      }
      break;
    case 'l':
      if (key == "logprobs") {
        od::json_type type;
        if (value.type().get(type)) return kNotJson;
        // The old completions dialect has a number here.
        if (type == od::json_type::number)
          parameters.logprobs = true;
        else
          return flag_of(value, "request.logprobs", parameters.logprobs);
      }
      break;
    case 'f':
      if (key == "functions") {
        const std::string_view raw = span_of(value);
        if (raw.size() > 2) fingerprinter.set_tools(raw);
      }
      break;
    case 'r':
      if (key == "response_format") return read_schema(value, "request.response_format");
      if (key == "reasoning_effort") {
        if (auto refusal = string_of(value, "request.reasoning_effort", bytes)) return refusal;
      } else if (key == "reasoning") {
        if (auto refusal = read_nested(value, "request.reasoning.effort", "effort", bytes, number)) return refusal;
      }
      if (!bytes.empty()) parameters.thinking_budget = budget_of_effort(bytes);
      break;
    case 'o':
      if (key == "output_format") return read_schema(value, "request.output_format");
      break;
    default: break;
  }
  return {};
}

MaybeRefusal BodyReader::State::read_object(Dialect dialect, od::object& object) {
  std::array<std::size_t, kTurnFields> seen{};
  const auto read_turns_now = [&](std::size_t field) {
    // Responses: system text stands in `instructions` and in `input`, and always counts in that order.
    return !careful && seen[field] == 1 && (field != kInput || seen[kInstructions] > 0);
  };
  bool input_waits = false;
  const auto refusal = each_field(object, [&](std::string_view key, od::value value) -> MaybeRefusal {
    const std::size_t field = turn_field_of(dialect, key);
    if (field == kNoTurnField) return read_parameter(dialect, key, value);
    if (++seen[field] > 1) repeated = true;
    has_turns |= field != kSystem && field != kInstructions;
    if (read_turns_now(field)) return read_turn_field(field, value);
    input_waits |= field == kInput;
    return {};
  });
  if (refusal) return refusal;
  if (!careful && (!input_waits || repeated)) return {};
  for (std::size_t field = 0; field < kTurnFields; ++field) {
    // System text before turns, so that the second pass gives what the first would have.
    constexpr std::array<std::size_t, kTurnFields> kOrder{kSystem, kInstructions, kMessages, kInput, kPrompt};
    const std::size_t wanted = careful ? kOrder[field] : static_cast<std::size_t>(kInput);
    bool ignored = false;
    std::size_t left = seen[wanted];
    if (left == 0) continue;
    if (object.reset().get(ignored)) return kNotJson;
    const auto second = each_field(object, [&](std::string_view key, od::value value) -> MaybeRefusal {
      return turn_field_of(dialect, key) == wanted && --left == 0 ? read_turn_field(wanted, value) : MaybeRefusal{};
    });
    if (second) return second;
    if (!careful) break;
  }
  return {};
}

MaybeRefusal BodyReader::State::open(std::string_view json, od::document& document) {
  if (json.size() > parser.capacity()) {
    // Grown by doubling, so that lines of growing length do not allocate each.
    const std::size_t room = std::max<std::size_t>(1 << 14, std::max(json.size(), 2 * parser.capacity()));
    if (parser.allocate(room, simdjson::DEFAULT_MAX_DEPTH)) return kNotJson;
  }
  end = json.data() + json.size();
  json_bytes = json.size();
  if (parser.iterate(simdjson::padded_string_view(json.data(), json.size(), json.size() + kJsonPadding)).get(document))
    return kNotJson;
  return {};
}

BodyReader::BodyReader(const crypto::KeyedHash& keyed_hash) : state_(std::make_unique<State>(keyed_hash)) {}
BodyReader::~BodyReader() = default;

void BodyReader::begin() {
  State& state = *state_;
  state.fingerprinter.begin();
  state.parameters = {};
  state.tokens_max_old = -1;
  state.has_safety_identifier = false;
  state.has_turns = false;
  state.model = state.end_user = 0;
  state.model_name.clear();
  state.open_turn.reset();
}

std::optional<Refusal> BodyReader::read_fields(Dialect dialect, std::string_view json) {
  State& state = *state_;
  for (state.careful = false;; state.careful = true) {
    od::document document;
    if (auto refusal = state.open(json, document)) return refusal;
    state.repeated = false;
    od::object object;
    if (document.get_object().get(object)) return wrong_type("request");
    if (auto refusal = state.read_object(dialect, object)) return refusal;
    if (!state.repeated || state.careful) return {};
    begin();
  }
}

std::optional<Refusal> BodyReader::read_turns(Dialect dialect, std::string_view json) {
  State& state = *state_;
  const auto first = json.empty() ? '\0' : json[0];
  if (first == '{') return read_fields(dialect, json);
  if (first == '"') {
    const auto text_of_turn = state.text.unescape(json.substr(1));
    if (!text_of_turn) return kNotJson;
    add_user_text(*text_of_turn);
    return {};
  }
  if (first != '[') return wrong_type("messages");
  od::document document;
  state.careful = false;
  if (auto refusal = state.open(json, document)) return refusal;
  od::array messages;
  if (document.get_array().get(messages)) return kNotJson;
  return state.read_messages(messages, "messages");
}

void BodyReader::add_user_text(std::string_view text) {
  state_->open_turn.reset();
  state_->turn(Role::user);
  state_->fingerprinter.add_text(text);
}

void BodyReader::set_model(std::string_view name) {
  state_->model_name.assign(name);
  state_->model = name.empty() ? 0 : state_->keyed_hash(crypto::Domain::model, name);
}

void BodyReader::finish(Body& out) {
  State& state = *state_;
  if (state.parameters.output_tokens_max < 0) state.parameters.output_tokens_max = state.tokens_max_old;
  state.fingerprinter.set_parameters(state.parameters);
  out.model = state.model;
  out.end_user = state.end_user;
  out.model_name = state.model_name;
  out.sampled_many = state.parameters.n > 1;
  out.fingerprint = state.fingerprinter.finish();
}

std::optional<Refusal> BodyReader::read(Dialect dialect, std::string_view json, Body& out) {
  begin();
  if (auto refusal = read_fields(dialect, json)) return refusal;
  // A Responses request may rest on a stored prompt or conversation alone; the others must have turns.
  if (!state_->has_turns && dialect != Dialect::openai_responses) {
    return Refusal{RejectReason::missing_field, dialect == Dialect::text ? "request.prompt" : "request.messages"};
  }
  finish(out);
  return {};
}

std::uint64_t BodyReader::turns_ignored() const { return state_->turns_ignored; }

}  // namespace stillwatch::intake
