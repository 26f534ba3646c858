// For tests and fuzzers of this module only: JSON as a tree, read and written the slow way, and the edits of `restrict`
// done on that tree. A second road to what the editors do by byte positions.
//
// Invariant: scalars and keys keep their bytes; read() takes what RFC 8259 takes (control characters in strings too).
// Threads: plain values. Cost: recursion and copies; of no matter here.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "intake/body_edit.h"
#include "intake/json_scan.h"

namespace stillwatch::intake::test {

struct Node {
  enum class Kind { scalar, object, array } kind = Kind::scalar;
  std::string raw;                                    // of a scalar
  std::vector<std::pair<std::string, Node>> members;  // raw keys with quotes
  std::vector<Node> elements;

  bool is_null() const { return kind == Kind::scalar && raw == "null"; }
  bool is_object() const { return kind == Kind::object; }
  bool is_array() const { return kind == Kind::array; }
  std::string text() const { return kind == Kind::scalar ? unescaped(raw) : std::string(); }
  static std::string unescaped(const std::string& quoted) {
    if (quoted.empty() || quoted[0] != '"') return {};
    JsonText text;
    return std::string(text.unescape(std::string_view(quoted).substr(1)).value_or(""));
  }
  /// The text of the last member of this name.
  std::string text_at(std::string_view key) const {
    std::string found;
    for (const auto& [name, value] : members) {
      if (unescaped(name) == key) found = value.text();
    }
    return found;
  }
  void remove_members(const std::function<bool(const std::string&, const Node&)>& wanted) {
    std::erase_if(members, [&](const auto& member) { return wanted(unescaped(member.first), member.second); });
  }
  void each(std::string_view key, const std::function<void(Node&)>& visit) {
    for (auto& [name, value] : members) {
      if (unescaped(name) == key) visit(value);
    }
  }
  void each_object(const std::function<void(Node&)>& visit) {
    for (Node& element : elements) {
      if (element.is_object()) visit(element);
    }
  }
  std::string write() const {
    if (kind == Kind::scalar) return raw;
    std::string out(1, is_object() ? '{' : '[');
    for (const auto& [name, value] : members) out += (out.size() > 1 ? "," : "") + name + ":" + value.write();
    for (const Node& element : elements) out += (out.size() > 1 ? "," : "") + element.write();
    return out + (is_object() ? '}' : ']');
  }
};

class NodeReader {
 public:
  static std::optional<Node> read(std::string_view text) {
    NodeReader reader(text);
    Node node;
    if (!reader.value(node, 0)) return std::nullopt;
    reader.space();
    return reader.at_ == text.size() ? std::optional(node) : std::nullopt;
  }

 private:
  explicit NodeReader(std::string_view text) : text_(text) {}
  char here() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void space() {
    while (here() == ' ' || here() == '\n' || here() == '\r' || here() == '\t') ++at_;
  }
  bool take(char letter) {
    space();
    if (at_ >= text_.size() || text_[at_] != letter) return false;
    ++at_;
    return true;
  }
  bool string(std::string& out) {
    space();
    const std::size_t begin = at_;
    if (here() != '"') return false;
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\') ++at_;
    }
    if (at_ >= text_.size()) return false;
    ++at_;
    out.assign(text_.substr(begin, at_ - begin));
    return true;
  }
  bool scalar(std::string& out) {
    const std::size_t begin = at_;
    const auto is_part = [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == 'E' || c == '+' || c == '-' || c == '.';
    };
    while (is_part(here())) ++at_;
    out.assign(text_.substr(begin, at_ - begin));
    if (out == "null" || out == "true" || out == "false") return true;
    std::size_t at = 0;
    const auto digits = [&] {
      const std::size_t first = at;
      while (at < out.size() && out[at] >= '0' && out[at] <= '9') ++at;
      return at - first;
    };
    if (at < out.size() && out[at] == '-') ++at;
    const std::size_t whole_at = at, whole = digits();
    if (whole == 0 || (whole > 1 && out[whole_at] == '0')) return false;
    if (at < out.size() && out[at] == '.' && (++at, digits() == 0)) return false;
    if (at < out.size() && (out[at] == 'e' || out[at] == 'E')) {
      ++at;
      if (at < out.size() && (out[at] == '+' || out[at] == '-')) ++at;
      if (digits() == 0) return false;
    }
    return at == out.size();
  }
  bool value(Node& out, std::size_t depth) {
    space();
    const char first = here();
    if (first == '"') return string(out.raw);
    if (first != '{' && first != '[') return scalar(out.raw);
    if (depth >= base::limits::kJsonDepthMax) return false;
    out.kind = first == '{' ? Node::Kind::object : Node::Kind::array;
    const char last = first == '{' ? '}' : ']';
    ++at_;
    if (take(last)) return true;
    for (;;) {
      if (first == '{') {
        auto& [name, inner] = out.members.emplace_back();
        if (!string(name) || !take(':') || !value(inner, depth + 1)) return false;
      } else if (!value(out.elements.emplace_back(), depth + 1)) {
        return false;
      }
      if (take(last)) return true;
      if (!take(',')) return false;
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

/// What BodyEditor::edit_request and edit_response should leave, done on the tree.
inline bool asks(const Node& value, Endpoint endpoint) {
  const auto says_none = [](const std::string& word) { return word == "none" || word == "disabled"; };
  if (value.is_object()) {
    if (endpoint == Endpoint::messages) return !says_none(value.text_at("type"));
    if (endpoint == Endpoint::responses) return !says_none(value.text_at("effort"));
    return !says_none(value.text_at("type")) && !says_none(value.text_at("effort"));
  }
  if (value.is_array()) return true;
  if (value.raw[0] == '"') return !value.text().empty() && !says_none(value.text());
  return value.raw != "null" && value.raw != "false" && value.raw != "0";
}

inline void restrict_request(Node& body, Endpoint endpoint) {
  if (!body.is_object()) return;
  if (endpoint == Endpoint::anthropic_batches) {
    body.each("requests", [](Node& requests) {
      requests.each_object([](Node& request) {
        request.each("params", [](Node& params) { restrict_request(params, Endpoint::messages); });
      });
    });
    return;
  }
  const bool is_chat = endpoint == Endpoint::chat_completions || endpoint == Endpoint::completions;
  body.remove_members([&](const std::string& key, const Node& value) {
    if (key == "logprobs" || key == "top_logprobs" || key == "prompt_logprobs")
      return endpoint != Endpoint::messages && value.raw != "null" && value.raw != "false";
    bool is_flag = false;
    if (endpoint == Endpoint::messages) is_flag = key == "thinking";
    if (endpoint == Endpoint::responses) is_flag = key == "reasoning";
    if (is_chat)
      is_flag = key == "reasoning_effort" || key == "reasoning" || key == "include_reasoning" || key == "thinking" ||
                key == "enable_thinking" || key == "thinking_budget";
    return is_flag && asks(value, endpoint);
  });
  const auto to_one = [](Node& value) {
    if (value.raw == "null") return;
    value = Node{};
    value.raw = "1";
  };
  if (is_chat) {
    body.each("n", to_one);
    body.each("best_of", to_one);
    body.each("chat_template_kwargs", [](Node& flags) {
      flags.remove_members([](const std::string& key, const Node& value) {
        return (key == "enable_thinking" || key == "thinking" || key == "reasoning_effort") &&
               asks(value, Endpoint::chat_completions);
      });
    });
  }
  if (endpoint == Endpoint::responses) {
    body.each("include", [](Node& list) {
      std::erase_if(list.elements, [](const Node& element) {
        const std::string word = element.text();
        return word.starts_with("reasoning.") || word == "message.output_text.logprobs";
      });
    });
  }
  if (endpoint == Endpoint::messages) {
    body.each("context_management", [](Node& rules) {
      rules.each("edits", [](Node& edits) {
        std::erase_if(edits.elements, [](const Node& e) { return e.text_at("type").starts_with("clear_thinking"); });
      });
    });
  }
}

inline bool is_thinking(const std::string& type) {
  return type == "thinking" || type == "redacted_thinking" || type == "reasoning" || type == "reasoning_content" ||
         type == "reasoning_text" || type == "summary_text";
}
inline bool is_reasoning_key(const std::string& key) {
  return key == "reasoning" || key == "reasoning_content" || key == "reasoning_details" || key == "reasoning_text" ||
         key == "reasoning_opaque" || key == "thinking" || key == "thinking_blocks" || key == "thinking_content";
}
inline void drop_thinking(Node& content) {
  std::erase_if(content.elements, [](const Node& part) { return is_thinking(part.text_at("type")); });
}

inline void restrict_response(Node& body, Endpoint endpoint) {
  if (!body.is_object()) return;
  const auto set = [](std::string raw) {
    return [raw](Node& value) {
      const bool is_empty = value.is_array() && value.elements.empty();
      if (value.is_null() || (raw == "[]" && (is_empty || value.raw == "\"\""))) return;
      value = Node{};
      value.raw = raw;
    };
  };
  const auto foreign = [](Node& fields) {
    fields.remove_members([](const std::string& key, const Node& v) { return is_reasoning_key(key) && !v.is_null(); });
  };
  if (endpoint == Endpoint::messages) body.each("content", drop_thinking);
  if (endpoint == Endpoint::responses) {
    body.each("output", [&](Node& items) {
      items.each_object([&](Node& item) {
        const bool is_reasoning = item.text_at("type") == "reasoning";
        item.remove_members([&](const std::string& key, const Node& value) {
          return (key == "encrypted_content" || (is_reasoning && key == "content")) && !value.is_null();
        });
        if (is_reasoning) item.each("summary", set("[]"));
        item.each("content",
                  [&](Node& parts) { parts.each_object([&](Node& part) { part.each("logprobs", set("[]")); }); });
      });
    });
  }
  if (endpoint != Endpoint::chat_completions && endpoint != Endpoint::completions) return;
  body.each("prompt_logprobs", set("null"));
  body.each("logprobs", set("null"));
  body.each("choices", [&](Node& choices) {
    choices.each_object([&](Node& choice) {
      choice.each("logprobs", set("null"));
      choice.each("prompt_logprobs", set("null"));
      choice.each("provider_specific_fields", foreign);
      for (const char* const name : {"message", "delta"}) {
        choice.each(name, [&](Node& message) {
          foreign(message);
          message.each("content", drop_thinking);
          message.each("provider_specific_fields", foreign);
        });
      }
    });
  });
}

}  // namespace stillwatch::intake::test
