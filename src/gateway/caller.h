// Who asks: the account, key and end user of one request, and the facts that the access protocol looks at.
//
// Invariant: a header names an account only when it comes from a front proxy that the configuration trusts; nothing
// that a client sends by itself can. An API key is compared by hash and kept nowhere. Of several ways the order is:
// front proxy's account header, API key, client certificate.
// Threads: pure functions over one Ruleset. Cost: about 2 us, most of it the SHA-256 of the key.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "crypto/keyed_hash.h"
#include "gateway/ruleset.h"
#include "http/server.h"
#include "policy/address.h"

namespace stillwatch::gateway {

enum class CallerProblem : std::uint8_t { none, missing, unknown_key, expired_key, bad_id };

struct Caller {
  CallerProblem problem = CallerProblem::missing;  // none: `account` says who is billed
  std::string account, key, end_user, region;
  std::string address;  // of the client, as text; empty: unknown
  std::optional<policy::Address> parsed_address;
  bool from_proxy = false;  // a front proxy that is believed
  bool mutual_tls = false;  // the client's own certificate was verified
  const AccountFacts* facts = nullptr;
  const TierRule* tier = nullptr;
  const TierRule* key_rule = nullptr;
  base::Token account_token = 0, key_token = 0, organisation_token = 0, tier_token = 0;
};

/// Reads peer and fields; the ruleset must outlive what is returned. `now_us`: for keys that expire.
Caller identify(const http::Peer& peer, const http::Fields& fields, const Ruleset& ruleset,
                const crypto::KeyedHash& keyed_hash, std::int64_t now_us);

/// Fills in what follows from a known account and key id: tokens, facts, rules. The tier and organisation that a
/// presented key brought stay before those of the account's record; whoever names another account takes them out first.
void complete(Caller& caller, const Ruleset& ruleset, const crypto::KeyedHash& keyed_hash);

/// What the tier and the key ask of a request; as many as there are.
struct AccessRules {
  std::array<const policy::AccessRule*, 2> rules{};
  std::size_t count = 0;
  std::span<const policy::AccessRule* const> all() const { return std::span(rules.data(), count); }
};
AccessRules access_rules(const Caller& caller);

/// Names of the client's own fields in their order, lower case, joined by '\n': without what a front proxy added.
std::string client_field_names(const http::Fields& fields, const Ruleset& ruleset);

}  // namespace stillwatch::gateway
