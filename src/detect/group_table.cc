#include "detect/group_table.h"

#include <algorithm>

#include "stats/binomial.h"

namespace stillwatch::detect {
namespace {

constexpr std::uint32_t kLinkIdleMinutes = 3 * 24 * 60;  // links that formed nothing in three days make room
constexpr double kHubActorsMin = 50;                     // in a small world a quarter of the accounts is soon reached
constexpr double kRareActorsMin = 20,
                 kRareShareMax = 0.03;  // of a trait while nothing is known: a vendor's own, not a popular client
constexpr double kOwnLog10Max = -4;     // of about 1,000 tokens a group, a tenth of one is claimed by chance

constexpr std::int64_t kGroupHoursMax = 24 * 366;  // of the strip in the report; later hours are counted in the last

std::uint32_t minute_of(std::int64_t time_us) { return static_cast<std::uint32_t>(time_us / base::kMinuteUs); }

/// Keeps the smallest tokens: two accounts that share many keep the same ones.
void add_link(AccountState& account, const LinkEvent& link) {
  auto* const begin = account.links.data();
  auto* end = begin + account.links_count;
  auto* at = std::lower_bound(begin, end, link.token, [](const LinkToken& a, Token token) { return a.token < token; });
  if (at != end && at->token == link.token) {
    at->seen_minute = link.minute;
    return;
  }
  if (account.links_count == AccountState::kLinksMax) {
    if (at == end) return;
    --end;
  } else {
    ++account.links_count;
  }
  std::copy_backward(at, end, end + 1);
  *at = {link.token, link.minute, link.request};
}

/// Whether so many members have a token of so many actors that it is the group's own, not one that they met by chance:
/// the binomial chance at the group's share of the traffic. Not "most actors are members": most of a young campaign's
/// accounts are not linked yet.
bool is_of_group(std::uint32_t members, std::uint32_t actors, double share) {
  return stats::log10_binomial_upper_tail(members, std::max(members, actors), std::min(share, 1.0)) <= kOwnLog10Max;
}

/// Each value once, ascending, and how often it was there.
template <class Value>
std::vector<std::pair<Value, std::uint32_t>> run_lengths(std::vector<Value> values) {
  std::sort(values.begin(), values.end());
  std::vector<std::pair<Value, std::uint32_t>> runs;
  for (const Value& value : values) {
    if (runs.empty() || runs.back().first != value) runs.push_back({value, 0});
    ++runs.back().second;
  }
  return runs;
}

}  // namespace

LinkKind Group::kind() const {
  // What linked them: hand-offs that are a habit and no accident between two members.
  const bool habit = measures.handoffs >= 5 && measures.handoffs * 10 >= measures.members;
  return habit ? LinkKind::handoff : LinkKind::trait;
}

bool is_linkable(const TokenEntry* entry, std::uint32_t actors_min, double actors_max) {
  return entry != nullptr && !entry->known && entry->actors >= actors_min && entry->actors <= actors_max;
}

TraitList::TraitList(const AccountState& account) {
  constexpr TokenKind kIdentity[] = {TokenKind::payment, TokenKind::signup, TokenKind::signup, TokenKind::signup};
  const auto add = [&](Token token, TokenKind kind) {
    if (token != 0) traits_[count_++] = {token, kind};
  };
  for (const Token token : account.clients) add(token, TokenKind::client);
  for (const Token token : account.egress) add(token, TokenKind::egress);
  for (std::size_t i = 0; i < account.identity.size(); ++i) add(account.identity[i], kIdentity[i]);
  for (const Token box : rhythm_boxes(account.rhythm)) add(box, TokenKind::rhythm);
}

void GroupTable::step(AccountTable& accounts, TokenTable& tokens, std::int64_t now_us, std::uint64_t active_accounts,
                      bool learning) {
  members_refused_ = 0;
  take_links(accounts, tokens);
  take_handoffs(accounts, tokens);
  tokens.settle_votes();
  drop_idle(accounts, now_us);
  const auto active = static_cast<double>(active_accounts);
  const double actors_max = std::max(kHubActorsMin, settings_.hub_share_max * active);
  form(accounts, tokens, now_us, actors_max, learning ? std::max(kRareActorsMin, kRareShareMax * active) : actors_max);
  attach_outsiders(accounts, tokens, now_us);
  collect(accounts, tokens);
  drop_dead(accounts);
}

bool GroupTable::links(Token token, TokenKind kind, const TokenTable& tokens, double actors_max) const {
  if (kind == TokenKind::rhythm) return census_.is_rare(token);
  return is_linkable(tokens.find(token), settings_.link_actors_min, actors_max);
}

void GroupTable::take_links(AccountTable& accounts, TokenTable& tokens) {
  std::vector<Handle> added;
  for (const LinkEvent& link : tokens.take_links()) {
    const TokenEntry* entry = tokens.find(link.token);
    const bool content =
        entry != nullptr && !entry->known &&
        (entry->kind == TokenKind::content || entry->kind == TokenKind::prompt || is_setup(entry->kind));
    if (!content) continue;
    AccountState& account = accounts.at(link.handle);
    if (link.fresh && account.in_group.group != 0) ++account.in_group.repeats_fresh;
    add_link(account, link);
    added.push_back(link.handle);
  }
  added.insert(added.end(), linked_.begin(), linked_.end());
  std::sort(added.begin(), added.end());
  added.erase(std::unique(added.begin(), added.end()), added.end());
  linked_ = std::move(added);
}

void GroupTable::form(AccountTable& accounts, TokenTable& tokens, std::int64_t now_us, double actors_max,
                      double trait_actors_max) {
  const std::uint32_t now = minute_of(now_us);
  std::vector<Handle> handed;
  for (const auto& pair : pairs_) {
    handed.push_back(pair.first.first);
    handed.push_back(pair.first.second);
  }
  std::sort(handed.begin(), handed.end());
  handed.erase(std::unique(handed.begin(), handed.end()), handed.end());
  std::vector<Handle> candidates;
  std::set_union(linked_.begin(), linked_.end(), handed.begin(), handed.end(), std::back_inserter(candidates));
  std::vector<Handle> nodes;
  std::vector<Token> actors;
  std::vector<std::uint32_t> parts;
  std::vector<graph::ContentEdge> content;
  std::vector<graph::TraitEdge> traits;
  std::vector<graph::HandoffEdge> handoffs;
  LinkSample sample;
  links_seen_ = 0;
  linked_.clear();
  for (const Handle candidate : candidates) {
    AccountState& account = accounts.at(candidate);
    const auto node = static_cast<std::uint32_t>(nodes.size());
    const std::size_t content_before = content.size(), traits_before = traits.size();
    std::uint8_t kept = 0;
    links_seen_ += account.links_count;
    bool several_requests = settings_.link_requests_min < 2;
    // All look-ups first: they wait for memory together.
    std::array<const TokenEntry*, AccountState::kLinksMax> entries;
    for (std::uint8_t i = 0; i < account.links_count; ++i) entries[i] = tokens.find(account.links[i].token);
    for (std::uint8_t i = 0; i < account.links_count; ++i) {
      const LinkToken link = account.links[i];
      const TokenEntry* const entry = entries[i];
      if (entry == nullptr || entry->known) continue;
      const bool ours = entry->group != 0 && tokens.resolve(entry->group) == account.in_group.group;
      if (!ours && link.seen_minute + kLinkIdleMinutes < now) continue;
      account.links[kept++] = link;
      if (!is_linkable(entry, settings_.link_actors_min, actors_max) || entry->first_actor == account.actor) continue;
      if (is_setup(entry->kind)) continue;  // evidence of a group; it forms none
      several_requests |= content.size() > content_before && content.back().request != link.request;
      if (!sample.takes(link.token, *entry)) continue;
      content.push_back({node, link.token, link.request});
    }
    account.links_count = kept;
    if (kept > 0) linked_.push_back(candidate);
    for (const auto& [token, kind] : TraitList(account)) {
      if (content.size() == content_before || !links(token, kind, tokens, trait_actors_max)) continue;
      const TokenEntry* const trait = kind == TokenKind::rhythm ? nullptr : tokens.find(token);
      const bool unseen = trait != nullptr && trait->trusted_actors == 0;
      if (several_requests || unseen) traits.push_back({node, token, kind != TokenKind::rhythm, unseen});
    }
    // Without a trait, or with one shared request, it would be peeled in the first round: leaving it out changes
    // nothing.
    if (traits.size() == traits_before && !std::binary_search(handed.begin(), handed.end(), candidate)) {
      content.resize(content_before);
      continue;
    }
    nodes.push_back(candidate);
    actors.push_back(account.actor);
    parts.push_back(account.in_group.group == 0 ? 0 : survivor(account.in_group.group));
    if (content.size() > settings_.link_edges_max) sample.thin(content, tokens);
  }
  const auto node_of = [&](Handle handle) {
    return static_cast<std::uint32_t>(std::lower_bound(nodes.begin(), nodes.end(), handle) - nodes.begin());
  };
  for (const auto& pair : pairs_) handoffs.push_back({node_of(pair.first.first), node_of(pair.first.second)});
  counters_.links_sampled_out += sample.left_out();
  edges_seen_ = content.size() + traits.size();
  const graph::LinkRules rules{settings_.link_actors_min, settings_.link_requests_min, settings_.group_actors_min};
  auto components = graph::linked_groups(actors, content, traits, handoffs, rules, parts);
  if (groups_live_ + components.size() > settings_.groups_max) {
    // Not all may find room: the largest first.
    std::stable_sort(components.begin(), components.end(),
                     [](const auto& a, const auto& b) { return a.size() > b.size(); });
  }
  std::set<std::uint32_t> taken;
  for (const auto& component : components) {
    std::vector<Handle> members;
    members.reserve(component.size());
    for (const std::uint32_t node : component) members.push_back(nodes[node]);
    adopt(members, taken, accounts, now_us);
  }
  settle_aliases(tokens);
  note_handoff_links(accounts);
}

void GroupTable::note_handoff_links(AccountTable& accounts) {
  for (const auto& pair : pairs_) {
    AccountState& a = accounts.at(pair.first.first);
    AccountState& b = accounts.at(pair.first.second);
    if (a.in_group.group == 0 || a.in_group.group != b.in_group.group || a.actor == b.actor) continue;
    a.in_group.linked_by_handoff = b.in_group.linked_by_handoff = true;
  }
}

// A component carries on the oldest group that at least a quarter of it, or half of that group, belongs to; otherwise
// it is new. A group carries on in one component only: what is no longer linked with it starts anew.
void GroupTable::adopt(const std::vector<Handle>& members, std::set<std::uint32_t>& taken, AccountTable& accounts,
                       std::int64_t now_us) {
  std::map<std::uint32_t, std::size_t> votes;
  for (const Handle member : members) {
    if (const std::uint32_t id = accounts.at(member).in_group.group; id != 0) ++votes[survivor(id)];
  }
  std::vector<std::uint32_t> same;
  for (const auto& [id, count] : votes) {
    if (taken.contains(id)) continue;
    if (count * 4 >= members.size() || count * 2 >= group(id).members.size()) same.push_back(id);
  }
  std::uint32_t id = same.empty() ? 0 : same.front();
  if (id == 0) {
    if (groups_live_ >= settings_.groups_max && !make_room_for(members.size(), taken, accounts, now_us)) {
      ++counters_.groups_refused;
      return;
    }
    id = static_cast<std::uint32_t>(alias_.size());
    ++groups_live_;
    Group formed;
    formed.id = id;
    formed.formed_us = now_us;
    formed.first_hour = now_us / base::kHourUs;
    formed.live = true;
    groups_.push_back(std::move(formed));
    alias_.push_back(id);
  }
  for (std::size_t i = 1; i < same.size(); ++i) {
    Group& absorbed = group(same[i]);
    absorbed.live = false;
    --groups_live_;
    alias_[same[i]] = id;
    merged_ = true;
    for (const Handle member : absorbed.members) {
      GroupCounters& counters = accounts.at(member).in_group;
      if (counters.group == same[i]) counters.group = id;
    }
    group(id).absorb(absorbed);
  }
  for (const Handle member : members) {
    AccountState& account = accounts.at(member);
    const std::uint32_t before = account.in_group.group;
    if (before == 0 || (before != id && taken.contains(before))) join(member, account, id, now_us);
  }
  taken.insert(id);
}

void GroupTable::join(Handle handle, AccountState& account, std::uint32_t id, std::int64_t now_us) {
  joined_.push_back(handle);
  account.in_group = {};
  account.in_group.group = id;
  account.in_group.joined_hour = static_cast<std::uint32_t>(now_us / base::kHourUs);
  account.in_group.last_hit_hour = account.in_group.joined_hour;
  account.in_group.gaps_before = account.rhythm.gaps_total();
  account.outside_group = 0;
  account.outside_hits = 0;
}

// Rebuilds members and traits from the accounts, and hands the group its members' common tokens.
void GroupTable::collect(AccountTable& accounts, TokenTable& tokens) {
  // Who is in a group was in one before, or joined since.
  std::vector<Handle> inside = std::move(joined_);
  joined_.clear();
  for (Group& each : groups_) {
    inside.insert(inside.end(), each.members.begin(), each.members.end());
    each.members.clear();
  }
  std::sort(inside.begin(), inside.end());
  inside.erase(std::unique(inside.begin(), inside.end()), inside.end());
  for (const Handle handle : inside) {
    GroupCounters& counters = accounts.at(handle).in_group;
    if (counters.group == 0) continue;
    counters.group = survivor(counters.group);
    group(counters.group).members.push_back(handle);
  }
  const double queries = static_cast<double>(std::max<std::uint64_t>(1, accounts.traffic().queries));
  const double account_count = static_cast<double>(std::max<std::uint64_t>(1, accounts.size()));
  for (Group& each : groups_) {
    if (!each.live) continue;
    if (each.members.empty()) {
      each.live = false;
      --groups_live_;
      continue;
    }
    std::vector<std::pair<Token, TokenKind>> all;
    double sent = 0;
    each.declared = 0;
    for (const Handle member : each.members) {
      sent += accounts.at(member).queries;
      each.declared += accounts.at(member).declared ? 1 : 0;
      const TraitList traits(accounts.at(member));
      all.insert(all.end(), traits.begin(), traits.end());
    }
    each.traits.clear();
    for (const auto& [trait, count] : run_lengths(std::move(all))) {
      if (trait.second == TokenKind::rhythm) {
        if (count >= settings_.link_actors_min && census_.is_rare(trait.first) &&
            is_rhythm_of_group(count, each, trait.first))
          each.traits.push_back({trait.first, trait.second, count, census_.count(trait.first)});
        continue;
      }
      const TokenEntry* entry = count < settings_.link_actors_min ? nullptr : tokens.find(trait.first);
      if (entry == nullptr || entry->known || entry->actors < settings_.link_actors_min) continue;
      const double share = static_cast<double>(each.members.size()) / account_count;
      if (is_of_group(count, entry->actors, share)) {
        each.traits.push_back({trait.first, trait.second, count, entry->actors > count ? entry->actors - count : 0});
      }
    }
    std::sort(each.traits.begin(), each.traits.end(), [](const Trait& a, const Trait& b) {
      return a.members != b.members ? a.members > b.members : a.token < b.token;
    });
    // By volume: an account that sends much meets every phrase sooner.
    const double share = std::max(sent / queries, static_cast<double>(each.members.size()) / account_count);
    claim_tokens(each, share, accounts, tokens);
  }
}

// So many members cannot have a rhythm by chance that so few trusted accounts have.
bool GroupTable::is_rhythm_of_group(std::uint32_t members, const Group& each, Token box) const {
  const double rate = (census_.count(box) + 1.0) / (census_.total() + 1.0);
  return stats::log10_binomial_upper_tail(members, each.members.size(), rate) <= kOwnLog10Max;
}

void GroupTable::claim_tokens(Group& each, double share, AccountTable& accounts, TokenTable& tokens) const {
  std::vector<Token> all;
  for (const Handle member : each.members) {
    const AccountState& account = accounts.at(member);
    for (std::uint8_t i = 0; i < account.links_count; ++i) all.push_back(account.links[i].token);
  }
  for (const auto& [token, count] : run_lengths(std::move(all))) {
    if (count < settings_.link_actors_min) continue;
    const TokenEntry* entry = tokens.find(token);
    if (entry == nullptr || entry->known || entry->group != 0 || !is_of_group(count, entry->actors, share)) continue;
    if (is_setup(entry->kind)) {
      each.traits.push_back({token, entry->kind, count, entry->actors > count ? entry->actors - count : 0});
    } else {
      tokens.assign(token, each.id);
    }
  }
}

void GroupTable::measure(const AccountTable& accounts, std::int64_t now_us, bool calibrating) {
  const OutsiderCounts outsiders = accounts.outsiders();
  const double output_mean =
      outsiders.queries == 0 ? 0
                             : static_cast<double>(outsiders.output_tokens) / static_cast<double>(outsiders.queries);
  std::map<std::uint32_t, std::uint64_t> outsider_hits;
  for (const auto& [id, hits] : outsiders.hits_by_group) outsider_hits[alias_[id]] += hits;
  for (Group& each : groups_) {
    if (!each.live) continue;
    std::vector<const GroupCounters*> members;
    for (const Handle member : each.members) members.push_back(&accounts.at(member).in_group);
    const auto hits = outsider_hits.find(each.id);
    const TrafficBase base{outsiders.queries, output_mean, hits == outsider_hits.end() ? 0 : hits->second};
    each.measures =
        measure_group(members, base, settings_.test_hits_min, settings_.test_queries_min, settings_.test_members_min);
    const std::uint64_t fresh = each.measures.hits > each.hits_counted ? each.measures.hits - each.hits_counted : 0;
    each.hits_counted = each.measures.hits;
    each.hits_total += fresh;
    const std::int64_t hour = std::clamp<std::int64_t>(now_us / base::kHourUs - each.first_hour, 0, kGroupHoursMax - 1);
    each.hits_per_hour.resize(std::max(each.hits_per_hour.size(), static_cast<std::size_t>(hour) + 1), 0);
    each.hits_per_hour.back() += static_cast<std::uint32_t>(fresh);
    if (!calibrating || !each.measures.testable) continue;
    const auto day = static_cast<std::size_t>((now_us - each.formed_us) / base::kDayUs);
    if (each.samples.size() <= day) each.samples.resize(day + 1, each.measures);
    each.samples[day] = each.measures;
  }
}

}  // namespace stillwatch::detect
