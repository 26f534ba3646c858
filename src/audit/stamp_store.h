// Time stamps of anchor checkpoints, kept by log, authority and size.
//
// Invariant: the reply and the exact bytes that it stamps are complete or absent; `newest` is what anchor leaves name.
// Files in <ledger>/stamps/: `newest` (the reply got last), and <anchor log>/<authority>/x000/123.tsr (the reply)
// beside .note (what was stamped), by the size of the checkpoint.
// Threads: one writer; readers anywhere. Cost: three durable files a stamp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "audit/stamp.h"
#include "base/result.h"

namespace stillwatch::audit {

struct StoredStamp {
  std::string authority;
  std::uint64_t size = 0;
  std::string reply_path, note_path;
};

class StampStore {
 public:
  explicit StampStore(std::string folder) : folder_(std::move(folder)) {}

  base::Status add(std::string_view log, std::string_view authority, std::uint64_t size, std::string_view note,
                   std::string_view reply) const;
  /// Hash of the token got last; zeros when there is none.
  base::Result<std::array<std::uint8_t, 32>> newest_token_hash() const;
  /// Of one anchor log, by authority and size. Checks nothing.
  base::Result<std::vector<StoredStamp>> list(std::string_view log) const;

 private:
  std::string folder_;
};

}  // namespace stillwatch::audit
