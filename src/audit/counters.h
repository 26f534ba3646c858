// What the audit log counts, and what it raises an alarm for.
//
// Invariant: counters only grow, gauges say so. Every failure that does not stop the log is in one of them.
// Threads: any. Cost: a relaxed atomic each.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace stillwatch::audit {

using Count = std::atomic<std::uint64_t>;

struct Counters {
  Count leaves_taken{0};
  Count leaves_refused{0};   // queue full, too long, or the writer has failed
  Count anchors{0};          // leaves of the anchor log
  Count anchors_missed{0};   // intervals without one: the process was late or the disk refused
  Count anchor_failures{0};  // attempts that ended in an error
  Count clock_backwards{0};  // the clock was before the last time written, which was repeated
  Count witness_requests{0};
  Count witness_cosignatures{0};      // good ones
  Count witness_conflicts{0};         // 409: it had another size, and was asked again
  Count witness_bad_signatures{0};    // ignored: not over this checkpoint, or not by the key of the policy
  Count witness_bad_times{0};         // ignored: a cosignature from the future or long before it was asked for
  Count witness_refusals{0};          // 4xx and 5xx but 409
  Count witness_unreachable{0};       // no answer in time, or no HTTP
  Count witness_impossible_sizes{0};  // 409 with a size that the log never signed: it saw another log of that name
  Count quorums_met{0};
  Count quorums_missed{0};
  Count stamps{0};
  Count stamp_failures{0};  // no answer, refused, or an answer that does not verify
  Count stamp_skews{0};     // its clock and ours differ by more than the setting
  Count pages_served{0};
  Count pages_not_found{0};
  Count pages_refused{0};  // malformed paths and queries
  Count pages_failed{0};   // the log could not be read
  Count alarms_raised{0};
  Count newest_anchor_size{0};    // gauge
  Count newest_cosigned_size{0};  // gauge
  Count newest_stamped_size{0};   // gauge
};

enum class AlarmKind : std::uint8_t {
  shard_failed,       // a shard's writer has stopped
  anchor_failed,      // no anchor leaf could be written for three intervals
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
inline constexpr std::size_t kAlarmsKept = 100;  // ended ones beyond it are forgotten, oldest first

}  // namespace stillwatch::audit
