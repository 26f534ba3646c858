#include "gateway/decision_api.h"

#include <algorithm>

#include "base/json_text.h"
#include "base/limits.h"
#include "gateway/api_answer.h"
#include "gateway/api_input.h"
#include "gateway/decision_list.h"
#include "intake/guardrail.h"
#include "intake/otlp.h"
#include "policy/access.h"
#include "policy/limit_headers.h"
#include "policy/remedy_text.h"

namespace stillwatch::gateway {
namespace {

constexpr std::string_view kAuth = "/v1/decisions/auth", kEnvoy = "/v1/decisions/ext_authz";

/// What is decided about one request, and how it would be refused.
struct Decision {
  policy::Remedy remedy;
  std::optional<policy::Refusal> refusal;
  policy::Allowances allowances;
  bool limited = false;
};

bool is_below(std::string_view path, std::string_view prefix) {
  return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
}

Decision decide(Desk& desk, const Ruleset& rules, const Caller& caller, const policy::RequestFacts& facts,
                std::int64_t now_us) {
  Decision decision;
  decision.refusal = policy::check_access(access_rules(caller).all(), facts);
  if (decision.refusal) return decision;
  const base::Token end_user =
      caller.end_user.empty() ? 0 : desk.station.keyed_hash(crypto::Domain::end_user, caller.end_user);
  decision.remedy = judge(desk, rules, caller, end_user, now_us);
  if (decision.remedy.action != policy::Action::none)
    desk.metrics.count_remedy(decision.remedy.level, decision.remedy.dry_run);
  if (decision.remedy.refuses()) {
    decision.refusal = policy::refusal_of(decision.remedy, rules.remedies());
    return decision;
  }
  std::array<policy::QuotaScope, policy::kQuotaScopesMax> scopes;
  const std::size_t scope_count = quota_scopes(caller, end_user, decision.remedy, scopes);
  if (scope_count == 0) return decision;
  policy::QuotaAsk ask;
  auto reserved = desk.station.quota.reserve(std::span(scopes.data(), scope_count), ask, now_us);
  if (reserved) {
    decision.limited = true;
    decision.allowances = reserved->allowances();
    desk.station.quota.settle(std::move(*reserved), 0, now_us);
  } else if (reserved.error().scope == policy::ScopeKind::remedy) {
    decision.refusal = policy::throttled(decision.remedy, rules.remedies(), reserved.error().retry_after_us);
  } else {
    decision.refusal = policy::refusal_of(reserved.error());
  }
  return decision;
}

void add_fields(http::Fields& fields, const Decision& decision, const Ruleset& rules, policy::ErrorDialect dialect,
                std::int64_t now_us) {
  policy::FieldList added;
  policy::add_remedy_fields(added, decision.remedy, rules.remedies());
  if (decision.limited) policy::add_limit_fields(added, decision.allowances, dialect, now_us);
  for (const policy::Field& field : added) fields.set(field.name, field.value);
}

std::string to_json(const Decision& decision, const Ruleset& rules) {
  const policy::Remedy& remedy = decision.remedy;
  JsonWriter json;
  json.flag("allowed", !decision.refusal.has_value());
  json.text("action", policy::name(remedy.action));
  json.text("level", event::name(remedy.level));
  json.text("class", event::name(remedy.class_));
  json.text("basis", policy::name(remedy.basis));
  json.flag("dry_run", remedy.dry_run);
  if (remedy.level != event::Level::clear) {
    json.text("scope", policy::name(remedy.scope));
    json.text("rule", remedy.rule);
    json.text("case", policy::case_id(remedy.campaign, remedy.subject));
    json.text("expires", base::format_time(remedy.expires_us));
    json.text("appeal", rules.remedies().appeal_address);
  }
  if (remedy.enforced() && remedy.action == policy::Action::restrict)
    json.text("restrict", policy::edit_names(remedy.edits));
  if (decision.refusal) {
    const policy::RenderedRefusal rendered = policy::render(*decision.refusal, policy::ErrorDialect::openai, {});
    json.number("status", rendered.status);
    json.text("code", decision.refusal->code);
    json.text("message", decision.refusal->message);
    if (decision.refusal->retry_after_us > 0)
      json.number("retry_after_seconds",
                  static_cast<std::uint64_t>(policy::retry_after_seconds(decision.refusal->retry_after_us)));
  } else {
    json.number("status", 200);
  }
  return json.finish();
}

http::Task<void> serve_check(Desk& desk, http::Exchange& exchange, const Ruleset& rules) {
  desk.metrics.count(metric::Decision::check);
  const auto body = co_await exchange.read_all(kApiBodyBytesMax);
  if (!body) co_return co_await answer_problem(exchange, exchange.error_status(), body.error().message);
  auto input = read_check(*body);
  if (!input) co_return co_await answer_problem(exchange, 400, input.error().message);
  Caller caller;
  caller.account = std::move(input->account);
  caller.end_user = std::move(input->end_user);
  caller.key = std::move(input->key);
  caller.address = std::move(input->address);
  caller.region = std::move(input->region);
  caller.parsed_address = policy::parse_address(caller.address);
  complete(caller, rules, desk.station.keyed_hash);
  policy::RequestFacts facts;
  facts.address = caller.parsed_address;
  facts.mutual_tls = input->mutual_tls;
  facts.model = input->model;
  facts.n = input->n;
  facts.logprobs = input->logprobs;
  facts.batch = input->batch;
  facts.region = caller.region;
  if (input->output_tokens_max >= 0) facts.output_tokens_max = static_cast<std::uint64_t>(input->output_tokens_max);
  if (caller.facts != nullptr) facts.verification = caller.facts->verification;
  const Decision decision = decide(desk, rules, caller, facts, desk.station.observer.in_flight().now_us());
  co_await answer_json(exchange, 200, to_json(decision, rules));
}

/// nginx takes 2xx, 401 and 403 from auth_request and makes a 500 of everything else; Envoy passes status and body on.
http::Task<void> serve_auth(Desk& desk, http::Exchange& exchange, const Ruleset& rules, bool any_status) {
  desk.metrics.count(metric::Decision::auth);
  const http::Fields& fields = exchange.head().fields;
  const std::int64_t now_us = desk.station.observer.in_flight().now_us();
  Caller caller = identify(exchange.peer(), fields, rules, desk.station.keyed_hash, now_us);
  const auto named = fields.find("x-stillwatch-account");
  if (named && !named->empty() && named->size() <= base::limits::kIdBytesMax) {
    // Of a key that came with the request, and whose account this need not be.
    if (caller.account != *named) caller.tier_token = caller.organisation_token = 0;
    caller.account = *named;
    caller.end_user = fields.find("x-stillwatch-end-user").value_or(std::string_view{});
    if (const auto address = fields.find("x-stillwatch-address"); address) caller.address = *address;
    caller.parsed_address = policy::parse_address(caller.address);
    complete(caller, rules, desk.station.keyed_hash);
  }
  const bool anthropic = fields.find("anthropic-version").has_value();
  const auto dialect = anthropic ? policy::ErrorDialect::anthropic : policy::ErrorDialect::openai;
  Decision decision;
  if (caller.problem != CallerProblem::none) {
    policy::Refusal refusal;
    refusal.kind = policy::RefusalKind::authentication;
    refusal.code = caller.problem == CallerProblem::missing ? "missing_api_key" : "invalid_api_key";
    refusal.message = "No known account: send its API key, or x-stillwatch-account.";
    decision.refusal = std::move(refusal);
  } else {
    policy::RequestFacts facts;
    facts.address = caller.parsed_address;
    facts.mutual_tls = caller.mutual_tls;
    facts.region = caller.region;
    if (caller.facts != nullptr) facts.verification = caller.facts->verification;
    decision = decide(desk, rules, caller, facts, now_us);
  }
  http::ResponseHead head;
  std::string body;
  if (decision.refusal) {
    const policy::RenderedRefusal rendered = policy::render(*decision.refusal, dialect, {});
    for (const policy::Field& field : rendered.fields) head.fields.set(field.name, field.value);
    head.status = rendered.status;
    if (!any_status && rendered.status != 401) head.status = 403;
    head.fields.set("stillwatch-status", std::to_string(rendered.status));
    body = rendered.body;
  }
  add_fields(head.fields, decision, rules, dialect, now_us);
  (void)co_await exchange.respond(std::move(head), body);
}

http::Task<void> serve_guardrail(Desk& desk, http::Exchange& exchange, const Ruleset& rules) {
  desk.metrics.count(metric::Decision::guardrail);
  auto body = co_await exchange.read_all(base::limits::kLineBytesMax);
  if (!body) co_return co_await answer_problem(exchange, exchange.error_status(), body.error().message);
  const std::size_t size = body->size();
  body->append(intake::kJsonPadding, '\0');
  intake::GuardrailReader reader(desk.station.keyed_hash);
  intake::GuardrailFacts read;
  if (reader.read(std::string_view(*body).substr(0, size), read))
    co_return co_await answer_problem(exchange, 400, "the body is no guardrail request");
  if (read.account.empty() || read.is_response) co_return co_await answer_json(exchange, 200, R"({"action":"NONE"})");
  Caller caller;
  caller.account = std::move(read.account);
  caller.key = std::move(read.key);
  caller.end_user = std::move(read.end_user);
  complete(caller, rules, desk.station.keyed_hash);
  policy::RequestFacts facts;
  facts.model = read.model;
  if (caller.facts != nullptr) facts.verification = caller.facts->verification;
  const Decision decision = decide(desk, rules, caller, facts, desk.station.observer.in_flight().now_us());
  JsonWriter json;
  json.text("action", decision.refusal ? "BLOCKED" : "NONE");
  if (decision.refusal) json.text("blocked_reason", decision.refusal->message);
  co_await answer_json(exchange, 200, json.finish());
}

http::Task<void> serve_otlp(Desk& desk, http::Exchange& exchange) {
  auto body = co_await exchange.read_all(base::limits::kLineBytesMax);
  if (!body) co_return co_await answer_problem(exchange, exchange.error_status(), body.error().message);
  const std::size_t size = body->size();
  body->append(intake::kJsonPadding, '\0');
  intake::OtlpReader reader;
  std::uint64_t refused = 0;
  const auto refusal = reader.read(std::string_view(*body).substr(0, size), [&](std::string_view record) {
    refused += desk.station.observer.feed_line(desk.thread, record) ? 0 : 1;
  });
  if (refusal) co_return co_await answer_problem(exchange, 400, "the body is no OTLP export in JSON");
  // OTLP: a partial success names how many were not taken.
  std::string said = "{}";
  if (refused > 0) said = R"({"partialSuccess":{"rejectedSpans":)" + std::to_string(refused) + "}}";
  co_await answer_json(exchange, refused == 0 ? 200 : 503, std::move(said));
}

}  // namespace

http::Task<bool> serve_decisions(Desk& desk, http::Exchange& exchange) {
  const std::shared_ptr<const Ruleset> rules = desk.rules.refresh();
  const std::string path(exchange.head().path());
  const bool post = exchange.head().method == "POST", get = exchange.head().method == "GET";
  if (path == "/v1/decisions/check" && post) {
    co_await serve_check(desk, exchange, *rules);
  } else if (path == "/v1/decisions" && get) {
    co_await list_decisions(desk, exchange);
  } else if (path == "/v1/decisions/stream" && get) {
    co_await follow_decisions(desk, exchange);
  } else if (is_below(path, kAuth)) {
    co_await serve_auth(desk, exchange, *rules, false);
  } else if (is_below(path, kEnvoy)) {
    co_await serve_auth(desk, exchange, *rules, true);
  } else if (path == "/beta/litellm_basic_guardrail_api" && post) {
    co_await serve_guardrail(desk, exchange, *rules);
  } else if ((path == "/v1/traces" || path == "/v1/logs") && post) {
    co_await serve_otlp(desk, exchange);
  } else {
    co_return false;
  }
  co_return true;
}

}  // namespace stillwatch::gateway
