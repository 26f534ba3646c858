#include "gateway/short_turns.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>

#include <thread>

namespace stillwatch::gateway {
namespace {

TEST(ShortTurns, PolicyAndShareStayAsTheyWere) {
  // Of a thread of its own, since what it sets stays.
  std::thread([] {
    ASSERT_EQ(::setpriority(PRIO_PROCESS, 0, 3), 0);
    EXPECT_TRUE(take_short_turns());
    EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), 3);
    EXPECT_EQ(::sched_getscheduler(0), SCHED_OTHER);
    EXPECT_TRUE(take_short_turns());
  }).join();
}

TEST(ShortTurns, AnotherPolicyIsLeftAlone) {
  std::thread([] {
    const sched_param none{};
    ASSERT_EQ(::sched_setscheduler(0, SCHED_BATCH, &none), 0);
    EXPECT_TRUE(take_short_turns());
    EXPECT_EQ(::sched_getscheduler(0), SCHED_BATCH);
  }).join();
}

TEST(GiveWay, PolicyAndShareStayAsTheyWere) {
  std::thread([] {
    ASSERT_EQ(::setpriority(PRIO_PROCESS, 0, 3), 0);
    const ExchangeQueue queue(1);
    GiveWay::while_short(&queue);
    GiveWay way;
    for (int piece = 0; piece < 3; ++piece) way.between_pieces();
    EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), 3);
    EXPECT_EQ(::sched_getscheduler(0), SCHED_OTHER);
  }).join();
}

}  // namespace
}  // namespace stillwatch::gateway
