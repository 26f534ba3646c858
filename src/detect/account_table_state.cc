// Snapshots of an account table.
#include <algorithm>

#include "detect/account_table.h"

namespace stillwatch::detect {

void AccountTable::save(base::ByteWriter& out) const {
  for (const Partition& partition : partitions_) {
    out.put(partition.count);
    for (std::uint32_t i = 0; i < partition.count; ++i) out.put(partition.at(i));
    std::vector<Token> recorded;
    for (const auto& item : partition.records) recorded.push_back(item.first);
    std::sort(recorded.begin(), recorded.end());
    out.put<std::uint64_t>(recorded.size());
    for (const Token account : recorded) {
      out.put(account);
      out.put(partition.records.find(account)->second);
    }
    out.put(partition.counters);
    out.put_all(partition.outside_hitters);
    out.put(partition.outsiders.queries);
    out.put(partition.outsiders.output_tokens);
    out.put(partition.outsiders.hits_exclusive);
    std::vector<std::pair<std::uint32_t, std::uint64_t>> hits(partition.outsiders.hits_by_group.begin(),
                                                              partition.outsiders.hits_by_group.end());
    std::sort(hits.begin(), hits.end());
    out.put<std::uint64_t>(hits.size());
    for (const auto& [group, count] : hits) {
      out.put(group);
      out.put(count);
    }
  }
}

bool AccountTable::load(base::ByteReader& in) {
  for (unsigned p = 0; p < kPartitions; ++p) {
    Partition partition;
    const auto count = in.get<std::uint32_t>();
    for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
      if (i % kBlockAccounts == 0) partition.blocks.push_back(std::make_unique<AccountState[]>(kBlockAccounts));
      const auto state = in.get<AccountState>();
      partition.at(i) = state;
      ++partition.count;
      if (state.account == 0) {
        partition.free.push_back(i);
      } else if (partition_of(state.account) != p || !partition.index.emplace(state.account, i).second) {
        return false;
      }
    }
    std::reverse(partition.free.begin(), partition.free.end());
    for (auto left = in.get<std::uint64_t>(); left > 0 && in.ok(); --left) {
      const auto account = in.get<Token>();
      partition.records[account] = in.get<AccountRecord>();
    }
    partition.counters = in.get<AccountCounters>();
    partition.outside_hitters = in.get_all<Handle>();
    for (const Handle handle : partition.outside_hitters) {
      if (partition_of_handle(handle) != p || index_of_handle(handle) >= partition.count) return false;
    }
    partition.outsiders.queries = in.get<std::uint64_t>();
    partition.outsiders.output_tokens = in.get<std::uint64_t>();
    partition.outsiders.hits_exclusive = in.get<std::uint64_t>();
    const auto groups = in.get<std::uint64_t>();
    for (std::uint64_t i = 0; i < groups && in.ok(); ++i) {
      const auto group = in.get<std::uint32_t>();
      partition.outsiders.hits_by_group[group] = in.get<std::uint64_t>();
    }
    partitions_[p] = std::move(partition);
  }
  return in.ok();
}

}  // namespace stillwatch::detect
