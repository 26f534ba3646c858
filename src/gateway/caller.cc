#include "gateway/caller.h"

#include "base/limits.h"

namespace stillwatch::gateway {
namespace {

constexpr std::size_t kFieldNamesBytes = 200;  // usual ones together: one allocation

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string_view field(const http::Fields& fields, std::string_view name) {
  if (name.empty()) return {};
  return trimmed(fields.find(name).value_or(std::string_view{}));
}

/// The rightmost address of the list: the one that the trusted proxy itself saw. Those further left are the client's
/// own words.
std::string_view last_of_list(std::string_view list) {
  const std::size_t comma = list.rfind(',');
  return trimmed(comma == std::string_view::npos ? list : list.substr(comma + 1));
}

void take_proxy_fields(Caller& caller, const TrustedProxy& proxy, const http::Fields& fields) {
  const settings::FrontProxy& names = proxy.headers;
  caller.account = field(fields, names.account_header);
  caller.key = field(fields, names.key_header);
  caller.end_user = field(fields, names.end_user_header);
  caller.region = field(fields, names.region_header);
  const std::string_view address = last_of_list(field(fields, names.address_header));
  caller.address.clear();
  caller.parsed_address.reset();
  if (!address.empty()) {
    caller.address = address;
    caller.parsed_address = policy::parse_address(address);
  }
  if (!caller.account.empty()) caller.problem = CallerProblem::none;
}

std::string_view presented_key(const http::Fields& fields) {
  std::string_view key = bearer_key(field(fields, "authorization"));
  if (key.empty()) key = field(fields, "x-api-key");
  if (key.empty()) key = field(fields, "api-key");
  return key;
}

/// The tier of the key's own line, as a token; 0 when it names none.
void take_key(Caller& caller, std::string_view presented, const Ruleset& ruleset, const crypto::KeyedHash& keyed_hash,
              std::int64_t now_us) {
  const KeyEntry* entry = ruleset.keys().find(presented);
  if (entry == nullptr) {
    caller.problem = CallerProblem::unknown_key;
    return;
  }
  if (entry->expires_us <= now_us) {
    caller.problem = CallerProblem::expired_key;
    return;
  }
  caller.problem = CallerProblem::none;
  caller.account = entry->account;
  caller.key = entry->key;
  if (!entry->tier.empty()) caller.tier_token = keyed_hash(crypto::Domain::tier, entry->tier);
  if (!entry->organisation.empty()) caller.organisation_token = keyed_hash(crypto::Domain::org, entry->organisation);
}

void take_certificate(Caller& caller, const http::Peer& peer, const Ruleset& ruleset) {
  if (const settings::CertificateAccount* listed = ruleset.certificate(peer.certificate_sha256); listed != nullptr) {
    caller.account = listed->account;
    caller.key = listed->key;
  } else {
    std::string_view prefix;
    switch (ruleset.configuration().identity.certificate_name) {
      case settings::CertificateName::off: return;
      case settings::CertificateName::common_name: caller.account = peer.certificate_name; break;
      case settings::CertificateName::dns: prefix = "DNS:"; break;
      case settings::CertificateName::uri: prefix = "URI:"; break;
    }
    for (const std::string& alternative : peer.certificate_alternatives) {
      if (prefix.empty() || !alternative.starts_with(prefix)) continue;
      caller.account = alternative.substr(prefix.size());
      break;
    }
  }
  if (!caller.account.empty()) caller.problem = CallerProblem::none;
}

}  // namespace

Caller identify(const http::Peer& peer, const http::Fields& fields, const Ruleset& ruleset,
                const crypto::KeyedHash& keyed_hash, std::int64_t now_us) {
  Caller caller;
  if (!peer.unix_socket) {
    caller.address = peer.address;
    caller.parsed_address = policy::parse_address(peer.address);
  }
  caller.mutual_tls = !peer.certificate_sha256.empty();
  const policy::Address* from = caller.parsed_address ? &*caller.parsed_address : nullptr;
  if (const TrustedProxy* proxy = ruleset.trusted_proxy(from, peer.unix_socket); proxy != nullptr) {
    caller.from_proxy = true;
    take_proxy_fields(caller, *proxy, fields);
  }
  if (caller.problem != CallerProblem::none) {
    if (const std::string_view key = presented_key(fields); !key.empty()) {
      take_key(caller, key, ruleset, keyed_hash, now_us);
    } else if (caller.mutual_tls) {
      take_certificate(caller, peer, ruleset);
    }
  }
  if (caller.problem != CallerProblem::none) return caller;
  constexpr std::size_t kBytesMax = base::limits::kIdBytesMax;
  if (caller.account.size() > kBytesMax || caller.key.size() > kBytesMax) {
    caller.problem = CallerProblem::bad_id;
    return caller;
  }
  complete(caller, ruleset, keyed_hash);
  return caller;
}

void complete(Caller& caller, const Ruleset& ruleset, const crypto::KeyedHash& keyed_hash) {
  caller.problem = CallerProblem::none;
  caller.account_token = keyed_hash(crypto::Domain::account, caller.account);
  if (!caller.key.empty()) {
    caller.key_token = keyed_hash(crypto::Domain::key, caller.key);
    caller.key_rule = ruleset.key(caller.key);
  }
  caller.facts = ruleset.account(caller.account_token);
  if (caller.facts != nullptr) {
    if (caller.tier_token == 0) caller.tier_token = caller.facts->tier;
    if (caller.organisation_token == 0) caller.organisation_token = caller.facts->organisation;
  }
  caller.tier = ruleset.tier(caller.tier_token);
}

AccessRules access_rules(const Caller& caller) {
  AccessRules access;
  if (caller.tier != nullptr) access.rules[access.count++] = &caller.tier->access;
  if (caller.key_rule != nullptr) access.rules[access.count++] = &caller.key_rule->access;
  return access;
}

std::string client_field_names(const http::Fields& fields, const Ruleset& ruleset) {
  std::string names;
  names.reserve(kFieldNamesBytes);
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const std::string_view name = fields.name(i);
    if (ruleset.is_proxy_field(name)) continue;
    if (!names.empty()) names += '\n';
    const std::size_t begin = names.size();
    names += name;
    for (std::size_t at = begin; at < names.size(); ++at)
      if (names[at] >= 'A' && names[at] <= 'Z') names[at] = static_cast<char>(names[at] - 'A' + 'a');
  }
  return names;
}

}  // namespace stillwatch::gateway
