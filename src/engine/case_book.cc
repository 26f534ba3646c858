#include "engine/case_book.h"

#include <algorithm>

#include "engine/reasons.h"
#include "event/json_lines.h"

namespace stillwatch::engine {

using event::Class;
using event::Level;
using event::Verdict;

namespace {

ReasonContext context_of(const detect::Detector& detector) {
  return {detector.calibration().threshold_log10_e(), detector.population().trusted_accounts,
          detector.population().known_actors_min};
}

policy::GroupEvidence evidence_of(const detect::GroupFinding& finding, double threshold_log10_e) {
  return {finding.operator_log10_e,  finding.harvest.log10_e,
          threshold_log10_e,         finding.kind == detect::LinkKind::handoff,
          finding.measures.testable, finding.watched};
}

}  // namespace

bool CaseBook::is_actioned(Token account) const {
  const auto standing = standings_.find(account);
  return standing != standings_.end() && standing->second.level >= Level::verify;
}

std::vector<NewlyActioned> CaseBook::newly_actioned(const detect::Detector::Epoch& epoch,
                                                    const detect::Detector& detector, std::int64_t now_us,
                                                    const IsDeclared& is_declared) const {
  std::vector<NewlyActioned> list;
  if (!epoch.calibrated) return list;
  for (const detect::GroupFinding& finding : epoch.findings) {
    const policy::GroupEvidence evidence = evidence_of(finding, detector.calibration().threshold_log10_e());
    const Class found = policy::classify(evidence);
    if (found != Class::distiller) continue;
    const auto decisions = decide(finding, evidence, found, nullptr, now_us, is_declared);
    const auto narrowed = end_users_.narrowed(finding, decisions, now_us);
    for (std::size_t i = 0; i < finding.members.size(); ++i) {
      const detect::MemberFinding& member = finding.members[i];
      if (decisions[i].level < Level::verify || is_actioned(member.account) || !is_fresh(member, now_us)) continue;
      list.push_back(
          {member.account, finding.group, narrowed[i] ? kEndUserRule : decisions[i].rule, finding.formed_us});
    }
  }
  return list;
}

std::vector<Verdict> CaseBook::apply(const detect::Detector::Epoch& epoch, const detect::Detector& detector,
                                     std::int64_t now_us, const IsDeclared& is_declared, const OpenId& open,
                                     const IsHeld& is_held) {
  std::vector<Verdict> verdicts;
  if (!epoch.calibrated) return verdicts;
  if (!epoch.deferred) merge_campaigns(detector);
  const ReasonContext context = context_of(detector);
  for (const detect::GroupFinding& finding : epoch.findings) {
    apply_group(finding, context, now_us, is_declared, is_held, verdicts);
  }
  expire(now_us, verdicts);
  end_users_.expire(now_us, verdicts);
  std::vector<std::pair<std::string, std::size_t>> order;
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    const Verdict& verdict = verdicts[i];
    std::string key(event::name(verdict.kind).substr(0, 1));
    key += verdict.kind == event::SubjectKind::campaign ? std::to_string(100'000'000 + verdict.subject)
                                                        : event::opened_id(verdict, open);
    if (verdict.kind == event::SubjectKind::end_user) (key += '\0') += open(verdict.account);
    order.push_back({std::move(key), i});
  }
  std::sort(order.begin(), order.end());
  std::vector<Verdict> sorted;
  for (const auto& item : order) sorted.push_back(std::move(verdicts[item.second]));
  return sorted;
}

// Cheap findings must not use up the room for those that matter.
bool CaseBook::is_full(Class found) const {
  return campaigns_.size() >= (found == Class::distiller ? kCampaignsMax : kCampaignsMax / 4);
}

CaseBook::CampaignState& CaseBook::campaign_of(const detect::GroupFinding& finding, std::int64_t now_us) {
  const auto known = campaign_by_group_.find(finding.group);
  if (known != campaign_by_group_.end()) return campaigns_[known->second];
  const auto id = static_cast<std::uint32_t>(campaigns_.size() + 1);
  campaign_by_group_[finding.group] = id;
  CampaignState& campaign = campaigns_[id];
  campaign.id = id;
  campaign.group = finding.group;
  campaign.opened_us = now_us;
  return campaign;
}

// When the detector finds that two groups are one, their campaigns are one: the older number stays.
void CaseBook::merge_campaigns(const detect::Detector& detector) {
  std::map<std::uint32_t, std::uint32_t> by_group;
  for (const auto& [group, id] : campaign_by_group_) {
    const std::uint32_t survivor = detector.resolve_group(group);
    const auto [at, added] = by_group.try_emplace(survivor, id);
    if (added || at->second == id) continue;
    const std::uint32_t older = std::min(at->second, id);
    CampaignState& kept = campaigns_[older];
    CampaignState& gone = campaigns_[std::max(at->second, id)];
    gone.merged_into = older;
    kept.group = survivor;
    kept.prevented_queries += gone.prevented_queries;
    for (auto& [account, member] : gone.members) {
      const auto [place, fresh] = kept.members.try_emplace(account, member);
      if (fresh) continue;
      place->second.queries += member.queries;
      place->second.input_tokens += member.input_tokens;
      place->second.output_tokens += member.output_tokens;
      place->second.since_us = std::min(place->second.since_us, member.since_us);
    }
    gone.members.clear();
    at->second = older;
  }
  for (auto& [group, id] : by_group) campaigns_[id].group = group;
  campaign_by_group_ = std::move(by_group);
}

std::vector<policy::Decision> CaseBook::decide(const detect::GroupFinding& finding,
                                               const policy::GroupEvidence& evidence, Class class_,
                                               const CampaignState* campaign, std::int64_t now_us,
                                               const IsDeclared& is_declared) const {
  std::vector<policy::Decision> decisions;
  for (const detect::MemberFinding& member : finding.members) {
    policy::MemberEvidence own{member.channels, member.stands, 0, false};
    if (campaign != nullptr) {
      const auto known = campaign->members.find(member.account);
      if (known != campaign->members.end()) own.observed_us = now_us - known->second.since_us;
    }
    const detect::EndUsers& users = member.end_users;
    own.passes_end_users = policy::passes_end_users(users.hits() + users.others(), users.named(), users.distinct());
    decisions.push_back(policy::decide(class_, evidence, own, is_declared(member.account, now_us), settings_));
  }
  return decisions;
}

void CaseBook::apply_group(const detect::GroupFinding& finding, const ReasonContext& context, std::int64_t now_us,
                           const IsDeclared& is_declared, const IsHeld& is_held, std::vector<Verdict>& verdicts) {
  const policy::GroupEvidence evidence = evidence_of(finding, context.threshold_log10_e);
  const Class found = policy::classify(evidence);
  const bool watched = finding.watched && evidence.operator_log10_e >= evidence.threshold_log10_e;
  if (found == Class::unknown && !watched && !campaign_by_group_.contains(finding.group)) return;
  if (!campaign_by_group_.contains(finding.group) && is_full(found)) {
    ++openings_refused_;
    return;
  }
  CampaignState& campaign = campaign_of(finding, now_us);
  // A group once shown to be a distiller stays one while its evidence is refreshed; weaker epochs only stop renewing
  // it.
  const Class class_ = std::max(found, campaign.class_);
  Level highest = Level::clear;
  std::vector<policy::Decision> decisions = decide(finding, evidence, found, &campaign, now_us, is_declared);
  const std::vector<bool> narrowed = end_users_.narrowed(finding, decisions, now_us);
  for (std::size_t i = 0; i < finding.members.size(); ++i) {
    const detect::MemberFinding& member = finding.members[i];
    const bool actioned = is_actioned(member.account);
    if (decisions[i].level >= Level::verify && !actioned && is_held && is_held(member.account))
      decisions[i] = {Level::observe, decisions[i].class_, "alarm.held"};
    highest = std::max(highest, decisions[i].level);
    // An account that is acted on already stays the scope.
    if (narrowed[i] && !actioned && decisions[i].level >= Level::verify) {
      if (is_fresh(member, now_us))
        end_users_.act(finding, member, decisions[i], campaign.id, context, now_us, verdicts);
      decisions[i] = {Level::observe, decisions[i].class_, kEndUserRule};
    }
    apply_member(finding, member, campaign, decisions[i], context, now_us, verdicts);
  }
  if (class_ != campaign.class_ || highest > campaign.level) {
    Verdict verdict;
    verdict.time_us = now_us;
    verdict.kind = event::SubjectKind::campaign;
    verdict.subject = campaign.id;
    verdict.campaign = campaign.id;
    verdict.level = std::max(highest, campaign.level);
    verdict.class_ = class_;
    verdict.rule = "campaign.found";
    verdict.dry_run = settings_.dry_run;
    verdict.strength = finding.strength;
    verdict.channels = finding.channels;
    verdict.expires_us = now_us + settings_.expiry_us;
    verdict.reasons = group_reasons(finding, context);
    if (verdict.level > Level::clear) verdicts.push_back(std::move(verdict));
    campaign.class_ = class_;
    campaign.level = std::max(highest, campaign.level);
  }
  campaign.updated_us = now_us;
  if (found != Class::unknown) {
    campaign.last = finding;
    campaign.last.members.clear();
  }
}

bool CaseBook::is_fresh(const detect::MemberFinding& member, std::int64_t now_us) const {
  const std::int64_t last_hit_us = static_cast<std::int64_t>(member.last_hit_hour + 1) * base::kHourUs;
  return member.hits + member.handoffs > 0 && last_hit_us >= now_us - settings_.renewal_us;
}

void CaseBook::apply_member(const detect::GroupFinding& finding, const detect::MemberFinding& member,
                            CampaignState& campaign, const policy::Decision& decision, const ReasonContext& context,
                            std::int64_t now_us, std::vector<Verdict>& verdicts) {
  const bool actioned = is_actioned(member.account);
  if (const auto known = campaign.members.find(member.account); known != campaign.members.end()) {
    MemberState& state = known->second;
    const std::uint32_t fresh = member.hits >= state.hits_counted ? member.hits - state.hits_counted : member.hits;
    const auto since = [](std::uint64_t now, std::uint64_t counted) { return now >= counted ? now - counted : now; };
    state.input_tokens += since(member.input_tokens, state.input_counted);
    state.output_tokens += since(member.output_tokens, state.output_counted);
    state.hits_counted = member.hits;
    state.input_counted = member.input_tokens;
    state.output_counted = member.output_tokens;
    state.queries += fresh;
    campaign.prevented_queries += actioned ? fresh : 0;
    if (member.model != 0) state.model = member.model;
  }
  if (decision.level == Level::clear) return;
  auto [place, joined] = campaign.members.try_emplace(member.account);
  if (joined) {
    place->second.since_us = now_us;
    place->second.queries = place->second.hits_counted = member.hits;
    place->second.input_tokens = place->second.input_counted = member.input_tokens;
    place->second.output_tokens = place->second.output_counted = member.output_tokens;
    place->second.model = member.model;
  }
  place->second.channels |= member.channels.bits();
  Standing& stand = standings_[member.account];
  stand.account = member.account;
  // Who did nothing of the group's work since it was linked, or lately, gets no level for it and keeps one only until
  // it expires.
  if (!is_fresh(member, now_us)) return;
  // Another group's weaker finding changes nothing: what the account got it keeps until it expires.
  const bool moves = stand.campaign != 0 && stand.campaign != campaign.id;
  if (moves && decision.level < stand.level) return;
  const bool rises = decision.level > stand.level;
  if (decision.level >= stand.level) stand.expires_us = now_us + settings_.expiry_us;
  if (!rises && decision.class_ <= stand.class_ && stand.campaign == campaign.id) return;
  stand.level = std::max(stand.level, decision.level);
  stand.class_ = moves ? decision.class_ : std::max(stand.class_, decision.class_);
  stand.campaign = campaign.id;
  Verdict verdict;
  verdict.time_us = now_us;
  verdict.subject = member.account;
  verdict.level = stand.level;
  verdict.class_ = stand.class_;
  verdict.campaign = campaign.id;
  verdict.rule = decision.rule;
  verdict.dry_run = settings_.dry_run;
  verdict.strength = finding.strength;
  verdict.channels = member.channels;
  verdict.expires_us = stand.expires_us;
  verdict.reasons = member_reasons(finding, member, context);
  if (policy::asks_to_declare(decision)) verdict.reasons.push_back(declare_reason());
  verdicts.push_back(std::move(verdict));
}

void CaseBook::expire(std::int64_t now_us, std::vector<Verdict>& verdicts) {
  std::erase_if(standings_, [&](const auto& item) {
    const Standing& standing = item.second;
    if (standing.level == Level::clear) return true;
    if (standing.expires_us > now_us) return false;
    Verdict verdict;
    verdict.time_us = now_us;
    verdict.subject = standing.account;
    verdict.rule = "expired";
    verdict.dry_run = settings_.dry_run;
    verdicts.push_back(std::move(verdict));
    return true;
  });
}

std::vector<event::Campaign> CaseBook::campaigns(const detect::Detector& detector) const {
  std::vector<event::Campaign> list;
  const ReasonContext context = context_of(detector);
  for (const auto& [id, state] : campaigns_) {
    if (state.merged_into != 0 || state.class_ == Class::unknown) continue;
    event::Campaign campaign;
    campaign.id = id;
    campaign.class_ = state.class_;
    campaign.opened_us = state.opened_us;
    campaign.updated_us = state.updated_us;
    campaign.prevented_queries = state.prevented_queries;
    campaign.channels = state.last.channels;
    campaign.strength = state.last.strength;
    campaign.reasons = group_reasons(state.last, context);
    campaign.measures = measure_list(state.last);
    campaign.without_channel = state.last.without_channel;
    std::map<Token, std::uint64_t> models;
    for (const auto& item : state.members) {
      const MemberState& member = item.second;
      ++campaign.accounts_count;
      campaign.queries += member.queries;
      campaign.input_tokens += member.input_tokens;
      campaign.output_tokens += member.output_tokens;
      if (member.model != 0) models[member.model] += member.queries;
    }
    for (const auto& model : models) campaign.models.push_back(model.first);
    std::stable_sort(campaign.models.begin(), campaign.models.end(),
                     [&](Token a, Token b) { return models[a] > models[b]; });
    if (const detect::Group* const group = detector.groups().find(state.group); group != nullptr) {
      const auto skip =
          static_cast<std::size_t>(std::max<std::int64_t>(0, state.opened_us / base::kHourUs - group->first_hour));
      if (skip < group->hits_per_hour.size()) {
        campaign.queries_per_hour.assign(group->hits_per_hour.begin() + static_cast<std::ptrdiff_t>(skip),
                                         group->hits_per_hour.end());
      }
    }
    list.push_back(std::move(campaign));
  }
  return list;
}

std::vector<event::Member> CaseBook::members(const OpenId& open) const {
  std::vector<event::Member> list;
  for (const auto& [id, state] : campaigns_) {
    if (state.merged_into != 0 || state.class_ == Class::unknown) continue;
    std::vector<std::pair<std::string, event::Member>> members;
    for (const auto& [account, member] : state.members) {
      members.push_back(
          {std::string(open(account)),
           {id, account, member.since_us, member.queries, event::ChannelSet::from_bits(member.channels)}});
    }
    std::sort(members.begin(), members.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const auto& item : members) list.push_back(item.second);
  }
  return list;
}

void CaseBook::save(base::ByteWriter& out) const {
  end_users_.save(out);
  out.put<std::uint64_t>(standings_.size());
  for (const auto& item : standings_) out.put(item.second);
  out.put<std::uint64_t>(campaigns_.size());
  for (const auto& [id, state] : campaigns_) {
    out.put(id);
    out.put(state.group);
    out.put(state.merged_into);
    out.put(state.class_);
    out.put(state.level);
    out.put(state.opened_us);
    out.put(state.updated_us);
    out.put(state.prevented_queries);
    state.last.save(out);
    out.put<std::uint64_t>(state.members.size());
    for (const auto& [account, member] : state.members) {
      out.put(account);
      out.put(member);
    }
  }
  out.put(openings_refused_);
  out.put<std::uint64_t>(campaign_by_group_.size());
  for (const auto& [group, id] : campaign_by_group_) {
    out.put(group);
    out.put(id);
  }
}

bool CaseBook::load(base::ByteReader& in) {
  standings_.clear();
  campaigns_.clear();
  campaign_by_group_.clear();
  if (!end_users_.load(in)) return false;
  for (auto left = in.get<std::uint64_t>(); left > 0 && in.ok(); --left) {
    const auto standing = in.get<Standing>();
    standings_[standing.account] = standing;
  }
  for (auto left = in.get<std::uint64_t>(); left > 0 && in.ok(); --left) {
    const auto id = in.get<std::uint32_t>();
    CampaignState& state = campaigns_[id];
    state.id = id;
    state.group = in.get<std::uint32_t>();
    state.merged_into = in.get<std::uint32_t>();
    state.class_ = in.get<Class>();
    state.level = in.get<Level>();
    state.opened_us = in.get<std::int64_t>();
    state.updated_us = in.get<std::int64_t>();
    state.prevented_queries = in.get<std::uint64_t>();
    state.last.load(in);
    for (auto members = in.get<std::uint64_t>(); members > 0 && in.ok(); --members) {
      const auto account = in.get<Token>();
      state.members[account] = in.get<MemberState>();
    }
  }
  openings_refused_ = in.get<std::uint64_t>();
  for (auto left = in.get<std::uint64_t>(); left > 0 && in.ok(); --left) {
    const auto group = in.get<std::uint32_t>();
    campaign_by_group_[group] = in.get<std::uint32_t>();
  }
  return in.ok();
}

}  // namespace stillwatch::engine
