// What the audit log counts, and what it raises an alarm for.
//
// Invariant: counters only grow; gauges are named so. Every failure that does not stop the log is in one of them.
// What the shards' writers count is in ledger::Sequencer. Threads: any. Cost: a relaxed atomic each.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace stillwatch::audit {

using Count = std::atomic<std::uint64_t>;

struct Counters {
  Count anchors{0};                 // leaves of the anchor log
  Count anchors_missed{0};          // intervals without one: the process was late, or the disk refused
  Count anchor_failures{0};         // attempts that ended in an error
  Count clock_backwards{0};         // the clock was before the last time written, which was repeated
  Count witness_requests{0};        // answered or not
  Count witness_cosignatures{0};    // good ones
  Count witness_conflicts{0};       // 409: it had cosigned another size, and was asked again
  Count witness_bad_signatures{0};  // ignored: not over this checkpoint, or not by the key of the policy
  Count witness_skews{0};           // good, but its clock and ours differ by more than kWitnessSkewMs
  Count witness_refusals{0};        // other answers than 200 and 409, and those that cannot be read
  Count witness_unreachable{0};     // no answer in time
  Count witness_disagreements{0};   // it knows a larger log of our name, or our proof does not hold for what it knows
  Count quorums_met{0};
  Count quorums_missed{0};
  Count policy_failures{0};  // the policy file could not be read again; the last one goes on
  Count stamps{0};
  Count stamp_failures{0};  // no answer, refused, or an answer that does not verify
  Count stamp_skews{0};     // its clock and ours differ by more than the setting
  Count pages_served{0};
  Count pages_not_found{0};  // also beyond the checkpoint, and logs that the audience may not read
  Count pages_refused{0};    // other methods, malformed queries
  Count pages_failed{0};     // the log could not be read
  Count alarms_raised{0};
  Count newest_anchor_size{0};    // gauge
  Count newest_cosigned_size{0};  // gauge
  Count newest_stamped_size{0};   // gauge
};

inline constexpr std::int64_t kWitnessSkewMs = 600'000;  // more than any clock that is looked after

enum class AlarmKind : std::uint8_t {
  shard_failed,       // a shard's writer has stopped
  anchor_failed,      // no anchor leaf could be written, three times in a row
  quorum_missing,     // too few witnesses have cosigned for too long
  witness_disagrees,  // a witness knows another tree under our name: look at once
  stamp_missing,      // an authority has given no stamp for too long
  clock_skew,         // an authority's clock and ours differ
};
/// "quorum_missing" and so on, for logs and metrics.
std::string_view alarm_name(AlarmKind kind);

struct Alarm {
  AlarmKind kind = AlarmKind::shard_failed;
  std::string subject;  // the witness, authority or log
  std::string message;  // one sentence with the next step
  std::int64_t since_ms = 0;
  bool active = true;
};

/// Alarms that are on, and the last ones that were.
class AlarmBook {
 public:
  static constexpr std::size_t kEndedMax = 100;  // further: the oldest are forgotten; the counter has them

  explicit AlarmBook(Counters& counters) : counters_(counters) {}
  /// One alarm a kind and subject is on at a time; raising it again only renews its message.
  void raise(AlarmKind kind, std::string_view subject, std::string message, std::int64_t now_ms);
  void end(AlarmKind kind, std::string_view subject);
  bool is_on(AlarmKind kind, std::string_view subject) const;
  std::vector<Alarm> list() const;

 private:
  Counters& counters_;
  mutable std::mutex mutex_;
  std::deque<Alarm> alarms_;  // oldest first
};

}  // namespace stillwatch::audit
