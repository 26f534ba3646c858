// The turns of a request in any dialect: messages, items, parts, system texts.
//
// Invariant: the order of an object's fields makes no difference; of a repeated key the last one counts, which
// takes a second, careful reading. Text goes to the fingerprinter; anything else counts by kind and size.
// Threads: one a thread. Cost: one walk over the values. Spec: docs/reference/log-formats.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "event/query.h"
#include "intake/json_value.h"
#include "text/fingerprint.h"

namespace stillwatch::intake {

/// Fields that carry turns.
enum TurnField : std::size_t { kMessages, kSystem, kInput, kInstructions, kPrompt, kTurnFields };
constexpr TurnField kNoTurnField = kTurnFields;

/// kNoTurnField for other keys.
std::size_t turn_field_of(event::Dialect dialect, std::string_view key);

class TurnReader {
 public:
  TurnReader(JsonReader& json, text::Fingerprinter& fingerprinter) : json_(json), fingerprinter_(fingerprinter) {}

  /// A new body, or the same once more, carefully: look for the last of each key before reading.
  void begin(bool careful) {
    careful_ = careful;
    repeated_ = false;
    open_turn_.reset();
  }
  bool is_careful() const { return careful_; }
  bool saw_repeated_key() const { return repeated_; }
  void note_repeated_key() { repeated_ = true; }
  std::uint64_t turns_ignored() const { return turns_ignored_; }

  MaybeRefusal read_field(std::size_t field, od::value value);
  MaybeRefusal read_messages(od::array messages, std::string_view name);
  void add_user_text(std::string_view text);

 private:
  MaybeRefusal read_part(od::object part, text::Role role);
  MaybeRefusal read_content(od::value content, text::Role role, std::string_view name);
  MaybeRefusal read_message(od::object message);
  void turn(text::Role role) {
    if (open_turn_ == role) return;
    open_turn_ = role;
    fingerprinter_.begin_turn(role);
  }

  JsonReader& json_;
  text::Fingerprinter& fingerprinter_;
  bool careful_ = false, repeated_ = false;
  std::optional<text::Role> open_turn_;  // of the message being read
  std::uint64_t turns_ignored_ = 0;
};

}  // namespace stillwatch::intake
