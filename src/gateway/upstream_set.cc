#include "gateway/upstream_set.h"

#include <algorithm>

namespace stillwatch::gateway {
namespace {

/// "http://unix:PATH", "http://HOST:PORT", "https://HOST[:PORT]" as the pool wants it.
struct UrlParts {
  std::string address, host;
  bool tls = false;
};

UrlParts parts_of(std::string_view url) {
  UrlParts parts;
  constexpr std::string_view kHttp = "http://", kHttps = "https://";
  if (url.starts_with(kHttps)) {
    parts.tls = true;
    url.remove_prefix(kHttps.size());
  } else if (url.starts_with(kHttp)) {
    url.remove_prefix(kHttp.size());
  }
  while (url.ends_with('/')) url.remove_suffix(1);
  if (url.starts_with("unix:")) {
    parts.address = url;
    parts.host = "localhost";
    return parts;
  }
  parts.host = url;
  parts.address = url;
  const bool has_port = url.rfind(':') != std::string_view::npos && url.rfind(':') > url.rfind(']') + 1;
  const bool plain_port = url.find(']') == std::string_view::npos && url.find(':') != std::string_view::npos;
  if (!has_port && !plain_port) parts.address += parts.tls ? ":443" : ":80";
  return parts;
}

http::UpstreamOptions options_of(const settings::Upstream& settings, const UrlParts& parts) {
  http::UpstreamOptions options;
  options.address = parts.address;
  options.tls.enabled = parts.tls;
  options.tls.verify = settings.tls.verify;
  options.tls.ca_file = settings.tls.ca_file;
  options.tls.certificate_file = settings.tls.certificate_file;
  options.tls.key_file = settings.tls.key_file;
  options.tls.server_name = settings.tls.server_name;
  options.connect_ms = settings.connect_ms;
  options.first_byte_ms = settings.first_byte_ms;
  options.idle_ms = settings.idle_ms;
  options.total_ms = settings.total_ms;
  options.connections_max = settings.connections_max;
  options.idle_max = settings.idle_connections_max;
  options.keep_ms = settings.keep_alive_ms;
  return options;
}

}  // namespace

UpstreamSet::UpstreamSet(boost::asio::io_context& io, std::vector<settings::Upstream> upstreams,
                         Metrics::Shard& metrics)
    : io_(io), settings_(std::move(upstreams)), metrics_(metrics) {}

base::Result<std::shared_ptr<UpstreamSet>> UpstreamSet::create(boost::asio::io_context& io,
                                                               std::vector<settings::Upstream> upstreams,
                                                               Metrics::Shard& metrics) {
  std::shared_ptr<UpstreamSet> set(new UpstreamSet(io, std::move(upstreams), metrics));
  for (std::size_t i = 0; i < set->settings_.size(); ++i) {
    const settings::Upstream& settings = set->settings_[i];
    Route route;
    route.settings = &settings;
    route.index = static_cast<std::uint32_t>(i);
    for (const std::string& url : settings.urls) {
      const UrlParts parts = parts_of(url);
      STILLWATCH_TRY(pool, http::Upstream::create(io, options_of(settings, parts)));
      Target target;
      target.pool = std::move(pool);
      target.url = url;
      target.host = parts.host;
      route.targets.push_back(std::move(target));
    }
    set->routes_.push_back(std::move(route));
  }
  return set;
}

void UpstreamSet::watch() {
  for (std::size_t r = 0; r < routes_.size(); ++r) {
    if (routes_[r].settings->health_path.empty()) continue;
    for (std::size_t t = 0; t < routes_[r].targets.size(); ++t) http::spawn(io_, check_health(weak_from_this(), r, t));
  }
}

UpstreamSet::Route* UpstreamSet::route(std::string_view path, std::size_t& prefix_bytes) {
  Route* best = nullptr;
  std::size_t longest = 0;
  for (Route& route : routes_) {
    for (const std::string& prefix : route.settings->prefixes) {
      if (!path.starts_with(prefix) || (best != nullptr && prefix.size() <= longest)) continue;
      // "/v1" is no prefix of "/v10".
      const bool whole = prefix.ends_with('/') || path.size() == prefix.size() || path[prefix.size()] == '/';
      if (!whole) continue;
      best = &route;
      longest = prefix.size();
    }
  }
  prefix_bytes = longest;
  return best;
}

UpstreamSet::Target* UpstreamSet::choose(Route& route, std::uint64_t tried) {
  const std::int64_t now_ms = http::monotonic_ms();
  Target* best = nullptr;
  bool best_up = false;
  for (std::size_t i = 0; i < route.targets.size() && i < 64; ++i) {
    if ((tried >> i & 1U) != 0) continue;
    Target& target = route.targets[i];
    const bool up = target.down_until_ms <= now_ms;
    if (best != nullptr && (best_up && !up)) continue;
    if (best == nullptr || (up && !best_up) || target.pool->outstanding() < best->pool->outstanding()) {
      best = &target;
      best_up = up;
    }
  }
  return best;
}

void UpstreamSet::succeeded(Target& target) {
  target.failures = 0;
  target.down_until_ms = 0;
}

void UpstreamSet::failed(const Route& route, Target& target) {
  if (++target.failures < route.settings->health_failures_max) return;
  if (target.down_until_ms == 0) metrics_.count_upstream(route.index, metric::UpstreamEvent::unhealthy);
  // With a health path the next check ends it earlier.
  target.down_until_ms = http::monotonic_ms() + std::max<std::int64_t>(1, route.settings->health_interval_ms);
}

http::Task<void> UpstreamSet::check_health(std::weak_ptr<UpstreamSet> weak, std::size_t route_index,
                                           std::size_t target_index) {
  for (;;) {
    std::int64_t interval_ms = 0;
    http::FetchRequest request;
    boost::asio::io_context* io = nullptr;
    {
      const auto set = weak.lock();
      if (set == nullptr) co_return;
      io = &set->io_;
      const Route& route = set->routes_[route_index];
      interval_ms = std::max<std::int64_t>(100, route.settings->health_interval_ms);
      const std::string& url = route.targets[target_index].url;
      request.url = url.find("unix:") == std::string::npos
                        ? url + route.settings->health_path
                        : url.substr(url.find("unix:")) + ":" + route.settings->health_path;
      request.tls = http::UpstreamTls{true,
                                      route.settings->tls.verify,
                                      route.settings->tls.ca_file,
                                      route.settings->tls.certificate_file,
                                      route.settings->tls.key_file,
                                      route.settings->tls.server_name};
      request.timeout_ms = std::min<std::int64_t>(interval_ms, route.settings->connect_ms + 2'000);
    }
    if (!co_await http::sleep_ms(*io, interval_ms)) co_return;
    const auto answer = co_await http::fetch(*io, std::move(request));
    const auto set = weak.lock();
    if (set == nullptr) co_return;
    Route& route = set->routes_[route_index];
    Target& target = route.targets[target_index];
    if (answer && answer->status >= 200 && answer->status < 300) {
      set->succeeded(target);
    } else {
      set->failed(route, target);
    }
  }
}

}  // namespace stillwatch::gateway
