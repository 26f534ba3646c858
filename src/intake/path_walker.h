// One walk over a foreign JSON record that picks up the raw value at each of a tree of paths.
//
// Invariant: each value is visited once, in any field order; of a repeated key the last one counts.
// Threads: a tree is read-only; one PathWalker a thread. Cost: one simdjson pass, no allocation in the steady state.
// Spec: docs/reference/log-formats.md.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "intake/json_scan.h"
#include "intake/reject.h"

namespace stillwatch::intake {

/// One step of a path: a key, or an element of an array.
struct PathStep {
  std::string key;
  std::size_t index = 0;
  bool is_index = false;
  bool operator==(const PathStep&) const = default;
};

/// Paths as one tree, so that a record is walked once.
struct PathNode {
  PathStep step;
  std::vector<std::size_t> slots;  // where the value at this place goes
  std::vector<PathNode> children;
};

/// "a.b[0].c"; a key with a dot or a bracket in it stands in double quotes: a."b.c".
std::optional<std::vector<PathStep>> parse_path(std::string_view text);
void add_path(PathNode& root, const std::vector<PathStep>& steps, std::size_t slot);
/// Of paths that stand in the code: each one's place in the list is its slot.
PathNode tree_of(std::span<const std::string_view> paths);

/// The raw JSON of a value (with kJsonPadding behind it); empty when it is not there.
struct RawValue {
  std::string_view json;
  bool is_there() const { return !json.empty() && json != "null"; }
  bool is_text() const { return !json.empty() && json[0] == '"'; }
};

class PathWalker {
 public:
  PathWalker();
  ~PathWalker();
  /// Clears `out`, then fills the slots of the tree.
  std::optional<Refusal> walk(std::string_view line, const PathNode& root, std::span<RawValue> out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

enum class TimeFormat : std::uint8_t { rfc3339, unix_s, unix_ms, unix_us };

/// A text, or the digits of a number. Nothing for other types. The view lives until the next use of `text`.
std::optional<std::string_view> text_of(RawValue value, JsonText& text);
/// A number at least 0, also when it is written as a text; saturating, and without its fraction.
std::optional<std::uint32_t> count_of(RawValue value, JsonText& text);
/// Microseconds, exactly: decimal digits do not go through a double. Texts may lack the zone: then it is UTC.
std::optional<std::int64_t> time_of(RawValue value, TimeFormat format, JsonText& text);

}  // namespace stillwatch::intake
