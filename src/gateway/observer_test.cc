#include "gateway/observer.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include <fmt/format.h>

#include "gateway/observer_fixture.h"

namespace stillwatch::gateway {
namespace {

using test::Folder, test::serve;

std::unique_ptr<Observer> started(const ObserverOptions& options, const crypto::KeyedHash& keyed_hash,
                                  ObserverPorts ports = {}) {
  auto observer = Observer::start(options, keyed_hash, std::move(ports));
  if (!observer) throw std::runtime_error(observer.error().message);
  return std::move(*observer);
}

TEST(Observer, ALiveRunEqualsAReplayOfItsLog) {
  const Folder folder;
  const crypto::KeyedHash keyed_hash = test::fixed_hash();
  ObserverOptions options = test::options_in(folder);
  options.queue_shards = 3;
  options.accounts_file = folder.path + "/accounts.ndjson";
  folder.write("accounts.ndjson", test::accounts_of({}));
  std::uint64_t told = 0;
  ObserverPorts ports;
  ports.on_verdict = [&](const event::Verdict&, std::string_view, bool again) { told += again ? 0 : 1; };
  const std::vector<Exchange> world = test::make_world();
  auto observer = started(options, keyed_hash, ports);
  serve(*observer, world, 3, 5, [](Exchange& exchange, std::size_t number) {
    if (number % 97 == 0) exchange.body = R"({"model":"m","messages":)";  // wrong JSON
    if (number % 101 == 0) exchange.body_state = BodyState::absent;
    if (number % 103 == 0) exchange.shed = true;  // the queue says otherwise
  });
  ASSERT_TRUE(observer->stop());
  const ObserverCounters counters = observer->counters();
  const std::string live = folder.read("state/verdicts.ndjson");
  const test::Replayed replayed = test::replay(options, keyed_hash);
  EXPECT_GT(test::line_count(live), 20U) << "a world without verdicts shows nothing";
  EXPECT_EQ(live, replayed.verdicts);
  EXPECT_EQ(told, test::line_count(live));
  EXPECT_TRUE(replayed.problems.empty());
  EXPECT_EQ(replayed.late, 0U);
  EXPECT_EQ(replayed.duplicates, 0U);
  EXPECT_EQ(replayed.accepted + replayed.rejected, world.size());
  EXPECT_EQ(counters.refused, replayed.rejected);
  EXPECT_GT(replayed.rejected, world.size() / 60);
  EXPECT_EQ(counters.late_shed, 0U) << "tickets hold the watermark";
  EXPECT_EQ(counters.records, world.size());
  EXPECT_GT(counters.queue.bodies, world.size() / 4) << "bodies came ahead";
  // The table says what the last verdict of each subject says.
  EXPECT_GT(observer->verdicts().counters().applied, 0U);
  std::size_t farm = 0;
  for (int account = 0; account < 50; ++account) {
    const auto token = keyed_hash(crypto::Domain::account, fmt::format("farm_{}", account));
    farm += observer->verdicts().look_up(token).is_clear() ? 0 : 1;
  }
  EXPECT_GT(farm, 20U);
}

TEST(Observer, WhatTheQueueKeptOutIsLoggedAsShedAndSkippedByAReplay) {
  const Folder folder;
  const crypto::KeyedHash keyed_hash = test::fixed_hash();
  ObserverOptions options = test::options_in(folder);
  options.queue = {40, 1U << 20, 60};
  const std::vector<Exchange> world = test::make_world({200, 4, 20});
  auto observer = started(options, keyed_hash);
  std::uint64_t pushed[3] = {};
  for (const Exchange& exchange : world) {
    InFlight::Ticket ticket = observer->in_flight().arrive_at(exchange.arrived_us);
    auto copy = std::make_unique<Exchange>(exchange);
    copy->arrived_us = ticket.arrived_us();
    copy->id = request_id(copy->arrived_us, 1);
    ++pushed[static_cast<int>(observer->queue().try_push(0, std::move(copy)))];
  }
  ASSERT_TRUE(observer->stop());
  const ObserverCounters counters = observer->counters();
  EXPECT_GT(pushed[1], 0U);
  EXPECT_GT(pushed[2], 0U);
  EXPECT_EQ(counters.queue_shed, pushed[1]);
  EXPECT_EQ(counters.queue_dropped, pushed[2]);
  EXPECT_GT(counters.gaps, 0U);
  const test::Replayed replayed = test::replay(options, keyed_hash);
  EXPECT_EQ(replayed.shed, pushed[1] + counters.gaps);
  EXPECT_EQ(replayed.accepted, pushed[0] + pushed[1] + counters.gaps);
  EXPECT_EQ(replayed.rejected, 0U);
  EXPECT_EQ(folder.read("state/verdicts.ndjson"), replayed.verdicts);
}

TEST(Observer, WhoEndsAfterItsTurnIsShed) {
  const Folder folder;
  const crypto::KeyedHash keyed_hash = test::fixed_hash();
  ObserverOptions options = test::options_in(folder);
  options.in_flight.order_wait_us = 1'000;  // of real time
  const std::vector<Exchange> world = test::make_world({50, 2, 0});
  auto observer = started(options, keyed_hash);
  const auto send = [&](const Exchange& exchange, InFlight::Ticket ticket) {
    auto copy = std::make_unique<Exchange>(exchange);
    copy->arrived_us = ticket.arrived_us();
    copy->id = request_id(copy->arrived_us, 1);
    observer->queue().try_push(0, std::move(copy));
  };
  InFlight::Ticket slow = observer->in_flight().arrive_at(world[0].arrived_us);
  for (std::size_t i = 1; i < 100; ++i) send(world[i], observer->in_flight().arrive_at(world[i].arrived_us));
  while (observer->counters().records < 98) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  send(world[0], std::move(slow));
  ASSERT_TRUE(observer->stop());
  EXPECT_EQ(observer->counters().late_shed, 1U);
  EXPECT_EQ(observer->counters().records, 99U);
  const test::Replayed replayed = test::replay(options, keyed_hash);
  EXPECT_EQ(replayed.shed, 1U);
  EXPECT_EQ(replayed.accepted + replayed.late, 100U);
}

TEST(Observer, BodiesComeAheadOnlyWhereNobodyNeedsThemLater) {
  const crypto::KeyedHash keyed_hash = test::fixed_hash();
  const auto takes = [&](Content content, ObserverPorts ports) {
    const Folder folder;
    ObserverOptions options = test::options_in(folder);
    options.content = content;
    const auto observer = started(options, keyed_hash, std::move(ports));
    auto early = std::make_shared<EarlyBody>();
    early->body = "{}";
    return observer->push_body(0, early);
  };
  ObserverPorts mirrored;
  mirrored.on_taken = [](const Exchange&) {};
  EXPECT_TRUE(takes(Content::fingerprint, {}));
  EXPECT_FALSE(takes(Content::full, {}));
  EXPECT_FALSE(takes(Content::fingerprint, mirrored));
}

// With the clock of the machine, which jumps: nothing is lost, and order and replay hold.
TEST(Observer, JumpsOfTheClockDoNoHarm) {
  const Folder folder;
  const crypto::KeyedHash keyed_hash = test::fixed_hash();
  ObserverOptions options = test::options_in(folder);
  std::atomic<std::int64_t> wall_us{test::kStart}, steady_us{0};
  options.in_flight.given_time = false;
  options.in_flight.wall_us = [&] { return wall_us.load(); };
  options.in_flight.steady_us = [&] { return steady_us.load(); };
  const std::vector<Exchange> world = test::make_world({100, 4, 0});
  auto observer = started(options, keyed_hash);
  std::int64_t last_us = 0;
  for (std::size_t i = 0; i < world.size(); ++i) {
    wall_us += 30 * base::kSecondUs, steady_us += 30 * base::kSecondUs;
    if (i == 300) wall_us -= 6 * base::kHourUs;
    if (i == 900) wall_us += 200 * base::kDayUs;  // a replay would not believe this step within a file
    InFlight::Ticket ticket = observer->in_flight().arrive();
    EXPECT_GT(ticket.arrived_us(), last_us);
    last_us = ticket.arrived_us();
    auto copy = std::make_unique<Exchange>(world[i]);
    copy->arrived_us = last_us;
    copy->id = request_id(last_us, 1);
    EXPECT_EQ(observer->queue().try_push(0, std::move(copy)), ExchangeQueue::Pushed::whole);
  }
  ASSERT_TRUE(observer->stop());
  const ObserverCounters counters = observer->counters();
  EXPECT_EQ(counters.in_flight.clock_back, 1U);
  EXPECT_EQ(counters.in_flight.clock_forward, 1U);
  EXPECT_EQ(counters.late_shed, 0U);
  EXPECT_EQ(counters.records, world.size());
  const test::Replayed replayed = test::replay(options, keyed_hash);
  EXPECT_EQ(replayed.accepted, world.size());
  EXPECT_EQ(replayed.rejected, 0U);
}

TEST(Observer, AccountsThatComeLaterCountFromThenOnInAReplayToo) {
  const Folder folder;
  const crypto::KeyedHash keyed_hash = test::fixed_hash();
  ObserverOptions options = test::options_in(folder);
  options.accounts_file = folder.path + "/accounts.ndjson";
  const std::string all = test::accounts_of({});
  const std::size_t half = all.find('\n', all.size() / 2) + 1;
  folder.write("accounts.ndjson", all.substr(0, half) + "not a record\n");
  const std::vector<Exchange> world = test::make_world();
  auto observer = started(options, keyed_hash);
  EXPECT_EQ(observer->counters().account_lines_rejected, 1U);
  const auto middle = world.begin() + static_cast<std::ptrdiff_t>(world.size() * 3 / 4);
  serve(*observer, {world.begin(), middle}, 2, 3);
  folder.write("accounts.ndjson", all);
  while (observer->counters().account_lines < test::line_count(all))
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  serve(*observer, {middle, world.end()}, 2, 3);
  ASSERT_TRUE(observer->stop());
  EXPECT_EQ(test::line_count(folder.read("state/accounts.ndjson")), test::line_count(all));
  const test::Replayed replayed = test::replay(options, keyed_hash);
  EXPECT_GT(test::line_count(replayed.verdicts), 20U);
  EXPECT_EQ(folder.read("state/verdicts.ndjson"), replayed.verdicts);
}

TEST(Observer, LinesOfAnotherLogTakeTheSamePath) {
  const Folder folder;
  const crypto::KeyedHash keyed_hash = test::fixed_hash();
  // Another gateway's log with content, shuffled and with repeats, is fed line by line.
  const std::vector<Exchange> world = test::make_world();
  RecordLine record_line(keyed_hash, Content::full);
  std::vector<std::string> lines;
  for (Exchange exchange : world) {
    exchange.id = request_id(exchange.arrived_us, 2) + std::to_string(lines.size());
    std::string line;
    record_line.write(exchange, false, line);
    lines.push_back(line);
  }
  base::Random random(3);
  for (std::size_t i = 0; i + 8 < lines.size(); i += 8) std::swap(lines[i], lines[i + random.below(8)]);
  ObserverOptions options = test::options_in(folder);
  options.feed_wait_us = 20 * base::kMinuteUs;
  auto observer = started(options, keyed_hash);
  std::uint64_t repeats = 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    while (!observer->feed_line(0, lines[i])) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (i % 50 != 0) continue;
    ++repeats;
    while (!observer->feed_line(0, lines[i])) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  while (!observer->feed_line(0, "no record")) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  ASSERT_TRUE(observer->stop());
  EXPECT_EQ(observer->counters().feed_repeated, repeats);
  EXPECT_EQ(observer->counters().feed_refused, 1U);
  const test::Replayed replayed = test::replay(options, keyed_hash);
  EXPECT_EQ(replayed.accepted, lines.size());
  EXPECT_EQ(replayed.rejected, 0U);
  EXPECT_GT(test::line_count(replayed.verdicts), 20U);
  EXPECT_EQ(folder.read("state/verdicts.ndjson"), replayed.verdicts);
}

}  // namespace
}  // namespace stillwatch::gateway
