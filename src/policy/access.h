// The access protocol: from where, how and for what a key may be used. The provider's own rules, apart from detection:
// a region is a text that a front proxy or a map of networks names, allowed or not, and never a score.
//
// Invariant: a request passes only when every rule that concerns it (its tier's and its key's) allows it; an unset
// rule allows. A fact that a rule needs and that is unknown (address, region) refuses.
// Threads: pure functions. Cost: about 100 ns, no allocation unless refused. Codes: docs/reference/refusals.md.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "event/account.h"
#include "policy/address.h"
#include "policy/refusal.h"

namespace stillwatch::policy {

inline constexpr std::size_t kGlobBytesMax = 256;  // model names have at most some 100 bytes
inline constexpr std::size_t kGlobStarsMax = 8;    // bounds the work of a match

/// `*` stands for any text, also none; every other byte for itself.
bool glob_matches(std::string_view pattern, std::string_view text);
/// An error when it is empty, too long, or has too many stars.
base::Status check_glob(std::string_view pattern);

struct AccessRule {
  std::vector<Network> networks;        // empty: from anywhere
  bool mutual_tls = false;              // required
  std::vector<std::string> models;      // globs; empty: all
  std::uint32_t n_max = 0;              // 0: no limit
  bool logprobs = true;                 // allowed
  std::uint32_t output_tokens_max = 0;  // 0: no limit
  bool output_tokens_required = false;  // a request must say its limit: without one the model's own holds
  bool batch = true;                    // allowed
  std::vector<std::string> regions;     // empty: all
  event::Verification verification = event::Verification::none;  // at least
  // Where to verify; said in the refusal.
  std::string verify_address;
};

struct RequestFacts {
  std::optional<Address> address;  // of the client; nothing: unknown
  bool mutual_tls = false;         // came with a client certificate that was checked
  std::string_view model;          // empty: none named (listing models)
  std::uint32_t n = 1;
  bool logprobs = false;
  std::optional<std::uint64_t> output_tokens_max;
  bool batch = false;
  std::string_view region;  // empty: unknown
  event::Verification verification = event::Verification::none;
};

/// Nothing when allowed. Of several reasons the first of: mutual TLS, network, region, verification, model, parameters.
std::optional<Refusal> check_access(const AccessRule& rule, const RequestFacts& facts);
std::optional<Refusal> check_access(std::span<const AccessRule* const> rules, const RequestFacts& facts);

/// The words of configuration and account records, least first.
std::string_view name(event::Verification verification);

}  // namespace stillwatch::policy
