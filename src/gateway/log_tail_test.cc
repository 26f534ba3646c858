#include "gateway/log_tail.h"

#include <gtest/gtest.h>

#include "gateway/log_tail_fixture.h"

namespace stillwatch::gateway {
namespace {

using test::LogTailTest;

TEST_F(LogTailTest, TakesLinesAsTheyComeAndPassesOverWhatIsNone) {
  append(record(0));
  begin();
  wait_for_records(1);
  append("\n   \nno record\n" + record(1) + record(2).substr(0, 40));
  wait_for_records(2);
  append(record(2).substr(40));
  // One over the limit is refused, and counts for its account.
  append(record(3, std::string(200'000, 'x')) + record(4));
  wait_for_records(5);
  EXPECT_EQ(observer_->counters().feed_refused, 2U);
  end(true);
  const Logged found = logged();
  EXPECT_EQ(found.records, 5U);
  EXPECT_EQ(found.refused, 1U);
  for (const char* id : {"call0", "call1", "call2", "call4"}) EXPECT_TRUE(found.ids.contains(id)) << id;
}

TEST_F(LogTailTest, GoesOnOverRotationsOfEachKind) {
  begin();
  std::size_t number = 0;
  const auto write = [&](int count, const std::string& name) {
    for (int i = 0; i < count; ++i) append(record(number++), name);
  };
  for (int rotation = 0; rotation < 6; ++rotation) {
    const std::string aside = "calls." + std::to_string(rotation);
    write(1, "calls");
    wait_for_records(number);
    write(20, "calls");  // some of it unread
    if (rotation % 3 == 1) {
      std::filesystem::copy_file(path("calls"), path("calls.copying"));
      std::filesystem::rename(path("calls.copying"), path(aside));
      std::filesystem::resize_file(path("calls"), 0);
    } else if (rotation % 3 == 0) {
      std::filesystem::rename(path("calls"), path(aside));
      // The writer goes on with the old file for a while.
      write(5, aside);
    } else {
      std::filesystem::rename(path("calls"), path(aside + "1"));
      // Another one before anybody looked.
      write(5, "calls");
      std::filesystem::rename(path("calls"), path(aside));
    }
  }
  write(1, "calls");
  wait_for_records(number);
  const LogTailCounters counters = tail_->counters();
  EXPECT_GE(counters.rotations, 4U);
  EXPECT_GE(counters.truncations, 1U);
  EXPECT_EQ(counters.places_lost, 0U);
  end(true);
  expect_each_once(number);
}

TEST_F(LogTailTest, LosesNothingAndTakesNothingTwiceWhereverTheProcessEnds) {
  base::Random random(5);
  options_.snapshot_seconds = 0.02;
  options_.feed_wait_us = base::kDayUs;
  std::size_t number = 0, rotations = 0, packed = 0;
  std::string pending, written;
  const auto write = [&](const std::string& bytes) {
    append(bytes);
    written += bytes;
  };
  for (int round = 0; round < 30; ++round) {
    begin();
    for (std::uint64_t step = random.below(4); step < 6; ++step) {
      for (std::uint64_t i = random.below(30); i > 0; --i) {
        pending += record(number++);
        if (random.chance(0.05)) pending += "broken\n";
        if (random.chance(0.05))
          pending += R"({"v":1,"account":"acct_1","time":"2026-04-02T00:00:00Z","dialect":1})"
                     "\n";
      }
      // Written up to any byte.
      const std::size_t size = random.below(pending.size() + 1);
      write(pending.substr(0, size));
      pending.erase(0, size);
      if (random.chance(0.3)) std::this_thread::sleep_for(std::chrono::milliseconds(random.below(15)));
    }
    if (const std::size_t line = pending.find('\n'); line != std::string::npos && random.chance(0.6)) {
      write(pending.substr(0, line + 1));
      pending.erase(0, line + 1);
    }
    const bool is_between_lines =
        pending.empty() || folder_.read("calls").empty() || folder_.read("calls").back() == '\n';
    end(false);
    // While nobody looks.
    if (is_between_lines && random.chance(0.5)) {
      std::filesystem::rename(path("calls"), path("calls." + std::to_string(++rotations)));
      write(record(number++));
      for (; packed < rotations && random.chance(0.7); ++packed)
        test::pack(path("calls." + std::to_string(packed + 1)), random.chance(0.5));
    }
  }
  EXPECT_GT(packed, 3U);
  write(pending);
  begin();
  for (int i = 0; i < 20'000; ++i) {
    if (tail_->counters().files_open > 0 && tail_->counters().bytes_behind == 0 &&
        observer_->queue().counters().waiting == 0 && logged().ids.contains("call" + std::to_string(number - 1)))
      break;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(tail_->counters().places_lost, 0U);
  end(true);
  const Logged all = logged();
  std::size_t once = 0;
  for (std::size_t i = 0; i < number; ++i) {
    const auto at = all.ids.find("call" + std::to_string(i));
    ASSERT_TRUE(at != all.ids.end()) << i << " of " << number << " is lost";
    EXPECT_EQ(at->second, 1) << i;
    ++once;
  }
  EXPECT_EQ(all.late.size(), 0U);
  // Lines that are refused but name an account come once each, too: nothing else is in the log.
  EXPECT_EQ(all.records, once + all.refused);
  std::size_t refusable = 0;
  for (std::size_t at = written.find(R"("dialect":1)"); at != std::string::npos;
       at = written.find(R"("dialect":1)", at + 1))
    ++refusable;
  EXPECT_EQ(all.refused, refusable);
}

TEST_F(LogTailTest, ReadsWhatIsOldInTheOrderOfItsTime) {
  // The clock is real, the records are months old, and each of the files spans all the time.
  options_.in_flight.given_time = false;
  options_.feed_wait_us = base::kSecondUs;
  options_.lateness_us = 30 * base::kMinuteUs;
  tail_options_.logs = {{intake::make_query_parser, folder_.path + "/calls-*", false}};
  tail_options_.turn_bytes = 2'000;
  constexpr std::size_t kRecords = 20'000;  // hours
  std::string files[5];
  for (std::size_t i = 0; i < kRecords; ++i) files[i * 7 % 5] += record(i);
  for (int i = 0; i < 5; ++i) append(files[i], "calls-" + std::to_string(i));
  append("compressed", "calls-9.gz");
  begin();
  wait_for_records(kRecords);
  EXPECT_EQ(tail_->counters().files_opened, 5U);
  end(true);
  expect_each_once(kRecords);
  EXPECT_EQ(problems_, 0);
}

TEST_F(LogTailTest, BeginsAtTheEndWhenToldAndStaysSo) {
  tail_options_.logs = {{intake::make_query_parser, folder_.path + "/calls*", true}};
  append(record(1'000) + record(1'001), "calls-old");
  append(record(1'002));
  begin();
  while (tail_->counters().files_open < 2) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  append(record(0));
  wait_for_records(1);
  end(false);  // before any snapshot of it
  begin();
  append(record(1), "calls-old");
  append(record(2), "calls-new");
  wait_for_records(2);
  end(true);
  expect_each_once(3);
}

TEST_F(LogTailTest, SaysWhenTheFileItStoodInIsGone) {
  append(record(0));
  begin();
  wait_for_records(1);
  end(true);
  std::filesystem::remove(path("calls"));
  append(record(1));
  begin();
  wait_for_records(1);
  EXPECT_EQ(tail_->counters().places_lost, 1U);
  EXPECT_EQ(problems_, 1);
  end(true);
  expect_each_once(2);
}

TEST_F(LogTailTest, WaitsForRoomAndDropsNothing) {
  options_.queue.count_max = 8;
  constexpr std::size_t kRecords = 200;
  std::string lines;
  for (std::size_t i = 0; i < kRecords; ++i) lines += record(i);
  append(lines);
  begin();
  wait_for_records(kRecords);
  EXPECT_GT(tail_->counters().waits, 0U);
  EXPECT_EQ(observer_->counters().queue_dropped, 0U);
  end(true);
  expect_each_once(kRecords);
}

TEST_F(LogTailTest, FindsInALiveLogWhatAReplayOfThatLogFinds) {
  // Another gateway's log with content; lines nearly in order.
  const std::vector<Exchange> world = test::make_world();
  RecordLine record_line(keyed_hash_, Content::full);
  std::vector<std::string> lines;
  for (Exchange exchange : world) {
    exchange.id = request_id(exchange.arrived_us, 2) + std::to_string(lines.size());
    std::string line;
    record_line.write(exchange, false, line);
    lines.push_back(line + "\n");
  }
  base::Random random(3);
  for (std::size_t i = 0; i + 8 < lines.size(); i += 8) std::swap(lines[i], lines[i + random.below(8)]);
  options_.accounts_file = path("accounts");
  folder_.write("accounts", test::accounts_of(test::World{}));
  begin();
  std::size_t sent = 0;
  for (int part = 0; part < 8; ++part) {
    for (const std::size_t until = lines.size() * (static_cast<std::size_t>(part) + 1) / 8; sent < until; ++sent)
      append(lines[sent]);
    if (part % 3 == 1) std::filesystem::rename(path("calls"), path("calls." + std::to_string(part)));
    if (part % 3 == 2) {
      end(part == 5);
      begin();
    }
  }
  for (int i = 0; i < 20'000 && logged().records < lines.size(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  end(true);
  const std::string live = folder_.read("state/verdicts.ndjson");
  EXPECT_GT(test::line_count(live), 20U);
  EXPECT_EQ(live, test::replay(options_, keyed_hash_).verdicts) << "its own log";
  // The tailed log in place of our own, but for what came too late: between two lines that change places the tail may
  // have been level with its log, and by the clock, which is months ahead of them, no line was to be waited for.
  const Logged found = logged();
  EXPECT_LT(found.late.size(), lines.size() / 50);
  ObserverOptions tailed = options_;
  tailed.log.folder = path("tailed");
  std::filesystem::create_directory(tailed.log.folder);
  std::string whole;
  for (const std::string& line : lines) {
    if (!found.late.contains(id_in(line))) whole += line;
  }
  folder_.write("tailed/calls", whole);
  EXPECT_EQ(live, test::replay(tailed, keyed_hash_).verdicts) << "the tailed log";
}

}  // namespace
}  // namespace stillwatch::gateway
