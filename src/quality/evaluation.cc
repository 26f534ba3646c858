#include "quality/evaluation.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/assert.h"
#include "base/event_time.h"
#include "stats/binomial.h"

namespace stillwatch::quality {
namespace {

using event::Class;
using event::Level;

constexpr double kPure = 0.8;  // share of hostile accounts that makes an alert one of a campaign
constexpr double kIouMatched = 0.5;
constexpr double kMonthDays = 30;
constexpr std::uint64_t kPoissonTrials =
    1'000'000'000;  // a binomial with so many trials is a Poisson law to nine digits

bool alerted(Level level) { return level >= Level::observe; }
bool actioned(Level level) { return level >= Level::verify; }

double hours_between(std::int64_t start_us, std::int64_t end_us) {
  return static_cast<double>(std::max<std::int64_t>(0, end_us - start_us)) / static_cast<double>(base::kHourUs);
}

// The states of each account in time order, in one array.
class Timelines {
 public:
  Timelines(std::size_t accounts, const std::vector<Step>& steps) : starts_(accounts + 1, 0), steps_(steps.size()) {
    for (const Step& step : steps) ++starts_[step.account + 1];
    for (std::size_t i = 0; i < accounts; ++i) starts_[i + 1] += starts_[i];
    std::vector<std::size_t> next(starts_.begin(), starts_.end() - 1);
    for (const Step& step : steps) steps_[next[step.account]++] = {step.time_us, step.level};
  }

  /// The level that the newest line strictly before time_us gave.
  Level level_at(std::uint32_t account, std::int64_t time_us) const {
    const auto begin = steps_.begin() + static_cast<std::ptrdiff_t>(starts_[account]);
    const auto end = steps_.begin() + static_cast<std::ptrdiff_t>(starts_[account + 1]);
    const auto after = std::lower_bound(begin, end, time_us,
                                        [](const State& state, std::int64_t time) { return state.time_us < time; });
    return after == begin ? Level::clear : std::prev(after)->level;
  }

 private:
  struct State {
    std::int64_t time_us = 0;
    Level level = Level::clear;
  };
  std::vector<std::size_t> starts_;
  std::vector<State> steps_;
};

// The accounts under one found campaign, or under none, that are alerted right now.
struct AlertSet {
  std::uint64_t accounts = 0, hostile = 0;
  std::map<std::uint32_t, std::uint64_t> by_true_campaign;
};

// When each true campaign was first alerted: some set of alerted accounts is at least 80 % hostile, and the
// campaign has the most accounts of the set (a found campaign) or any (accounts alerted without a campaign).
std::vector<std::optional<std::int64_t>> first_alerts(const Truth& truth, const Detector& detector) {
  std::vector<std::optional<std::int64_t>> first(truth.campaigns.size());
  std::map<std::uint32_t, AlertSet> sets;
  std::vector<std::uint32_t> set_of(truth.accounts.size(), kNone - 1);  // kNone: alerted without a campaign
  std::vector<std::uint32_t> touched;
  const auto judge = [&](std::int64_t time_us) {
    for (const std::uint32_t id : touched) {
      const AlertSet& set = sets[id];
      if (set.accounts == 0 || static_cast<double>(set.hostile) < kPure * static_cast<double>(set.accounts)) continue;
      std::uint64_t most = 0;
      for (const auto& entry : set.by_true_campaign) most = std::max(most, entry.second);
      for (const auto& [campaign, accounts] : set.by_true_campaign) {
        if (accounts > 0 && (id == kNone || accounts == most) && !first[campaign]) first[campaign] = time_us;
      }
    }
    touched.clear();
  };
  const auto change = [&](std::uint32_t id, std::uint32_t account, std::int64_t by) {
    AlertSet& set = sets[id];
    set.accounts += static_cast<std::uint64_t>(by);
    if (truth.accounts[account].hostile) {
      set.hostile += static_cast<std::uint64_t>(by);
      set.by_true_campaign[truth.accounts[account].campaign] += static_cast<std::uint64_t>(by);
    }
    if (std::find(touched.begin(), touched.end(), id) == touched.end()) touched.push_back(id);
  };
  for (std::size_t i = 0; i < detector.steps.size(); ++i) {
    const Step& step = detector.steps[i];
    const std::uint32_t was = set_of[step.account], is = alerted(step.level) ? step.campaign : kNone - 1;
    if (was != is) {
      if (was != kNone - 1) change(was, step.account, -1);
      if (is != kNone - 1) change(is, step.account, 1);
      set_of[step.account] = is;
    }
    if (i + 1 == detector.steps.size() || detector.steps[i + 1].time_us != step.time_us) judge(step.time_us);
  }
  return first;
}

struct Reached {
  std::vector<bool> alerted, actioned;
  std::vector<std::optional<std::int64_t>> actioned_at;
};

Reached highest_states(const Truth& truth, const Detector& detector) {
  Reached reached{std::vector<bool>(truth.accounts.size()), std::vector<bool>(truth.accounts.size()),
                  std::vector<std::optional<std::int64_t>>(truth.accounts.size())};
  for (const Step& step : detector.steps) {
    if (alerted(step.level)) reached.alerted[step.account] = true;
    if (actioned(step.level) && !reached.actioned[step.account]) {
      reached.actioned[step.account] = true;
      reached.actioned_at[step.account] = step.time_us;
    }
  }
  return reached;
}

// Counts one group of honest accounts. Units are told only where every account of the group names one.
class ErrorCount {
 public:
  void add(const TrueAccount& account, bool was_alerted, bool was_actioned) {
    ++result_.accounts;
    result_.alerted += was_alerted;
    result_.actioned += was_actioned;
    if (account.unit == kNone) return;
    ++with_unit_;
    bool& unit = units_[account.unit];
    unit = unit || was_actioned;
  }
  ErrorResult finish(std::string name) {
    result_.name = std::move(name);
    result_.actioned_upper_95 = stats::rate_upper_bound(result_.actioned, result_.accounts);
    if (with_unit_ < result_.accounts) return result_;
    result_.units = units_.size();
    for (const auto& unit : units_) result_.units_actioned += unit.second;
    result_.units_upper_95 = stats::rate_upper_bound(result_.units_actioned, result_.units);
    return result_;
  }

 private:
  ErrorResult result_;
  std::uint64_t with_unit_ = 0;
  std::map<std::uint32_t, bool> units_;
};

std::vector<ErrorResult> errors_by(const Truth& truth, const Reached& reached, const Names& names,
                                   std::uint32_t TrueAccount::*member) {
  std::vector<ErrorCount> counts(names.size());
  for (std::size_t i = 0; i < truth.accounts.size(); ++i) {
    const TrueAccount& account = truth.accounts[i];
    if (!account.hostile && account.*member != kNone)
      counts[account.*member].add(account, reached.alerted[i], reached.actioned[i]);
  }
  std::vector<ErrorResult> out;
  for (std::uint32_t i = 0; i < counts.size(); ++i) {
    out.push_back(counts[i].finish(names.name(i)));
    if (out.back().accounts == 0) out.pop_back();
  }
  std::sort(out.begin(), out.end(), [](const ErrorResult& a, const ErrorResult& b) { return a.name < b.name; });
  return out;
}

ErrorResult all_benign(const Truth& truth, const Reached& reached) {
  ErrorCount count;
  for (std::size_t i = 0; i < truth.accounts.size(); ++i) {
    if (!truth.accounts[i].hostile) count.add(truth.accounts[i], reached.alerted[i], reached.actioned[i]);
  }
  return count.finish("all honest accounts");
}

// Found campaigns: every account that an alerted line named for it; its class is that of its last alerted line.
void judge_campaigns(const Truth& truth, const Detector& detector, Scores& scores) {
  struct Found {
    std::vector<std::uint32_t> accounts;
    Class class_ = Class::unknown;
  };
  std::vector<Found> found(detector.campaigns.size());
  for (const Step& step : detector.steps) {
    if (step.campaign == kNone || !alerted(step.level)) continue;
    found[step.campaign].accounts.push_back(step.account);
    found[step.campaign].class_ = step.class_;
  }
  std::vector<std::uint64_t> true_sizes(truth.campaigns.size(), 0);
  for (const TrueAccount& account : truth.accounts) {
    if (account.hostile) ++true_sizes[account.campaign];
  }
  std::vector<bool> matched(truth.campaigns.size());
  for (Found& one : found) {
    std::sort(one.accounts.begin(), one.accounts.end());
    one.accounts.erase(std::unique(one.accounts.begin(), one.accounts.end()), one.accounts.end());
    if (one.accounts.empty()) continue;
    std::map<std::uint32_t, std::uint64_t> overlap;
    std::uint64_t hostile = 0;
    for (const std::uint32_t account : one.accounts) {
      if (!truth.accounts[account].hostile) continue;
      ++hostile;
      ++overlap[truth.accounts[account].campaign];
    }
    const bool mostly_benign = 2 * hostile < one.accounts.size();
    if (one.class_ == Class::reseller) {
      ++scores.found_resellers;
      scores.found_resellers_benign += mostly_benign;
    }
    if (one.class_ == Class::automation || one.class_ == Class::unknown) ++scores.found_others;
    if (one.class_ != Class::distiller) continue;
    ++scores.found_distillers;
    scores.found_false += mostly_benign;
    std::uint32_t most = kNone;
    bool matches = false;
    for (const auto& [campaign, both] : overlap) {
      const double iou =
          static_cast<double>(both) / static_cast<double>(one.accounts.size() + true_sizes[campaign] - both);
      scores.campaigns[campaign].best_iou = std::max(scores.campaigns[campaign].best_iou, iou);
      if (iou >= kIouMatched) matches = matched[campaign] = true;
      if (most == kNone || both > overlap[most]) most = campaign;
    }
    scores.found_matched += matches;
    if (most != kNone) ++scores.campaigns[most].fragments;
  }
  std::uint64_t fragments = 0, with_any = 0;
  for (const TheftResult& campaign : scores.campaigns) {
    fragments += campaign.fragments;
    with_any += campaign.fragments > 0;
  }
  scores.fragmentation = with_any == 0 ? 0 : static_cast<double>(fragments) / static_cast<double>(with_any);
  scores.true_campaigns = truth.campaigns.size();
  scores.true_found = static_cast<std::uint64_t>(std::count(matched.begin(), matched.end(), true));
}

void add(TheftResult& to, const TheftResult& from) {
  to.accounts += from.accounts;
  to.alerted += from.alerted;
  to.actioned += from.actioned;
  to.queries += from.queries;
  to.prevented_queries += from.prevented_queries;
  to.output_tokens += from.output_tokens;
  to.prevented_tokens += from.prevented_tokens;
  to.fragments += from.fragments;
}

// The slowest of several; never, when one is never.
std::optional<double> slowest(const std::vector<const TheftResult*>& campaigns,
                              std::optional<double> TheftResult::*member) {
  std::optional<double> out = campaigns.empty() ? std::nullopt : std::optional(0.0);
  for (const TheftResult* campaign : campaigns)
    out = out && campaign->*member ? std::optional(std::max(*out, *(campaign->*member))) : std::nullopt;
  return out;
}

// When `share` of the campaign's accounts had been actioned, from its first hostile request.
std::optional<double> hours_to_share(std::vector<std::int64_t>& times, std::uint64_t accounts, double share,
                                     std::int64_t start_us) {
  const auto needed = static_cast<std::size_t>(std::ceil(share * static_cast<double>(accounts)));
  if (needed == 0 || times.size() < needed) return std::nullopt;
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(needed - 1), times.end());
  return hours_between(start_us, times[needed - 1]);
}

void sum_up(const Truth& truth, Scores& scores) {
  std::vector<const TheftResult*> all;
  for (std::uint32_t family = 0; family < truth.families.size(); ++family) {
    TheftResult sum;
    sum.name = sum.family = truth.families.name(family);
    std::vector<const TheftResult*> members;
    for (std::uint32_t campaign = 0; campaign < scores.campaigns.size(); ++campaign) {
      if (truth.family_of_campaign[campaign] != family) continue;
      add(sum, scores.campaigns[campaign]);
      sum.best_iou = members.empty() ? scores.campaigns[campaign].best_iou
                                     : std::min(sum.best_iou, scores.campaigns[campaign].best_iou);
      members.push_back(&scores.campaigns[campaign]);
      all.push_back(&scores.campaigns[campaign]);
    }
    if (members.empty()) continue;
    sum.hours_to_first_alert = slowest(members, &TheftResult::hours_to_first_alert);
    sum.hours_to_half = slowest(members, &TheftResult::hours_to_half);
    sum.hours_to_90 = slowest(members, &TheftResult::hours_to_90);
    add(scores.overall, sum);
    scores.families.push_back(sum);
  }
  scores.overall.name = "all campaigns";
  scores.overall.hours_to_first_alert = slowest(all, &TheftResult::hours_to_first_alert);
  scores.overall.hours_to_half = slowest(all, &TheftResult::hours_to_half);
  scores.overall.hours_to_90 = slowest(all, &TheftResult::hours_to_90);
}

}  // namespace

base::Result<Evaluation> evaluate(const Truth& truth, const std::vector<Detector>& detectors,
                                  const EvaluationOptions& options) {
  Evaluation out;
  out.benign = truth.benign;
  out.hostile = truth.hostile;
  std::vector<Timelines> timelines;
  for (const Detector& detector : detectors) {
    timelines.emplace_back(truth.accounts.size(), detector.steps);
    Scores& scores = out.detectors.emplace_back();
    scores.name = detector.name;
    scores.bad_lines = detector.bad_lines;
    scores.other_subjects = detector.other_subjects;
    scores.unknown_accounts = detector.unknown_accounts;
    scores.tests = detector.tests;
    scores.left_out = detector.left_out;
    scores.peaks = detector.peaks;
    scores.promised_false_campaigns = detector.promised_false_campaigns;
    scores.campaigns.resize(truth.campaigns.size());
  }
  std::vector<std::optional<std::int64_t>> started(truth.campaigns.size());
  std::int64_t first_us = INT64_MAX, last_us = INT64_MIN;
  STILLWATCH_TRY(bad,
                 for_each_hostile_query(truth, [&](std::uint32_t account, std::int64_t time_us, std::uint64_t tokens) {
                   const std::uint32_t campaign = truth.accounts[account].campaign;
                   ++out.queries;
                   out.output_tokens += tokens;
                   first_us = std::min(first_us, time_us);
                   last_us = std::max(last_us, time_us);
                   started[campaign] = std::min(started[campaign].value_or(INT64_MAX), time_us);
                   for (std::size_t i = 0; i < detectors.size(); ++i) {
                     TheftResult& theft = out.detectors[i].campaigns[campaign];
                     ++theft.queries;
                     theft.output_tokens += tokens;
                     if (!actioned(timelines[i].level_at(account, time_us))) continue;
                     ++theft.prevented_queries;
                     theft.prevented_tokens += tokens;
                   }
                 }));
  out.bad_lines = truth.bad_lines + bad;

  for (std::size_t i = 0; i < detectors.size(); ++i) {
    const Detector& detector = detectors[i];
    Scores& scores = out.detectors[i];
    const Reached reached = highest_states(truth, detector);
    const auto alerts = first_alerts(truth, detector);
    std::vector<std::vector<std::int64_t>> action_times(truth.campaigns.size());
    for (std::size_t a = 0; a < truth.accounts.size(); ++a) {
      const TrueAccount& account = truth.accounts[a];
      (account.hostile ? scores.alerted_hostile : scores.alerted_benign) += reached.alerted[a];
      (account.hostile ? scores.actioned_hostile : scores.actioned_benign) += reached.actioned[a];
      if (!account.hostile) continue;
      TheftResult& theft = scores.campaigns[account.campaign];
      ++theft.accounts;
      theft.alerted += reached.alerted[a];
      theft.actioned += reached.actioned[a];
      if (reached.actioned_at[a]) action_times[account.campaign].push_back(*reached.actioned_at[a]);
    }
    for (std::uint32_t campaign = 0; campaign < truth.campaigns.size(); ++campaign) {
      TheftResult& theft = scores.campaigns[campaign];
      theft.name = truth.campaigns.name(campaign);
      theft.family = truth.families.name(truth.family_of_campaign[campaign]);
      if (!started[campaign]) continue;
      if (alerts[campaign]) theft.hours_to_first_alert = hours_between(*started[campaign], *alerts[campaign]);
      theft.hours_to_half = hours_to_share(action_times[campaign], theft.accounts, 0.5, *started[campaign]);
      theft.hours_to_90 = hours_to_share(action_times[campaign], theft.accounts, 0.9, *started[campaign]);
    }
    judge_campaigns(truth, detector, scores);
    sum_up(truth, scores);
    scores.benign = all_benign(truth, reached);
    scores.strata = errors_by(truth, reached, truth.strata, &TrueAccount::stratum);
    scores.languages = errors_by(truth, reached, truth.languages, &TrueAccount::language);

    std::int64_t from = first_us, until = last_us;
    if (!detector.steps.empty()) {
      from = std::min(from, detector.steps.front().time_us);
      until = std::max(until, detector.steps.back().time_us);
    }
    if (detector.first_us && detector.last_us) {
      from = *detector.first_us;
      until = *detector.last_us;
    }
    scores.horizon_days = options.horizon_days > 0 ? options.horizon_days
                          : until > from ? static_cast<double>(until - from) / static_cast<double>(base::kDayUs)
                                         : 0;
    if (scores.horizon_days > 0 && truth.benign > 0) {
      const double exposure = scores.horizon_days / kMonthDays * static_cast<double>(truth.benign) / 1e6;
      scores.false_per_month_and_million = static_cast<double>(scores.found_false) / exposure;
      scores.false_upper_95 =
          stats::rate_upper_bound(scores.found_false, kPoissonTrials) * static_cast<double>(kPoissonTrials) / exposure;
    }
  }
  return out;
}

}  // namespace stillwatch::quality
