// The gateway as a whole: everything that `stillwatch serve` starts, reloads, drains and stops.
//
// Invariant: start() leaves nothing behind when it fails; a reload that fails changes nothing; after stop() every
// request that was answered has its record in the log and its verdicts in the state.
// Threads: start, reload, drain and stop by one thread; the rest from any. Inside: network threads for the proxy and
// the decision API, one for the admin API, the observer's, one that looks after things every quarter of a second.
// Cost: starting reads keys, accounts and the last snapshot.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"

namespace stillwatch::gateway {

class Service {
 public:
  /// Reads, checks and starts. Caller error with all that is wrong with the configuration.
  static base::Result<std::unique_ptr<Service>> start(const std::string& configuration_path);
  ~Service();  // as after kill -9, but for the threads: call stop() for an orderly end

  /// Reads configuration, keys, accounts and certificates again. Listen addresses, threads, state and secret stay as
  /// they were started; a change of these is an error that says so.
  base::Status reload();
  /// Takes no new connections, lets requests end within the configured time, records everything, stops.
  base::Status stop();

  /// Ports as bound: of the i-th listen address, of the first decision and admin address (0: none).
  std::uint16_t port(std::size_t listen_index = 0) const;
  std::uint16_t decision_port() const;
  std::uint16_t admin_port() const;
  /// Why it is not ready; empty when it is.
  std::string not_ready() const;

 private:
  struct State;
  explicit Service(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace stillwatch::gateway
