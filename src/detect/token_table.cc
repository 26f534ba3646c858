#include "detect/token_table.h"

#include <algorithm>

#include "base/assert.h"
#include "base/random.h"

namespace stillwatch::detect {

TokenTable::TokenTable(const Settings& settings)
    : settings_(settings),
      partitions_(kPartitions),
      first_seen_(settings.first_seen_slots),
      conversations_(settings.conversation_slots),
      passages_(settings.conversation_slots) {}

void TokenTable::observe(Worker worker, std::span<const event::Query> queries,
                         std::span<const Observation> observations, const AccountTable& accounts,
                         std::int64_t log_start_us, bool calibrating) {
  constexpr TokenKind kIdentityKinds[AccountState::kIdentityTokens] = {TokenKind::payment, TokenKind::signup,
                                                                       TokenKind::signup, TokenKind::signup};
  for (std::size_t i = 0; i < queries.size(); ++i) {
    const event::Query& query = queries[i];
    const Observation& seen = observations[i];
    if (seen.handle == kNoHandle) continue;  // found no room in the account table
    const Context context{accounts,
                          log_start_us,
                          static_cast<std::uint32_t>(query.time_us / base::kMinuteUs),
                          static_cast<std::uint32_t>(query.time_us / base::kHourUs),
                          calibrating,
                          query.fingerprint.turns <= 1};
    const auto observe_owned = [&](Token token, TokenKind kind, bool novel) {
      if (token == 0 || !worker.owns(token)) return;
      observe_token(partitions_[partition_of(token)], token, kind, novel, seen, context);
    };
    const auto content = content_tokens(query);
    for (std::size_t c = 0; c < content.size(); ++c) {
      observe_owned(content[c], c + 1 == content.size() ? TokenKind::prompt : TokenKind::content,
                    (seen.content_novel >> c & 1) != 0);
    }
    if (seen.client_novel || seen.first_of_day) observe_owned(query.client, TokenKind::client, seen.client_novel);
    if (seen.egress_novel || seen.first_of_day) observe_owned(query.egress, TokenKind::egress, seen.egress_novel);
    if (seen.identity_novel || seen.first_of_day) {
      const AccountState& account = accounts.at(seen.handle);
      for (std::size_t k = 0; k < AccountState::kIdentityTokens; ++k)
        observe_owned(account.identity[k], kIdentityKinds[k], seen.identity_novel);
    }
    if (seen.setup_novel != 0 || seen.first_of_day) {
      constexpr TokenKind kSetupKinds[kSetupTokens] = {TokenKind::system, TokenKind::tools, TokenKind::params,
                                                       TokenKind::schema};
      const auto setup = setup_tokens(query);
      for (std::size_t c = 0; c < setup.size(); ++c)
        observe_owned(setup[c], kSetupKinds[c], (seen.setup_novel >> c & 1) != 0);
    }
    observe_conversation(query, seen, context, worker);
    observe_quotes(query, seen, context, worker);
    note_reply(query, seen, context, worker);
  }
}

// When a partition's events of an epoch fill their room, half of the tokens leave, by a hash of the (keyed) token. What
// stays is the same for any order of arrival, and whole tokens stay, so that groups do not come apart at random.
void TokenTable::add_link(Partition& partition, const LinkEvent& link) const {
  ++partition.links_total;
  const auto hash = [](Token token) { return base::mix64(token ^ 0x6A09E667F3BCC908ULL); };
  if (hash(link.token) > partition.link_hash_max) {
    ++partition.counters.links_sampled_out;
    return;
  }
  partition.links.push_back(link);
  while (partition.links.size() > settings_.link_events_max / kPartitions) {
    partition.link_hash_max /= 2;
    partition.counters.links_sampled_out += std::erase_if(
        partition.links, [&](const LinkEvent& event) { return hash(event.token) > partition.link_hash_max; });
  }
}

void TokenTable::count_new_actor(Partition& partition, Token token, TokenEntry& entry, const Observation& seen,
                                 bool fresh, const Context& context) {
  if (context.accounts.at(seen.handle).actor != entry.first_actor) ++entry.actors;
  if (context.calibrating && seen.trusted && entry.trusted_actors < UINT16_MAX) ++entry.trusted_actors;
  if (entry.known) return;
  add_link(partition, {seen.handle, seen.request, context.minute, token, fresh});
  if (is_setup(entry.kind)) return;  // evidence of a group, never its work
  const auto decide = [&] {
    if (!std::exchange(entry.decided, true)) partition.decided.push_back(token);
  };
  if (seen.group != 0 && seen.group == entry.vote_group) {
    if (entry.votes < UINT16_MAX && ++entry.votes == kVotesToWin) decide();
  } else if (entry.votes > 0) {
    if (--entry.votes == 0 && entry.group != 0) decide();
  } else if (seen.group != 0) {
    entry.vote_group = seen.group;
    entry.votes = 1;
  }
}

void TokenTable::observe_token(Partition& partition, Token token, TokenKind kind, bool novel, const Observation& seen,
                               const Context& context) {
  const auto at = partition.shared.find(token);
  if (at != partition.shared.end()) {
    const bool fresh = context.opens && kind == TokenKind::prompt && at->second.last_hour + 1 >= context.hour;
    at->second.last_hour = context.hour;
    if (at->second.group != 0) count_hit(partition, token, at->second, seen);
    if (novel) count_new_actor(partition, token, at->second, seen, fresh, context);
    return;
  }
  const Handle* first = first_seen_.find(token);
  if (first == nullptr) {
    partition.counters.first_seen_overwritten += first_seen_.insert(token, seen.handle) ? 1 : 0;
    return;
  }
  const Handle first_handle = *first;
  if (first_handle == seen.handle) return;
  const AccountState& other = context.accounts.at(first_handle);
  if (other.actor == context.accounts.at(seen.handle).actor) return;
  if (partition.shared.size() >= settings_.shared_tokens_max / kPartitions) {
    ++partition.counters.shared_tokens_refused;
    return;
  }
  TokenEntry entry;
  entry.first_actor = other.actor;
  entry.actors = 1;
  entry.last_hour = context.hour;
  entry.kind = kind;
  entry.trusted_actors = context.calibrating && context.accounts.trusted(other, context.log_start_us) ? 1 : 0;
  TokenEntry& added = partition.shared.emplace(token, entry).first->second;
  add_link(partition, {first_handle, 0, context.minute, token});
  // Without the time of its first sighting the second sender of a prompt is no fresh repeat; the third can be.
  count_new_actor(partition, token, added, seen, false, context);
}

void TokenTable::count_hit(Partition& partition, Token token, TokenEntry& entry, const Observation& seen) const {
  if (entry.member_hits + entry.outsider_hits >= kHitsKept) entry.member_hits /= 2, entry.outsider_hits /= 2;
  const bool member = seen.group != 0 && seen.group == resolve(entry.group);
  ++(member ? entry.member_hits : entry.outsider_hits);
  if (partition.counted.empty() || partition.counted.back() != token) partition.counted.push_back(token);
}

// Five in six of the latest requests with it are of members. Accounts of a campaign that are not linked yet count as
// outsiders, so this waits until most are: nobody is convicted by what half the public sends.
void TokenTable::settle_exclusive(Partition& partition) {
  for (const Token token : partition.counted) {
    const auto at = partition.shared.find(token);
    if (at == partition.shared.end()) continue;
    TokenEntry& entry = at->second;
    entry.exclusive = entry.group != 0 && !entry.known && entry.member_hits >= kExclusiveHitsMin &&
                      entry.member_hits >= 5 * entry.outsider_hits;
  }
  partition.counted.clear();
}

const TokenEntry* TokenTable::find(Token token) const {
  const auto& shared = partitions_[partition_of(token)].shared;
  const auto at = shared.find(token);
  return at == shared.end() ? nullptr : &at->second;
}

namespace {

template <class Event>
std::vector<Event> in_order(std::vector<std::vector<Event>*> parts) {
  std::vector<Event> all;
  for (auto* part : parts) {
    all.insert(all.end(), part->begin(), part->end());
    part->clear();
  }
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace

std::uint64_t TokenTable::links_total() const {
  std::uint64_t total = 0;
  for (const Partition& partition : partitions_) total += partition.links_total;
  return total;
}

std::vector<LinkEvent> TokenTable::take_links() {
  std::vector<std::vector<LinkEvent>*> parts;
  for (Partition& partition : partitions_) {
    parts.push_back(&partition.links);
    partition.link_hash_max = ~std::uint64_t{0};
  }
  return in_order(std::move(parts));
}

std::vector<HandoffEvent> TokenTable::take_handoffs() {
  std::vector<std::vector<HandoffEvent>*> parts;
  for (Partition& partition : partitions_) parts.push_back(&partition.handoffs);
  std::vector<HandoffEvent> all = in_order(std::move(parts));
  // Two passages of one reply in one prompt are a quotation; a single one may be a phrase that both had from elsewhere.
  std::size_t left = 0;
  for (std::size_t i = 0, end = 0; i < all.size(); i = end) {
    for (end = i + 1; end < all.size() && all[i].quoted && all[end] == all[i];) ++end;
    if (!all[i].quoted || end - i >= kQuotedPassagesMin) all[left++] = all[i];
  }
  all.resize(left);
  return all;
}

void TokenTable::assign(Token token, std::uint32_t group) {
  auto& shared = partitions_[partition_of(token)].shared;
  const auto at = shared.find(token);
  if (at == shared.end() || at->second.known) return;
  if (resolve(at->second.group) != group) at->second.member_hits = at->second.outsider_hits = 0;
  at->second.group = group;
  at->second.vote_group = group;
  at->second.votes = std::max<std::uint16_t>(at->second.votes, kVotesToWin);
}

void TokenTable::settle_votes() {
  for (Partition& partition : partitions_) {
    for (const Token token : partition.decided) {
      const auto at = partition.shared.find(token);
      if (at == partition.shared.end() || at->second.known) continue;
      TokenEntry& entry = at->second;
      const std::uint32_t before = resolve(entry.group);
      entry.decided = false;
      if (entry.votes >= kVotesToWin) entry.group = resolve(entry.vote_group);
      if (entry.votes == 0) entry.group = 0;
      if (entry.group != before) entry.member_hits = entry.outsider_hits = 0, entry.exclusive = false;
    }
    partition.decided.clear();
    settle_exclusive(partition);
  }
}

std::vector<Token> TokenTable::mark_known(std::uint32_t actors_min, std::span<const std::uint32_t> suspects,
                                          std::span<const Token> suspect_traits) {
  std::vector<Token> tokens;
  for (Partition& partition : partitions_) {
    for (auto& [token, entry] : partition.shared) {
      const bool suspect =
          std::binary_search(suspect_traits.begin(), suspect_traits.end(), token) ||
          (entry.group != 0 && std::binary_search(suspects.begin(), suspects.end(), resolve(entry.group)));
      if (suspect || (!entry.known && entry.trusted_actors < actors_min)) continue;
      entry.known = true;
      entry.exclusive = false;
      entry.group = 0;
      tokens.push_back(token);
    }
  }
  std::sort(tokens.begin(), tokens.end());
  return tokens;
}

void TokenTable::add_known(std::span<const Token> tokens) {
  for (const Token token : tokens) {
    TokenEntry& entry = partitions_[partition_of(token)].shared[token];
    entry.known = true;
    entry.actors = std::max<std::uint32_t>(entry.actors, settings_.known_actors_min);
  }
}

void TokenTable::forget(std::span<const Handle> gone) {
  std::array<std::vector<bool>, kPartitions> is_gone;
  for (const Handle handle : gone) {
    std::vector<bool>& slots = is_gone[partition_of_handle(handle)];
    if (slots.size() <= index_of_handle(handle)) slots.resize(index_of_handle(handle) + 1);
    slots[index_of_handle(handle)] = true;
  }
  const auto left = [&](Handle handle) {
    const std::vector<bool>& slots = is_gone[partition_of_handle(handle)];
    return index_of_handle(handle) < slots.size() && slots[index_of_handle(handle)];
  };
  first_seen_.erase_if(left);
  conversations_.erase_if([&](const Conversation& conversation) { return left(conversation.handle); });
  if (has_replies()) passages_.erase_if([&](const Passage& passage) { return left(passage.handle); });
}

void TokenTable::evict(std::uint32_t hour) {
  const std::size_t share = settings_.shared_tokens_max / kPartitions;
  const bool daily = std::exchange(swept_day_, hour / 24) != hour / 24;
  for (Partition& partition : partitions_) {
    // Idle for a fortnight means its campaign, if any, has moved on; under pressure the bound shortens.
    for (std::uint32_t idle_hours = 14 * 24; idle_hours >= 6; idle_hours /= 2) {
      const bool pressed = partition.shared.size() > share * 3 / 4;
      if (idle_hours < 14 * 24 && !pressed) break;
      if (idle_hours == 14 * 24 && !daily && !pressed) break;
      partition.counters.shared_tokens_evicted += boost::unordered::erase_if(partition.shared, [&](const auto& item) {
        const TokenEntry& entry = item.second;
        return !entry.known && entry.group == 0 && entry.last_hour + idle_hours < hour &&
               (entry.actors <= 2 || idle_hours == 14 * 24);
      });
    }
  }
}

bool TokenTable::has_replies() const {
  return std::any_of(partitions_.begin(), partitions_.end(), [](const Partition& each) { return each.has_replies; });
}

std::uint64_t TokenTable::slots_in_use() const {
  const std::uint64_t slots = settings_.first_seen_slots + settings_.conversation_slots;
  return slots + (has_replies() ? settings_.conversation_slots : 0);
}

std::uint64_t TokenTable::eviction_work() const {
  constexpr std::uint64_t kTokensPerUnit = 4;
  std::uint64_t count = 0;
  for (const Partition& partition : partitions_) {
    if (partition.shared.size() > settings_.shared_tokens_max / kPartitions * 3 / 4) count += partition.shared.size();
  }
  return count / kTokensPerUnit;
}

TokenCounters TokenTable::counters() const {
  TokenCounters all;
  for (const Partition& partition : partitions_) {
    all.first_seen_overwritten += partition.counters.first_seen_overwritten;
    all.conversations_overwritten += partition.counters.conversations_overwritten;
    all.shared_tokens_evicted += partition.counters.shared_tokens_evicted;
    all.shared_tokens_refused += partition.counters.shared_tokens_refused;
    all.links_sampled_out += partition.counters.links_sampled_out;
    all.handoffs_shed += partition.counters.handoffs_shed;
  }
  return all;
}

std::uint64_t TokenTable::shared_count() const {
  std::uint64_t count = 0;
  for (const Partition& partition : partitions_) count += partition.shared.size();
  return count;
}

}  // namespace stillwatch::detect
