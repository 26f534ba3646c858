#include "sim/account_order.h"

#include <gtest/gtest.h>

#include <map>

namespace stillwatch::sim {
namespace {

TEST(AccountOrder, LeastRecentlyUsedInsideLifetimes) {
  std::vector<PoolAccount> accounts(40);
  for (std::size_t i = 0; i < accounts.size(); ++i) {
    accounts[i].from_us = static_cast<std::int64_t>(i * 7 % 50);
    accounts[i].until_us = accounts[i].from_us + 30 + static_cast<std::int64_t>(i % 5) * 20;
  }
  AccountOrder order;
  order.open(accounts);
  base::Random random(4);
  std::map<std::uint32_t, std::int64_t> last_use;  // the slow road: a map of last uses
  std::int64_t step = 0;
  for (std::int64_t now = 0; now < 170; ++now) {
    order.advance(accounts, now);
    std::size_t alive = 0;
    for (std::uint32_t i = 0; i < accounts.size(); ++i) {
      const bool usable = accounts[i].from_us <= now && now < accounts[i].until_us;
      EXPECT_EQ(order.usable(i), usable) << i << " at " << now;
      alive += usable;
      // A newcomer joins at the end, as if it had been used when it came.
      if (usable && last_use.count(i) == 0) last_use[i] = ++step;
    }
    ASSERT_EQ(order.size(), alive);
    if (alive == 0) continue;
    for (int uses = 0; uses < 5; ++uses) {
      const std::uint32_t chosen = order.least_recent(kNoAccount);
      ASSERT_TRUE(order.usable(chosen));
      for (const auto& [account, used] : last_use) {
        if (!order.usable(account) || accounts[account].from_us == now || accounts[chosen].from_us == now) continue;
        EXPECT_LE(last_use[chosen], used) << chosen << " before " << account << " at " << now;
      }
      if (alive > 1) {
        EXPECT_NE(order.least_recent(chosen), chosen);
      }
      order.used(chosen);
      last_use[chosen] = ++step;
      const std::uint32_t other = order.random(random);
      EXPECT_TRUE(order.usable(other));
    }
  }
}

}  // namespace
}  // namespace stillwatch::sim
