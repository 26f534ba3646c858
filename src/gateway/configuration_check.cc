#include "gateway/configuration_check.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include <fmt/format.h>

#include "base/event_time.h"
#include "base/files.h"
#include "crypto/key_set.h"
#include "gateway/certificate_file.h"
#include "gateway/key_file.h"
#include "gateway/network_text.h"
#include "gateway/tail_folder.h"
#include "gateway/tail_format.h"
#include "gateway/webhooks.h"

namespace stillwatch::gateway {

using namespace settings;

namespace {

constexpr std::int64_t kExpiryWarningUs = 14 * base::kDayUs;  // renewals run at a third of 90 days, or weekly

class Check {
 public:
  Check(const Configuration& configuration, std::int64_t now_us) : to_(configuration), now_us_(now_us) {}

  std::vector<Finding> run() {
    server();
    for (const Upstream& upstream : to_.upstreams) this->upstream(upstream);
    if (to_.upstreams.empty()) warn("upstream", "none is given: only the decision API is served");
    identity();
    for (const auto& [name, access] : to_.tiers) this->access("tiers." + name, access);
    for (const auto& [name, access] : to_.keys) this->access("keys." + name, access);
    remedies();
    tails();
    folder("query_log.folder", to_.query_log.folder);
    folder("state.folder", to_.state.folder);
    secret();
    ledger();
    webhooks();
    if (!to_.log.file.empty()) folder("log.file", std::filesystem::path(to_.log.file).parent_path().string());
    if (!to_.demo.time_header.empty()) {
      warn("demo.time_header",
           "event time comes from a header: whoever can send it rewrites history; never use it "
           "outside a demonstration");
      if (!is_field_name(to_.demo.time_header)) fail("demo.time_header", "is no name of a header");
    }
    return std::move(findings_);
  }

 private:
  void fail(std::string_view setting, std::string_view what) {
    findings_.push_back({true, fmt::format("{}: {}", setting, what)});
  }
  void warn(std::string_view setting, std::string_view what) {
    findings_.push_back({false, fmt::format("{}: {}", setting, what)});
  }
  void status(std::string_view setting, const base::Status& status) {
    if (!status) fail(setting, status.error().message);
  }

  void listeners(std::string_view setting, const std::vector<std::string>& addresses) {
    for (const std::string& address : addresses) {
      if (!is_listen_address(address)) {
        fail(setting, fmt::format("{} is neither host:port, [v6]:port nor unix:PATH", address));
      } else if (!address.ends_with(":0") && !listeners_.insert(address).second) {  // port 0: any free one
        fail(setting, fmt::format("{} is listened on twice", address));
      }
    }
  }

  void server() {
    const Server& server = to_.server;
    if (server.listen.empty()) warn("server.listen", "is empty: nothing is proxied");
    listeners("server.listen", server.listen);
    listeners("server.decision_listen", server.decision_listen);
    listeners("server.admin_listen", server.admin_listen);
    const auto local = [](const std::string& address) { return is_local_address(address); };
    if (server.admin_token_file.empty() &&
        !std::all_of(server.admin_listen.begin(), server.admin_listen.end(), local)) {
      fail("server.admin_listen", "other machines can reach it, so server.admin_token_file must be set");
    }
    if (!std::all_of(server.decision_listen.begin(), server.decision_listen.end(), local)) {
      warn("server.decision_listen",
           "other machines can ask for the level of any account; let only your proxies do so");
    }
    if (!server.admin_token_file.empty()) readable("server.admin_token_file", server.admin_token_file);
    const ServerTls& tls = server.tls;
    certificate("server.tls", tls.certificate_file, tls.key_file);
    if (tls.client_certificates != ClientCertificates::off) {
      if (tls.certificate_file.empty()) fail("server.tls.client_certificates", "needs server.tls.certificate");
      if (tls.client_ca_file.empty()) fail("server.tls.client_certificates", "needs server.tls.client_ca");
    }
    if (!tls.client_ca_file.empty()) authority("server.tls.client_ca", tls.client_ca_file);
  }

  void certificate(const std::string& section, const std::string& certificate_file, const std::string& key_file) {
    if (certificate_file.empty() != key_file.empty()) return fail(section, "certificate and key go together");
    if (certificate_file.empty()) return;
    authority(section + ".certificate", certificate_file);
    status(section + ".key", check_private_key(key_file, certificate_file));
  }

  void authority(const std::string& setting, const std::string& path) {
    const auto dates = read_certificate(path);
    if (!dates) return fail(setting, dates.error().message);
    if (dates->ends_us <= now_us_) {
      fail(setting, fmt::format("{} expired at {}", path, base::format_time(dates->ends_us)));
    } else if (dates->begins_us > now_us_) {
      fail(setting, fmt::format("{} is not valid before {}", path, base::format_time(dates->begins_us)));
    } else if (dates->ends_us - now_us_ < kExpiryWarningUs) {
      warn(setting, fmt::format("{} expires at {}", path, base::format_time(dates->ends_us)));
    }
  }

  void upstream(const Upstream& upstream) {
    const std::string section = fmt::format("upstream {}", upstream.name);
    if (!upstream_names_.insert(upstream.name).second) fail(section, "the name is used twice");
    for (const std::string& url : upstream.urls) {
      if (!is_url(url)) fail(section + ".urls", fmt::format("{} is no http or https URL", url));
    }
    if (upstream.prefixes.empty()) fail(section + ".prefixes", "is empty: no request can go there");
    for (const std::string& prefix : upstream.prefixes) {
      if (prefix.front() != '/') fail(section + ".prefixes", fmt::format("{} must begin with /", prefix));
      if (!prefixes_.insert(prefix).second) fail(section + ".prefixes", fmt::format("{} is taken already", prefix));
    }
    if (!upstream.health_path.empty() && upstream.health_path.front() != '/') {
      fail(section + ".health_path", "must begin with /");
    }
    certificate(section + ".tls", upstream.tls.certificate_file, upstream.tls.key_file);
    if (!upstream.tls.ca_file.empty()) authority(section + ".tls.ca", upstream.tls.ca_file);
    if (!upstream.tls.verify) warn(section + ".tls.verify", "false: whoever is on the way can read all traffic");
    if (upstream.total_ms < upstream.first_byte_ms) {
      warn(section + ".total_seconds", "is shorter than first_byte_seconds");
    }
  }

  void identity() {
    const Identity& identity = to_.identity;
    if (!identity.keys_file.empty()) {
      const auto keys = KeyFile::read(identity.keys_file);
      if (keys) {
        tiers_and_rules(*keys);
      } else {
        fail("identity.keys_file", keys.error().message);
      }
    }
    if (!identity.accounts_file.empty()) readable("identity.accounts_file", identity.accounts_file);
    const bool certificates = identity.certificate_name != CertificateName::off || !identity.certificates.empty();
    if (certificates && to_.server.tls.client_certificates == ClientCertificates::off) {
      fail("identity", "client certificates name accounts, but server.tls.client_certificates is off");
    }
    if (identity.unknown == Answer::refuse && identity.keys_file.empty() && identity.front_proxies.empty() &&
        !certificates && !to_.server.listen.empty()) {
      fail("identity",
           "nothing says whose a request is, so that all would be refused: set keys_file, front_proxy or "
           "certificates, or unknown = \"pass\"");
    }
    for (const FrontProxy& proxy : identity.front_proxies) front_proxy(proxy);
    std::set<std::string> seen;
    for (const CertificateAccount& certificate : identity.certificates) {
      const bool hex = certificate.sha256.size() == 64 &&
                       certificate.sha256.find_first_not_of("0123456789abcdef") == std::string::npos;
      if (!hex) fail("identity.certificate.sha256", "must be 64 hexadecimal digits in lower case");
      if (!seen.insert(certificate.sha256).second) fail("identity.certificate.sha256", "the same one comes twice");
    }
  }

  // A misspelt tier would leave its keys without the limits meant for them.
  void tiers_and_rules(const KeyFile& keys) {
    std::set<std::string_view> ids, missing;
    for (const KeyEntry& entry : keys.entries()) {
      ids.insert(entry.key);
      if (!entry.tier.empty() && !to_.tiers.contains(entry.tier)) missing.insert(entry.tier);
    }
    for (const std::string_view tier : missing) {
      warn("identity.keys_file", fmt::format("keys name tier {}, but there is no [tiers.{}]", tier, tier));
    }
    for (const auto& [id, access] : to_.keys) {
      if (!ids.contains(id)) warn("keys." + id, "identity.keys_file has no key of that id");
    }
  }

  void front_proxy(const FrontProxy& proxy) {
    for (const std::string& network : proxy.networks) {
      if (network == "unix") continue;
      if (!is_network(network)) fail("identity.front_proxy.networks", fmt::format("{} is no network", network));
      if (network.ends_with("/0")) {
        fail("identity.front_proxy.networks", fmt::format("{}: everybody could say to be any account", network));
      }
    }
    const std::pair<const char*, const std::string&> headers[] = {{"account_header", proxy.account_header},
                                                                  {"key_header", proxy.key_header},
                                                                  {"end_user_header", proxy.end_user_header},
                                                                  {"address_header", proxy.address_header},
                                                                  {"region_header", proxy.region_header}};
    for (const auto& [setting, header] : headers) {
      if (header.empty() || is_field_name(header)) continue;
      fail(fmt::format("identity.front_proxy.{}", setting), fmt::format("{} is no name of a header", header));
    }
  }

  void access(const std::string& section, const Access& access) {
    for (const std::string& network : access.networks.value_or(std::vector<std::string>())) {
      if (!is_network(network)) fail(section + ".networks", fmt::format("{} is no network", network));
    }
    for (const std::string& model : access.models.value_or(std::vector<std::string>())) {
      if (std::count(model.begin(), model.end(), '*') > 8) {
        fail(section + ".models", fmt::format("{}: at most 8 stars", model));
      }
    }
    if (access.mtls.value_or(false) && to_.server.tls.client_certificates == ClientCertificates::off) {
      fail(section + ".mtls", "needs server.tls.client_certificates");
    }
    if (access.verification && to_.identity.accounts_file.empty()) {
      fail(section + ".verification", "needs identity.accounts_file, which tells how accounts are verified");
    }
  }

  void remedies() {
    const Remedies& remedies = to_.remedies;
    const bool any_on = std::max({remedies.notice, remedies.verify, remedies.throttle, remedies.restrict,
                                  remedies.suspend}) == Mode::on;
    if (remedies.verify == Mode::on && remedies.verify_address.empty()) {
      fail("remedies.verify", "needs verify_address: who is refused must learn where to verify");
    }
    if (any_on && remedies.appeal_address.empty()) {
      fail("remedies", "need appeal_address: who is refused must learn where to appeal");
    }
    if (any_on && !remedies.dry_run && to_.run.engine.policy.dry_run) {
      warn("remedies.dry_run", "is false, but policy.dry_run is true: every verdict is a dry run, and nothing is done");
    }
    if (any_on && remedies.dry_run) warn("remedies.dry_run", "is true: remedies that are on are only shown");
  }

  void secret() {
    if (::access(to_.state.secret_file.c_str(), F_OK) != 0) {
      return warn("state.secret_file", fmt::format("{} does not exist and will be created", to_.state.secret_file));
    }
    const auto keys = crypto::load_key_set(to_.state.secret_file);
    if (!keys) fail("state.secret_file", keys.error().message);
  }

  void ledger() {
    const Ledger& ledger = to_.ledger;
    if (ledger.folder.empty()) return;
    // A gateway that serves without its audit log starts without it too, and tells the gap.
    const bool is_needed = ledger.on_overflow == Answer::refuse;
    folder("ledger.folder", ledger.folder, is_needed);
    if (!ledger.signed_folder.empty()) folder("ledger.signed_folder", ledger.signed_folder, is_needed);
    const auto is_plain = [](char letter) {
      return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '-' || letter == '.';
    };
    if (ledger.host.empty() || !std::all_of(ledger.host.begin(), ledger.host.end(), is_plain)) {
      fail("ledger.host",
           "must be the name of a host that is yours, such as audit.provider.example: all logs are "
           "named after it, for good");
    }
    if (ledger.shard.empty() || ledger.shard.find('.') != std::string::npos ||
        !std::all_of(ledger.shard.begin(), ledger.shard.end(), is_plain))
      fail("ledger.shard", "must be of small letters, digits and -");
    listeners("ledger.listen", ledger.listen);
    listeners("ledger.auditor_listen", ledger.auditor_listen);
    if (ledger.witness_policy_file.empty()) {
      warn("ledger.witness_policy", "is not set: nobody else attests the log, and its own operator could rewrite it");
    } else {
      readable("ledger.witness_policy", ledger.witness_policy_file);
    }
    for (const StampAuthority& authority : ledger.stamp_authorities) {
      if (!is_url(authority.url)) fail("ledger.stamp_authority.url", fmt::format("{} is no URL", authority.url));
      readable("ledger.stamp_authority.ca", authority.ca_file);
    }
    if (!ledger.unwrap_command.empty() && !ledger.master_key_file.empty())
      fail("ledger.unwrap_command", "and master_key_file exclude each other");
    if (ledger.unwrap_command.empty() && ledger.master_key_file.empty()) {
      warn("ledger.master_key_file",
           "is not set: the key lies beside what it protects, and a copy of the folder has both");
    }
    if (ledger.vault && to_.observer.content == settings::Content::none) {
      warn("ledger.vault", "bodies of requests are kept, encrypted, although observer.content is none");
    }
  }

  void tails() {
    std::set<std::string> paths;
    for (const Tail& tail : to_.tails) {
      const auto make = tail_parser(tail.format);
      if (!make) fail("tail.format", make.error().message);
      if (!paths.insert(tail.path).second) fail("tail.path", fmt::format("{} is followed twice", tail.path));
      const std::filesystem::path path(tail.path);
      std::error_code code;
      if (!std::filesystem::is_directory(path.parent_path().empty() ? "." : path.parent_path(), code)) {
        fail("tail.path", fmt::format("the folder of {} does not exist", tail.path));
      } else if (list_log(tail.path).empty()) {
        warn("tail.path", fmt::format("{} does not exist yet", tail.path));
      }
    }
    if (!to_.tails.empty() && !to_.upstreams.empty()) {
      warn("tail", "beside upstreams the engine waits order_wait_seconds for every record, also for what was proxied");
    }
  }

  void webhooks() {
    for (const Webhook& webhook : to_.webhooks.endpoints) {
      if (!is_url(webhook.url)) fail("webhooks.endpoint.url", fmt::format("{} is no http or https URL", webhook.url));
      if (webhook.url.starts_with("http://") && !webhook.url.starts_with("http://unix:")) {
        warn("webhooks.endpoint.url", fmt::format("{} is not encrypted", webhook.url));
      }
      const auto endpoint = webhook_endpoint(webhook);
      if (!endpoint) fail("webhooks.endpoint", endpoint.error().message);
    }
  }

  void readable(std::string_view setting, const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode) || ::access(path.c_str(), R_OK) != 0) {
      fail(setting, fmt::format("{} cannot be read", path));
    }
  }

  // Absent folders are made at start, so it is the nearest one that exists that counts.
  void folder(std::string_view setting, const std::string& path, bool is_needed = true) {
    std::error_code code;
    std::filesystem::path at = std::filesystem::absolute(path.empty() ? "." : path, code);
    while (!at.empty() && !std::filesystem::exists(at, code) && at != at.root_path()) at = at.parent_path();
    if (!std::filesystem::is_directory(at, code) || ::access(at.c_str(), W_OK | X_OK) != 0) {
      const std::string problem = fmt::format("{} is no folder that can be written to", at.string());
      is_needed ? fail(setting, problem) : warn(setting, problem);
    }
  }

  const Configuration& to_;
  const std::int64_t now_us_;
  std::vector<Finding> findings_;
  std::set<std::string> listeners_, upstream_names_, prefixes_;
};

}  // namespace

std::vector<Finding> check(const Configuration& configuration, std::int64_t now_us) {
  return Check(configuration, now_us).run();
}

}  // namespace stillwatch::gateway
