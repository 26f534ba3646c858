// Where the things that `restrict` removes stand, in each dialect: the walks behind BodyEditor and StreamEditor.
//
// Internal to this module. Invariant: a walk only adds splices; what it does not know it passes and leaves as it is.
// Threads: one an editor. Cost: one scan. Spec: docs/reference/restrictions.md, and the dialects' API references.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "intake/body_edit.h"
#include "intake/json_cursor.h"
#include "intake/splices.h"

namespace stillwatch::intake {

/// True when the value that comes next turns reasoning on or asks for it; false, null, 0, "none", "disabled", and
/// objects that say so in the dialect's own field do not, and must stay: without them a model may reason by default.
bool asks_for_reasoning(JsonCursor cursor, Endpoint endpoint, JsonText& text);
/// A key of an openai.chat or text request that asks for reasoning (other servers' names included).
bool is_reasoning_flag(Endpoint endpoint, std::string_view key);

/// Cuts members out of the object that comes next: those for which is_cut(key) says so. keep(key) walks the value of
/// each of the others. False: not JSON.
template <class IsCut, class Keep>
bool cut_members(JsonCursor& cursor, Splices& splices, IsCut is_cut, Keep keep) {
  ListCutter cutter(splices);
  const bool is_whole = cursor.each_member([&](std::string_view key, std::size_t begin) {
    const bool cuts = is_cut(key);
    cuts ? cutter.cut(begin) : cutter.keep(begin);
    if (!(cuts ? cursor.skip() : keep(key))) return false;
    cutter.end_item(cursor.at());
    return true;
  });
  cutter.close();
  return is_whole;
}

/// The same of an array's elements, which are kept as they are. `is_cut` looks ahead of the cursor and leaves it.
template <class IsCut>
bool cut_elements(JsonCursor& cursor, Splices& splices, IsCut is_cut) {
  ListCutter cutter(splices);
  const bool is_whole = cursor.each_element([&](std::size_t begin) {
    is_cut() ? cutter.cut(begin) : cutter.keep(begin);
    if (!cursor.skip()) return false;
    cutter.end_item(cursor.at());
    return true;
  });
  cutter.close();
  return is_whole;
}

/// Puts `with` in the place of the value that comes next, and says so in `is_edited`.
inline bool replace_value(JsonCursor& cursor, Splices& splices, std::string_view with, bool& is_edited) {
  (void)cursor.peek();
  const std::size_t begin = cursor.at();
  if (!cursor.skip()) return false;
  splices.replace(begin, cursor.at(), with);
  is_edited = true;
  return true;
}

class RequestWalk {
 public:
  RequestWalk(const Restriction& restriction, Splices& splices, EditSummary& summary)
      : restriction_(restriction), splices_(splices), summary_(summary) {}
  bool walk(JsonCursor& cursor, Endpoint endpoint);

 private:
  enum class Action : std::uint8_t { keep, cut, to_one };
  Action action_for(const JsonCursor& cursor, Endpoint endpoint, std::string_view key);
  bool walk_nested(JsonCursor& cursor, Endpoint endpoint, std::string_view key);
  template <class Wanted>
  bool cut_strings(JsonCursor& cursor, Wanted wanted);
  bool cut_cleared_thinking(JsonCursor& cursor);
  bool cut_template_flags(JsonCursor& cursor);
  bool walk_batch(JsonCursor& cursor);

  Restriction restriction_;
  Splices& splices_;
  EditSummary& summary_;
  JsonText text_;
};

class ResponseWalk {
 public:
  ResponseWalk(const Restriction& restriction, Splices& splices, EditSummary& summary)
      : restriction_(restriction), splices_(splices), summary_(summary) {}

  /// A whole body.
  bool walk_body(JsonCursor& cursor, Endpoint endpoint);
  /// The data of one event. Sets drops_event().
  bool walk_event(JsonCursor& cursor, Endpoint endpoint);
  bool drops_event() const { return drops_event_; }

 private:
  bool walk_chat(JsonCursor& cursor);
  bool walk_choice(JsonCursor& cursor);
  bool walk_message(JsonCursor& cursor);
  bool walk_foreign_fields(JsonCursor& cursor);
  bool walk_response(JsonCursor& cursor);
  bool walk_item(JsonCursor& cursor);
  bool walk_part(JsonCursor& cursor);
  bool walk_responses_event(JsonCursor& cursor);
  bool walk_anthropic(JsonCursor& cursor);
  bool walk_anthropic_event(JsonCursor& cursor);
  bool cut_thinking(JsonCursor& cursor);
  template <class Keep>
  bool cut_reasoning(JsonCursor& cursor, Keep keep);
  bool empty_logprobs(JsonCursor& cursor);
  bool replace_logprobs(JsonCursor& cursor);
  template <class Visit>
  bool each_object_in(JsonCursor& cursor, Visit visit);
  void note_block(std::uint32_t index, bool is_dropped);

  // Anthropic: blocks left out of the message that streams. Further ones leave a gap in the numbers.
  static constexpr std::size_t kBlocksDroppedMax = 65'536;

  Restriction restriction_;
  Splices& splices_;
  EditSummary& summary_;
  JsonText text_;
  std::string number_;  // a new block index, for the splice that names it
  std::vector<std::uint32_t> blocks_dropped_;
  bool drops_event_ = false, has_rest_ = false, has_cut_reasoning_ = false;
  bool has_role_ = false, role_is_out_ = false;  // the first delta with a role went out
};

}  // namespace stillwatch::intake
