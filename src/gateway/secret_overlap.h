// What a rotation of the deployment secret does to the state of a gateway, before anything of it is opened.
//
// Invariant: STATE and LOG hold what is under the current secret, STATE/previous and LOG/previous what is under the one
// before. Files move by renames, the snapshot last: after any end of the process the same call goes on where it stood.
// Account records (raw ids) are copied and serve both. At the end of the overlap the levels in force become
// STATE/inherited.levels by raw ids, and the rest is put aside as STATE/before-<secret> and LOG/before-<secret>.
// Threads: one, before the observers start; holds the lock of the log's folder meanwhile. Cost: reads a snapshot.
// Design and price of a rotation: docs/operate/secret.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "crypto/key_set.h"
#include "gateway/earlier_levels.h"

namespace stillwatch::gateway {

struct OverlapState {
  bool has_previous = false;                 // an observer under the previous secret goes on in the folders below
  std::string state_folder, log_folder;      // STATE/previous, LOG/previous
  std::unique_ptr<EarlierLevels> inherited;  // of overlaps that have ended; nothing: none
  std::uint64_t inherited_now = 0;           // levels that this start took over from an overlap that ended
  std::uint64_t unnamed = 0;                 // levels whose raw id was not known: they could not be taken over
};

/// Environment error when a folder cannot be used or is used by another process. `keyed_hash`: of keys.current.
base::Result<OverlapState> take_up_secrets(const std::string& state_folder, const std::string& log_folder,
                                           const crypto::KeySet& keys, const crypto::KeyedHash& keyed_hash);

}  // namespace stillwatch::gateway
