// The parts of a running gateway, in the order in which they are made; they end in the reverse order.
//
// Invariant: what a part uses stands before it. Threads and cost: service.h.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "gateway/admin_api.h"
#include "gateway/ledger_desk.h"
#include "gateway/ledger_link.h"
#include "gateway/log_tail.h"
#include "gateway/secret_overlap.h"
#include "gateway/service.h"
#include "gateway/station.h"
#include "http/server.h"

namespace stillwatch::gateway {

/// Counts in a shard what a counter that somebody else keeps has grown by since it was looked at last.
struct CountGrowth {
  Metrics::Shard& shard;
  template <class Label>
  void operator()(Label label, std::uint64_t now, std::uint64_t& before) const {
    shard.count(label, now - std::exchange(before, now));
  }
};

struct Service::State {
  std::string configuration_path;
  std::shared_ptr<const Ruleset> first_rules;                    // what it was started with: some settings stay
  std::unique_ptr<crypto::KeyedHash> keyed_hash, previous_hash;  // of the secret before a rotation; nothing: none
  OverlapState overlap;
  std::unique_ptr<RunLog> log;
  std::unique_ptr<Metrics> metrics;
  std::unique_ptr<WebhookSender> webhooks;
  std::unique_ptr<LedgerLink> ledger;  // null: none is configured
  std::unique_ptr<Observer> previous;  // under the previous secret, fed by `observer`
  std::unique_ptr<Observer> observer;
  std::unique_ptr<LogTail> tail;  // nothing: no log is followed
  std::unique_ptr<Station> station;
  std::unique_ptr<LedgerDesk> ledger_desk;  // nothing: there is no audit log
  AdminPorts admin_ports;
  std::mutex desk_errors_mutex;
  std::string desk_error;  // of a network thread that could not set itself up
  std::unique_ptr<http::Server> proxy, decisions, admin;

  // The observer's thread before `station` is there.
  std::atomic<Station*> published{nullptr};
  std::atomic<bool> serving{false};                   // all addresses are listened on
  std::array<bool, metric::kAlarmKinds> alarms_on{};  // of the care thread
  std::atomic<bool> alarm_verdict_rate{false}, alarm_log{false};
  std::atomic<std::int64_t> alarm_verdict_rate_ms{0};

  std::mutex care_mutex;
  std::condition_variable care_wake;
  bool care_stopping = false;
  std::thread care;
  std::int64_t accounts_changed_ns = 0;
  std::mutex reload_mutex;
  std::atomic<std::int64_t> certificate_ends_us{0};  // 0: no TLS

  /// What the counters of others were when they were added to the metrics last. The admin thread's.
  struct Told {
    std::uint64_t accepted = 0, refused = 0, tls_failed = 0, closed = 0, rejected = 0, overload = 0;
    std::uint64_t written = 0, failed = 0, gaps_queue = 0, gaps_log = 0, shed_late = 0, shed_unreadable = 0;
    std::uint64_t delivered = 0, undelivered = 0, dropped = 0;
    std::uint64_t records = 0, decisions = 0, others = 0, recalled = 0, lost = 0, failures = 0, payloads = 0;
    std::uint64_t anchors = 0, quorums = 0, stamps = 0;
    std::uint64_t fed_refused = 0, fed_repeated = 0, fed_early = 0, tailed = 0, tailed_too_long = 0;
    std::uint64_t names_asked = 0, names_failed = 0, names_late = 0, names_stale = 0;
    std::uint64_t tail_opened = 0, tail_rotated = 0, tail_truncated = 0, tail_lost = 0, tail_errors = 0, tail_waits = 0;
  } told;

  ~State();

  const Configuration& settings() const { return first_rules->configuration(); }
  unsigned proxy_threads() const;
  unsigned network_threads() const { return proxy_threads() + decision_threads() + 1; }
  unsigned decision_threads() const { return settings().server.decision_listen.empty() ? 0 : proxy_threads(); }
  /// The metrics shard of the observer's thread, behind those of the network threads.
  unsigned observer_shard() const { return network_threads(); }
  /// Of whoever holds reload_mutex.
  unsigned reload_shard() const { return network_threads() + 1; }
  /// Of the observer under the previous secret.
  unsigned previous_shard() const { return network_threads() + 2; }

  base::Result<std::shared_ptr<const Ruleset>> compile_rules() const;
  base::Result<AccountFactsMap> read_accounts(const Configuration& from) const;
  /// The rules in force with the accounts file as it is now.
  base::Result<std::shared_ptr<const Ruleset>> with_fresh_accounts() const;
  base::Status take_up_secrets(const Configuration& from);
  base::Result<ObserverOptions> observer_options() const;
  ObserverPorts observer_ports(bool is_previous);
  base::Status start_observer();
  /// Levels of before a rotation, for whoever asks for one.
  std::vector<EarlierSource> earlier_levels();
  base::Status start_tail();
  base::Status start_webhooks();
  base::Status start_ledger();
  void start_ledger_desk();
  base::Status start_servers();
  base::Status load_quota();
  base::Status save_quota(bool stopped);
  http::HandlerFactory handlers(unsigned first_thread, bool proxies, bool decides, bool administers);
  void take_switches(const settings::Remedies& remedies);

  void look_after();  // the body of `care`
  void update_gauges();
  void count_up();
  void count_ledger(const CountGrowth& up);
  void raise_ledger_alarms();
  void note_certificate();
  void raise_alarms();
  void show_alarm(metric::AlarmKind kind, std::string_view name, bool active);
  void follow_accounts();
  std::string not_ready() const;
};

// A round of the observer that takes longer is a stalled engine: closing an epoch takes milliseconds to a second.
inline constexpr std::int64_t kStalledUs = 30 * base::kSecondUs;

/// When a file changed last; 0: there is none.
std::int64_t changed_ns(const std::string& path);

/// A network thread's upstreams when the ruleset has changed. Keeps the old ones on an error.
void refresh_upstreams(Desk& desk);

}  // namespace stillwatch::gateway
