// Snapshots of a token table.
#include <algorithm>

#include "detect/token_table.h"

namespace stillwatch::detect {

void TokenTable::save(base::ByteWriter& out) const {
  for (const Partition& partition : partitions_) {
    std::vector<Token> tokens;
    for (const auto& item : partition.shared) tokens.push_back(item.first);
    std::sort(tokens.begin(), tokens.end());
    out.put<std::uint64_t>(tokens.size());
    for (const Token token : tokens) {
      out.put(token);
      out.put(partition.shared.find(token)->second);
    }
    out.put_all(partition.links);
    out.put(partition.links_total);
    out.put(partition.link_hash_max);
    out.put_all(partition.handoffs);
    out.put_all(partition.decided);
    out.put_all(partition.counted);
    out.put(partition.has_replies);
    out.put(partition.counters);
  }
  first_seen_.save(out);
  conversations_.save(out);
  passages_.save(out);
  out.put_all(alias_);
  out.put(swept_day_);
}

bool TokenTable::load(base::ByteReader& in) {
  for (Partition& partition : partitions_) {
    partition = {};
    const auto tokens = in.get<std::uint64_t>();
    for (std::uint64_t i = 0; i < tokens && in.ok(); ++i) {
      const auto token = in.get<Token>();
      partition.shared[token] = in.get<TokenEntry>();
    }
    partition.links = in.get_all<LinkEvent>();
    partition.links_total = in.get<std::uint64_t>();
    partition.link_hash_max = in.get<std::uint64_t>();
    partition.handoffs = in.get_all<HandoffEvent>();
    partition.decided = in.get_all<Token>();
    partition.counted = in.get_all<Token>();
    partition.has_replies = in.get<bool>();
    partition.counters = in.get<TokenCounters>();
  }
  if (!in.ok() || !first_seen_.load(in) || !conversations_.load(in) || !passages_.load(in)) return false;
  alias_ = in.get_all<std::uint32_t>();
  swept_day_ = in.get<std::uint32_t>();
  return in.ok();
}

}  // namespace stillwatch::detect
