// Witness policies: which logs are trusted, which witnesses, and how many of them must have seen a checkpoint.
//
// Invariant: a policy that was read has one quorum, every name in it is defined before use and in at most one group.
// Threads: const use from any number. Cost: one verification a known line of the note. Spec: C2SP tlog-policy.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tlog/checkpoint.h"
#include "tlog/note.h"

namespace stillwatch::tlog {

inline constexpr std::size_t kPolicyBytesMax = 256 * 1024;  // 1,024 lines of 255 bytes. Longer: refused
inline constexpr std::size_t kPolicyLogsMax = 1'024;        // a log a shard and month. Further: refused
inline constexpr std::size_t kPolicyWitnessesMax = 256;     // the specification wants 32 or more. Further: refused
inline constexpr std::size_t kPolicyGroupsMax = 256;        // as many. Further: refused

struct Policy {
  struct Log {
    VerifierKey key;
    std::string url;  // empty: none
  };
  struct Witness {
    std::string name;
    VerifierKey key;
    std::string url;  // submission prefix; empty: none
  };
  struct Group {
    std::string name;
    std::size_t threshold = 0;         // of its members
    std::vector<std::string> members;  // witnesses or earlier groups
  };
  std::vector<Log> logs;
  std::vector<Witness> witnesses;
  std::vector<Group> groups;
  std::optional<std::string> quorum;  // a witness or a group; nothing: `none`, no cosignature is needed

  /// Fault::input naming the line.
  static base::Result<Policy> parse(std::string_view text);
  std::string text() const;

  /// The key of the log with this origin; null when it is unknown.
  const VerifierKey* log_key(std::string_view origin) const;
  /// Whether the quorum holds when exactly the witnesses of these numbers cosigned.
  bool is_met_by(const std::vector<bool>& cosigned) const;
};

/// A checkpoint that a log of the policy signed, and who cosigned it.
struct WitnessedCheckpoint {
  Checkpoint checkpoint;
  struct Seen {
    std::size_t witness = 0;  // number in the policy
    std::uint64_t unix_s = 0;
  };
  std::vector<Seen> cosignatures;  // one a witness, the newest
  bool quorum_met = false;
};
/// Fault::check when no log of the policy signed it or a known signature is wrong. An unmet quorum is no error here.
base::Result<WitnessedCheckpoint> open_witnessed(const Policy& policy, std::string_view note);

}  // namespace stillwatch::tlog
