#include "gateway/admin_api.h"

#include <filesystem>

#include "base/event_time.h"
#include "base/files.h"
#include "gateway/admin_ledger.h"
#include "gateway/api_answer.h"
#include "gateway/api_input.h"

namespace stillwatch::gateway {
namespace {

constexpr std::string_view kLedgerPrefix = "ledger/";
constexpr std::uint64_t kStateBytesMax = std::uint64_t{256} << 20;

std::string overrides_path(const std::string& folder) { return folder + "/overrides.ndjson"; }
std::string dry_run_path(const std::string& folder) { return folder + "/dry_run"; }

bool same_token(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;  // does not end early: the time says nothing about where they differ
  for (std::size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  return difference == 0;
}

http::Task<void> answer_text(http::Exchange& exchange, int status, std::string_view type, std::string_view body) {
  http::ResponseHead head;
  head.status = status;
  head.fields.set("content-type", type);
  head.fields.set("cache-control", "no-store");
  (void)co_await exchange.respond(std::move(head), body);
}

std::string dry_run_json(const policy::DrySwitches& switches) {
  JsonWriter json;
  json.flag("on", switches.master());
  for (int action = static_cast<int>(policy::Action::notice); action <= static_cast<int>(policy::Action::suspend);
       ++action) {
    json.flag(policy::name(static_cast<policy::Action>(action)), switches.is_dry(static_cast<policy::Action>(action)));
  }
  return json.finish();
}

std::optional<policy::Action> action_named(std::string_view text) {
  for (int action = static_cast<int>(policy::Action::notice); action <= static_cast<int>(policy::Action::suspend);
       ++action) {
    if (policy::name(static_cast<policy::Action>(action)) == text) return static_cast<policy::Action>(action);
  }
  return std::nullopt;
}

http::Task<void> serve_dry_run(Desk& desk, http::Exchange& exchange, const AdminPorts& ports) {
  policy::DrySwitches& switches = desk.station.switches;
  if (exchange.head().method == "POST") {
    const auto body = co_await exchange.read_all(kApiBodyBytesMax);
    if (!body) co_return co_await answer_problem(exchange, exchange.error_status(), body.error().message);
    const auto input = read_dry_run(*body);
    if (!input) co_return co_await answer_problem(exchange, 400, input.error().message);
    if (input->remedy.empty()) {
      // The switch first, the disk second: whoever asks for this is in a hurry.
      if (input->on) switches.set_master(true);
      const auto saved = base::write_file(dry_run_path(ports.state_folder), input->on ? "on\n" : "off\n");
      if (!saved) co_return co_await answer_problem(exchange, 500, saved.error().message);
      switches.set_master(input->on);
    } else if (const auto action = action_named(input->remedy); action) {
      switches.set(*action, input->on);
    } else {
      co_return co_await answer_problem(exchange, 400,
                                        "\"remedy\" is none of notice, verify, throttle, restrict, suspend");
    }
    desk.station.log.write(settings::LogLevel::warn, "dry_run_changed",
                           {{"on", input->on}, {"all", input->remedy.empty()}});
  }
  co_await answer_json(exchange, 200, dry_run_json(switches));
}

base::Status save_overrides(const Station& station, const std::string& folder, std::int64_t now_us) {
  return base::write_file(overrides_path(folder), station.overrides.lines(now_us));
}

http::Task<void> put_override(Desk& desk, http::Exchange& exchange, const AdminPorts& ports, std::int64_t now_us) {
  const auto body = co_await exchange.read_all(kApiBodyBytesMax);
  if (!body) co_return co_await answer_problem(exchange, exchange.error_status(), body.error().message);
  const auto override_ = read_override(*body, now_us);
  if (!override_) co_return co_await answer_problem(exchange, 400, override_.error().message);
  const base::Token subject = subject_token(desk.station.keyed_hash, override_->account, override_->end_user);
  const auto put = desk.station.overrides.put(subject, *override_, now_us);
  if (!put) co_return co_await answer_problem(exchange, 400, put.error().message);
  if (const auto saved = save_overrides(desk.station, ports.state_folder, now_us); !saved)
    co_return co_await answer_problem(exchange, 500, saved.error().message);
  desk.station.log.write(settings::LogLevel::info, "override_set",
                         {{"subject", Hashed{subject}}, {"level", static_cast<int>(override_->level)}});
  std::string line;
  policy::append_override_line(line, *override_);
  co_await answer_json(exchange, 200, line);
}

http::Task<void> delete_override(Desk& desk, http::Exchange& exchange, const AdminPorts& ports, std::int64_t now_us) {
  const std::string_view query = exchange.head().query();
  const std::string account = query_parameter(query, "account"), end_user = query_parameter(query, "end_user");
  if (account.empty()) co_return co_await answer_problem(exchange, 400, "?account= is missing");
  const base::Token subject = subject_token(desk.station.keyed_hash, account, end_user);
  const bool removed = desk.station.overrides.remove(subject);
  if (const auto saved = save_overrides(desk.station, ports.state_folder, now_us); !saved)
    co_return co_await answer_problem(exchange, 500, saved.error().message);
  if (!removed) co_return co_await answer_problem(exchange, 404, "there is no override for this subject");
  desk.station.log.write(settings::LogLevel::info, "override_removed", {{"subject", Hashed{subject}}});
  co_await answer_json(exchange, 200, R"({"removed":true})");
}

http::Task<void> serve_overrides(Desk& desk, http::Exchange& exchange, const AdminPorts& ports) {
  const std::int64_t now_us = desk.station.observer.in_flight().now_us();
  const std::string method = exchange.head().method;
  if (method == "PUT") co_return co_await put_override(desk, exchange, ports, now_us);
  if (method == "DELETE") co_return co_await delete_override(desk, exchange, ports, now_us);
  if (method != "GET") co_return co_await answer_problem(exchange, 405, "use GET, PUT or DELETE");
  std::string out = "[";
  const std::string lines = desk.station.overrides.lines(now_us);
  for (std::string_view rest = lines; !rest.empty();) {
    const std::size_t end = rest.find('\n');
    if (out.size() > 1) out += ',';
    out += rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  }
  co_await answer_json(exchange, 200, R"({"overrides":)" + out + "]}");
}

}  // namespace

base::Token subject_token(const crypto::KeyedHash& keyed_hash, std::string_view account, std::string_view end_user) {
  const base::Token token = keyed_hash(crypto::Domain::account, account);
  if (end_user.empty()) return token;
  return engine::end_user_subject(token, keyed_hash(crypto::Domain::end_user, end_user));
}

base::Status restore_decisions(Station& station, const std::string& state_folder, std::int64_t now_us) {
  std::error_code code;
  if (std::filesystem::exists(dry_run_path(state_folder), code)) {
    STILLWATCH_TRY(text, base::read_file(dry_run_path(state_folder), 16));
    if (text.starts_with("on")) station.switches.set_master(true);
  }
  if (!std::filesystem::exists(overrides_path(state_folder), code)) return {};
  STILLWATCH_TRY(lines, base::read_file(overrides_path(state_folder), kStateBytesMax));
  return station.overrides.load(
      lines,
      [&](std::string_view account, std::string_view end_user) {
        return subject_token(station.keyed_hash, account, end_user);
      },
      now_us);
}

http::Task<bool> serve_admin(Desk& desk, http::Exchange& exchange, const AdminPorts& ports) {
  const std::string path(exchange.head().path());
  const bool get = exchange.head().method == "GET";
  if (path == "/healthz" && get) {
    co_await answer_text(exchange, 200, "text/plain", "ok\n");
    co_return true;
  }
  if (path == "/readyz" && get) {
    const std::string why = ports.not_ready();
    const std::string said = why.empty() ? "ready\n" : why + "\n";
    co_await answer_text(exchange, why.empty() ? 200 : 503, "text/plain", said);
    co_return true;
  }
  if (path == "/metrics" && get) {
    const std::string exposition = ports.metrics();
    co_await answer_text(exchange, 200, kMetricsMediaType, exposition);
    co_return true;
  }
  constexpr std::string_view kAdmin = "/v1/admin/";
  if (!path.starts_with(kAdmin)) co_return false;
  const auto authorization = exchange.head().fields.find("authorization").value_or(std::string_view{});
  if (!ports.token.empty() && !same_token(bearer_key(authorization), ports.token)) {
    co_await answer_problem(exchange, 401, "this needs the admin token: Authorization: Bearer TOKEN");
    co_return true;
  }
  const std::string_view what = std::string_view(path).substr(kAdmin.size());
  if (what == "dry-run") {
    co_await serve_dry_run(desk, exchange, ports);
  } else if (what == "overrides") {
    co_await serve_overrides(desk, exchange, ports);
  } else if (what == "reload" && exchange.head().method == "POST") {
    const auto reloaded = ports.reload();
    if (reloaded) {
      co_await answer_json(exchange, 200, R"({"reloaded":true})");
    } else {
      co_await answer_problem(exchange, 400, reloaded.error().message);
    }
  } else if (what.starts_with(kLedgerPrefix)) {
    const bool served = co_await serve_admin_ledger(exchange, ports.ledger, what.substr(kLedgerPrefix.size()));
    co_return served;
  } else {
    co_return false;
  }
  co_return true;
}

}  // namespace stillwatch::gateway
