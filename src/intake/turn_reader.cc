#include "intake/turn_reader.h"

#include <algorithm>

#include "base/limits.h"

namespace stillwatch::intake {
namespace {

using event::Dialect;
using text::Role;

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

constexpr std::string_view kTurnFieldNames[] = {"request.messages", "request.system", "request.input",
                                                "request.instructions", "request.prompt"};

}  // namespace

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

/// One part of a message's content: text is read, anything else counts by kind and size.
MaybeRefusal TurnReader::read_part(od::object part, Role role) {
  ShortName type;
  bool typed = false, fed = false;
  std::size_t texts = 0;
  const auto feed = [&](od::value value) -> MaybeRefusal {
    std::string_view bytes;
    if (auto refusal = json_.string_of(value, "request.content.text", bytes)) return refusal;
    turn(role);
    fingerprinter_.add_text(bytes);
    fed = true;
    return {};
  };
  const auto first = json_.each_field(part, [&](std::string_view key, od::value value) -> MaybeRefusal {
    if (key == "type") {
      std::string_view name;
      if (auto refusal = json_.string_of(value, "request.content.type", name)) return refusal;
      type.set(name);
      typed = true;
    } else if (key == "text" || key == "refusal") {
      if (++texts > 1) repeated_ = true;
      if (!careful_ && texts == 1 && typed && is_text_kind(type.view())) return feed(value);
    }
    return {};
  });
  if (first) return first;
  if (fed) return {};
  if (texts > 0 && (!typed || is_text_kind(type.view()))) {
    bool ignored = false;
    if (part.reset().get(ignored)) return kBodyNotJson;
    std::size_t left = texts;
    return json_.each_field(part, [&](std::string_view key, od::value value) -> MaybeRefusal {
      if ((key == "text" || key == "refusal") && --left == 0) return feed(value);
      return {};
    });
  }
  bool ignored = false;
  std::string_view raw;
  if (part.reset().get(ignored) || part.raw_json().get(raw)) return kBodyNotJson;
  turn(is_tool_result(type.view()) ? Role::tool : role);
  fingerprinter_.add_other_part(typed ? type.view() : "part", raw.size());
  return {};
}

MaybeRefusal TurnReader::read_content(od::value content, Role role, std::string_view name) {
  od::json_type type;
  if (content.type().get(type)) return kBodyNotJson;
  if (type == od::json_type::array) {
    od::array parts;
    if (content.get_array().get(parts)) return kBodyNotJson;
    for (auto result : parts) {
      od::value part;
      if (std::move(result).get(part)) return kBodyNotJson;
      od::object object;
      od::json_type part_type;
      if (part.type().get(part_type)) return kBodyNotJson;
      if (part_type == od::json_type::object) {
        if (part.get_object().get(object)) return kBodyNotJson;
        if (auto refusal = read_part(object, role)) return refusal;
      } else {
        std::string_view bytes;
        if (auto refusal = json_.string_of(part, name, bytes)) return refusal;
        turn(role);
        fingerprinter_.add_text(bytes);
      }
    }
    return {};
  }
  if (type == od::json_type::object) {
    od::object object;
    if (content.get_object().get(object)) return kBodyNotJson;
    return read_part(object, role);
  }
  std::string_view bytes;
  if (auto refusal = json_.string_of(content, name, bytes)) return refusal;
  if (bytes.data() == nullptr) return {};
  turn(role);
  fingerprinter_.add_text(bytes);
  return {};
}

/// A chat message, or an item of a Responses input.
MaybeRefusal TurnReader::read_message(od::object message) {
  open_turn_.reset();
  ShortName role_name, type;
  bool has_role = false, fed = false;
  std::size_t contents = 0, roles = 0, calls_bytes = 0;
  const auto feed = [&](od::value value) -> MaybeRefusal {
    fed = true;
    const Role role = role_of(role_name.view());
    if (role != Role::tool) return read_content(value, role, "request.messages.content");
    // A tool's answer is not the user's or the model's text: kind and size only, as in every dialect.
    std::string_view raw = json_.span_of(value), bytes;
    if (raw.empty()) {
      if (auto refusal = json_.string_of(value, "request.messages.content", bytes)) return refusal;
    }
    turn(Role::tool);
    fingerprinter_.add_other_part("tool_result", std::max(raw.size(), bytes.size()));
    return {};
  };
  const auto refusal = json_.each_field(message, [&](std::string_view key, od::value value) -> MaybeRefusal {
    if (key == "role") {
      std::string_view name;
      if (auto refused = json_.string_of(value, "request.messages.role", name)) return refused;
      role_name.set(name);
      has_role = true;
      if (++roles > 1) repeated_ = true;
    } else if (key == "content") {
      if (++contents > 1) repeated_ = true;
      if (!careful_ && has_role && contents == 1) return feed(value);
    } else if (key == "type") {
      std::string_view name;
      if (auto refused = json_.string_of(value, "request.messages.type", name)) return refused;
      type.set(name);
    } else if (key == "tool_calls" || key == "function_call") {
      calls_bytes += json_.span_of(value).size();
    }
    return {};
  });
  if (refusal) return refusal;
  if (!fed && contents > 0 && (has_role || type.size == 0 || type.view() == "message")) {
    bool ignored = false;
    if (message.reset().get(ignored)) return kBodyNotJson;
    std::size_t left = contents;
    const auto second = json_.each_field(message, [&](std::string_view key, od::value value) -> MaybeRefusal {
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
      if (message.reset().get(ignored) || message.raw_json().get(raw)) return kBodyNotJson;
      fingerprinter_.add_other_part(type.view(), raw.size());
    }
  }
  if (calls_bytes > 0) {
    turn(role_of(role_name.view()));
    fingerprinter_.add_other_part("tool_use", calls_bytes);
  }
  return {};
}

MaybeRefusal TurnReader::read_messages(od::array messages, std::string_view name) {
  std::size_t skip = 0;
  // Counting costs a walk: only where the bytes could hold too many ("{}," a turn).
  if (json_.json_bytes() / 3 > base::limits::kMessagesMax) {
    bool ignored = false;
    std::size_t count = 0;
    if (messages.count_elements().get(count) || messages.reset().get(ignored)) return kBodyNotJson;
    // The newest turns say what is asked: the oldest go.
    if (count > base::limits::kMessagesMax) skip = count - base::limits::kMessagesMax;
    turns_ignored_ += skip;
  }
  for (auto result : messages) {
    od::value element;
    if (std::move(result).get(element)) return kBodyNotJson;
    if (skip > 0) {
      --skip;
      continue;
    }
    od::json_type type;
    if (element.type().get(type)) return kBodyNotJson;
    if (type == od::json_type::object) {
      od::object message;
      if (element.get_object().get(message)) return kBodyNotJson;
      if (auto refusal = read_message(message)) return refusal;
    } else {
      std::string_view bytes;
      if (auto refusal = json_.string_of(element, name, bytes)) return refusal;
      open_turn_.reset();
      turn(Role::user);
      fingerprinter_.add_text(bytes);
    }
  }
  return {};
}

MaybeRefusal TurnReader::read_field(std::size_t field, od::value value) {
  const std::string_view name = kTurnFieldNames[field];
  open_turn_.reset();
  if (field == kSystem || field == kInstructions) return read_content(value, Role::system, name);
  od::json_type type;
  if (value.type().get(type)) return kBodyNotJson;
  if (type == od::json_type::array) {
    od::array messages;
    if (value.get_array().get(messages)) return kBodyNotJson;
    return read_messages(messages, name);
  }
  if (field == kMessages) return wrong_type(name);
  std::string_view bytes;
  if (auto refusal = json_.string_of(value, name, bytes)) return refusal;
  if (bytes.data() == nullptr) return {};
  turn(Role::user);
  fingerprinter_.add_text(bytes);
  return {};
}

void TurnReader::add_user_text(std::string_view text) {
  open_turn_.reset();
  turn(Role::user);
  fingerprinter_.add_text(text);
}

}  // namespace stillwatch::intake
