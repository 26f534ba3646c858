// STATE/tails: what a tail must know beside its places: the key that file beginnings are hashed under, which logs were
// ever followed, and where those began that were not read from their start.
//
// Invariant: written before the first line of a log is fed, so a log that is not named here has no record anywhere. The
// key is random and has nothing to do with the deployment secret, which may be rotated. Mode 0600: the hash of a
// beginning lets whoever has the key test guesses about it.
// Threads: one user. Cost: a small file, written when a log is added.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "crypto/key_set.h"
#include "gateway/tail_place.h"

namespace stillwatch::gateway {

class TailMemory {
 public:
  /// Reads it, or makes one with a fresh key (not written yet).
  static base::Result<TailMemory> open(const std::string& state_folder);
  /// Nothing for anything that text() did not give.
  static std::optional<TailMemory> parse(std::string_view text);
  std::string text() const;
  base::Status write(const std::string& state_folder) const;

  const crypto::Secret& key() const { return key_; }
  bool knows(std::uint32_t tail) const;
  void add(std::uint32_t tail, const std::vector<TailPlace>& skipped);
  const std::vector<TailPlace>& skipped() const { return skipped_; }

 private:
  crypto::Secret key_{};
  std::vector<std::uint32_t> tails_;
  std::vector<TailPlace> skipped_;
};

}  // namespace stillwatch::gateway
