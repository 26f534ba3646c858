// What the audit log is told: where it lies, what its logs are called, how often it anchors, whom it asks.
//
// Invariant: intervals count whole seconds of the injected clock; a log's origin never changes once it has an entry.
// Threads: plain values. Spec: C2SP tlog-policy for policy_file; RFC 3161 for stamps.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "http/server.h"
#include "ledger/sequencer.h"

namespace stillwatch::audit {

/// Milliseconds since 1970. May go backwards: the audit log never does, it repeats its last time and counts.
using Clock = std::function<std::int64_t()>;
/// The machine's clock.
std::int64_t wall_clock_ms();

/// Who is asked to cosign the checkpoints of the anchor log.
struct WitnessSettings {
  std::string policy_file;  // tlog-policy: the witnesses with their addresses, and the quorum. Empty: nobody is asked
  std::int64_t interval_ms = 60'000;
  std::int64_t timeout_ms = 5'000;        // of one answer; all are asked at once
  std::int64_t alarm_after_ms = 600'000;  // without a quorum
  std::string tls_ca_file;                // PEM, for https://; empty: the system's certificates
};

/// An RFC 3161 time stamping authority.
struct StampAuthority {
  std::string name;         // of its folder below stamps/: letters, digits, '-', '_'
  std::string url;          // http:// or https://
  std::string ca_file;      // PEM: the authorities whose signature on the signer's certificate counts
  std::string tls_ca_file;  // PEM, for https://; empty: the system's certificates
};
struct StampSettings {
  std::vector<StampAuthority> authorities;  // none: no stamps
  std::int64_t interval_ms = 600'000;
  std::int64_t timeout_ms = 10'000;
  std::int64_t alarm_after_ms = 3'600'000;  // without a stamp of that authority
  std::int64_t skew_ms_max = 60'000;        // between its clock and ours. More: the stamp is kept, an alarm raised
};

/// Who may read what over HTTP. Sizes of shard logs tell how much traffic there is, their entries who sent it (under
/// pseudonyms): they are for an auditor, the anchor log is for everybody.
enum class Audience : std::uint8_t { everyone, auditor };

struct PagesSettings {
  std::vector<http::ListenAddress> listen;
  http::ServerTls tls;
  Audience audience = Audience::everyone;
};

struct Settings {
  std::string folder;                         // of the ledger: logs/, keys/, manifests/, cosigned/, stamps/
  std::string host;                           // beginning of every origin, such as "audit.provider.example"
  std::vector<std::string> shards = {"s00"};  // one log each, of one writer. [a-z0-9-], at most kShardsMax
  std::string signed_folder;                  // of the last signed checkpoints; better on other storage. Empty: beside
  std::int64_t anchor_interval_ms = 10'000;   // whole seconds
  bool by_hand = false;        // no thread of its own: anchors come from anchor_now() only, as in a replay
  std::string derivation_key;  // at least 32 bytes: keys and salts are derived from it, so that a replay gives the
                               // same bytes again. Empty, as for everything live: random
  /// Of every shard's writer; its three callbacks are AuditLog's. See on_sequenced for acknowledgments.
  ledger::SequencerOptions sequencer;
  /// On a writer's thread: leaves that had a cookie are on the disk. Must be quick.
  std::function<void(std::size_t shard, const std::string& origin, std::span<const ledger::Sequenced>)> on_sequenced;
  WitnessSettings witnesses;
  StampSettings stamps;
  std::vector<PagesSettings> pages;
  Clock clock = wall_clock_ms;
};

/// Caller error that says what is wrong. Names of authorities and the policy file are looked at when it is opened.
base::Status check(const Settings& settings);

inline constexpr std::size_t kShardsMax = 64;      // a manifest of so many shards has 32 KiB
inline constexpr std::size_t kAuthoritiesMax = 8;  // each is asked once an interval. More: caller error
inline constexpr std::size_t kPagesMax = 4;

}  // namespace stillwatch::audit
