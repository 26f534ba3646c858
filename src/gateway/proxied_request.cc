#include "gateway/proxied_request.h"

#include <chrono>

#include <fmt/format.h>

#include "base/limits.h"
#include "gateway/proxy.h"
#include "intake/body_reader.h"
#include "policy/limit_headers.h"
#include "policy/remedy_text.h"

namespace stillwatch::gateway {
namespace {

// What an answer may take when the request does not say, for reserving only: the usual answer is shorter, and what was
// not used is given back.
constexpr std::uint64_t kOutputTokensReserved = 1'024;

metric::RequestDialect counted_as(intake::Endpoint endpoint, policy::ErrorDialect dialect) {
  switch (endpoint) {
    case intake::Endpoint::chat_completions: return metric::RequestDialect::openai_chat;
    case intake::Endpoint::responses: return metric::RequestDialect::openai_responses;
    case intake::Endpoint::messages: return metric::RequestDialect::anthropic_messages;
    case intake::Endpoint::other: return metric::RequestDialect::other;
    default:
      return dialect == policy::ErrorDialect::openai ? metric::RequestDialect::openai_other
                                                     : metric::RequestDialect::other;
  }
}

metric::Refusal counted_as(const policy::Refusal& refusal) {
  // The codes of policy/access.cc; docs/reference/refusals.md.
  if (refusal.code == "mutual_tls_required") return metric::Refusal::mtls;
  if (refusal.code == "network_not_allowed") return metric::Refusal::network;
  if (refusal.code == "region_not_allowed") return metric::Refusal::region;
  if (refusal.code == "verification_required") return metric::Refusal::verification;
  if (refusal.code == "model_not_allowed") return metric::Refusal::model;
  return metric::Refusal::parameter;
}

metric::Refusal counted_as(policy::LimitKind limit) {
  switch (limit) {
    case policy::LimitKind::requests_per_minute:
    case policy::LimitKind::requests_per_day: return metric::Refusal::limit_requests;
    case policy::LimitKind::streams: return metric::Refusal::limit_streams;
    default: return metric::Refusal::limit_tokens;
  }
}

Rejected rejected(policy::Refusal refusal, metric::Refusal counted) {
  Rejected made;
  made.refusal = std::move(refusal);
  made.counted = counted;
  return made;
}

}  // namespace

Rejected rejected(policy::RefusalKind kind, std::string_view code, const char* message, metric::Refusal counted) {
  Rejected made;
  made.refusal.kind = kind;
  made.refusal.code = code;
  made.refusal.message = message;
  made.counted = counted;
  return made;
}

std::int64_t steady_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

ProxiedRequest::ProxiedRequest(Desk& desk, http::Exchange& exchange)
    : desk_(desk), exchange_(exchange), rules_(desk.rules.refresh()), upstreams_(desk.upstreams) {}

http::Task<void> ProxiedRequest::run() {
  const std::string_view path = exchange_.head().path();
  std::size_t prefix_bytes = 0;
  route_ = upstreams_->route(path, prefix_bytes);
  const bool has_prefix = prefix_bytes > 1;
  const bool has_version = exchange_.head().fields.find("anthropic-version").has_value();
  const std::string_view api_path = has_prefix ? path.substr(prefix_bytes - (path[prefix_bytes - 1] == '/')) : path;
  endpoint_ = intake::endpoint_of_path(
      has_prefix && intake::endpoint_of_path(path) != intake::Endpoint::other ? path : api_path);
  dialect_ = exchange_.head().method == "POST" ? intake::dialect_of_endpoint(endpoint_) : std::nullopt;
  const bool anthropic = intake::family_of_path(api_path, has_version) == intake::ApiFamily::anthropic ||
                         (endpoint_ == intake::Endpoint::other && route_ != nullptr &&
                          route_->settings->dialect == settings::ErrorDialect::anthropic);
  error_dialect_ = anthropic ? policy::ErrorDialect::anthropic : policy::ErrorDialect::openai;
  desk_.metrics.count(counted_as(endpoint_, error_dialect_));
  if (co_await admit()) co_await forward();
  settle();
  hand_over();
  desk_.metrics.observe(metric::Duration::request,
                        static_cast<double>(steady_us() - exchange_.arrived_steady_us()) / 1e6);
}

/// One thing after the other; the first that is against it answers.
http::Task<bool> ProxiedRequest::admit() {
  std::optional<Rejected> against = take_caller();
  if (!against && route_ == nullptr) {
    against = rejected(policy::RefusalKind::not_found, "path_not_found", "No model server is configured for this path.",
                       metric::Refusal::malformed);
  }
  if (!against) {
    const bool read = co_await read_body();
    if (!read) co_return false;
    against = check_body();
  }
  if (!against) against = apply_remedy();
  if (!against) against = edit_body();
  if (!against) against = reserve();
  if (!against) co_return true;
  co_await refuse(*against);
  co_return false;
}

std::optional<Rejected> ProxiedRequest::take_caller() {
  const Configuration& settings = rules_->configuration();
  caller_ =
      identify(exchange_.peer(), exchange_.head().fields, *rules_, desk_.station.keyed_hash, exchange_.arrived_us());
  // A ticket has a better one.
  if (caller_.problem != CallerProblem::none || !settings.demo.time_header.empty())
    request_id_ = request_id(exchange_.arrived_us(), desk_.station.instance);
  using Kind = policy::RefusalKind;
  switch (caller_.problem) {
    case CallerProblem::none: break;
    case CallerProblem::expired_key:
      return rejected(Kind::authentication, "expired_api_key", "This API key has expired. Use a newer one.",
                      metric::Refusal::expired_key);
    default:
      if (settings.identity.unknown == settings::Answer::pass) return std::nullopt;
      if (caller_.problem == CallerProblem::missing) {
        return rejected(Kind::authentication, "missing_api_key",
                        "No API key was sent. Put it into the Authorization or x-api-key field.",
                        metric::Refusal::unknown_key);
      }
      return rejected(Kind::authentication, "invalid_api_key", "This API key is not known.",
                      metric::Refusal::unknown_key);
  }
  InFlight& in_flight = desk_.station.observer.in_flight();
  if (settings.demo.time_header.empty()) {
    ticket_.emplace(in_flight.arrive());
  } else {
    const auto given = exchange_.head().fields.find(settings.demo.time_header);
    const auto event_us = given ? base::parse_time(*given) : std::nullopt;
    if (!event_us) {
      return rejected(Kind::invalid_request, "time_missing",
                      "This gateway runs in a demonstration: each request must carry its event time.",
                      metric::Refusal::malformed);
    }
    ticket_.emplace(in_flight.arrive_at(*event_us));
  }
  request_id_ = request_id(ticket_->arrived_us(), desk_.station.instance);
  return std::nullopt;
}

/// Whether the request must be seen whole before it goes on; others stream through.
bool ProxiedRequest::must_read_body() const {
  return exchange_.head().method == "POST" && endpoint_ != intake::Endpoint::other &&
         endpoint_ != intake::Endpoint::models;
}

http::Task<bool> ProxiedRequest::read_body() {
  if (!must_read_body()) co_return true;
  const std::uint64_t bytes_max = rules_->configuration().observer.body_copy_bytes_max;
  if (const auto length = exchange_.head().content_length; length && *length <= bytes_max)
    body_.reserve(*length + intake::kJsonPadding);
  while (body_.size() <= bytes_max) {
    const std::int64_t asked_us = steady_us();
    const auto piece = co_await exchange_.read();
    waited_us_ += steady_us() - asked_us;
    if (!piece) {
      co_await refuse_body();
      co_return false;
    }
    body_.append(*piece);
    // A body of known length need not be asked for its end.
    body_complete_ = piece->empty() || (exchange_.body_at_end() && body_.size() <= bytes_max);
    if (body_complete_) break;
  }
  if (body_complete_) exchange_.release_body();
  body_too_large_ = !body_complete_;
  desk_.metrics.count(metric::Bytes::request, body_.size());
  co_return true;
}

/// The client sent too much, too slowly or nonsense; or it is gone, and nobody is there to be answered.
http::Task<void> ProxiedRequest::refuse_body() {
  const int status = exchange_.error_status();
  status_ = static_cast<std::uint16_t>(status);
  if (status == 499 || status == 0) co_return;
  const Rejected too_large =
      rejected(policy::RefusalKind::too_large, "request_too_large",
               "The request's body is larger than this server takes.", metric::Refusal::too_large);
  const Rejected slow = rejected(policy::RefusalKind::slow_request, "request_too_slow",
                                 "The request's body came too slowly.", metric::Refusal::timeout);
  const Rejected malformed =
      rejected(policy::RefusalKind::invalid_request, "body_unreadable",
               "The request's body could not be read: it is malformed.", metric::Refusal::malformed);
  const Rejected* const against = status == 413 ? &too_large : status == 408 ? &slow : &malformed;
  co_await refuse(*against);
}

policy::RequestFacts ProxiedRequest::access_facts() const {
  policy::RequestFacts facts;
  facts.address = caller_.parsed_address;
  facts.mutual_tls = caller_.mutual_tls;
  facts.model = facts_.model;
  facts.n = static_cast<std::uint32_t>(std::clamp<std::int64_t>(facts_.n, 0, UINT32_MAX));
  facts.logprobs = facts_.logprobs;
  if (facts_.output_tokens_max >= 0) facts.output_tokens_max = static_cast<std::uint64_t>(facts_.output_tokens_max);
  facts.batch = facts_.is_batch || intake::is_batch(endpoint_);
  facts.region = caller_.region;
  if (caller_.facts != nullptr) facts.verification = caller_.facts->verification;
  return facts;
}

std::optional<Rejected> ProxiedRequest::check_body() {
  if (must_read_body() && !body_too_large_) {
    const std::size_t size = body_.size();
    body_.append(intake::kJsonPadding, '\0');
    body_readable_ = !desk_.facts.read(endpoint_, std::string_view(body_).substr(0, size), facts_).has_value();
    body_.resize(size);
  }
  if (caller_.problem != CallerProblem::none) return std::nullopt;  // passes unjudged
  const AccessRules access = access_rules(caller_);
  const bool unreadable = must_read_body() && !body_readable_;
  if (unreadable) {
    // A rule about what a request may ask for cannot be checked on a body that cannot be read.
    bool ruled = rules_->configuration().server.unreadable_body == settings::Answer::refuse;
    for (const policy::AccessRule* rule : access.all()) {
      ruled = ruled || !rule->models.empty() || rule->n_max != 0 || !rule->logprobs || rule->output_tokens_max != 0 ||
              !rule->batch;
    }
    if (ruled) {
      if (body_too_large_) {
        return rejected(policy::RefusalKind::too_large, "request_too_large",
                        "The request's body is larger than this server can check.", metric::Refusal::too_large);
      }
      return rejected(policy::RefusalKind::invalid_request, "body_unreadable",
                      "The request's body is not a JSON object of this API.", metric::Refusal::unreadable);
    }
  }
  auto refusal = policy::check_access(access.all(), access_facts());
  if (refusal) {
    const metric::Refusal counted = counted_as(*refusal);
    return rejected(std::move(*refusal), counted);
  }
  if (caller_.end_user.empty()) caller_.end_user = facts_.end_user;
  if (!caller_.end_user.empty() && caller_.end_user.size() <= base::limits::kIdBytesMax)
    end_user_ = desk_.station.keyed_hash(crypto::Domain::end_user, caller_.end_user);
  return std::nullopt;
}

std::optional<Rejected> ProxiedRequest::apply_remedy() {
  if (caller_.problem != CallerProblem::none) return std::nullopt;
  remedy_ = judge(desk_, *rules_, caller_, end_user_, now_us());
  if (remedy_.action != policy::Action::none) desk_.metrics.count_remedy(remedy_.level, remedy_.dry_run);
  if (!remedy_.refuses()) return std::nullopt;
  const bool suspended = remedy_.action == policy::Action::suspend;
  return rejected(policy::refusal_of(remedy_, rules_->remedies()),
                  suspended ? metric::Refusal::remedy_suspend : metric::Refusal::remedy_verify);
}

std::optional<Rejected> ProxiedRequest::edit_body() {
  if (!restricts() || !must_read_body()) return std::nullopt;
  intake::BodyEditor editor(restriction());
  const auto outcome =
      body_too_large_ ? intake::EditOutcome::unreadable : editor.edit_request(endpoint_, body_, edited_body_);
  edited_ = outcome == intake::EditOutcome::edited;
  if (outcome != intake::EditOutcome::unreadable ||
      rules_->configuration().remedies.on_unreadable == settings::Answer::pass)
    return std::nullopt;
  return rejected(policy::RefusalKind::invalid_request, "body_unreadable",
                  "This account is restricted, and the request's body could not be read.",
                  metric::Refusal::remedy_restrict);
}

std::optional<Rejected> ProxiedRequest::reserve() {
  const Configuration& settings = rules_->configuration();
  Station& station = desk_.station;
  if (settings.observer.on_full == settings::Answer::refuse && !station.observer.queue().has_room()) {
    return rejected(policy::RefusalKind::overloaded, "overloaded",
                    "This server cannot take more requests now. Try again in a moment.", metric::Refusal::queue_full);
  }
  if (settings.query_log.on_error == settings::Answer::refuse && station.log_failing.load(std::memory_order_relaxed)) {
    return rejected(policy::RefusalKind::overloaded, "log_failed",
                    "This server cannot record requests now, and serves none without a record.",
                    metric::Refusal::log_failed);
  }
  if (settings.ledger.on_overflow == settings::Answer::refuse &&
      station.ledger_failing.load(std::memory_order_relaxed)) {
    return rejected(policy::RefusalKind::overloaded, "ledger_failed",
                    "This server cannot write its audit log now, and serves nothing without it.",
                    metric::Refusal::ledger_failed);
  }
  if (caller_.problem != CallerProblem::none || !must_read_body()) return std::nullopt;
  std::array<policy::QuotaScope, policy::kQuotaScopesMax> scopes;
  const std::size_t count = quota_scopes(caller_, end_user_, remedy_, scopes);
  if (count == 0) return std::nullopt;
  policy::QuotaAsk ask;
  ask.tokens = body_readable_ ? intake::tokens_to_reserve(facts_, kOutputTokensReserved)
                              : body_.size() / 4 + kOutputTokensReserved;
  ask.stream = true;
  auto reserved = station.quota.reserve(std::span(scopes.data(), count), ask, now_us());
  if (reserved) {
    grant_ = std::move(*reserved);
    limited_ = true;
    return std::nullopt;
  }
  const policy::QuotaDenied& denied = reserved.error();
  if (denied.scope == policy::ScopeKind::remedy)
    return rejected(policy::throttled(remedy_, rules_->remedies(), denied.retry_after_us),
                    metric::Refusal::remedy_throttle);
  return rejected(policy::refusal_of(denied), counted_as(denied.limit));
}

http::Task<void> ProxiedRequest::refuse(const Rejected& against) {
  desk_.metrics.count(against.counted);
  const policy::RenderedRefusal rendered = policy::render(against.refusal, error_dialect_, request_id_);
  http::ResponseHead head;
  head.status = rendered.status;
  for (const policy::Field& field : rendered.fields) head.fields.set(field.name, field.value);
  policy::FieldList remedy_fields;
  policy::add_remedy_fields(remedy_fields, remedy_, rules_->remedies());
  for (const policy::Field& field : remedy_fields) head.fields.set(field.name, field.value);
  if (has_leaf()) head.fields.set("stillwatch-leaf", leaf_id());
  status_ = rendered.status;
  desk_.station.log.write_limited(
      static_cast<unsigned>(against.counted), settings::LogLevel::info, "refused",
      {{"status", rendered.status}, {"reason", against.counted}, {"account", Hashed{caller_.account_token}}});
  desk_.metrics.count(rendered.status >= 500 ? metric::ResponseCode::c5xx : metric::ResponseCode::c4xx);
  (void)co_await exchange_.respond(std::move(head), rendered.body);
}

}  // namespace stillwatch::gateway
