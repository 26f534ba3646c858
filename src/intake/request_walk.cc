// The request half of edit_rules.h.
#include <algorithm>
#include <array>

#include "intake/edit_rules.h"

namespace stillwatch::intake {
namespace {

/// null and false ask for nothing; so do 0 and empty text.
bool is_off(JsonCursor cursor) {
  const auto value = cursor.span();
  return value && (*value == "null" || *value == "false");
}

bool is_chat_like(Endpoint endpoint) {
  return endpoint == Endpoint::chat_completions || endpoint == Endpoint::completions;
}

}  // namespace

bool is_reasoning_flag(Endpoint endpoint, std::string_view key) {
  if (endpoint == Endpoint::messages) return key == "thinking";
  if (endpoint == Endpoint::responses) return key == "reasoning";
  if (!is_chat_like(endpoint)) return false;
  constexpr std::array<std::string_view, 6> kFlags{"reasoning_effort", "reasoning",       "include_reasoning",
                                                   "thinking",         "enable_thinking", "thinking_budget"};
  return std::find(kFlags.begin(), kFlags.end(), key) != kFlags.end();
}

bool asks_for_reasoning(JsonCursor cursor, Endpoint endpoint, JsonText& text) {
  const char first = cursor.peek();
  if (first == '"') {
    std::string_view word;
    return cursor.string_or_skip(text, word) && !word.empty() && word != "none" && word != "disabled";
  }
  if (first != '{') return !is_off(cursor) && cursor.span() != "0";
  const auto says_none = [&](std::string_view key) {
    const std::string_view word = cursor.look_for(key, text);
    return word == "none" || word == "disabled";
  };
  if (endpoint == Endpoint::messages) return !says_none("type");
  if (endpoint == Endpoint::responses) return !says_none("effort");
  return !says_none("type") && !says_none("effort");
}

RequestWalk::Action RequestWalk::action_for(const JsonCursor& cursor, Endpoint endpoint, std::string_view key) {
  if (restriction_.logprobs && endpoint != Endpoint::messages &&
      (key == "logprobs" || key == "top_logprobs" || key == "prompt_logprobs")) {
    return is_off(cursor) ? Action::keep : Action::cut;
  }
  if (restriction_.sampling && is_chat_like(endpoint) && (key == "n" || key == "best_of")) {
    JsonCursor value = cursor;
    const auto span = value.span();
    return span == "1" || span == "null" ? Action::keep : Action::to_one;
  }
  if (restriction_.reasoning && is_reasoning_flag(endpoint, key))
    return asks_for_reasoning(cursor, endpoint, text_) ? Action::cut : Action::keep;
  return Action::keep;
}

template <class Wanted>
bool RequestWalk::cut_strings(JsonCursor& cursor, Wanted wanted) {
  if (cursor.peek() != '[') return cursor.skip();
  return cut_elements(cursor, splices_, [&] {
    std::string_view word;
    JsonCursor ahead = cursor;
    return ahead.string_or_skip(text_, word) && wanted(word);
  });
}

/// `context_management`: rules that clear thinking are refused upstream once thinking is off.
bool RequestWalk::cut_cleared_thinking(JsonCursor& cursor) {
  if (cursor.peek() != '{') return cursor.skip();
  return cursor.each_member([&](std::string_view key, std::size_t) {
    if (key != "edits" || cursor.peek() != '[') return cursor.skip();
    return cut_elements(cursor, splices_, [&] {
      const bool cuts = cursor.look_for("type", text_).starts_with("clear_thinking");
      summary_.reasoning |= cuts;
      return cuts;
    });
  });
}

/// vLLM and its like hand `chat_template_kwargs` to the template, where thinking is turned on.
bool RequestWalk::cut_template_flags(JsonCursor& cursor) {
  if (cursor.peek() != '{') return cursor.skip();
  const auto is_cut = [&](std::string_view key) {
    const bool is_flag = key == "enable_thinking" || key == "thinking" || key == "reasoning_effort";
    const bool cuts = is_flag && asks_for_reasoning(cursor, Endpoint::chat_completions, text_);
    summary_.reasoning |= cuts;
    return cuts;
  };
  return cut_members(cursor, splices_, is_cut, [&](std::string_view) { return cursor.skip(); });
}

bool RequestWalk::walk_nested(JsonCursor& cursor, Endpoint endpoint, std::string_view key) {
  if (endpoint == Endpoint::responses && key == "include") {
    return cut_strings(cursor, [&](std::string_view word) {
      const bool is_reasoning = restriction_.reasoning && word.starts_with("reasoning.");
      const bool is_logprobs = restriction_.logprobs && word == "message.output_text.logprobs";
      summary_.reasoning |= is_reasoning;
      summary_.logprobs |= is_logprobs;
      return is_reasoning || is_logprobs;
    });
  }
  if (restriction_.reasoning && endpoint == Endpoint::messages && key == "context_management")
    return cut_cleared_thinking(cursor);
  if (restriction_.reasoning && is_chat_like(endpoint) && key == "chat_template_kwargs")
    return cut_template_flags(cursor);
  return cursor.skip();
}

bool RequestWalk::walk_batch(JsonCursor& cursor) {
  if (cursor.peek() != '{') return cursor.skip();
  return cursor.each_member([&](std::string_view key, std::size_t) {
    if (key != "requests" || cursor.peek() != '[') return cursor.skip();
    return cursor.each_element([&](std::size_t) {
      if (cursor.peek() != '{') return cursor.skip();
      return cursor.each_member([&](std::string_view inner, std::size_t) {
        return inner == "params" ? walk(cursor, Endpoint::messages) : cursor.skip();
      });
    });
  });
}

bool RequestWalk::walk(JsonCursor& cursor, Endpoint endpoint) {
  if (endpoint == Endpoint::anthropic_batches) return walk_batch(cursor);
  if (cursor.peek() != '{') return cursor.skip();
  Action action = Action::keep;
  const auto is_cut = [&](std::string_view key) {
    action = action_for(cursor, endpoint, key);
    if (action != Action::cut) return false;
    (key.find("logprobs") != std::string_view::npos ? summary_.logprobs : summary_.reasoning) = true;
    return true;
  };
  return cut_members(cursor, splices_, is_cut, [&](std::string_view key) {
    if (action != Action::to_one) return walk_nested(cursor, endpoint, key);
    return replace_value(cursor, splices_, "1", summary_.sampling);
  });
}

}  // namespace stillwatch::intake
