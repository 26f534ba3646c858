// Checkpoints of an anchor log that met the quorum, kept by size.
//
// Invariant: `newest` has the largest size that was added. Files in <ledger>/cosigned/<anchor log>/: `newest`, and each
// note under its size ("x000/123"), which nobody needs for checking today's log, but who looks for split views does.
// Threads: one writer; readers anywhere, in other processes too. Cost: two durable files a quorum.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace stillwatch::audit {

class CosignedStore {
 public:
  explicit CosignedStore(std::string folder) : folder_(std::move(folder)) {}

  base::Status add(std::uint64_t size, std::string_view note) const;
  /// The note with the largest size; empty when there is none.
  base::Result<std::string> newest() const;
  /// The note of exactly this size; empty when there is none.
  base::Result<std::string> at(std::uint64_t size) const;

 private:
  base::Result<std::string> read(const std::string& name) const;
  std::string folder_;
};

}  // namespace stillwatch::audit
