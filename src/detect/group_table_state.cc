// The ends of a group table: of a phase of calibration, and of a run (snapshots).
#include <algorithm>

#include "detect/group_table.h"

namespace stillwatch::detect {

std::vector<GroupTrajectory> GroupTable::trajectories_with_current() const {
  std::vector<GroupTrajectory> all = trajectories_;
  for (const Group& each : groups_) {
    if (each.live && each.is_example()) all.push_back({each.kind(), each.samples});
  }
  return all;
}

void GroupTable::end_phase(AccountTable& accounts, std::span<const std::uint32_t> suspects, std::int64_t log_start_us) {
  census_.take(accounts, log_start_us);
  for (Group& each : groups_) {
    if (std::binary_search(suspects.begin(), suspects.end(), each.id)) continue;
    if (each.live && each.is_example()) trajectories_.push_back({each.kind(), each.samples});
    each.samples.clear();
    each.live = false;
    for (const Handle member : each.members) {
      if (accounts.at(member).in_group.group == each.id) accounts.at(member).in_group = {};
    }
    each.members.clear();
  }
  groups_live_ = static_cast<std::uint32_t>(
      std::count_if(groups_.begin(), groups_.end(), [](const Group& each) { return each.live; }));
}

void GroupTable::save(base::ByteWriter& out) const {
  out.put<std::uint64_t>(groups_.size());
  for (const Group& each : groups_) {
    out.put(each.id);
    out.put(each.formed_us);
    out.put(each.live);
    out.put_all(each.members);
    out.put_all(each.traits);
    out.put(each.measures);
    out.put_all(each.samples);
    out.put(each.hits_total);
    out.put(each.hits_counted);
    out.put(each.first_hour);
    out.put_all(each.hits_per_hour);
    out.put(each.declared);
    out.put(each.convicted_us);
  }
  out.put_all(alias_);
  out.put_all(linked_);
  out.put<std::uint64_t>(pairs_.size());
  for (const auto& [pair, use] : pairs_) {
    out.put(pair.first);
    out.put(pair.second);
    out.put(use);
  }
  out.put<std::uint64_t>(trajectories_.size());
  for (const GroupTrajectory& trajectory : trajectories_) {
    out.put(trajectory.kind);
    out.put_all(trajectory.samples);
  }
  out.put(handoffs_total_);
  census_.save(out);
  out.put(links_seen_);
  out.put(edges_seen_);
  out.put(counters_);
}

bool GroupTable::load(base::ByteReader& in) {
  const auto count = in.get<std::uint64_t>();
  groups_.clear();
  groups_live_ = 0;
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    Group each;
    each.id = in.get<std::uint32_t>();
    each.formed_us = in.get<std::int64_t>();
    each.live = in.get<bool>();
    each.members = in.get_all<Handle>();
    each.traits = in.get_all<Trait>();
    each.measures = in.get<Measures>();
    each.samples = in.get_all<Measures>();
    each.hits_total = in.get<std::uint64_t>();
    each.hits_counted = in.get<std::uint64_t>();
    each.first_hour = in.get<std::int64_t>();
    each.hits_per_hour = in.get_all<std::uint32_t>();
    each.declared = in.get<std::uint32_t>();
    each.convicted_us = in.get<std::int64_t>();
    if (each.id == 0 || (!groups_.empty() && each.id <= groups_.back().id)) return false;
    groups_live_ += each.live ? 1 : 0;
    groups_.push_back(std::move(each));
  }
  alias_ = in.get_all<std::uint32_t>();
  linked_ = in.get_all<Handle>();
  const auto pairs = in.get<std::uint64_t>();
  pairs_.clear();
  for (std::uint64_t i = 0; i < pairs && in.ok(); ++i) {
    const auto from = in.get<Handle>();
    const auto to = in.get<Handle>();
    pairs_[{from, to}] = in.get<PairUse>();
  }
  trajectories_.clear();
  for (auto left = in.get<std::uint64_t>(); left > 0 && in.ok(); --left) {
    const auto kind = in.get<LinkKind>();
    trajectories_.push_back({kind, in.get_all<Measures>()});
  }
  handoffs_total_ = in.get<std::uint64_t>();
  census_.load(in);
  links_seen_ = in.get<std::uint64_t>();
  edges_seen_ = in.get<std::uint64_t>();
  counters_ = in.get<GroupTableCounters>();
  return in.ok() && (groups_.empty() ? 0 : groups_.back().id) < alias_.size();
}

}  // namespace stillwatch::detect
