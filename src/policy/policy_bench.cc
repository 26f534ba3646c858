// Cost on the request path: a remedy, an access check, and a reservation with its settlement over three scopes.
#include <benchmark/benchmark.h>

#include "base/random.h"
#include "policy/access.h"
#include "policy/limit_headers.h"
#include "policy/remedy_text.h"

namespace stillwatch::policy {
namespace {

constexpr std::int64_t kStart = 1'776'800'000'000'000;

// Threads share one Quota; time goes on by a microsecond a request.
void quota_reserve_settle(benchmark::State& state) {
  static Quota quota;
  const auto subjects = static_cast<std::uint64_t>(state.range(0));
  base::Random random(static_cast<std::uint64_t>(state.thread_index()) + 1);
  const Limits wide{1'000'000'000, 1'000'000'000'000, 0, 1'000'000};
  std::int64_t now_us = kStart;
  std::uint64_t denied = 0;
  for (auto _ : state) {
    const base::Token subject = random.below(subjects);
    const QuotaScope scopes[] = {
        {ScopeKind::key, subject, wide}, {ScopeKind::account, subject / 2, wide}, {ScopeKind::tier, subject % 3, wide}};
    auto reserved = quota.reserve(scopes, {1, 4'096, true}, ++now_us);
    if (!reserved) {
      ++denied;
      continue;
    }
    quota.settle(std::move(*reserved), 700, now_us);
  }
  if (denied != 0) state.SkipWithError("denied");
}
BENCHMARK(quota_reserve_settle)->Arg(1'000)->Arg(100'000)->Arg(1'000'000)->ThreadRange(1, 2)->UseRealTime();

void quota_reserve_denied(benchmark::State& state) {
  Quota quota;
  const QuotaScope scopes[] = {{ScopeKind::key, 1, {1, 0, 0, 0}}, {ScopeKind::account, 1, {100, 0, 0, 0}}};
  (void)quota.reserve(scopes, {}, kStart);
  for (auto _ : state) benchmark::DoNotOptimize(quota.reserve(scopes, {}, kStart));
}
BENCHMARK(quota_reserve_denied);

void remedy(benchmark::State& state) {
  RemedySettings settings;
  DrySwitches switches;
  switches.set_master(false);
  switches.set(Action::throttle, false);
  RemedyRequest request;
  request.account = 7;
  request.end_user = 8;
  request.now_us = kStart;
  request.account_standing = {event::Level::observe, event::Class::distiller, false, 3, kStart + 1, "campaign.linked"};
  request.end_user_standing = {event::Level::restrict, event::Class::distiller, false, 3, kStart + 1,
                               "campaign.member"};
  for (auto _ : state) benchmark::DoNotOptimize(decide_remedy(request, settings, switches));
}
BENCHMARK(remedy);

void override_find(benchmark::State& state) {
  static OverrideBook book;
  static const bool filled = [] {
    std::string lines;
    for (int i = 0; i < 10'000; ++i) {
      append_override_line(lines, {std::to_string(i), "", event::Level::clear, kStart, kStart + 1'000, "p", ""});
    }
    return book
        .load(
            lines, [](std::string_view account, std::string_view) { return std::stoull(std::string(account)) + 1; },
            kStart)
        .has_value();
  }();
  if (!filled) state.SkipWithError("not loaded");
  OverrideReader reader(book);
  base::Random random(1);
  for (auto _ : state) {
    reader.refresh();
    benchmark::DoNotOptimize(reader.find(random.below(20'000), kStart));
  }
}
BENCHMARK(override_find)->ThreadRange(1, 2);

void access_check(benchmark::State& state) {
  AccessRule tier, key;
  tier.models = {"small-*", "large-*"};
  tier.n_max = 4;
  key.networks.reserve(3);
  for (const char* text : {"10.0.0.0/8", "192.0.2.0/24", "2001:db8::/32"}) key.networks.push_back(*parse_network(text));
  key.regions = {"eu-north", "eu-west"};
  RequestFacts facts;
  facts.model = "large-2026";
  facts.region = "eu-west";
  const AccessRule* rules[] = {&tier, &key};
  for (auto _ : state) {
    facts.address = parse_address("2001:db8::8a2e:370:7334");
    benchmark::DoNotOptimize(check_access(rules, facts));
  }
}
BENCHMARK(access_check);

void limit_fields(benchmark::State& state) {
  const Allowances allowances{{60, 59, 1'000'000}, {100'000, 95'904, 2'457'600}};
  for (auto _ : state) {
    FieldList fields;
    add_limit_fields(fields, allowances, ErrorDialect::openai, kStart);
    benchmark::DoNotOptimize(fields);
  }
}
BENCHMARK(limit_fields);

}  // namespace
}  // namespace stillwatch::policy
