#include "sim/account_order.h"

#include <algorithm>
#include <numeric>

namespace stillwatch::sim {

void AccountOrder::open(const std::vector<PoolAccount>& accounts) {
  const auto count = static_cast<std::uint32_t>(accounts.size());
  next_.assign(count + 1, count);
  previous_.assign(count + 1, count);
  place_.assign(count, kAbsent);
  joins_.resize(count);
  leaves_.resize(count);
  std::iota(joins_.begin(), joins_.end(), 0U);
  std::iota(leaves_.begin(), leaves_.end(), 0U);
  std::stable_sort(joins_.begin(), joins_.end(),
                   [&](auto a, auto b) { return accounts[a].from_us < accounts[b].from_us; });
  std::stable_sort(leaves_.begin(), leaves_.end(),
                   [&](auto a, auto b) { return accounts[a].until_us < accounts[b].until_us; });
}

void AccountOrder::unlink(std::uint32_t account) {
  next_[previous_[account]] = next_[account];
  previous_[next_[account]] = previous_[account];
}

void AccountOrder::push_back(std::uint32_t account) {
  const auto head = static_cast<std::uint32_t>(place_.size());
  const std::uint32_t last = previous_[head];
  next_[last] = account;
  previous_[account] = last;
  next_[account] = head;
  previous_[head] = account;
}

void AccountOrder::advance(const std::vector<PoolAccount>& accounts, std::int64_t time_us) {
  while (joined_ < joins_.size() && accounts[joins_[joined_]].from_us <= time_us) {
    const std::uint32_t account = joins_[joined_++];
    if (accounts[account].until_us > time_us) join(account);
  }
  while (left_ < leaves_.size() && accounts[leaves_[left_]].until_us <= time_us) {
    leave(leaves_[left_++]);
  }
}

void AccountOrder::join(std::uint32_t account) {
  place_[account] = static_cast<std::uint32_t>(usable_.size());
  usable_.push_back(account);
  push_back(account);
}

void AccountOrder::leave(std::uint32_t account) {
  if (place_[account] == kAbsent) return;
  unlink(account);
  usable_[place_[account]] = usable_.back();
  place_[usable_.back()] = place_[account];
  usable_.pop_back();
  place_[account] = kAbsent;
}

std::uint32_t AccountOrder::least_recent(std::uint32_t not_this) const {
  const auto head = static_cast<std::uint32_t>(place_.size());
  std::uint32_t found = next_[head];
  if (found == not_this && next_[found] != head) found = next_[found];
  return found;
}

void AccountOrder::used(std::uint32_t account) {
  unlink(account);
  push_back(account);
}

}  // namespace stillwatch::sim
