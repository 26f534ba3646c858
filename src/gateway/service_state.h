// The parts of a running gateway, in the order in which they are made; they end in the reverse order.
//
// Invariant: what a part uses stands before it. Threads and cost: service.h.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "gateway/admin_api.h"
#include "gateway/service.h"
#include "gateway/station.h"
#include "http/server.h"

namespace stillwatch::gateway {

struct Service::State {
  std::string configuration_path;
  std::shared_ptr<const Ruleset> first_rules;  // what it was started with: some settings stay
  std::unique_ptr<crypto::KeyedHash> keyed_hash;
  std::unique_ptr<RunLog> log;
  std::unique_ptr<Metrics> metrics;
  std::unique_ptr<WebhookSender> webhooks;
  std::unique_ptr<Observer> observer;
  std::unique_ptr<Station> station;
  AdminPorts admin_ports;
  std::mutex desk_errors_mutex;
  std::string desk_error;  // of a network thread that could not set itself up
  std::unique_ptr<http::Server> proxy, decisions, admin;

  // The observer's thread before `station` is there.
  std::atomic<Station*> published{nullptr};
  std::atomic<bool> serving{false};  // all addresses are listened on
  std::atomic<bool> alarm_verdict_rate{false}, alarm_log{false};
  std::atomic<std::int64_t> alarm_verdict_rate_ms{0};

  std::mutex care_mutex;
  std::condition_variable care_wake;
  bool care_stopping = false;
  std::thread care;
  std::int64_t accounts_changed_ns = 0;
  std::mutex reload_mutex;

  ~State();

  const Configuration& settings() const { return first_rules->configuration(); }
  unsigned proxy_threads() const;
  unsigned network_threads() const { return proxy_threads() + decision_threads() + 1; }
  unsigned decision_threads() const { return settings().server.decision_listen.empty() ? 0 : proxy_threads(); }
  /// The metrics shard of the observer's thread, behind those of the network threads.
  unsigned observer_shard() const { return network_threads(); }

  base::Result<std::shared_ptr<const Ruleset>> compile_rules() const;
  base::Status start_observer();
  base::Status start_webhooks();
  base::Status start_servers();
  base::Status load_quota();
  base::Status save_quota(bool stopped);
  http::HandlerFactory handlers(unsigned first_thread, bool proxies, bool decides, bool administers);
  void take_switches(const settings::Remedies& remedies);

  void look_after();  // the body of `care`
  void update_gauges();
  void raise_alarms();
  void follow_accounts();
  std::string not_ready() const;
};

/// A network thread's upstreams when the ruleset has changed. Keeps the old ones on an error.
void refresh_upstreams(Desk& desk);

}  // namespace stillwatch::gateway
