// What keeps a group table small and its closings short, whatever is sent.
#include <algorithm>
#include <bit>

#include "base/random.h"
#include "detect/group_table.h"

namespace stillwatch::detect {
namespace {

constexpr std::uint32_t kPairIdleMinutes = 14 * 24 * 60;

/// Who goes last when a closing has too many links: tokens of many actors, then an even sample. A flood of tokens that
/// three accounts share leaves before the templates of a campaign do.
std::uint64_t rank_of(Token token, const TokenEntry& entry) {
  constexpr int kHashBits = 32;
  return static_cast<std::uint64_t>(std::bit_width(entry.actors)) << kHashBits |
         base::mix64(token ^ 0x3C6EF372FE94F82BULL) >> (64 - kHashBits);
}

}  // namespace

bool LinkSample::takes(Token token, const TokenEntry& entry) {
  if (rank_min_ == 0 || rank_of(token, entry) >= rank_min_) return true;
  ++left_out_;
  return false;
}

// A token is in or out as a whole, so that groups do not come apart at random.
void LinkSample::thin(std::vector<graph::ContentEdge>& edges, const TokenTable& tokens) {
  std::vector<std::uint64_t> ranks;
  ranks.reserve(edges.size());
  for (const graph::ContentEdge& edge : edges) ranks.push_back(rank_of(edge.token, *tokens.find(edge.token)));
  const auto middle = ranks.begin() + static_cast<std::ptrdiff_t>(ranks.size() / 2);
  std::nth_element(ranks.begin(), middle, ranks.end());
  rank_min_ = *middle + 1;
  left_out_ += std::erase_if(
      edges, [&](const graph::ContentEdge& edge) { return rank_of(edge.token, *tokens.find(edge.token)) < rank_min_; });
}

void Group::absorb(const Group& other) {
  if (other.first_hour < first_hour) {
    hits_per_hour.insert(hits_per_hour.begin(), static_cast<std::size_t>(first_hour - other.first_hour), 0);
    first_hour = other.first_hour;
  }
  const auto offset = static_cast<std::size_t>(other.first_hour - first_hour);
  hits_per_hour.resize(std::max(hits_per_hour.size(), offset + other.hits_per_hour.size()), 0);
  for (std::size_t i = 0; i < other.hits_per_hour.size(); ++i) hits_per_hour[offset + i] += other.hits_per_hour[i];
  hits_total += other.hits_total;
  hits_counted += other.hits_counted;
}

void GroupTable::take_handoffs(AccountTable& accounts, TokenTable& tokens) {
  for (const HandoffEvent& handoff : tokens.take_handoffs()) {
    AccountState& from = accounts.at(handoff.from);
    AccountState& to = accounts.at(handoff.to);
    ++from.handoffs;
    ++to.handoffs;
    ++handoffs_total_;
    const std::pair<Handle, Handle> pair = std::minmax(handoff.from, handoff.to);
    auto use = pairs_.find(pair);
    if (use == pairs_.end() && pairs_.size() < settings_.handoff_pairs_max) use = pairs_.try_emplace(pair).first;
    if (use != pairs_.end()) {
      ++use->second.count;
      use->second.last_minute = handoff.minute;
    } else {
      ++counters_.pairs_refused;
    }
    if (from.in_group.group == 0 || from.in_group.group != to.in_group.group) continue;
    for (AccountState* account : {&from, &to}) {
      ++account->in_group.handoffs;
      account->in_group.last_hit_hour = handoff.minute / 60;
    }
  }
}

void GroupTable::drop_idle(AccountTable& accounts, std::int64_t now_us) {
  const std::uint32_t now = static_cast<std::uint32_t>(now_us / base::kMinuteUs);
  const auto idle_hours = static_cast<std::uint32_t>(settings_.membership_idle_us / base::kHourUs);
  for (const Group& each : groups_) {
    for (const Handle member : each.members) {
      GroupCounters& counters = accounts.at(member).in_group;
      if (std::max(counters.last_hit_hour, counters.joined_hour) + idle_hours < now / 60) counters = {};
    }
  }
  std::erase_if(pairs_, [&](const auto& item) { return item.second.last_minute + kPairIdleMinutes < now; });
  // Nearly full, the idlest make room for those of the next epoch.
  for (std::uint32_t idle = kPairIdleMinutes / 2; pairs_.size() > settings_.handoff_pairs_max / 8 * 7 && idle > 60;
       idle /= 2) {
    std::erase_if(pairs_, [&](const auto& item) { return item.second.last_minute + idle < now; });
  }
}

const Group* GroupTable::find(std::uint32_t id) const {
  const auto at = std::lower_bound(groups_.begin(), groups_.end(), id,
                                   [](const Group& each, std::uint32_t value) { return each.id < value; });
  return at == groups_.end() || at->id != id ? nullptr : &*at;
}

std::uint32_t GroupTable::survivor(std::uint32_t id) const {
  while (alias_[id] != id) id = alias_[id];
  return id;
}

void GroupTable::settle_aliases(TokenTable& tokens) {
  if (!std::exchange(merged_, false)) return;
  // The survivor is the older one, so that its own place is final already.
  for (std::uint32_t& target : alias_) target = alias_[target];
  tokens.set_aliases(alias_);
}

bool GroupTable::make_room_for(std::size_t members, const std::set<std::uint32_t>& taken, AccountTable& accounts,
                               std::int64_t now_us) {
  if (members <= members_refused_) return false;
  Group* smallest = nullptr;
  for (Group& each : groups_) {
    // One formed or extended in this closing (taken) does not list its new members yet: they would be left in a group
    // that is gone. And a tested one is what this is all for.
    if (!each.live || each.measures.testable || each.formed_us == now_us || each.members.size() >= members ||
        taken.contains(each.id))
      continue;
    if (smallest == nullptr || each.members.size() < smallest->members.size()) smallest = &each;
  }
  if (smallest == nullptr) {
    members_refused_ = members;
    return false;
  }
  for (const Handle member : smallest->members) {
    if (GroupCounters& counters = accounts.at(member).in_group; counters.group == smallest->id) counters = {};
  }
  smallest->members.clear();
  smallest->live = false;
  --groups_live_;
  ++counters_.groups_displaced;
  return true;
}

void GroupTable::drop_dead(AccountTable& accounts) {
  if (groups_.size() - groups_live_ <= settings_.groups_max) return;
  std::vector<std::pair<std::uint64_t, std::uint32_t>> dead;
  for (const Group& each : groups_) {
    if (!each.live) dead.push_back({each.hits_total, each.id});
  }
  const auto leave = dead.begin() + static_cast<std::ptrdiff_t>(dead.size() - settings_.groups_max / 2);
  std::nth_element(dead.begin(), leave, dead.end());
  const auto is_dropped = [&, least = *leave](const Group& each) {
    return !each.live && std::pair(each.hits_total, each.id) < least;
  };
  counters_.dead_dropped += std::erase_if(groups_, is_dropped);
  accounts.forget_groups([&](std::uint32_t id) { return find(survivor(id)) == nullptr; });
}

void GroupTable::forget(std::span<const Handle> gone) {
  const auto has_left = [&](Handle handle) { return std::binary_search(gone.begin(), gone.end(), handle); };
  std::erase_if(linked_, has_left);
  std::erase_if(pairs_, [&](const auto& item) { return has_left(item.first.first) || has_left(item.first.second); });
}

std::uint64_t GroupTable::work() const {
  constexpr std::uint64_t kLink = 1, kEdge = 3, kPair = 8, kMember = 12, kGroup = 64;
  std::uint64_t members = 0;
  for (const Group& each : groups_) members += each.members.size();
  return kLink * links_seen_ + kEdge * edges_seen_ + kPair * pairs_.size() + kMember * members + kGroup * groups_live_;
}

}  // namespace stillwatch::detect
