// The kept connections of one Upstream, and how a new one is made.
//
// Invariant: a wire is either in the pool (complete, nothing buffered, nobody waiting) or owned by one exchange.
// Threads: its io_context's. Cost: taking a kept wire is O(1); the most recently used goes first, so that the rest
// may grow old and close.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "http/client.h"
#include "http/name_cache.h"
#include "http/wire.h"

namespace stillwatch::http {

struct Upstream::State final : Ticking {
  State(boost::asio::io_context& io_context, UpstreamOptions upstream_options, Address parsed, TlsContext context);

  /// A kept wire that looks alive, or null.
  std::unique_ptr<Wire> take();
  void give(std::unique_ptr<Wire> wire);
  /// Connects `wire`. Failure::none on success; `why` says more otherwise.
  Task<Failure> connect(Wire& wire, std::string& why);
  /// To the first of them that takes it.
  Task<Io> connect_any(Transport& transport, const std::vector<SocketAddress>& addresses);

  void on_tick(std::int64_t now_ms) override;
  void on_stop() override { idle.clear(); }

  boost::asio::io_context& io;
  UpstreamOptions options;
  NameCache& names;  // options.names, or the process's
  Address address;
  TlsContext tls;
  std::string server_name;

  struct Idle {
    std::unique_ptr<Wire> wire;
    std::int64_t since_ms = 0;
  };
  std::deque<Idle> idle;  // oldest first
  std::size_t next_address = 0, outstanding = 0, busy = 0;
  std::uint64_t opened = 0, retried = 0;
};

}  // namespace stillwatch::http
