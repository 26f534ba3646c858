#include "gateway/service.h"

#include <filesystem>
#include <random>

#include <fmt/format.h>

#include "base/files.h"
#include "crypto/digest.h"
#include "gateway/configuration_check.h"
#include "gateway/decision_api.h"
#include "gateway/proxy.h"
#include "gateway/service_state.h"
#include "gateway/short_turns.h"
#include "intake/account_parser.h"

namespace stillwatch::gateway {
namespace {

using base::Fault;

std::int64_t wall_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::vector<http::ListenAddress> addresses(const std::vector<std::string>& texts, bool tls) {
  std::vector<http::ListenAddress> listen;
  listen.reserve(texts.size());
  for (const std::string& text : texts) listen.push_back({text, tls});
  return listen;
}

http::ServerOptions server_options(const settings::Server& from, const std::vector<std::string>& listen, bool tls,
                                   unsigned threads) {
  http::ServerOptions options;
  options.listen = addresses(listen, tls);
  options.threads = threads;
  options.limits.head_bytes_max = from.header_bytes_max;
  options.limits.fields_max = from.headers_max;
  options.limits.target_bytes_max = from.target_bytes_max;
  options.limits.body_bytes_max = from.body_bytes_max;
  options.limits.connections_max = from.connections_max;
  options.limits.streams_max = from.streams_max;
  options.timeouts.handshake_ms = from.handshake_ms;
  options.timeouts.head_ms = from.header_ms;
  options.timeouts.body_bytes_per_second_min = from.body_bytes_per_second_min;
  options.timeouts.keep_alive_ms = from.keep_alive_ms;
  options.timeouts.body_idle_ms = from.body_idle_ms;
  options.timeouts.write_stall_ms = from.write_stall_ms;
  if (tls) {
    options.tls.certificate_file = from.tls.certificate_file;
    options.tls.key_file = from.tls.key_file;
    options.tls.client_ca_file = from.tls.client_ca_file;
    options.tls.require_client_certificate = from.tls.client_certificates == settings::ClientCertificates::required;
  }
  return options;
}

base::Status all_findings(const Configuration& configuration, RunLog* log) {
  std::string errors;
  for (const Finding& finding : check(configuration, wall_us())) {
    if (finding.error)
      errors += (errors.empty() ? "" : "\n") + finding.message;
    else if (log != nullptr)
      log->write(settings::LogLevel::warn, "configuration", {{"warning", Configured{finding.message}}});
  }
  return errors.empty() ? base::Status{} : base::fail(Fault::caller, errors);
}

}  // namespace

void refresh_upstreams(Desk& desk) {
  const std::shared_ptr<const Ruleset>& rules = desk.rules.refresh();
  if (desk.rules_of_upstreams == rules) return;
  auto fresh = UpstreamSet::create(desk.io, rules->configuration().upstreams, desk.metrics);
  desk.rules_of_upstreams = rules;
  if (!fresh) {
    desk.station.log.write(settings::LogLevel::error, "upstreams_kept", {{"why", Failure{fresh.error()}}});
    return;
  }
  desk.upstreams = std::move(*fresh);
  desk.upstreams->watch();
}

unsigned Service::State::proxy_threads() const {
  const std::uint32_t asked = settings().server.threads;
  return asked != 0 ? asked : std::max(1U, std::thread::hardware_concurrency());
}

base::Result<std::shared_ptr<const Ruleset>> Service::State::compile_rules() const {
  STILLWATCH_TRY(configuration, read_configuration(configuration_path));
  STILLWATCH_CHECK(all_findings(configuration, log.get()));
  KeyFile keys;
  if (!configuration.identity.keys_file.empty()) {
    STILLWATCH_TRY(read, KeyFile::read(configuration.identity.keys_file));
    keys = std::move(read);
  }
  STILLWATCH_TRY(accounts, read_accounts(configuration));
  return Ruleset::compile(std::move(configuration), std::move(keys), std::move(accounts), *keyed_hash);
}

base::Result<AccountFactsMap> Service::State::read_accounts(const Configuration& from) const {
  if (from.identity.accounts_file.empty()) return AccountFactsMap{};
  intake::Identities names;
  STILLWATCH_TRY(read,
                 intake::load_accounts(from.identity.accounts_file, *keyed_hash, names, [](const intake::Reject&) {}));
  return account_facts(read.updates, wall_us());
}

/// Nothing else is read again: a configuration or keys that were edited wait for a reload.
base::Result<std::shared_ptr<const Ruleset>> Service::State::with_fresh_accounts() const {
  const std::shared_ptr<const Ruleset> rules = station->rules.take();
  STILLWATCH_TRY(accounts, read_accounts(rules->configuration()));
  return Ruleset::compile(rules->configuration(), rules->keys(), std::move(accounts), *keyed_hash);
}

void Service::State::take_switches(const settings::Remedies& remedies) {
  policy::DrySwitches& switches = station->switches;
  const auto dry = [](settings::Mode mode) { return mode == settings::Mode::dry_run; };
  switches.set(policy::Action::notice, dry(remedies.notice));
  switches.set(policy::Action::verify, dry(remedies.verify));
  switches.set(policy::Action::throttle, dry(remedies.throttle));
  switches.set(policy::Action::restrict, dry(remedies.restrict));
  switches.set(policy::Action::suspend, dry(remedies.suspend));
  switches.set_master(remedies.dry_run);
}

http::HandlerFactory Service::State::handlers(unsigned first_thread, bool proxies, bool decides, bool administers) {
  return [this, first_thread, proxies, decides, administers](unsigned thread, boost::asio::io_context& io) {
    auto desk = std::make_shared<Desk>(*station, first_thread + thread, io);
    desk->rules.refresh();
    if (proxies) {
      auto upstreams = UpstreamSet::create(io, desk->rules.refresh()->configuration().upstreams, desk->metrics);
      if (upstreams) {
        desk->upstreams = std::move(*upstreams);
        desk->upstreams->watch();
        desk->rules_of_upstreams = desk->rules.refresh();
      } else {
        const std::lock_guard lock(desk_errors_mutex);
        desk_error = upstreams.error().message;
      }
    }
    return [this, desk, proxies, decides, administers](http::Exchange& exchange) -> http::Task<void> {
      if (proxies) {
        refresh_upstreams(*desk);
        co_return co_await serve_proxy(*desk, exchange);
      }
      // One await a statement: g++ 12 loses temporaries of those behind && and ||.
      if (administers) {
        const bool served = co_await serve_admin(*desk, exchange, admin_ports);
        if (served) co_return;
      }
      if (decides) {
        const bool served = co_await serve_decisions(*desk, exchange);
        if (served) co_return;
      }
      http::ResponseHead head;
      head.status = 404;
      (void)co_await exchange.respond(std::move(head), "not found\n");
    };
  };
}

base::Status Service::State::start_servers() {
  const settings::Server& server = settings().server;
  const bool tls = !server.tls.certificate_file.empty();
  const unsigned threads = proxy_threads();
  const bool apart = decision_threads() > 0;
  // The admin API first: monitoring sees a gateway that is not ready yet.
  STILLWATCH_TRY(admin_server, http::Server::start(server_options(server, server.admin_listen, false, 1),
                                                   handlers(threads + decision_threads(), false, !apart, true)));
  admin = std::move(admin_server);
  if (apart) {
    STILLWATCH_TRY(decision_server, http::Server::start(server_options(server, server.decision_listen, false, threads),
                                                        handlers(threads, false, true, false)));
    decisions = std::move(decision_server);
  }
  if (!settings().upstreams.empty()) {
    STILLWATCH_TRY(proxy_server, http::Server::start(server_options(server, server.listen, tls, threads),
                                                     handlers(0, true, false, false)));
    proxy = std::move(proxy_server);
    for (unsigned i = 0; i < proxy->threads(); ++i) http::post(proxy->io_context(i), [] { (void)take_short_turns(); });
  }
  const std::lock_guard lock(desk_errors_mutex);
  if (!desk_error.empty()) return base::fail(Fault::caller, desk_error);
  return {};
}

base::Result<std::unique_ptr<Service>> Service::start(const std::string& configuration_path) {
  auto state = std::make_unique<State>();
  state->configuration_path = configuration_path;
  STILLWATCH_TRY(configuration, read_configuration(configuration_path));
  STILLWATCH_CHECK(all_findings(configuration, nullptr));
  STILLWATCH_TRY(log, RunLog::open(configuration.log));
  state->log = std::move(log);
  STILLWATCH_CHECK(base::make_writable_folder(configuration.state.folder));
  STILLWATCH_CHECK(state->take_up_secrets(configuration));
  STILLWATCH_TRY(rules, state->compile_rules());
  state->first_rules = rules;

  std::vector<std::string> names;
  for (const settings::Upstream& upstream : configuration.upstreams) names.push_back(upstream.name);
  state->metrics =
      std::make_unique<Metrics>(state->network_threads() + 3, names, configuration.metrics.label_values_max);
  STILLWATCH_CHECK(state->start_webhooks());
  STILLWATCH_CHECK(state->start_ledger());
  STILLWATCH_CHECK(state->start_observer());
  state->station = std::make_unique<Station>(*state->keyed_hash, *state->observer, *state->metrics, *state->log,
                                             state->webhooks.get(), rules, configuration.decisions.stream_events_max);
  Station& station = *state->station;
  station.instance = std::random_device{}();
  station.earlier = state->earlier_levels();
  state->take_switches(configuration.remedies);
  STILLWATCH_CHECK(restore_decisions(station, configuration.state.folder, state->observer->in_flight().now_us()));
  STILLWATCH_CHECK(state->load_quota());
  state->published.store(&station, std::memory_order_release);

  State* raw = state.get();
  state->admin_ports.state_folder = configuration.state.folder;
  if (!configuration.server.admin_token_file.empty()) {
    STILLWATCH_TRY(token, base::read_file(configuration.server.admin_token_file, 4'096));
    while (!token.empty() && (token.back() == '\n' || token.back() == '\r' || token.back() == ' ')) token.pop_back();
    if (token.empty())
      return base::fail(Fault::caller,
                        configuration.server.admin_token_file + " is empty; put the admin token into it");
    state->admin_ports.token = std::move(token);
  }
  state->admin_ports.metrics = [raw] {
    raw->update_gauges();
    return raw->metrics->exposition();
  };
  state->admin_ports.not_ready = [raw] { return raw->not_ready(); };
  std::unique_ptr<Service> service(new Service(std::move(state)));
  raw->admin_ports.reload = [self = service.get()] { return self->reload(); };
  raw->start_ledger_desk();
  STILLWATCH_CHECK(raw->start_tail());
  STILLWATCH_CHECK(raw->start_servers());
  raw->note_certificate();
  raw->serving.store(true);
  raw->care = std::thread([raw] { raw->look_after(); });
  raw->log->write(settings::LogLevel::info, "started",
                  {{"proxy_threads", raw->proxy_threads()}, {"dry_run", station.switches.master()}});
  return service;
}

Service::Service(std::unique_ptr<State> state) : state_(std::move(state)) {}
Service::~Service() = default;

base::Status Service::reload() {
  const std::lock_guard lock(state_->reload_mutex);
  Metrics::Shard& shard = state_->metrics->shard(state_->reload_shard());
  auto rules = state_->compile_rules();
  base::Status status;
  if (!rules) {
    status = base::fail(rules.error());
  } else {
    const Configuration &was = state_->settings(), &is = (*rules)->configuration();
    const bool fixed = was.server.listen == is.server.listen && was.server.admin_listen == is.server.admin_listen &&
                       was.server.decision_listen == is.server.decision_listen &&
                       was.server.threads == is.server.threads && was.state.folder == is.state.folder &&
                       was.state.secret_file == is.state.secret_file && was.query_log.folder == is.query_log.folder &&
                       was.tails == is.tails && was.ledger == is.ledger;
    if (!fixed) {
      status = base::fail(Fault::caller,
                          "server.listen, decision_listen, admin_listen, threads, state, tail, query_log.folder and "
                          "ledger change with a restart only; everything stays as it was");
    } else if (state_->proxy != nullptr) {
      status = state_->proxy->reload_tls();
    }
  }
  shard.count(status ? metric::Reload::done : metric::Reload::refused);
  if (!status) {
    state_->log->write(settings::LogLevel::error, "reload_refused", {{"why", Failure{status.error()}}});
    return status;
  }
  // Tokens are made in too many places to change them while requests are under way.
  if (const auto keys = crypto::load_key_set(state_->settings().state.secret_file);
      keys && (crypto::KeyedHash(keys->current).secret_id() != state_->keyed_hash->secret_id() ||
               keys->previous.has_value() != (state_->previous_hash != nullptr)))
    state_->log->write(settings::LogLevel::warn, "secret_changed", {{"takes_effect", "at the next start"}});
  // An operator's emergency switch outlives a reload; only its own command ends it.
  std::error_code code;
  const bool held =
      std::filesystem::exists(state_->settings().state.folder + "/dry_run", code) && state_->station->switches.master();
  state_->take_switches((*rules)->configuration().remedies);
  if (held) state_->station->switches.set_master(true);
  state_->station->rules.publish(std::move(*rules));
  state_->note_certificate();
  (void)state_->log->reopen();  // after a rotation of the file
  state_->log->write(settings::LogLevel::info, "reloaded", {});
  return {};
}

base::Status Service::stop() {
  State& state = *state_;
  state.station->draining.store(true);
  std::uint64_t cut = 0;
  if (state.proxy != nullptr) cut = state.proxy->drain(state.settings().server.drain_ms);
  if (state.decisions != nullptr) (void)state.decisions->drain(1'000);
  {
    const std::lock_guard lock(state.care_mutex);
    state.care_stopping = true;
  }
  state.care_wake.notify_all();
  if (state.care.joinable()) state.care.join();
  if (state.proxy != nullptr) state.proxy->stop();
  if (state.decisions != nullptr) state.decisions->stop();
  if (state.admin != nullptr) state.admin->stop();
  if (state.tail != nullptr) state.tail->stop();
  if (state.ledger_desk != nullptr) state.ledger_desk->begin_stop();
  base::Status status = state.observer->stop();
  if (state.previous != nullptr) {
    if (const auto ended = state.previous->stop(); !ended && status) status = ended;
  }
  if (state.ledger != nullptr) {
    if (const auto ended = state.ledger->stop(); !ended && status) status = ended;
  }
  if (state.ledger_desk != nullptr) state.ledger_desk->stop();
  if (const auto saved = state.save_quota(true); !saved && status) status = saved;
  if (state.webhooks != nullptr) state.webhooks->stop(1'000);
  state.log->write(settings::LogLevel::info, "stopped", {{"requests_cut", cut}});
  state.log->flush();
  return status;
}

std::uint16_t Service::port(std::size_t listen_index) const {
  return state_->proxy == nullptr ? 0 : state_->proxy->port(listen_index);
}
std::uint16_t Service::decision_port() const { return state_->decisions == nullptr ? 0 : state_->decisions->port(); }
std::uint16_t Service::admin_port() const { return state_->admin == nullptr ? 0 : state_->admin->port(); }
std::string Service::not_ready() const { return state_->not_ready(); }

}  // namespace stillwatch::gateway
