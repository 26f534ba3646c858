#include "audit/witness_service.h"

#include "audit/witness_folder.h"
#include "base/files.h"
#include "ledger/witness.h"
#include "tlog/policy.h"

namespace stillwatch::audit {
namespace {

constexpr std::string_view kCheckpointEnd = "/checkpoint";

}  // namespace

struct WitnessService::State {
  WitnessServiceSettings settings;
  WitnessServiceCounters counters;
  std::unique_ptr<WitnessFolder> folder;
  std::unique_ptr<ledger::Witness> witness;
  std::unique_ptr<http::Server> server;  // last: its threads use the rest

  http::Task<void> serve(http::Exchange& exchange);
  http::Task<ledger::WitnessAnswer> answer(http::Exchange& exchange);
  void count(int status);
};

void WitnessService::State::count(int status) {
  switch (status) {
    case 200: ++counters.cosigned; break;
    case 400: ++counters.malformed; break;
    case 403: ++counters.untrusted; break;
    case 404: ++counters.unknown_origins; break;
    case 409: ++counters.conflicts; break;
    case 422: ++counters.bad_proofs; break;
    default: ++counters.storage_failures; break;
  }
}

http::Task<ledger::WitnessAnswer> WitnessService::State::answer(http::Exchange& exchange) {
  const std::string method = exchange.head().method, target = exchange.head().target;
  const bool reads = method == "GET" || method == "HEAD";
  ledger::WitnessAnswer out{404, "text/plain; charset=utf-8", "no such page\n"};
  if (target == "/add-checkpoint") {
    if (method != "POST") {
      ++counters.other;
      out = {405, "text/plain; charset=utf-8", "POST it\n"};
      co_return out;
    }
    const auto body = co_await exchange.read_all(kBodyBytesMax);
    if (!body) {
      out.status = exchange.error_status();
      out.body = "the body could not be read\n";
      ++(out.status == 413 ? counters.too_large : counters.other);
      co_return out;
    }
    out = witness->add_checkpoint(*body, static_cast<std::uint64_t>(settings.clock() / 1'000));
    count(out.status);
  } else if (reads && target == "/healthz") {
    out.status = 200;
    out.body = "ok\n";
  } else if (reads && target.size() == 1 + 64 + kCheckpointEnd.size() && target.ends_with(kCheckpointEnd)) {
    out = witness->checkpoint(std::string_view(target).substr(1, 64));
    ++(out.status == 200 ? counters.shown : out.status == 404 ? counters.other : counters.storage_failures);
  } else {
    ++counters.other;
  }
  co_return out;
}

http::Task<void> WitnessService::State::serve(http::Exchange& exchange) {
  const ledger::WitnessAnswer out = co_await answer(exchange);
  http::ResponseHead head(out.status);
  head.fields.add("content-type", out.content_type);
  head.fields.add("cache-control", "no-store");
  head.fields.add("x-content-type-options", "nosniff");
  (void)co_await exchange.respond(std::move(head), out.body);
}

base::Result<std::unique_ptr<WitnessService>> WitnessService::start(WitnessServiceSettings settings) {
  auto state = std::make_unique<State>();
  state->settings = std::move(settings);
  STILLWATCH_TRY(policy, base::read_file(state->settings.policy_file, tlog::kPolicyBytesMax));
  STILLWATCH_TRY(folder, WitnessFolder::open(state->settings.folder, state->settings.name));
  state->folder = std::move(folder);
  auto witness = ledger::Witness::create(state->folder->take_cosigner(), policy, *state->folder);
  if (!witness) {
    return base::fail(witness.error().fault, state->settings.policy_file + ": " + witness.error().message);
  }
  state->witness = std::move(*witness);
  http::ServerOptions options;
  options.listen = state->settings.listen;
  options.tls = state->settings.tls;
  options.threads = 1;  // one mutex and one disk anyway
  options.limits.head_bytes_max = 8U << 10;
  options.limits.body_bytes_max = 2 * kBodyBytesMax;  // so that what is somewhat too large is counted here
  options.limits.connections_max = 1'000;
  options.limits.streams_max = 256;
  State* raw = state.get();
  STILLWATCH_TRY(server, http::Server::start(std::move(options), [raw](unsigned, boost::asio::io_context&) {
                   return [raw](http::Exchange& exchange) { return raw->serve(exchange); };
                 }));
  state->server = std::move(server);
  return std::unique_ptr<WitnessService>(new WitnessService(std::move(state)));
}

WitnessService::WitnessService(std::unique_ptr<State> state) : state_(std::move(state)) {}
WitnessService::~WitnessService() = default;

std::string WitnessService::vkey() const { return state_->witness->verifier_key().text(); }
std::uint16_t WitnessService::port(std::size_t listen_index) const { return state_->server->port(listen_index); }
const WitnessServiceCounters& WitnessService::counters() const { return state_->counters; }

base::Status WitnessService::reload() {
  STILLWATCH_TRY(policy, base::read_file(state_->settings.policy_file, tlog::kPolicyBytesMax));
  auto replaced = state_->witness->replace_policy(policy);
  if (!replaced) {
    return base::fail(replaced.error().fault, state_->settings.policy_file + ": " + replaced.error().message);
  }
  return {};
}

void WitnessService::stop() { state_->server->stop(); }

}  // namespace stillwatch::audit
