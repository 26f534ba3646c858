#include "gateway/exchange_queue.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

namespace stillwatch::gateway {
namespace {

using Pushed = ExchangeQueue::Pushed;

std::unique_ptr<Exchange> exchange_of(int number, std::size_t body_bytes = 10) {
  auto exchange = std::make_unique<Exchange>();
  exchange->id = std::to_string(number);
  exchange->body.assign(body_bytes, 'x');
  return exchange;
}

TEST(ExchangeQueue, WhatHasNoRoomIsShedThenDropped) {
  ExchangeQueue queue(1, {3, 1 << 20, 2});
  EXPECT_TRUE(queue.has_room());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(queue.try_push(0, exchange_of(i)), Pushed::whole);
  EXPECT_FALSE(queue.has_room());
  EXPECT_EQ(queue.try_push(0, exchange_of(3)), Pushed::shed);
  EXPECT_EQ(queue.try_push(0, exchange_of(4)), Pushed::shed);
  EXPECT_EQ(queue.try_push(0, exchange_of(5)), Pushed::dropped);
  std::vector<std::unique_ptr<Exchange>> out;
  std::vector<std::shared_ptr<EarlyBody>> bodies;
  queue.drain(out, bodies);
  ASSERT_EQ(out.size(), 5U);
  EXPECT_FALSE(out[2]->shed);
  EXPECT_EQ(out[2]->body.size(), 10U);
  EXPECT_TRUE(out[3]->shed);
  EXPECT_TRUE(out[3]->body.empty());
  const auto counters = queue.counters();
  EXPECT_EQ(counters.waiting, 0U);
  EXPECT_EQ(counters.waiting_bytes, 0U);
  EXPECT_EQ(counters.pushed + counters.shed + counters.dropped, 6U);
  EXPECT_EQ(queue.try_push(0, exchange_of(6)), Pushed::whole) << "room again";
}

TEST(ExchangeQueue, FillsLongBeforeItIsFull) {
  ExchangeQueue queue(1, {320, 320'000, 1});
  for (int i = 0; i < 10; ++i) ASSERT_EQ(queue.try_push(0, exchange_of(i)), Pushed::whole);
  EXPECT_FALSE(queue.is_filling());
  ASSERT_EQ(queue.try_push(0, exchange_of(10)), Pushed::whole);
  EXPECT_TRUE(queue.is_filling());
  std::vector<std::unique_ptr<Exchange>> out;
  std::vector<std::shared_ptr<EarlyBody>> bodies;
  queue.drain(out, bodies);
  EXPECT_FALSE(queue.is_filling());
  ASSERT_EQ(queue.try_push(0, exchange_of(11, 11'000)), Pushed::whole);
  EXPECT_TRUE(queue.is_filling()) << "few, but large";
}

TEST(ExchangeQueue, ABodyComesAheadWhileThereIsRoom) {
  ExchangeQueue queue(2, {100, 40'000, 100});
  const auto body_of = [](std::size_t bytes) {
    auto body = std::make_shared<EarlyBody>();
    body->body.assign(bytes, 'x');
    return body;
  };
  const auto first = body_of(9'000);
  EXPECT_TRUE(queue.push_body(0, first));
  EXPECT_FALSE(queue.push_body(1, body_of(2'000))) << "a quarter is used";
  EXPECT_EQ(queue.counters().bodies, 1U);
  EXPECT_EQ(queue.counters().waiting_bytes, 9'000U);
  auto exchange = exchange_of(0);
  exchange->early = first;
  EXPECT_EQ(queue.try_push(0, std::move(exchange)), Pushed::whole);
  std::vector<std::unique_ptr<Exchange>> out;
  std::vector<std::shared_ptr<EarlyBody>> bodies;
  queue.drain(out, bodies);
  ASSERT_EQ(bodies.size(), 1U);
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0]->early, bodies[0]);
  EXPECT_EQ(queue.counters().waiting, 0U);
  EXPECT_EQ(queue.counters().waiting_bytes, 0U);
}

TEST(ExchangeQueue, BytesAreBoundedToo) {
  ExchangeQueue queue(1, {100, 10'000, 100});
  EXPECT_EQ(queue.try_push(0, exchange_of(0, 20'000)), Pushed::shed);
  EXPECT_EQ(queue.try_push(0, exchange_of(1, 6'000)), Pushed::whole);
  EXPECT_EQ(queue.try_push(0, exchange_of(2, 6'000)), Pushed::shed);
  auto line = exchange_of(3, 6'000);
  line->kind = Exchange::Kind::line;
  EXPECT_EQ(queue.try_push(0, std::move(line)), Pushed::dropped) << "a line is nothing without its body";
}

TEST(ExchangeQueue, EveryExchangeComesOutOnceInTheOrderOfItsThread) {
  constexpr int kEach = 20'000;
  ExchangeQueue queue(2, {64, 1 << 20, 64});  // smaller than the threads are fast
  std::atomic<int> dropped{0}, running{3};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 3; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kEach; ++i) {
        if (queue.try_push(static_cast<unsigned>(thread), exchange_of(thread * kEach + i)) == Pushed::dropped)
          dropped.fetch_add(1);
        if (i % 64 == 0) std::this_thread::yield();
      }
      running.fetch_sub(1);
    });
  }
  std::vector<std::unique_ptr<Exchange>> out;
  std::vector<std::shared_ptr<EarlyBody>> bodies;
  while (running.load() > 0) queue.drain(out, bodies);
  queue.drain(out, bodies);
  for (std::thread& thread : threads) thread.join();
  std::array<int, 3> last{-1, -1, -1};
  for (const auto& exchange : out) {
    const int number = std::stoi(exchange->id);
    int& before = last[static_cast<std::size_t>(number / kEach)];
    ASSERT_LT(before, number % kEach);
    before = number % kEach;
  }
  EXPECT_EQ(out.size() + static_cast<std::size_t>(dropped.load()), 3U * kEach);
  EXPECT_EQ(queue.counters().waiting, 0U);
}

TEST(RequestId, DiffersByTimeAndInstance) {
  std::set<std::string> ids;
  for (int i = 0; i < 10'000; ++i) ids.insert(request_id(1'776'000'000'000'000 + i, static_cast<std::uint32_t>(i % 3)));
  EXPECT_EQ(ids.size(), 10'000U);
  EXPECT_NE(request_id(1, 1), request_id(1, 2));
  EXPECT_EQ(request_id(1, 1).size(), 26U);
}

}  // namespace
}  // namespace stillwatch::gateway
