// Levels that were given under an earlier deployment secret and have not ended: nobody renews them, none is lost.
//
// Invariant: kept by raw ids, which do not hang on a secret; so a file of them outlives any number of rotations. A
// level ends when it would have ended. A file is whole or refused by its checksum. Threads: made by one; then
// read-only, from any. Cost: a verdict table. Bounds: as VerdictTable.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "crypto/keyed_hash.h"
#include "engine/verdict_table.h"

namespace stillwatch::gateway {

struct EarlierLevel {
  std::string account, end_user;  // end_user: empty for the account's own level
  engine::ListedLevel level;      // its tokens are not kept
};

/// As the bytes of a file, and back. Nothing when they are damaged.
std::string to_bytes(const std::vector<EarlierLevel>& levels);
std::optional<std::vector<EarlierLevel>> read_earlier_levels(std::string_view bytes);

class EarlierLevels {
 public:
  EarlierLevels(const std::vector<EarlierLevel>& levels, const crypto::KeyedHash& keyed_hash);
  const engine::VerdictTable& table() const { return table_; }
  /// The id behind a token of the hash that it was made with; empty when it is not one of these.
  std::string open(base::Token token) const;

 private:
  engine::VerdictTable table_;
  std::map<base::Token, std::string> names_;
};

/// Where levels stand beside the engine's own: tokens of `keyed_hash`.
struct EarlierSource {
  const crypto::KeyedHash* keyed_hash = nullptr;
  const engine::VerdictTable* table = nullptr;
  std::function<std::string(base::Token)> open;
};

}  // namespace stillwatch::gateway
