// The accounts of all partitions, and the account step: count a request for its account, say what is new about it.
//
// Invariant: a handle stays valid until make_room() names it, between epochs; nobody may keep it after that. The
// account step reads group assignments of content tokens as the last epoch left them, so its result does not depend on
// how an epoch is cut into batches. Threads: observe() by workers that own disjoint partitions; everything else between
// batches. Cost: ~0.3 us a request; about 1 KB an account that sent something, 100 bytes one that is only known from a
// record. Bounds: Settings::accounts_max, in equal shares of the partitions. Between epochs the idlest accounts of a
// partition that is nearly full make room; when it is full all the same, a new account counts as traffic only, counted.
#pragma once

#include <bit>
#include <memory>
#include <span>
#include <vector>

#include "base/byte_stream.h"
#include "base/flat_map.h"
#include "detect/account_state.h"
#include "detect/settings.h"

namespace stillwatch::detect {

class TokenTable;

/// Keyed tokens are uniform already: they are their own hash, turned so that the bits all tokens of a partition share
/// do not choose the slot (the map takes the highest bits for it).
struct TokenHash {
  using is_avalanching = void;
  std::size_t operator()(Token token) const { return std::rotl(token, 32); }
};

/// Requests by accounts outside a group that hit its tokens: the base rate against which members are judged.
struct OutsiderCounts {
  std::uint64_t queries = 0;  // all requests
  std::uint64_t output_tokens = 0;
  std::uint64_t hits_exclusive = 0;                           // of any group's exclusive tokens
  base::FlatMap<std::uint32_t, std::uint64_t> hits_by_group;  // by requests of non-members
};

/// What the provider told about an account: kept while it holds no place in the table, too.
struct AccountRecord {
  Token actor = 0;
  std::int64_t created_us = 0;
  std::array<Token, AccountState::kIdentityTokens> identity{};
  event::Verification verification = event::Verification::none;
  bool identity_changed = false;
  bool declared = false;
};

struct AccountCounters {
  std::uint64_t evicted = 0;       // accounts that made room
  std::uint64_t queries_shed = 0;  // requests of accounts that found no room: counted as traffic, nothing else
};

class AccountTable {
 public:
  explicit AccountTable(const Settings& settings);

  /// The account step over one batch: fills observations[i] for the queries that the worker owns. `updates` are the
  /// account records not yet applied, in time order; those at or before a query's time are applied before it.
  void observe(Worker worker, std::span<const event::Query> queries, std::span<const event::AccountUpdate> updates,
               const TokenTable& tokens, std::int64_t log_start_us, std::span<Observation> observations);

  AccountState& at(Handle handle) { return partitions_[partition_of_handle(handle)].at(index_of_handle(handle)); }
  const AccountState& at(Handle handle) const {
    return partitions_[partition_of_handle(handle)].at(index_of_handle(handle));
  }
  /// kNoHandle when the account was never seen.
  Handle find(Token account) const;
  bool trusted(const AccountState& account, std::int64_t log_start_us) const;
  /// Accounts that are known: those in the table, and those of which only a record is kept.
  std::uint64_t size() const;
  /// Whether some partition is over 7/8 of its share.
  bool is_nearly_full() const;
  /// Between epochs, when links and hand-offs were taken: if nearly full, accounts in no group leave until partitions
  /// are at 3/4, those that sent a single request first, then the idlest. Returns their handles, ascending.
  std::vector<Handle> make_room();
  AccountCounters counters() const;
  /// Merged over partitions. For requests and tokens alone traffic() is cheaper: groups may be thousands.
  OutsiderCounts outsiders() const;
  OutsiderCounts traffic() const;
  /// Accounts with at least kOutsideHitsMin hits on a group that they are no member of, ascending. Between epochs.
  std::vector<Handle> outside_hitters();
  /// Forgets hits on groups that `is_gone`.
  template <class IsGone>
  void forget_groups(IsGone&& is_gone) {
    for (Partition& partition : partitions_) {
      boost::unordered::erase_if(partition.outsiders.hits_by_group,
                                 [&](const auto& item) { return is_gone(item.first); });
    }
  }
  std::uint64_t trusted_count(std::int64_t log_start_us) const;

  template <class Visit>
  void for_each(Visit&& visit) {
    for (unsigned p = 0; p < kPartitions; ++p) {
      for (std::uint32_t i = 0; i < partitions_[p].count; ++i) {
        if (AccountState& account = partitions_[p].at(i); account.account != 0) visit(make_handle(p, i), account);
      }
    }
  }

  template <class Visit>
  void for_each(Visit&& visit) const {
    for (unsigned p = 0; p < kPartitions; ++p) {
      for (std::uint32_t i = 0; i < partitions_[p].count; ++i) visit(make_handle(p, i), partitions_[p].at(i));
    }
  }

  void save(base::ByteWriter& out) const;
  bool load(base::ByteReader& in);

 private:
  static constexpr std::uint32_t kBlockAccounts = 64;
  static constexpr std::uint32_t kNoSlot = ~std::uint32_t{0};
  struct Partition {
    base::FlatMap<Token, std::uint32_t, TokenHash> index;
    base::FlatMap<Token, AccountRecord, TokenHash> records;  // of accounts that hold no slot
    std::vector<std::unique_ptr<AccountState[]>> blocks;
    std::uint32_t count = 0;          // slots ever used
    std::vector<std::uint32_t> free;  // of these, without an account; the next to be used last
    OutsiderCounts outsiders;
    std::vector<Handle> outside_hitters;  // a superset, with repeats
    AccountCounters counters;

    AccountState& at(std::uint32_t i) { return blocks[i / kBlockAccounts][i % kBlockAccounts]; }
    const AccountState& at(std::uint32_t i) const { return blocks[i / kBlockAccounts][i % kBlockAccounts]; }
    /// kNoSlot when it is new and there is no room.
    std::uint32_t find_or_add(Token account, std::uint32_t slots_max);
    void evict(std::uint32_t slot);
  };

  void apply(const event::AccountUpdate& update);
  void count_in_group(Partition& partition, Handle handle, AccountState& account, const event::Query& query,
                      std::span<const Token, kContentTokens> content, const TokenTable& tokens);

  std::uint32_t slots_max() const { return settings_.accounts_max / kPartitions; }

  Settings settings_;
  std::vector<Partition> partitions_;
};

}  // namespace stillwatch::detect
