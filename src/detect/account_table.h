// The accounts of all partitions, and the account step: count a request for its account, say what is new about it.
//
// Invariant: a handle stays valid for the life of the table; the account step reads group assignments of content tokens
// as the last epoch left them, so its result does not depend on how an epoch is cut into batches.
// Threads: observe() by workers that own disjoint partitions; everything else between batches.
// Cost: ~0.3 us a request; about 1 KB an account.
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
  std::uint64_t size() const;
  /// Merged over partitions, hits in group order.
  OutsiderCounts outsiders() const;
  std::uint64_t trusted_count(std::int64_t log_start_us) const;

  template <class Visit>
  void for_each(Visit&& visit) {
    for (unsigned p = 0; p < kPartitions; ++p) {
      for (std::uint32_t i = 0; i < partitions_[p].count; ++i) visit(make_handle(p, i), partitions_[p].at(i));
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
  struct Partition {
    base::FlatMap<Token, std::uint32_t, TokenHash> index;
    std::vector<std::unique_ptr<AccountState[]>> blocks;
    std::uint32_t count = 0;
    OutsiderCounts outsiders;

    AccountState& at(std::uint32_t i) { return blocks[i / kBlockAccounts][i % kBlockAccounts]; }
    const AccountState& at(std::uint32_t i) const { return blocks[i / kBlockAccounts][i % kBlockAccounts]; }
    std::uint32_t find_or_add(Token account);
  };

  void apply(const event::AccountUpdate& update);
  void count_in_group(Partition& partition, AccountState& account, const event::Query& query,
                      std::span<const Token, kContentTokens> content, const TokenTable& tokens);

  Settings settings_;
  std::vector<Partition> partitions_;
};

}  // namespace stillwatch::detect
