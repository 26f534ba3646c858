// The response half of edit_rules.h.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "intake/edit_rules.h"

namespace stillwatch::intake {
namespace {

/// Members of a message or delta in which servers of the OpenAI dialect put reasoning.
bool is_reasoning_text(std::string_view key) {
  constexpr std::array<std::string_view, 8> kKeys{"reasoning",       "reasoning_content", "reasoning_details",
                                                  "reasoning_text",  "reasoning_opaque",  "thinking",
                                                  "thinking_blocks", "thinking_content"};
  return std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end();
}
bool is_thinking_part(std::string_view type) {
  return type == "thinking" || type == "redacted_thinking" || type == "reasoning" || type == "reasoning_content" ||
         type == "reasoning_text" || type == "summary_text";
}
bool is_logprobs(std::string_view key) { return key == "logprobs" || key == "prompt_logprobs"; }

bool is_null(JsonCursor cursor) { return cursor.span() == "null"; }
/// null, "" and [] carry nothing.
bool carries_something(JsonCursor cursor) {
  const auto value = cursor.span();
  return value && *value != "null" && *value != "\"\"" && *value != "[]";
}

}  // namespace

/// Walks the objects of an array and passes everything else.
template <class Visit>
bool ResponseWalk::each_object_in(JsonCursor& cursor, Visit visit) {
  if (cursor.peek() != '[') return cursor.skip();
  return cursor.each_element([&](std::size_t) { return cursor.peek() == '{' ? visit() : cursor.skip(); });
}

bool ResponseWalk::replace_logprobs(JsonCursor& cursor) {
  if (!restriction_.logprobs || is_null(cursor)) return cursor.skip();
  return replace_value(cursor, splices_, "null", summary_.logprobs);
}

/// The Responses dialect has a list here, empty when nobody asked.
bool ResponseWalk::empty_logprobs(JsonCursor& cursor) {
  if (!restriction_.logprobs || !carries_something(cursor)) return cursor.skip();
  return replace_value(cursor, splices_, "[]", summary_.logprobs);
}

/// Parts of a content that are thinking are cut out of the list.
bool ResponseWalk::cut_thinking(JsonCursor& cursor) {
  if (!restriction_.reasoning || cursor.peek() != '[') {
    has_rest_ |= carries_something(cursor);
    return cursor.skip();
  }
  return cut_elements(cursor, splices_, [&] {
    const bool cuts = is_thinking_part(cursor.look_for("type", text_));
    if (cuts)
      summary_.reasoning = has_cut_reasoning_ = true;
    else
      has_rest_ = true;
    return cuts;
  });
}

/// Members that are reasoning are cut out of an object; keep(key) walks the others.
template <class Keep>
bool ResponseWalk::cut_reasoning(JsonCursor& cursor, Keep keep) {
  const auto is_cut = [&](std::string_view key) {
    if (!restriction_.reasoning || !is_reasoning_text(key) || is_null(cursor)) return false;
    summary_.reasoning = has_cut_reasoning_ = true;
    return true;
  };
  return cut_members(cursor, splices_, is_cut, keep);
}

/// LiteLLM repeats a message's reasoning in `provider_specific_fields`.
bool ResponseWalk::walk_foreign_fields(JsonCursor& cursor) {
  if (cursor.peek() != '{') return cursor.skip();
  return cut_reasoning(cursor, [&](std::string_view) {
    has_rest_ |= carries_something(cursor);
    return cursor.skip();
  });
}

bool ResponseWalk::walk_message(JsonCursor& cursor) {
  if (cursor.peek() != '{') return cursor.skip();
  return cut_reasoning(cursor, [&](std::string_view key) {
    if (key == "content") return cut_thinking(cursor);
    if (key == "provider_specific_fields") return walk_foreign_fields(cursor);
    if (key == "role")
      has_role_ = true;
    else
      has_rest_ |= carries_something(cursor);
    return cursor.skip();
  });
}

bool ResponseWalk::walk_choice(JsonCursor& cursor) {
  return cursor.each_member([&](std::string_view key, std::size_t) {
    if (key == "message" || key == "delta") return walk_message(cursor);
    if (key == "provider_specific_fields") return walk_foreign_fields(cursor);
    if (is_logprobs(key)) return replace_logprobs(cursor);
    if (key != "index") has_rest_ |= carries_something(cursor);
    return cursor.skip();
  });
}

bool ResponseWalk::walk_chat(JsonCursor& cursor) {
  if (cursor.peek() != '{') return cursor.skip();
  return cursor.each_member([&](std::string_view key, std::size_t) {
    if (key == "choices") return each_object_in(cursor, [&] { return walk_choice(cursor); });
    if (is_logprobs(key)) return replace_logprobs(cursor);
    if (key == "usage" || key == "error") has_rest_ |= carries_something(cursor);
    return cursor.skip();
  });
}

/// A part of an output item's content.
bool ResponseWalk::walk_part(JsonCursor& cursor) {
  return cursor.each_member(
      [&](std::string_view key, std::size_t) { return key == "logprobs" ? empty_logprobs(cursor) : cursor.skip(); });
}

/// An output item. One of reasoning stays as an empty shell, so that items keep their places and ids.
bool ResponseWalk::walk_item(JsonCursor& cursor) {
  if (cursor.peek() != '{') return cursor.skip();
  const bool is_reasoning = cursor.look_for("type", text_) == "reasoning";
  const auto is_cut = [&](std::string_view key) {
    const bool is_secret = key == "encrypted_content" || (is_reasoning && key == "content");
    const bool cuts = restriction_.reasoning && is_secret && !is_null(cursor);
    summary_.reasoning |= cuts;
    return cuts;
  };
  return cut_members(cursor, splices_, is_cut, [&](std::string_view key) {
    if (restriction_.reasoning && is_reasoning && key == "summary" && carries_something(cursor))
      return replace_value(cursor, splices_, "[]", summary_.reasoning);
    if (key != "content") return cursor.skip();
    return each_object_in(cursor, [&] { return walk_part(cursor); });
  });
}

bool ResponseWalk::walk_response(JsonCursor& cursor) {
  if (cursor.peek() != '{') return cursor.skip();
  return cursor.each_member([&](std::string_view key, std::size_t) {
    return key == "output" ? each_object_in(cursor, [&] { return walk_item(cursor); }) : cursor.skip();
  });
}

bool ResponseWalk::walk_responses_event(JsonCursor& cursor) {
  if (cursor.peek() != '{') return cursor.skip();
  if (restriction_.reasoning && cursor.look_for("type", text_).starts_with("response.reasoning")) {
    drops_event_ = summary_.reasoning = true;
    return cursor.skip();
  }
  return cursor.each_member([&](std::string_view key, std::size_t) {
    if (key == "response") return walk_response(cursor);
    if (key == "item") return walk_item(cursor);
    if (key == "logprobs") return empty_logprobs(cursor);
    if (key != "part" || cursor.peek() != '{') return cursor.skip();
    if (restriction_.reasoning && is_thinking_part(cursor.look_for("type", text_)))
      drops_event_ = summary_.reasoning = true;
    return walk_part(cursor);
  });
}

bool ResponseWalk::walk_anthropic(JsonCursor& cursor) {
  if (cursor.peek() != '{') return cursor.skip();
  return cursor.each_member(
      [&](std::string_view key, std::size_t) { return key == "content" ? cut_thinking(cursor) : cursor.skip(); });
}

void ResponseWalk::note_block(std::uint32_t index, bool is_dropped) {
  const auto place = std::lower_bound(blocks_dropped_.begin(), blocks_dropped_.end(), index);
  const bool is_there = place != blocks_dropped_.end() && *place == index;
  if (is_dropped && !is_there && blocks_dropped_.size() < kBlocksDroppedMax)
    blocks_dropped_.insert(place, index);
  else if (!is_dropped && is_there)
    blocks_dropped_.erase(place);
}

bool ResponseWalk::walk_anthropic_event(JsonCursor& cursor) {
  if (cursor.peek() != '{') return cursor.skip();
  enum class Kind : std::uint8_t { other, message_start, block_start, block } kind = Kind::other;
  const std::string_view type = cursor.look_for("type", text_);
  if (type == "message_start") kind = Kind::message_start;
  if (type == "content_block_start") kind = Kind::block_start;
  if (type == "content_block_delta" || type == "content_block_stop") kind = Kind::block;
  if (kind == Kind::message_start) blocks_dropped_.clear();
  bool is_thinking = false;
  double index = -1;
  std::size_t begin = 0, end = 0;
  const bool is_whole = cursor.each_member([&](std::string_view key, std::size_t) {
    if (key == "message" && kind == Kind::message_start) return walk_anthropic(cursor);
    if (key == "index") {
      (void)cursor.peek();
      begin = cursor.at();
      if (!cursor.number_or_skip(index)) return false;
      end = cursor.at();
      return true;
    }
    if (key == "content_block" && cursor.peek() == '{') is_thinking = is_thinking_part(cursor.look_for("type", text_));
    if (key == "delta" && cursor.peek() == '{') {
      const std::string_view name = cursor.look_for("type", text_);
      is_thinking = name == "thinking_delta" || name == "signature_delta";
    }
    return cursor.skip();
  });
  const bool has_index = index >= 0 && index < 4e9;
  if (!is_whole || !restriction_.reasoning || kind == Kind::other || kind == Kind::message_start) return is_whole;
  const auto block = static_cast<std::uint32_t>(has_index ? index : 0);
  if (kind == Kind::block_start && has_index) note_block(block, is_thinking);
  const auto place = std::lower_bound(blocks_dropped_.begin(), blocks_dropped_.end(), block);
  drops_event_ = is_thinking || (has_index && place != blocks_dropped_.end() && *place == block);
  summary_.reasoning |= drops_event_;
  const auto dropped_before = static_cast<std::uint32_t>(place - blocks_dropped_.begin());
  if (drops_event_ || !has_index || dropped_before == 0) return true;
  number_ = fmt::format("{}", block - dropped_before);
  splices_.replace(begin, end, number_);
  return true;
}

bool ResponseWalk::walk_body(JsonCursor& cursor, Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::chat_completions:
    case Endpoint::completions: return walk_chat(cursor);
    case Endpoint::responses: return walk_response(cursor);
    case Endpoint::messages: return walk_anthropic(cursor);
    default: return cursor.skip();
  }
}

bool ResponseWalk::walk_event(JsonCursor& cursor, Endpoint endpoint) {
  drops_event_ = has_rest_ = has_cut_reasoning_ = has_role_ = false;
  switch (endpoint) {
    case Endpoint::chat_completions:
    case Endpoint::completions: {
      if (!walk_chat(cursor)) return false;
      // The first delta names the role: it goes out even when nothing else is left of it.
      drops_event_ = has_cut_reasoning_ && !has_rest_ && (!has_role_ || role_is_out_);
      role_is_out_ |= has_role_ && !drops_event_;
      return true;
    }
    case Endpoint::responses: return walk_responses_event(cursor);
    case Endpoint::messages: return walk_anthropic_event(cursor);
    default: return cursor.skip();
  }
}

}  // namespace stillwatch::intake
