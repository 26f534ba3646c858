#include "gateway/ruleset.h"

#include <algorithm>

#include <fmt/format.h>

#include "http/message.h"

namespace stillwatch::gateway {
namespace {

using base::Fault;

base::Result<std::vector<policy::Network>> networks_of(const std::vector<std::string>& texts,
                                                       const std::string& setting) {
  std::vector<policy::Network> networks;
  for (const std::string& text : texts) {
    auto network = policy::parse_network(text);
    if (!network) return base::fail(Fault::caller, fmt::format("{}: {}", setting, network.error().message));
    networks.push_back(*network);
  }
  return networks;
}

policy::Limits limits_of(const settings::Limits& from) {
  policy::Limits limits;
  const auto bounded = [](const std::optional<std::uint64_t>& value) {
    return value ? std::min(*value, policy::kQuotaLimitMax) : 0;
  };
  limits.requests_per_minute = bounded(from.requests_per_minute);
  limits.requests_per_day = bounded(from.requests_per_day);
  limits.tokens_per_minute = bounded(from.tokens_per_minute);
  limits.tokens_per_day = bounded(from.tokens_per_day);
  limits.streams_max = from.streams_max.value_or(0);
  return limits;
}

base::Result<TierRule> compile_rule(const settings::Access& from, const std::string& setting,
                                    const settings::Remedies& remedies) {
  TierRule rule;
  if (from.networks) {
    STILLWATCH_TRY(networks, networks_of(*from.networks, setting + ".networks"));
    rule.access.networks = std::move(networks);
  }
  rule.access.mutual_tls = from.mtls.value_or(false);
  if (from.models) {
    rule.access.models = *from.models;
    for (const std::string& glob : rule.access.models) {
      const auto checked = policy::check_glob(glob);
      if (!checked) return base::fail(Fault::caller, fmt::format("{}.models: {}", setting, checked.error().message));
    }
  }
  rule.access.n_max = from.n_max.value_or(0);
  rule.access.logprobs = from.logprobs.value_or(true);
  rule.access.batch = from.batch.value_or(true);
  rule.access.output_tokens_max = from.output_tokens_max.value_or(0);
  rule.access.output_tokens_required = from.output_tokens_required.value_or(false);
  if (from.regions) rule.access.regions = *from.regions;
  rule.access.verification = from.verification.value_or(event::Verification::none);
  rule.access.verify_address = remedies.verify_address;
  for (std::size_t scope = 0; scope < settings::kLimitScopes; ++scope)
    rule.limits[scope] = limits_of(from.limits[scope]);
  return rule;
}

}  // namespace

AccountFactsMap account_facts(const std::vector<event::AccountUpdate>& updates, std::int64_t now_us) {
  AccountFactsMap accounts;
  for (const event::AccountUpdate& update : updates) {
    if (update.time_us > now_us) break;  // by time
    AccountFacts& facts = accounts[update.account];
    if ((update.fields & event::kFieldTier) != 0) facts.tier = update.tier;
    if ((update.fields & event::kFieldOrg) != 0) facts.organisation = update.org;
    if ((update.fields & event::kFieldVerification) != 0) facts.verification = update.verification;
    if ((update.fields & event::kFieldDeclared) != 0) facts.declared = update.declared;
  }
  return accounts;
}

base::Result<std::shared_ptr<const Ruleset>> Ruleset::compile(Configuration configuration, KeyFile keys,
                                                              AccountFactsMap accounts,
                                                              const crypto::KeyedHash& keyed_hash) {
  std::shared_ptr<Ruleset> rules(new Ruleset());
  rules->configuration_ = std::move(configuration);
  rules->keys_ = std::move(keys);
  rules->accounts_ = std::move(accounts);
  const Configuration& from = rules->configuration_;

  const settings::Remedies& remedies = from.remedies;
  rules->remedies_.verify_address = remedies.verify_address;
  rules->remedies_.appeal_address = remedies.appeal_address;
  rules->remedies_.throttle_requests_per_minute = remedies.throttle_requests_per_minute;
  rules->remedies_.throttle_requests_per_day = remedies.throttle_requests_per_day;
  rules->remedies_.restrict_edits = {remedies.restrict_logprobs, remedies.restrict_n, remedies.restrict_reasoning};
  rules->remedies_.show_dry_run = remedies.show_dry_run;

  for (const settings::FrontProxy& proxy : from.identity.front_proxies) {
    TrustedProxy trusted;
    trusted.headers = proxy;
    std::vector<std::string> networks = proxy.networks;
    trusted.unix_socket = std::erase(networks, "unix") > 0;
    STILLWATCH_TRY(parsed, networks_of(networks, "identity.front_proxy.networks"));
    trusted.networks = std::move(parsed);
    rules->proxies_.push_back(std::move(trusted));
    for (const std::string* name : {&proxy.account_header, &proxy.key_header, &proxy.end_user_header,
                                    &proxy.address_header, &proxy.region_header}) {
      if (!name->empty()) rules->proxy_fields_.push_back(*name);
    }
  }
  if (!from.demo.time_header.empty()) rules->proxy_fields_.push_back(from.demo.time_header);
  for (const settings::CertificateAccount& certificate : from.identity.certificates) {
    rules->certificates_.emplace(certificate.sha256, certificate);
  }
  for (const std::string& account : remedies.allow_list) {
    rules->accounts_[keyed_hash(crypto::Domain::account, account)].allow_listed = true;
  }
  STILLWATCH_CHECK(rules->compile_tiers(keyed_hash));
  return std::shared_ptr<const Ruleset>(std::move(rules));
}

base::Status Ruleset::compile_tiers(const crypto::KeyedHash& keyed_hash) {
  for (const auto& [name, access] : configuration_.tiers) {
    STILLWATCH_TRY(rule, compile_rule(access, "tiers." + name, configuration_.remedies));
    tiers_.emplace(keyed_hash(crypto::Domain::tier, name), std::move(rule));
  }
  for (const auto& [key_id, access] : configuration_.keys) {
    STILLWATCH_TRY(rule, compile_rule(access, "keys." + key_id, configuration_.remedies));
    keys_rules_.emplace(key_id, std::move(rule));
  }
  const auto found = tiers_.find(keyed_hash(crypto::Domain::tier, std::string_view("default")));
  if (found != tiers_.end()) default_tier_ = &found->second;
  return {};
}

const TrustedProxy* Ruleset::trusted_proxy(const policy::Address* address, bool unix_socket) const {
  for (const TrustedProxy& proxy : proxies_) {
    if (unix_socket ? proxy.unix_socket
                    : address != nullptr && std::any_of(proxy.networks.begin(), proxy.networks.end(),
                                                        [&](const policy::Network& n) { return n.contains(*address); }))
      return &proxy;
  }
  return nullptr;
}

bool Ruleset::is_proxy_field(std::string_view name) const {
  return std::any_of(proxy_fields_.begin(), proxy_fields_.end(),
                     [&](const std::string& added) { return http::same_name(added, name); });
}

const settings::CertificateAccount* Ruleset::certificate(std::string_view sha256) const {
  const auto found = certificates_.find(sha256);
  return found == certificates_.end() ? nullptr : &found->second;
}

const AccountFacts* Ruleset::account(base::Token account) const {
  const auto found = accounts_.find(account);
  return found == accounts_.end() ? nullptr : &found->second;
}

const TierRule* Ruleset::tier(base::Token tier) const {
  if (tier != 0) {
    const auto found = tiers_.find(tier);
    if (found != tiers_.end()) return &found->second;
  }
  return default_tier_;
}

const TierRule* Ruleset::key(std::string_view key_id) const {
  const auto found = keys_rules_.find(key_id);
  return found == keys_rules_.end() ? nullptr : &found->second;
}

void RulesetSource::publish(std::shared_ptr<const Ruleset> ruleset) {
  const std::lock_guard lock(mutex_);
  ruleset_ = std::move(ruleset);
  generation_.fetch_add(1, std::memory_order_release);
}

std::shared_ptr<const Ruleset> RulesetSource::take() const {
  const std::lock_guard lock(mutex_);
  return ruleset_;
}

}  // namespace stillwatch::gateway
