// The addresses of host names: looked up aside, remembered, and still used while name servers are slow or down.
//
// Invariant: find() ends by its deadline whatever the system's resolver does, and no network thread waits in it. One
// look-up of a name runs at a time; what it finds is for everybody who asks by then or later, also when those who
// began it have given up. What was once found stays in use until something newer is found, stale_ms at most.
// Threads: one cache for any number of io_contexts; find() on the thread of its own. A look-up has a thread that nobody
// waits for, and may outlive cache and io_contexts. Cost: a mutex and a copy of a few addresses, on new connections
// only. Bounds: kNamesMax names, kLookUpsMax threads. RFC 8767 (stale answers and their timers).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "http/address.h"
#include "http/task.h"

namespace stillwatch::http {

inline constexpr std::size_t kNamesMax = 4'096;  // names come from the configuration. Further: the idle ones go
inline constexpr unsigned kLookUpsMax = 32;      // threads in the resolver. Further names wait for one to come back

class NameCache {
 public:
  /// The addresses of a host, whatever their port; empty when it is not known. May take for ever.
  using LookUp = std::function<std::vector<SocketAddress>(const std::string& host)>;
  struct Options {
    LookUp look_up;                      // empty: the system's
    std::int64_t fresh_ms = 30'000;      // used as it is: a host that has moved is found after it
    std::int64_t quiet_ms = 300'000;     // used while it is looked up again behind the scenes
    std::int64_t stale_ms = 86'400'000;  // used when it cannot be looked up again within stale_wait_ms
    std::int64_t stale_wait_ms = 1'800;  // or half of the time that is left, if that is less
    std::int64_t again_ms = 1'000;       // from a look-up that found nothing to the next one
  };
  struct Found {
    Found() {}                             // no aggregate, for co_await
    std::vector<SocketAddress> addresses;  // empty: none
    std::uint64_t version = 0;             // which look-up they are of
    bool is_fresh = false;
    bool is_late = false;  // the look-up was still running at the deadline
  };
  struct Counters {
    std::uint64_t look_ups = 0, failures = 0;  // failures: that found nothing
    std::uint64_t late = 0;                    // find() that gave up on a look-up
    std::uint64_t stale = 0;                   // find() that gave what is older than quiet_ms
    unsigned running = 0;                      // look-ups, now
  };

  NameCache();  // the default options
  explicit NameCache(Options options);
  ~NameCache();
  /// What all upstreams without one of their own use.
  static NameCache& of_process();

  /// Numeric hosts answer at once. `newer_than`: only a later version will do, for who could not connect to this one.
  /// Nothing when the loop stops.
  Task<Found> find(boost::asio::io_context& io, Address address, std::int64_t until_ms, std::uint64_t newer_than = 0);
  Counters counters() const;

  NameCache(const NameCache&) = delete;
  NameCache& operator=(const NameCache&) = delete;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace stillwatch::http
