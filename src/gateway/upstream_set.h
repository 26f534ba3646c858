// The model servers of one network thread: which one takes a request, and which ones are down.
//
// Invariant: of the urls of the matching upstream (longest prefix) the healthy one with the fewest requests in flight
// is chosen, and a down one only when all are down; a url is down after health_failures_max failures in a row, until a
// health check succeeds or, without a health path, health_interval_ms have passed.
// Threads: one network thread; each has its own set. Cost: linear in prefixes and urls, a handful each.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gateway/configuration.h"
#include "gateway/metrics.h"
#include "http/client.h"

namespace stillwatch::gateway {

class UpstreamSet : public std::enable_shared_from_this<UpstreamSet> {
 public:
  struct Target {
    std::unique_ptr<http::Upstream> pool;
    std::string url, host;  // host: for the field of that name
    std::uint32_t failures = 0;
    std::int64_t down_until_ms = 0;  // 0: up; monotonic
  };
  struct Route {
    const settings::Upstream* settings = nullptr;
    std::uint32_t index = 0;
    std::vector<Target> targets;
  };

  /// Caller error when a certificate file cannot be read.
  static base::Result<std::shared_ptr<UpstreamSet>> create(boost::asio::io_context& io,
                                                           std::vector<settings::Upstream> upstreams,
                                                           Metrics::Shard& metrics);
  /// Starts the health checks; they end with the set.
  void watch();

  /// Nothing when no prefix matches. `prefix_bytes`: of the prefix that did.
  Route* route(std::string_view path, std::size_t& prefix_bytes);
  /// Not one of `tried` (a bit for each); nothing when all were.
  Target* choose(Route& route, std::uint64_t tried);
  void succeeded(Target& target);
  void failed(const Route& route, Target& target);

 private:
  UpstreamSet(boost::asio::io_context& io, std::vector<settings::Upstream> upstreams, Metrics::Shard& metrics);
  static http::Task<void> check_health(std::weak_ptr<UpstreamSet> weak, std::size_t route, std::size_t target);

  boost::asio::io_context& io_;
  std::vector<settings::Upstream> settings_;
  Metrics::Shard& metrics_;
  std::vector<Route> routes_;
};

}  // namespace stillwatch::gateway
