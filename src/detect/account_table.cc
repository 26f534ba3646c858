#include "detect/account_table.h"

#include <algorithm>

#include "base/assert.h"
#include "detect/token_table.h"

namespace stillwatch::detect {
namespace {

// Filled beyond half, the bitmap would call new content known; a slice is forgotten for each further request, and
// what was in it may be counted once more.
constexpr std::uint32_t kContentSeenMax = 1024;

/// Moves the token to the front of the most recent ones; true when it was not among them.
template <std::size_t N>
bool remember(std::array<Token, N>& recent, Token token) {
  if (token == 0 || recent[0] == token) return false;
  auto at = std::find(recent.begin(), recent.end(), token);
  const bool novel = at == recent.end();
  if (novel) at = recent.end() - 1;
  std::copy_backward(recent.begin(), at, at + 1);
  recent[0] = token;
  return novel;
}

template <class Number>
void add_saturating(Number& counter, std::uint64_t amount = 1) {
  counter = static_cast<Number>(std::min<std::uint64_t>(std::numeric_limits<Number>::max(), counter + amount));
}

/// Counts in a byte each; all are halved before one overflows, so that their proportions stay.
template <std::size_t N>
void count_bucket(std::array<std::uint8_t, N>& buckets, std::size_t bucket) {
  if (buckets[bucket] == 255) {
    for (auto& count : buckets) count /= 2;
  }
  ++buckets[bucket];
}

AccountRecord record_of(const AccountState& account) {
  return {account.actor,        account.created_us,       account.identity,
          account.verification, account.identity_changed, account.declared};
}

void restore(AccountState& account, const AccountRecord& record) {
  account.actor = record.actor;
  account.created_us = record.created_us;
  account.identity = record.identity;
  account.verification = record.verification;
  account.identity_changed = record.identity_changed;
  account.declared = record.declared;
  account.recorded = true;
}

void apply_to(AccountRecord& record, const event::AccountUpdate& update) {
  if (update.fields & event::kFieldCreated) record.created_us = update.created_us;
  if (update.fields & event::kFieldVerification) record.verification = update.verification;
  if (update.fields & event::kFieldDeclared) record.declared = !update.declared.empty();
  if (update.fields & event::kFieldOrg) record.actor = update.org != 0 ? update.org : update.account;
  const std::pair<event::AccountField, Token> identity[] = {{event::kFieldPayment, update.payment},
                                                            {event::kFieldSignupAddress, update.signup_egress},
                                                            {event::kFieldEmailDomain, update.email_domain},
                                                            {event::kFieldReferral, update.referral}};
  for (std::size_t i = 0; i < std::size(identity); ++i) {
    if ((update.fields & identity[i].first) == 0) continue;
    record.identity[i] = identity[i].second;
    record.identity_changed = true;
  }
}

}  // namespace

AccountTable::AccountTable(const Settings& settings) : settings_(settings), partitions_(kPartitions) {}

std::uint32_t AccountTable::Partition::find_or_add(Token account, std::uint32_t slots_max) {
  if (const auto at = index.find(account); at != index.end()) return at->second;
  std::uint32_t slot = count;
  if (!free.empty()) {
    slot = free.back();
    free.pop_back();
  } else if (count == slots_max) {
    return kNoSlot;
  } else {
    if (count % kBlockAccounts == 0) blocks.push_back(std::make_unique<AccountState[]>(kBlockAccounts));
    ++count;
  }
  index.emplace(account, slot);
  AccountState& state = at(slot);
  state.account = state.actor = account;
  if (const auto record = records.find(account); record != records.end()) {
    restore(state, record->second);
    records.erase(record);
  }
  return slot;
}

void AccountTable::Partition::evict(std::uint32_t slot) {
  AccountState& account = at(slot);
  if (account.recorded) records[account.account] = record_of(account);
  index.erase(account.account);
  account = {};
  free.push_back(slot);
  ++counters.evicted;
}

Handle AccountTable::find(Token account) const {
  const unsigned p = partition_of(account);
  const auto at = partitions_[p].index.find(account);
  return at == partitions_[p].index.end() ? kNoHandle : make_handle(p, at->second);
}

bool AccountTable::trusted(const AccountState& account, std::int64_t log_start_us) const {
  if (!account.recorded) return account.first_us < log_start_us + base::kDayUs;
  const bool verified = account.verification >= event::Verification::phone;
  const bool old = account.created_us != 0 && account.created_us + settings_.trusted_age_us <= log_start_us;
  return verified && old;
}

void AccountTable::apply(const event::AccountUpdate& update) {
  Partition& partition = partitions_[partition_of(update.account)];
  if (const auto held = partition.index.find(update.account); held != partition.index.end()) {
    AccountState& account = partition.at(held->second);
    AccountRecord record = record_of(account);
    apply_to(record, update);
    restore(account, record);
    return;
  }
  AccountRecord& record = partition.records[update.account];
  if (record.actor == 0) record.actor = update.account;
  apply_to(record, update);
}

void AccountTable::observe(Worker worker, std::span<const event::Query> queries,
                           std::span<const event::AccountUpdate> updates, const TokenTable& tokens,
                           std::int64_t log_start_us, std::span<Observation> observations) {
  STILLWATCH_ASSERT(queries.size() == observations.size());
  std::size_t next_update = 0;
  for (std::size_t i = 0; i < queries.size(); ++i) {
    const event::Query& query = queries[i];
    for (; next_update < updates.size() && updates[next_update].time_us <= query.time_us; ++next_update) {
      if (worker.owns(updates[next_update].account)) apply(updates[next_update]);
    }
    if (!worker.owns(query.account)) continue;
    const unsigned p = partition_of(query.account);
    Partition& partition = partitions_[p];
    ++partition.outsiders.queries;
    partition.outsiders.output_tokens += query.output_tokens;
    Observation& seen = observations[i];
    seen = Observation{};
    const std::uint32_t index = partition.find_or_add(query.account, slots_max());
    if (index == kNoSlot) {
      ++partition.counters.queries_shed;
      continue;
    }
    AccountState& account = partition.at(index);
    if (account.queries == 0) account.first_us = query.time_us;
    seen.first_of_day = account.last_us / base::kDayUs != query.time_us / base::kDayUs;
    account.last_us = query.time_us;
    if (query.fingerprint.turns <= 1 && (query.flags & event::kFlagFailed) == 0) account.rhythm.add(query.time_us);
    add_saturating(account.queries);
    account.language.add(query.fingerprint.language);
    if (query.client_version != 0) account.client_version = static_cast<std::uint32_t>(query.client_version >> 32);
    seen.handle = make_handle(p, index);
    seen.request = account.queries;
    seen.trusted = trusted(account, log_start_us);
    seen.group = account.in_group.group;
    seen.client_novel = remember(account.clients, query.client);
    seen.egress_novel = remember(account.egress, query.egress);
    seen.identity_novel = std::exchange(account.identity_changed, false);
    const auto content = content_tokens(query);
    if (account.content_seen.count() > kContentSeenMax) account.content_seen.forget_slice(account.queries);
    for (std::size_t c = 0; c < content.size(); ++c) {
      if (content[c] != 0 && account.content_seen.set(sketch::RollingBitmap::bucket_of(content[c])))
        seen.content_novel |= static_cast<std::uint8_t>(1U << c);
    }
    const auto setup = setup_tokens(query);
    for (std::size_t c = 0; c < setup.size(); ++c) {
      if (setup[c] != 0 && account.content_seen.set(sketch::RollingBitmap::bucket_of(setup[c])))
        seen.setup_novel |= static_cast<std::uint8_t>(1U << c);
    }
    const bool prompt_novel = (seen.content_novel >> (kContentTokens - 1) & 1) != 0;
    account.in_group.prompts_novel +=
        account.in_group.group != 0 && prompt_novel && query.fingerprint.turns <= 1 ? 1 : 0;
    count_in_group(partition, seen.handle, account, query, content, tokens);
  }
  for (; next_update < updates.size(); ++next_update) {
    if (worker.owns(updates[next_update].account)) apply(updates[next_update]);
  }
}

void AccountTable::count_in_group(Partition& partition, Handle handle, AccountState& account, const event::Query& query,
                                  std::span<const Token, kContentTokens> content, const TokenTable& tokens) {
  GroupCounters& counters = account.in_group;
  std::uint32_t hit_group = 0;
  Token hit_token = 0;
  bool prompt_shared = false;
  unsigned exclusive = 0;  // tokens of the hit group alone in this request
  for (std::size_t c = 0; c < content.size(); ++c) {
    const TokenTable::Ownership owner = content[c] == 0 ? TokenTable::Ownership{} : tokens.owner_of(content[c]);
    if (owner.group == 0) continue;
    prompt_shared = c + 1 == content.size() && owner.group == counters.group;
    if (hit_group == 0 || (owner.group == counters.group && hit_group != owner.group)) {
      hit_group = owner.group, hit_token = content[c], exclusive = 0;
    }
    // What others send after somebody did is no evidence against him: or accounts could be framed with their own words.
    exclusive += owner.exclusive && owner.group == hit_group && owner.first_actor != account.actor ? 1 : 0;
  }
  if (hit_group != 0 && hit_group != counters.group) {
    ++partition.outsiders.hits_by_group[hit_group];
    partition.outsiders.hits_exclusive += exclusive > 0 ? 1 : 0;
    if (exclusive > 0 && account.outside_group != hit_group)
      account.outside_group = hit_group, account.outside_hits = 0;
    if (exclusive > 0) add_saturating(account.outside_hits);
    if (exclusive > 0 && account.outside_hits == kOutsideHitsMin) partition.outside_hitters.push_back(handle);
  }
  if (counters.group == 0) return;
  ++counters.queries;
  count_bucket(counters.hours, static_cast<std::size_t>(base::hour_of_day(query.time_us)));
  if (const auto day = static_cast<std::uint16_t>(query.time_us / base::kDayUs); day != counters.last_day) {
    counters.last_day = day;
    ++counters.active_days;
  }
  counters.queries_single_turn += query.fingerprint.turns <= 1 ? 1 : 0;
  counters.output_tokens += query.output_tokens;
  count_bucket(counters.params_buckets, query.fingerprint.params % GroupCounters::kParamsBuckets);
  if (query.fingerprint.prompt_bytes >= kPromptBytesMin) {
    ++counters.queries_content;
    count_bucket(counters.content_buckets, query.fingerprint.coverage_bucket >> 5);
  }
  counters.end_users.add(query.end_user, hit_group == counters.group);
  if (hit_group != counters.group) return;
  ++counters.hits;
  // One phrase that an account uses again and again ("write a function that") is a habit. Evidence is a request that
  // agrees with a template in two ways, or a template that it had not used before.
  const bool unused = counters.template_buckets[hit_token % GroupCounters::kTemplateBuckets] == 0;
  counters.hits_exclusive += exclusive >= 2 || (exclusive == 1 && unused) ? 1 : 0;
  counters.last_hit_hour = static_cast<std::uint32_t>(query.time_us / base::kHourUs);
  counters.hits_prompt += prompt_shared ? 1 : 0;
  counters.hits_single_turn += query.fingerprint.turns <= 1 ? 1 : 0;
  add_saturating(counters.hit_output_tokens, query.output_tokens);
  counters.input_tokens += query.input_tokens;
  counters.model = query.model;
  count_bucket(counters.template_buckets, hit_token % GroupCounters::kTemplateBuckets);
  if (query.fingerprint.prompt != 0) counters.prompts.add(query.fingerprint.prompt);
}

std::uint64_t AccountTable::size() const {
  std::uint64_t count = 0;
  for (const Partition& partition : partitions_) count += partition.index.size() + partition.records.size();
  return count;
}

OutsiderCounts AccountTable::traffic() const {
  OutsiderCounts all;
  for (const Partition& partition : partitions_) {
    all.queries += partition.outsiders.queries;
    all.output_tokens += partition.outsiders.output_tokens;
    all.hits_exclusive += partition.outsiders.hits_exclusive;
  }
  return all;
}

OutsiderCounts AccountTable::outsiders() const {
  OutsiderCounts all = traffic();
  for (const Partition& partition : partitions_) {
    for (const auto& [group, hits] : partition.outsiders.hits_by_group) all.hits_by_group[group] += hits;
  }
  return all;
}

std::vector<Handle> AccountTable::outside_hitters() {
  std::vector<Handle> all;
  for (Partition& partition : partitions_) {
    std::vector<Handle>& hitters = partition.outside_hitters;
    std::sort(hitters.begin(), hitters.end());
    hitters.erase(std::unique(hitters.begin(), hitters.end()), hitters.end());
    std::erase_if(hitters,
                  [&](Handle handle) { return partition.at(index_of_handle(handle)).outside_hits < kOutsideHitsMin; });
    all.insert(all.end(), hitters.begin(), hitters.end());
  }
  return all;
}

bool AccountTable::is_nearly_full() const {
  return std::any_of(partitions_.begin(), partitions_.end(), [&](const Partition& partition) {
    return partition.index.size() > slots_max() - slots_max() / 8;
  });
}

std::vector<Handle> AccountTable::make_room() {
  std::vector<Handle> gone;
  std::vector<std::tuple<bool, std::int64_t, Token, std::uint32_t>> order;  // who leaves first; a total order
  if (!is_nearly_full()) return gone;
  // From all partitions, and a quarter at once, so that whoever keeps handles is swept seldom.
  for (unsigned p = 0; p < kPartitions; ++p) {
    Partition& partition = partitions_[p];
    const std::size_t held = partition.index.size(), share = slots_max();
    if (held <= share - share / 4) continue;
    order.clear();
    for (std::uint32_t i = 0; i < partition.count; ++i) {
      const AccountState& account = partition.at(i);
      if (account.account == 0 || account.in_group.group != 0) continue;
      order.push_back({account.queries > 1, account.last_us, account.account, i});
    }
    const std::size_t leave = std::min(order.size(), held - (share - share / 4));
    std::nth_element(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(leave), order.end());
    order.resize(leave);
    for (const auto& item : order) {
      partition.evict(std::get<3>(item));
      gone.push_back(make_handle(p, std::get<3>(item)));
    }
    std::sort(partition.free.begin(), partition.free.end(), std::greater<>());
  }
  std::sort(gone.begin(), gone.end());
  return gone;
}

AccountCounters AccountTable::counters() const {
  AccountCounters all;
  for (const Partition& partition : partitions_) {
    all.evicted += partition.counters.evicted;
    all.queries_shed += partition.counters.queries_shed;
  }
  return all;
}

std::uint64_t AccountTable::trusted_count(std::int64_t log_start_us) const {
  std::uint64_t count = 0;
  for (const Partition& partition : partitions_) {
    for (std::uint32_t i = 0; i < partition.count; ++i) {
      count += partition.at(i).queries > 0 && trusted(partition.at(i), log_start_us) ? 1 : 0;
    }
  }
  return count;
}

}  // namespace stillwatch::detect
