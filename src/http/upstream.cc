#include <fmt/format.h>

#include "http/pool.h"

namespace stillwatch::http {

std::string_view failure_name(Failure failure) {
  switch (failure) {
    case Failure::none: return "none";
    case Failure::overloaded: return "overloaded";
    case Failure::connect: return "connect";
    case Failure::connect_timeout: return "connect_timeout";
    case Failure::send: return "send";
    case Failure::first_byte_timeout: return "first_byte_timeout";
    case Failure::bad_response: return "bad_response";
    case Failure::broken: return "broken";
    case Failure::idle_timeout: return "idle_timeout";
    case Failure::total_timeout: return "total_timeout";
    case Failure::cancelled: return "cancelled";
  }
  return "none";
}

Upstream::State::State(boost::asio::io_context& io_context, UpstreamOptions upstream_options, Address parsed,
                       TlsContext context)
    : Ticking(Loop::of(io_context)),
      io(io_context),
      options(std::move(upstream_options)),
      names(options.names ? *options.names : NameCache::of_process()),
      address(std::move(parsed)),
      tls(std::move(context)),
      server_name(options.tls.server_name.empty() && !address.unix_socket ? address.host : options.tls.server_name) {}

std::unique_ptr<Wire> Upstream::State::take() {
  while (!idle.empty()) {
    std::unique_ptr<Wire> wire = std::move(idle.back().wire);
    idle.pop_back();
    if (wire->transport().quiet()) return wire;
  }
  return nullptr;
}

void Upstream::State::give(std::unique_ptr<Wire> wire) {
  if (options.idle_max == 0 || loop().stopping()) return;
  if (idle.size() >= options.idle_max) idle.pop_front();
  wire->drop_if_empty();
  idle.push_back({std::move(wire), monotonic_ms()});
}

void Upstream::State::on_tick(std::int64_t now_ms) {
  while (!idle.empty() && now_ms - idle.front().since_ms >= options.keep_ms) idle.pop_front();
}

Task<Io> Upstream::State::connect_any(Transport& transport, const std::vector<SocketAddress>& addresses) {
  Io io_result = Io::broken;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const SocketAddress& one = addresses[(next_address + i) % addresses.size()];
    io_result = co_await transport.connect(one);
    if (io_result != Io::broken) break;
    transport.close_for_retry();
  }
  if (io_result == Io::broken || io_result == Io::timed_out) ++next_address;
  co_return io_result;
}

Task<Failure> Upstream::State::connect(Wire& wire, std::string& why) {
  Transport& transport = wire.transport();
  const std::int64_t until_ms = monotonic_ms() + options.connect_ms;
  transport.set_deadline(until_ms);
  Io io_result = Io::broken;
  NameCache::Found found = co_await names.find(io, address, until_ms);
  const bool was_found = !found.addresses.empty();
  if (was_found) io_result = co_await connect_any(transport, found.addresses);
  if (was_found && io_result == Io::broken && !found.is_fresh) {
    // It may have moved since it was looked up.
    found = co_await names.find(io, address, until_ms, found.version);
    if (!found.addresses.empty()) io_result = co_await connect_any(transport, found.addresses);
  }
  if (transport.cancelled()) co_return Failure::cancelled;
  if (!was_found && found.is_late) {
    why = "its name was not found in time";
    co_return Failure::connect_timeout;
  }
  if (io_result == Io::broken) {
    why = was_found ? "it does not take connections" : "its name is unknown";
    co_return Failure::connect;
  }
  if (io_result == Io::ok && tls) {
    io_result = co_await transport.handshake(tls, false, server_name, options.tls.verify);
    if (io_result == Io::broken) why = "TLS: " + transport.tls()->failure();
    if (io_result == Io::timed_out) ++next_address;
  }
  if (io_result == Io::timed_out) co_return Failure::connect_timeout;
  if (io_result == Io::cancelled) co_return Failure::cancelled;
  if (io_result != Io::ok) co_return Failure::connect;
  ++opened;
  co_return Failure::none;
}

base::Result<std::unique_ptr<Upstream>> Upstream::create(boost::asio::io_context& io, UpstreamOptions options) {
  STILLWATCH_TRY(address, parse_address(options.address));
  TlsContext context;
  if (options.tls.enabled) {
    if (options.tls.verify && options.tls.server_name.empty() && address.unix_socket)
      return base::fail(base::Fault::caller, "TLS over a unix socket needs the server's name; set server_name");
    STILLWATCH_TRY(made, client_context(options.tls));
    context = std::move(made);
  }
  return std::unique_ptr<Upstream>(
      new Upstream(std::make_shared<State>(io, std::move(options), std::move(address), std::move(context))));
}

Upstream::Upstream(std::shared_ptr<State> state) : state_(std::move(state)) {}
Upstream::~Upstream() { state_->idle.clear(); }
std::size_t Upstream::outstanding() const { return state_->outstanding; }
std::size_t Upstream::idle_connections() const { return state_->idle.size(); }
std::uint64_t Upstream::connections_opened() const { return state_->opened; }
std::uint64_t Upstream::requests_retried() const { return state_->retried; }
const UpstreamOptions& Upstream::options() const { return state_->options; }

}  // namespace stillwatch::http
