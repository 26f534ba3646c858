// Why a line was refused: stable names, written to rejects.ndjson and counted in summary.json.
//
// Invariant: a name, once released, keeps its meaning (docs/reference/log-formats.md lists them).
// Threads: plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace stillwatch::intake {

enum class RejectReason : std::uint8_t {
  not_json,
  line_too_long,
  not_utf8,
  too_deep,
  wrong_type,
  missing_field,
  bad_version,
  bad_time,
  too_late,
  too_early,
  duplicate_id,
  unknown_dialect,
  unknown_value,
  id_too_long,
  bad_fingerprint,
  truncated,
  too_many,
};
inline constexpr std::size_t kRejectReasons = 17;

constexpr std::string_view name(RejectReason reason) {
  constexpr std::array<std::string_view, kRejectReasons> kNames{
      "not_json",      "line_too_long", "not_utf8",        "too_deep",  "wrong_type",   "missing_field",
      "bad_version",   "bad_time",      "too_late",        "too_early", "duplicate_id", "unknown_dialect",
      "unknown_value", "id_too_long",   "bad_fingerprint", "truncated", "too_many"};
  return kNames[static_cast<std::size_t>(reason)];
}

/// The reason of a name; nothing for any other text.
constexpr std::optional<RejectReason> reject_reason_of(std::string_view text) {
  for (std::size_t i = 0; i < kRejectReasons; ++i) {
    if (name(static_cast<RejectReason>(i)) == text) return static_cast<RejectReason>(i);
  }
  return std::nullopt;
}

/// A refusal: the reason and the field it is about (static text, may be empty).
struct Refusal {
  RejectReason reason = RejectReason::not_json;
  std::string_view field;
};

}  // namespace stillwatch::intake
