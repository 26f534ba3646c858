#include "intake/otlp_value.h"

namespace stillwatch::intake {
namespace {

bool is_text(std::string_view json) { return json.size() >= 2 && json.front() == '"'; }

/// The one field of an AnyValue: name and bytes.
bool kind_of(JsonCursor& cursor, std::string_view& kind, std::string_view& json) {
  kind = json = {};
  if (cursor.peek() != '{') return cursor.skip();
  return cursor.each_member([&](std::string_view key, std::size_t) {
    const bool is_known = key == "stringValue" || key == "intValue" || key == "doubleValue" || key == "boolValue" ||
                          key == "arrayValue" || key == "kvlistValue" || key == "bytesValue";
    const auto span = cursor.span();
    if (!span) return false;
    if (is_known) {
      kind = key.front() == 's' ? "s" : key.front() == 'a' ? "a" : key.front() == 'k' ? "k" : "scalar";
      json = *span;
    }
    return true;
  });
}

/// Walks `values` of an arrayValue or a kvlistValue.
template <class Visit>
bool each_value(std::string_view json, Visit visit) {
  JsonCursor cursor(json);
  if (cursor.peek() != '{') return false;
  return cursor.each_member([&](std::string_view key, std::size_t) {
    if (key != "values" || cursor.peek() != '[') return cursor.skip();
    return cursor.each_element([&](std::size_t) {
      const auto element = cursor.span();
      return element && visit(*element);
    });
  });
}

bool write_plain(std::string_view any_value, std::size_t depth, std::string& out) {
  if (depth > base::limits::kJsonDepthMax) return false;
  JsonCursor cursor(any_value);
  std::string_view kind, json;
  if (!kind_of(cursor, kind, json)) return false;
  if (kind.empty()) {
    out += "null";
    return true;
  }
  if (kind != "a" && kind != "k") {
    out += json;
    return true;
  }
  const bool is_array = kind == "a";
  bool is_first = true;
  out += is_array ? '[' : '{';
  const bool is_whole = each_value(json, [&](std::string_view element) {
    if (!is_first) out += ',';
    is_first = false;
    if (is_array) return write_plain(element, depth + 1, out);
    std::string_view name = "\"\"", value;
    JsonCursor pair(element);
    if (pair.peek() != '{') return false;
    const bool is_pair = pair.each_member([&](std::string_view key, std::size_t) {
      const bool is_name = key == "key", is_value = key == "value";
      const auto span = pair.span();
      if (!span || (is_name && !is_text(*span))) return false;
      if (is_name) name = *span;
      if (is_value) value = *span;
      return true;
    });
    if (!is_pair) return false;
    out.append(name).append(":");
    if (!value.empty()) return write_plain(value, depth + 1, out);
    out += "null";
    return true;
  });
  out += is_array ? ']' : '}';
  return is_whole;
}

void separate(std::string& out) {
  if (!out.empty() && out.back() != '[') out += ',';
}

/// A part of the conventions as a part of openai.chat: text by name, everything else as it is (it counts by kind and
/// size).
bool append_part(std::string_view part, std::string& out) {
  separate(out);
  if (is_text(part)) {
    out.append(R"({"type":"text","text":)").append(part).append("}");
    return true;
  }
  JsonText text;
  JsonCursor cursor(part);
  if (cursor.look_for("type", text) != "text") {
    out += part;
    return true;
  }
  std::string_view content = "\"\"";
  const bool is_whole = cursor.each_member([&](std::string_view key, std::size_t) {
    const bool is_content = key == "content" || key == "text";
    const auto span = cursor.span();
    if (span && is_content && is_text(*span)) content = *span;
    return span.has_value();
  });
  out.append(R"({"type":"text","text":)").append(content).append("}");
  return is_whole;
}

bool append_parts(std::string_view parts, std::string& out) {
  JsonCursor cursor(parts);
  if (cursor.peek() != '[') {
    out += is_text(parts) ? parts : "null";
    return true;
  }
  out += '[';
  const bool is_whole = cursor.each_element([&](std::size_t) {
    const auto part = cursor.span();
    if (!part) return false;
    return part->front() == '{' || is_text(*part) ? append_part(*part, out) : true;
  });
  out += ']';
  return is_whole;
}

bool append_message(std::string_view message, std::string& out) {
  std::string_view role = "\"user\"", parts = "null";
  JsonCursor cursor(message);
  const bool is_whole = cursor.each_member([&](std::string_view key, std::size_t) {
    const bool is_role = key == "role", is_content = key == "parts" || key == "content";
    const auto span = cursor.span();
    if (!span) return false;
    if (is_role && is_text(*span)) role = *span;
    if (is_content) parts = *span;
    return true;
  });
  if (!is_whole) return false;
  separate(out);
  out.append(R"({"role":)").append(role).append(R"(,"content":)");
  if (!append_parts(parts, out)) return false;
  out += '}';
  return true;
}

template <class Append>
bool append_or_undo(std::string& out, Append append) {
  const std::size_t before = out.size();
  if (append()) return true;
  out.resize(before);
  return false;
}

}  // namespace

std::string_view scalar_text(std::string_view json) {
  if (is_text(json)) return json.substr(1, json.size() - 2);
  // An object in the place of a scalar must not get between quotes.
  return !json.empty() && (json.front() == '{' || json.front() == '[') ? std::string_view{} : json;
}

std::string_view scalar_of(std::string_view any_value) {
  JsonCursor cursor(any_value);
  std::string_view kind, json;
  if (!kind_of(cursor, kind, json) || (kind != "s" && kind != "scalar")) return {};
  return scalar_text(json);
}

std::string_view number_of_value(std::string_view any_value) {
  const std::string_view digits = scalar_of(any_value);
  JsonCursor cursor(digits);
  const char first = cursor.peek();
  const bool is_number = first == '-' || (first >= '0' && first <= '9');
  return is_number && cursor.at() == 0 && cursor.skip() && cursor.at() == digits.size() ? digits : std::string_view{};
}

bool plain_json_of(std::string_view any_value, JsonText& text, std::string& out) {
  out.clear();
  JsonCursor cursor(any_value);
  std::string_view kind, json;
  if (!kind_of(cursor, kind, json)) return false;
  if (kind != "s") return write_plain(any_value, 0, out);
  const auto held = text.unescape(json.substr(1));
  if (!held) return false;
  JsonCursor inner(*held);
  const char first = inner.peek();
  out.assign((first == '[' || first == '{') && inner.skip() && inner.at_end() ? *held : json);
  return true;
}

bool append_messages(std::string_view json, std::string& out) {
  return append_or_undo(out, [&] {
    JsonCursor cursor(json);
    const char first = cursor.peek();
    if (first == '{') return append_message(json, out);
    if (first == '"') {
      separate(out);
      out.append(R"({"role":"user","content":)").append(json).append("}");
      return true;
    }
    if (first != '[') return false;
    return cursor.each_element([&](std::size_t) {
      const auto message = cursor.span();
      return message && (message->front() == '{' ? append_message(*message, out) : true);
    });
  });
}

bool append_system(std::string_view json, std::string& out) {
  return append_or_undo(out, [&] {
    separate(out);
    out.append(R"({"role":"system","content":)");
    if (!append_parts(json, out)) return false;
    out += '}';
    return true;
  });
}

}  // namespace stillwatch::intake
