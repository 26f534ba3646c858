// Accounts that do a group's work are attached to it: replacements are seen within hours.
#include <algorithm>

#include "detect/group_table.h"

namespace stillwatch::detect {
namespace {

constexpr std::uint16_t kNewcomerHitsMin = 5;

/// A new account whose requests are nearly all a convicted group's work from its first day on takes a lost one's place.
bool is_replacement(const AccountState& account, const Group& group) {
  return group.convicted_us != 0 && account.first_us > group.convicted_us && account.outside_hits >= kNewcomerHitsMin &&
         account.outside_hits * 10U >= account.queries * 9U;
}

}  // namespace

// An account that does a group's work and shares one of its traits, or a hand-off with a member, belongs to it, and so
// does a replacement.
void GroupTable::attach_outsiders(AccountTable& accounts, TokenTable& tokens, std::int64_t now_us) {
  std::vector<Handle> candidates = accounts.outside_hitters();
  std::erase_if(candidates, [&](Handle handle) { return accounts.at(handle).in_group.group != 0; });
  if (candidates.empty()) return;
  std::map<Handle, std::vector<Handle>> handed;
  const auto add_handed = [&](Handle handle, Handle other) {
    if (std::binary_search(candidates.begin(), candidates.end(), handle)) handed[handle].push_back(other);
  };
  for (const auto& pair : pairs_) {
    add_handed(pair.first.first, pair.first.second);
    add_handed(pair.first.second, pair.first.first);
  }
  for (const Handle handle : candidates) {
    AccountState& account = accounts.at(handle);
    const std::uint32_t id = tokens.resolve(account.outside_group);
    const Group* const target = find(id);
    if (target == nullptr || !target->live) continue;
    const TraitList traits(account);
    const auto& known_traits = target->traits;
    bool tied = std::any_of(known_traits.begin(), known_traits.end(),
                            [&](const Trait& trait) { return traits.has(trait.token); });
    for (const Handle other : handed[handle]) tied |= accounts.at(other).in_group.group == id;
    tied |= is_replacement(account, *target);
    if (tied) join(handle, account, id, now_us);
  }
}

}  // namespace stillwatch::detect
