// Logs that try to make a replay slow, fat or blind: one ordinary mix, and floods of one kind each.
//
// Invariant: a log depends on its kind, size and, for `chosen_tokens`, the hash only. Every line is a valid record.
// Threads: pure functions. Cost: ~2 us a record; `chosen_tokens` searches, ~20 us a record.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"
#include "crypto/keyed_hash.h"

namespace stillwatch::app {

enum class FloodKind : std::uint8_t {
  ordinary,
  new_accounts,
  unique_tokens,
  one_token,
  long_conversations,
  like_inputs,
  chosen_tokens,
  link_tokens,
  handoffs,
  small_groups,
};

struct Flood {
  FloodKind kind;
  const char* name;
  const char* what;
  bool by_byte = false;  // compared by byte, not by record
};

/// The ordinary mix first.
std::span<const Flood> floods();

/// Writes about `records` lines over ten days; fewer where lines are long. Returns the records written.
base::Result<std::uint64_t> write_flood_log(FloodKind kind, std::uint64_t records, const crypto::KeyedHash& hash,
                                            const std::string& path);

}  // namespace stillwatch::app
