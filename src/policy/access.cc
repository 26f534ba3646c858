#include "policy/access.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace stillwatch::policy {
namespace {

constexpr std::array<std::string_view, 6> kVerifications{"none", "email", "phone", "card", "id", "org"};

Refusal refuse(RefusalKind kind, std::string_view code, std::string message, std::string_view param = {}) {
  Refusal refusal;
  refusal.kind = kind;
  refusal.code = code;
  refusal.message = std::move(message);
  refusal.param = param;
  return refusal;
}

// From whom and where.
std::optional<Refusal> check_origin(const AccessRule& rule, const RequestFacts& facts) {
  if (rule.mutual_tls && !facts.mutual_tls) {
    return refuse(RefusalKind::permission, "mutual_tls_required",
                  "This API key works only with a client certificate: configure the one issued for it in your client.");
  }
  const auto holds_address = [&](const Network& network) { return network.contains(*facts.address); };
  if (!rule.networks.empty() &&
      (!facts.address || std::none_of(rule.networks.begin(), rule.networks.end(), holds_address))) {
    return refuse(RefusalKind::permission, "network_not_allowed",
                  "This API key may not be used from this network: send from an allowed one, or have yours added.");
  }
  const auto is_region = [&](const std::string& region) { return region == facts.region; };
  if (!rule.regions.empty() && std::none_of(rule.regions.begin(), rule.regions.end(), is_region)) {
    return refuse(RefusalKind::permission, "region_not_allowed",
                  "This service is not offered in the region that the request comes from.");
  }
  if (facts.verification < rule.verification) {
    Refusal refusal = refuse(
        RefusalKind::permission, "verification_required",
        fmt::format(
            "This access needs an account verified by {}; yours is verified by {}{}{}.", name(rule.verification),
            facts.verification == event::Verification::none ? std::string_view("nothing") : name(facts.verification),
            rule.verify_address.empty() ? "" : ". Verify it at ", rule.verify_address));
    refusal.details.verify = rule.verify_address;
    return refusal;
  }
  return std::nullopt;
}

// For what.
std::optional<Refusal> check_use(const AccessRule& rule, const RequestFacts& facts) {
  const auto matches = [&](const std::string& pattern) { return glob_matches(pattern, facts.model); };
  if (!rule.models.empty() && !facts.model.empty() && std::none_of(rule.models.begin(), rule.models.end(), matches)) {
    return refuse(RefusalKind::permission, "model_not_allowed",
                  "This API key may not use the requested model: choose one that is enabled for it.", "model");
  }
  if (rule.n_max != 0 && facts.n > rule.n_max) {
    return refuse(RefusalKind::invalid_request, "n_too_large",
                  fmt::format("n may be at most {} with this API key.", rule.n_max), "n");
  }
  if (!rule.logprobs && facts.logprobs) {
    return refuse(RefusalKind::permission, "logprobs_not_allowed",
                  "Log probabilities are not enabled for this API key: leave out logprobs and top_logprobs.",
                  "logprobs");
  }
  if (rule.output_tokens_max != 0 && facts.output_tokens_max.value_or(0) > rule.output_tokens_max) {
    return refuse(
        RefusalKind::invalid_request, "output_tokens_too_many",
        fmt::format("At most {} output tokens a request are allowed with this API key.", rule.output_tokens_max),
        "max_tokens");
  }
  if (rule.output_tokens_required && !facts.output_tokens_max) {
    const std::string most = rule.output_tokens_max == 0 ? "" : fmt::format(" of at most {}", rule.output_tokens_max);
    return refuse(RefusalKind::invalid_request, "output_tokens_missing",
                  fmt::format("Requests with this API key must set a limit{} to their output tokens.", most),
                  "max_tokens");
  }
  if (!rule.batch && facts.batch) {
    return refuse(RefusalKind::permission, "batch_not_allowed",
                  "Batch requests are not enabled for this API key: send requests one by one.");
  }
  return std::nullopt;
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view text) {
  std::size_t at = 0, in = 0;
  std::size_t star = std::string_view::npos, retry = 0;  // where the last star stands, and what it covers so far
  while (at < text.size()) {
    if (in < pattern.size() && pattern[in] == '*') {
      star = in++;
      retry = at;
    } else if (in < pattern.size() && pattern[in] == text[at]) {
      ++in;
      ++at;
    } else if (star != std::string_view::npos) {
      in = star + 1;
      at = ++retry;
    } else {
      return false;
    }
  }
  while (in < pattern.size() && pattern[in] == '*') ++in;
  return in == pattern.size();
}

base::Status check_glob(std::string_view pattern) {
  if (pattern.empty() || pattern.size() > kGlobBytesMax) {
    return base::fail(base::Fault::caller,
                      fmt::format("a model pattern has 1 to {} bytes; this one has {}", kGlobBytesMax, pattern.size()));
  }
  const auto stars = static_cast<std::size_t>(std::count(pattern.begin(), pattern.end(), '*'));
  if (stars > kGlobStarsMax) {
    return base::fail(base::Fault::caller, fmt::format("a model pattern has at most {} stars; write several patterns "
                                                       "instead of one with {}",
                                                       kGlobStarsMax, stars));
  }
  return {};
}

std::optional<Refusal> check_access(const AccessRule& rule, const RequestFacts& facts) {
  if (auto refusal = check_origin(rule, facts)) return refusal;
  return check_use(rule, facts);
}

std::optional<Refusal> check_access(std::span<const AccessRule* const> rules, const RequestFacts& facts) {
  for (const AccessRule* rule : rules) {
    if (auto refusal = check_origin(*rule, facts)) return refusal;
  }
  for (const AccessRule* rule : rules) {
    if (auto refusal = check_use(*rule, facts)) return refusal;
  }
  return std::nullopt;
}

std::string_view name(event::Verification verification) {
  return kVerifications[static_cast<std::size_t>(verification)];
}

}  // namespace stillwatch::policy
