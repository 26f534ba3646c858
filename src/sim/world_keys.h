// The keys of a world file, each with its range: one list for the parser, its range checks and the reference.
//
// Invariant: a key that is parsed is also checked and listed, because all three walk visit_keys().
// Threads: pure. Cost: start-up only. Spec: docs/reference/worlds.md.
#pragma once

#include <type_traits>

#include "sim/world.h"

namespace stillwatch::sim {

struct Range {
  double min, max;
};

/// Calls key.number(name, value, range) and the like for each key of the section.
template <class Settings, class Visitor>
void visit_keys(Settings& s, Visitor&& key) {
  if constexpr (std::is_same_v<std::remove_const_t<Settings>, WorldSettings>) {
    key.text("name", s.name);
    key.time("start", s.start_us);
    key.number("days", s.days, Range{0.01, 400});
    key.number("calibration_days", s.calibration_days, Range{0, 400});
    key.number("scale", s.scale, Range{1e-6, 1000});
    key.text("prompts", s.prompts);
    key.flag("response_body", s.response_body);
    key.number("failure_rate", s.failure_rate, Range{0, 0.5});
    key.number("release_day", s.release_day, Range{0, 400});
    key.choice("corpus_half", s.corpus_half, kCorpusHalfNames);
    key.flag("strip_affixes", s.strip_affixes);
    key.flag("match_lengths", s.match_lengths);
  } else if constexpr (std::is_same_v<std::remove_const_t<Settings>, StratumSettings>) {
    key.integer("accounts", s.accounts, Range{0, 5'000'000});
    key.integer("groups", s.groups, Range{1, 100'000});
    key.number("requests_per_day", s.requests_per_day, Range{0.01, 50'000});
    key.number("rate_sigma", s.rate_sigma, Range{0, 3});
    key.number("turns", s.turns, Range{1, 50});
    key.number("new_share", s.new_share, Range{0, 1});
    key.number("churn_share", s.churn_share, Range{0, 1});
    key.number("active_days", s.active_days, Range{0.05, 1});
    key.number("org_share", s.org_share, Range{0, 1});
    key.number("late_share", s.late_share, Range{0, 1});
    key.number("declared_share", s.declared_share, Range{0, 1});
    key.integer("templates", s.templates, Range{1, 100'000});
    key.integer("items", s.items, Range{5, 1'000'000});
    key.number("users_per_account", s.users_per_account, Range{1, 5000});
    key.number("drift_per_week", s.drift_per_week, Range{0, 1});
  } else {
    key.choice("family", s.family, kFamilyNames);
    key.integer("accounts", s.accounts, Range{0, 1'000'000});
    key.number("requests_per_account_day", s.requests_per_account_day, Range{0.1, 20'000});
    key.number("attack_share", s.attack_share, Range{0, 1});
    key.number("resale_share", s.resale_share, Range{0, 1});
    key.integer("cover_pool", s.cover_pool, Range{1, 1'000'000});
    key.number("start_day", s.start_day, Range{0, 400});
    key.number("end_day", s.end_day, Range{0, 400});
    key.integer("templates", s.templates, Range{1, 1'000'000});
    key.number("paraphrase", s.paraphrase, Range{0, 1});
    key.flag("unique", s.unique);
    key.flag("disjoint_topics", s.disjoint_topics);
    key.number("multi_turn", s.multi_turn, Range{0, 1});
    key.integer("items", s.items, Range{5, 10'000'000});
    key.choice("question_set", s.question_set, kQuestionSetNames);
    key.choice("proxies", s.proxies, kProxyNames);
    key.choice("client", s.client, kClientPlanNames);
    key.number("payment_share", s.payment_share, Range{0, 1});
    key.number("signup_burst", s.signup_burst, Range{0, 1});
    key.choice("schedule", s.schedule, kScheduleNames);
    key.choice("selection", s.selection, kSelectionNames);
    key.number("account_age_days", s.account_age_days, Range{0, 2000});
    key.number("replacement_per_day", s.replacement_per_day, Range{0, 1});
    key.number("sticky_minutes", s.sticky_minutes, Range{0, 1440});
    key.choice("end_users", s.end_users, kEndUsersNames);
    key.list("languages", s.languages);
    key.list("models", s.models);
    key.integer("variants", s.variants, Range{1, 100});
    key.number("rate_sigma", s.rate_sigma, Range{0, 2});
    key.number("warm_up_days", s.warm_up_days, Range{0, 400});
    key.integer("framed_accounts", s.framed_accounts, Range{0, 1000});
    key.number("framing_share", s.framing_share, Range{0, 1});
    key.number("hub_flood_per_day", s.hub_flood_per_day, Range{0, 100'000});
    key.integer("poison_accounts", s.poison_accounts, Range{0, 100'000});
    key.flag("release_pivot", s.release_pivot);
  }
}

}  // namespace stillwatch::sim
