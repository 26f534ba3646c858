#include "intake/reply_reader.h"

#include <algorithm>

#include "base/limits.h"

namespace stillwatch::intake {

using event::Dialect;

namespace {

bool is_text(std::string_view type) { return type.empty() || type == "text" || type == "output_text"; }

}  // namespace

std::string_view ReplyReader::read(Dialect dialect, std::string_view json) {
  text_.clear();
  od::document document;
  od::object body;
  if (json.empty() || json_.open(json, document) || document.get_object().get(body)) return {};
  (void)json_.each_field(body, [&](std::string_view key, od::value value) -> MaybeRefusal {
    const bool is_answer = (key == "choices" && (dialect == Dialect::openai_chat || dialect == Dialect::text)) ||
                           (key == "content" && dialect == Dialect::anthropic_messages) ||
                           (key == "output" && dialect == Dialect::openai_responses) ||
                           (key == "text" && dialect == Dialect::text);
    if (!is_answer) return {};
    text_.clear();
    if (key == "choices") return read_choices(value);
    if (key == "output") return read_items(value);
    return read_parts(value);
  });
  return text_;
}

template <class Visit>
MaybeRefusal ReplyReader::each_element(od::value value, Visit visit) {
  od::array elements;
  if (value.get_array().get(elements)) return {};
  for (auto result : elements) {
    od::value element;
    od::object object;
    if (std::move(result).get(element)) return kBodyNotJson;
    if (element.get_object().get(object)) continue;
    if (auto refusal = visit(object)) return refusal;
  }
  return {};
}

MaybeRefusal ReplyReader::add_text(od::value value) {
  std::string_view bytes;
  if (auto refusal = json_.string_of(value, "response.body", bytes)) return refusal;
  if (bytes.empty()) return {};
  if (!text_.empty()) text_.push_back('\n');
  text_.append(bytes.substr(0, base::limits::kTurnBytesMax - std::min(text_.size(), base::limits::kTurnBytesMax)));
  return {};
}

/// A text, or an array of parts.
MaybeRefusal ReplyReader::read_parts(od::value value) {
  od::json_type type;
  if (value.type().get(type)) return kBodyNotJson;
  if (type == od::json_type::string) return add_text(value);
  return each_element(value, [&](od::object part) -> MaybeRefusal {
    ShortName name;
    bool has_text = false;
    const auto first = json_.each_field(part, [&](std::string_view key, od::value field) -> MaybeRefusal {
      std::string_view bytes;
      has_text |= key == "text";
      if (key != "type") return {};
      if (auto refusal = json_.string_of(field, "response.body.type", bytes)) return refusal;
      name.set(bytes);
      return {};
    });
    if (first) return first;
    bool ignored = false;
    if (!has_text || !is_text(name.view())) return {};
    if (part.reset().get(ignored)) return kBodyNotJson;
    return json_.each_field(part, [&](std::string_view key, od::value field) -> MaybeRefusal {
      return key == "text" ? add_text(field) : MaybeRefusal{};
    });
  });
}

/// Of chat: choices[].message.content; of plain completions: choices[].text.
MaybeRefusal ReplyReader::read_choices(od::value value) {
  return each_element(value, [&](od::object choice) -> MaybeRefusal {
    return json_.each_field(choice, [&](std::string_view key, od::value field) -> MaybeRefusal {
      if (key == "text") return read_parts(field);
      od::object message;
      if (key != "message" || field.get_object().get(message)) return {};
      return json_.each_field(message, [&](std::string_view inner, od::value content) -> MaybeRefusal {
        return inner == "content" ? read_parts(content) : MaybeRefusal{};
      });
    });
  });
}

/// output[].content of messages.
MaybeRefusal ReplyReader::read_items(od::value value) {
  return each_element(value, [&](od::object item) -> MaybeRefusal {
    return json_.each_field(item, [&](std::string_view key, od::value field) -> MaybeRefusal {
      return key == "content" ? read_parts(field) : MaybeRefusal{};
    });
  });
}

}  // namespace stillwatch::intake
