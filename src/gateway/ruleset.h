// The configuration as a request needs it: networks parsed, rules by tier and key compiled, keys and accounts looked
// up.
//
// Invariant: a Ruleset never changes; a reload makes another one and publishes it, and a request uses the one that it
// began with to its end. What cannot be compiled is an error, and the old one stays.
// Threads: const use from any number; RulesetSource is written by one thread at a time. Cost: compiling takes
// milliseconds for thousands of rules and about a second for a million accounts; a request pays one relaxed load.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/flat_map.h"
#include "base/result.h"
#include "crypto/keyed_hash.h"
#include "event/account.h"
#include "gateway/configuration.h"
#include "gateway/key_file.h"
#include "policy/access.h"
#include "policy/quota.h"
#include "policy/remedy.h"

namespace stillwatch::gateway {

/// What a tier or a key may do, compiled.
struct TierRule {
  policy::AccessRule access;
  std::array<policy::Limits, settings::kLimitScopes> limits{};  // by LimitScope
};

/// A front proxy whose headers are believed.
struct TrustedProxy {
  std::vector<policy::Network> networks;
  bool unix_socket = false;
  settings::FrontProxy headers;
};

/// What the accounts file says of one account, as the request path needs it.
struct AccountFacts {
  base::Token tier = 0, organisation = 0;
  event::Verification verification = event::Verification::none;
  bool allow_listed = false;
  std::vector<event::DeclaredUse> declared;
};
using AccountFactsMap = base::FlatMap<base::Token, AccountFacts>;

/// The state of every account after all updates up to `now_us`, in their order.
AccountFactsMap account_facts(const std::vector<event::AccountUpdate>& updates, std::int64_t now_us);

class Ruleset {
 public:
  /// Caller error naming the setting that cannot be compiled.
  static base::Result<std::shared_ptr<const Ruleset>> compile(Configuration configuration, KeyFile keys,
                                                              AccountFactsMap accounts,
                                                              const crypto::KeyedHash& keyed_hash);

  const Configuration& configuration() const { return configuration_; }
  const KeyFile& keys() const { return keys_; }
  const policy::RemedySettings& remedies() const { return remedies_; }

  /// Nothing when the peer is not a front proxy that is believed.
  const TrustedProxy* trusted_proxy(const policy::Address* address, bool unix_socket) const;
  /// Whether a front proxy, or the demonstration, adds fields of this name.
  bool is_proxy_field(std::string_view name) const;
  /// By the certificate's SHA-256; nothing when it is not listed.
  const settings::CertificateAccount* certificate(std::string_view sha256) const;
  const AccountFacts* account(base::Token account) const;

  /// The rule of the tier of that token, or of the tier "default", or nothing.
  const TierRule* tier(base::Token tier) const;
  /// The rule of one key, on top of its tier's; nothing when it has none.
  const TierRule* key(std::string_view key_id) const;

 private:
  Ruleset() = default;
  base::Status compile_tiers(const crypto::KeyedHash& keyed_hash);

  Configuration configuration_;
  KeyFile keys_;
  AccountFactsMap accounts_;
  policy::RemedySettings remedies_;
  std::vector<TrustedProxy> proxies_;
  std::vector<std::string> proxy_fields_;
  std::map<std::string, settings::CertificateAccount, std::less<>> certificates_;
  base::FlatMap<base::Token, TierRule> tiers_;
  std::map<std::string, TierRule, std::less<>> keys_rules_;
  const TierRule* default_tier_ = nullptr;
};

/// Where the newest ruleset is taken from.
class RulesetSource {
 public:
  explicit RulesetSource(std::shared_ptr<const Ruleset> first) : ruleset_(std::move(first)) {}
  void publish(std::shared_ptr<const Ruleset> ruleset);
  std::shared_ptr<const Ruleset> take() const;
  std::uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Ruleset> ruleset_;
  std::atomic<std::uint64_t> generation_{1};
};

/// One thread's view: refresh() is one load until something was published.
class RulesetReader {
 public:
  explicit RulesetReader(const RulesetSource& source) : source_(&source) {}
  const std::shared_ptr<const Ruleset>& refresh() {
    const std::uint64_t generation = source_->generation();
    if (generation != generation_) {
      ruleset_ = source_->take();
      generation_ = generation;
    }
    return ruleset_;
  }

 private:
  const RulesetSource* source_;
  std::uint64_t generation_ = 0;
  std::shared_ptr<const Ruleset> ruleset_;
};

}  // namespace stillwatch::gateway
