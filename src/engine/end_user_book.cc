#include "engine/end_user_book.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <vector>

namespace stillwatch::engine {

using event::Level;
using event::Token;
using event::Verdict;

namespace {

constexpr std::int64_t kActedWindowUs = 30 * base::kDayUs;  // of policy/scope.h
// What makes an end user one of the few: as many requests of the group's work as a member must have.
constexpr int kHitsMin = 3;

int certain_hits(const detect::EndUsers::Heavy& heavy) { return heavy.user == 0 ? 0 : heavy.hits - heavy.error; }

}  // namespace

policy::EndUserEvidence EndUserBook::evidence_of(const detect::MemberFinding& member, std::int64_t now_us) const {
  const detect::EndUsers& users = member.end_users;
  policy::EndUserEvidence evidence;
  evidence.hits = users.hits();
  evidence.others = users.others();
  evidence.others_named = users.others_named();
  evidence.others_distinct = users.others_distinct();
  for (auto at = people_.lower_bound({member.account, 0}); at != people_.end() && at->first.first == member.account;
       ++at)
    evidence.acted_on += at->second.acted_us > now_us - kActedWindowUs ? 1 : 0;
  const auto heaviest = users.heaviest();
  for (unsigned i = 0; i < policy::kFewEndUsersMax; ++i) {
    const int hits = certain_hits(heaviest[i]);
    evidence.hits_of_few += static_cast<std::uint32_t>(hits);
    if (hits < kHitsMin) continue;
    const auto known = people_.find({member.account, heaviest[i].user});
    evidence.few_unknown += known == people_.end() || known->second.acted_us <= now_us - kActedWindowUs ? 1 : 0;
  }
  return evidence;
}

bool EndUserBook::looks_narrow(const detect::MemberFinding& member, bool same_few, std::int64_t now_us) const {
  policy::EndUserEvidence evidence = evidence_of(member, now_us);
  evidence.same_few = same_few;
  return policy::looks_narrow(evidence, settings_);
}

namespace {

// Other end users of all accounts together: a pool serves many.
constexpr double kOthersOfPoolMin = 60;

/// Whether the same at most three end users certainly send nine tenths of the group's work, over several accounts.
bool is_of_same_few(const detect::GroupFinding& finding) {
  std::map<Token, std::uint64_t> hits_of;
  std::uint64_t hits = 0;
  double others = 0;
  for (const detect::MemberFinding& member : finding.members) {
    // Its own counts are halved now and then; an account that names nobody counts with all it sent.
    others += member.end_users.others_distinct();
    hits += member.end_users.hits() > 0 ? member.end_users.hits() : member.hits;
    for (const detect::EndUsers::Heavy& heavy : member.end_users.heaviest()) {
      if (certain_hits(heavy) > 0) hits_of[heavy.user] += static_cast<std::uint64_t>(certain_hits(heavy));
    }
  }
  std::vector<std::uint64_t> most;
  for (const auto& item : hits_of) most.push_back(item.second);
  std::sort(most.rbegin(), most.rend());
  most.resize(std::min<std::size_t>(most.size(), policy::kFewEndUsersMax));
  const std::uint64_t of_few = std::accumulate(most.begin(), most.end(), std::uint64_t{0});
  return hits > 0 && of_few * 10 >= hits * 9 && others >= kOthersOfPoolMin;
}

}  // namespace

std::vector<bool> EndUserBook::narrowed(const detect::GroupFinding& finding,
                                        std::span<const policy::Decision> decisions, std::int64_t now_us) const {
  std::vector<bool> narrow(finding.members.size(), false);
  policy::NarrowingGroup group;
  group.handed_off = finding.kind == detect::LinkKind::handoff;
  group.same_few = is_of_same_few(finding);
  for (std::size_t i = 0; i < finding.members.size(); ++i) {
    if (decisions[i].level < Level::verify) continue;
    ++group.members_standing;
    narrow[i] = looks_narrow(finding.members[i], group.same_few, now_us);
    group.members_narrow += narrow[i] ? 1 : 0;
  }
  if (!policy::may_narrow(group)) narrow.assign(narrow.size(), false);
  return narrow;
}

void EndUserBook::act(const detect::GroupFinding& finding, const detect::MemberFinding& member,
                      const policy::Decision& decision, std::uint32_t campaign, const ReasonContext& context,
                      std::int64_t now_us, std::vector<Verdict>& verdicts) {
  const auto heaviest = member.end_users.heaviest();
  for (unsigned i = 0; i < policy::kFewEndUsersMax; ++i) {
    const detect::EndUsers::Heavy& heavy = heaviest[i];
    if (certain_hits(heavy) < kHitsMin) continue;
    Person& person = people_[{member.account, heavy.user}];
    // Only its own fresh work renews it: an account's next user must not keep the last one's level alive.
    const bool fresh = person.hits_counted != heavy.hits;
    if (!fresh) continue;
    person.hits_counted = heavy.hits;
    const bool rises = decision.level > person.level;
    if (decision.level >= person.level) {
      person.expires_us = now_us + settings_.expiry_us;
      person.acted_us = now_us;
    }
    if (!rises && decision.class_ <= person.class_ && person.campaign == campaign) continue;
    person.level = std::max(person.level, decision.level);
    person.class_ = std::max(person.class_, decision.class_);
    person.campaign = campaign;
    Verdict verdict;
    verdict.time_us = now_us;
    verdict.kind = event::SubjectKind::end_user;
    verdict.subject = heavy.user;
    verdict.account = member.account;
    verdict.level = person.level;
    verdict.class_ = person.class_;
    verdict.campaign = campaign;
    verdict.rule = kEndUserRule;
    verdict.dry_run = settings_.dry_run;
    verdict.strength = finding.strength;
    verdict.channels = member.channels;
    verdict.expires_us = person.expires_us;
    verdict.reasons = end_user_reasons(finding, member, heavy, context);
    verdicts.push_back(std::move(verdict));
  }
}

void EndUserBook::expire(std::int64_t now_us, std::vector<Verdict>& verdicts) {
  for (auto& [key, person] : people_) {
    if (person.level == Level::clear || person.expires_us > now_us) continue;
    Verdict verdict;
    verdict.time_us = now_us;
    verdict.kind = event::SubjectKind::end_user;
    verdict.subject = key.second;
    verdict.account = key.first;
    verdict.rule = "expired";
    verdict.dry_run = settings_.dry_run;
    verdicts.push_back(std::move(verdict));
    person.level = Level::clear;
    person.class_ = event::Class::unknown;
    person.campaign = 0;
  }
  std::erase_if(people_, [&](const auto& item) {
    return item.second.level == Level::clear && item.second.acted_us <= now_us - kActedWindowUs;
  });
}

void EndUserBook::for_each(const std::function<void(event::Token, event::Token, std::int64_t)>& visit) const {
  for (const auto& [key, person] : people_) {
    if (person.level != Level::clear) visit(key.first, key.second, person.expires_us);
  }
}

std::map<std::string, std::uint64_t> EndUserBook::by_level() const {
  std::map<std::string, std::uint64_t> counts;
  for (const auto& item : people_) {
    if (item.second.level != Level::clear) ++counts[std::string(event::name(item.second.level))];
  }
  return counts;
}

void EndUserBook::save(base::ByteWriter& out) const {
  out.put<std::uint64_t>(people_.size());
  for (const auto& [key, person] : people_) {
    out.put(key.first);
    out.put(key.second);
    out.put(person);
  }
}

bool EndUserBook::load(base::ByteReader& in) {
  people_.clear();
  for (auto left = in.get<std::uint64_t>(); left > 0 && in.ok(); --left) {
    const auto account = in.get<Token>();
    const auto user = in.get<Token>();
    people_[{account, user}] = in.get<Person>();
  }
  return in.ok();
}

}  // namespace stillwatch::engine
