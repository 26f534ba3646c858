// The audit log as a running service: shard logs, the anchor log over them, witnesses, time stamps, pages.
//
// Invariant: exactly one anchor leaf of 160 bytes an interval, whatever the traffic; a leaf that try_append took is in
// its log after stop(), or a gap leaf says that it is lost; no answer of a witness or an authority changes a log.
// Threads: open and stop by one; the rest from any. Inside: one thread a shard, one for anchors and the network
// (asking), one for each page server.
// Cost: try_append below 5 µs; an anchor is one signature and seven syncs an interval, and two when a shard has moved.
// Spec: docs/reference/audit-log.md; C2SP tlog-tiles, tlog-witness; RFC 3161.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "audit/counters.h"
#include "audit/settings.h"
#include "base/result.h"

namespace stillwatch::audit {

/// A published checkpoint: the signed note and what it says.
struct Published {
  std::string origin;
  std::uint64_t size = 0;
  std::string note;
};

class AuditLog {
 public:
  /// Opens or begins the logs of this month and year, recovers what a crash left, starts the threads. Caller error
  /// for bad settings; environment error when a folder is taken, cannot be written, or is older than what was signed.
  static base::Result<std::unique_ptr<AuditLog>> open(Settings settings);
  ~AuditLog();  // writes what waits, without a last anchor: call stop() for an orderly end
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  /// Hands one leaf (bytes as ledger::write_leaf makes them) to a shard's writer. False when its queue is full or the
  /// leaf too long: counted, and a gap leaf follows (unless fail-closed). Never waits. `cookie` other than 0: announced
  /// to Settings::on_sequenced. `time_ms`: ledger time, which decides the month; 0: the clock's.
  bool try_append(std::string_view leaf, std::uint64_t cookie = 0, std::int64_t time_ms = 0, std::size_t shard = 0);
  /// The same, waiting for room: for replays.
  bool append(std::string_view leaf, std::uint64_t cookie = 0, std::int64_t time_ms = 0, std::size_t shard = 0);
  /// The writer itself: flush, rotation, counters.
  ledger::Sequencer& shard(std::size_t shard = 0);
  /// Waits until everything taken so far is in its log and under a published checkpoint.
  base::Status flush();

  /// The newest of each shard, and of the anchor log.
  Published checkpoint(std::size_t shard = 0) const;
  Published anchor_checkpoint() const;
  /// The newest anchor checkpoint whose cosignatures meet the quorum of the policy; size 0 when there is none.
  Published cosigned_checkpoint() const;

  /// One anchor leaf now, at `t_ms` (not before the last one's): flushes the shards, writes the manifest, appends,
  /// publishes. Asks nobody. For Settings::by_hand.
  base::Status anchor_now(std::int64_t t_ms);
  /// Asks all witnesses for the newest anchor checkpoint, on this thread. A check error when the quorum is not met.
  base::Status ask_witnesses_now();
  /// Asks all authorities for a stamp of the newest anchor checkpoint (with its cosignatures when it has them). A check
  /// error naming those that gave none.
  base::Status stamp_now();

  const Counters& counters() const;
  /// What is wrong now, and what was since the start (at most AlarmBook::kEndedMax), oldest first.
  std::vector<Alarm> alarms() const;
  /// Port of the i-th page server as bound, for its first listen address.
  std::uint16_t pages_port(std::size_t index = 0) const;
  /// Why it should not take traffic: a shard's writer has failed. Empty when all is well.
  std::string not_ready() const;

  /// Appends what waits, anchors once more (unless by_hand), ends the threads. Waits for witnesses that are being asked
  /// just now, for two of their timeouts at most.
  base::Status stop();

 private:
  struct State;
  explicit AuditLog(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace stillwatch::audit
