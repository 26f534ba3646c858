#include "ledger/sequencer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <thread>

#include "base/event_time.h"
#include "ledger/log_fixture.h"
#include "ledger/log_reader.h"

namespace stillwatch::ledger {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

std::int64_t at(std::string_view time) { return *base::parse_time(time) / 1'000; }

class SequencerTest : public ::testing::Test {
 protected:
  SequencerTest() {
    chain_options_.folder = top_.path();
    chain_options_.folder_prefix = "shard-s00";
    chain_options_.origin_prefix = "audit.example/audit/s00";
    options_.batch_ms_max = 5;
  }
  std::unique_ptr<Sequencer> start() {
    auto chain = LogChain::open(chain_options_, now_ms_);
    EXPECT_TRUE(chain) << chain.error().message;
    return std::make_unique<Sequencer>(std::move(*chain), options_, [this] { return now_ms_.load(); });
  }
  std::vector<std::string> entries(const std::string& month = "2026-11") const {
    std::vector<std::string> all;
    const auto reader = LogReader::open(top_ / ("logs/shard-s00-" + month));
    EXPECT_TRUE(reader) << reader.error().message;
    EXPECT_TRUE(reader->scan(0, reader->size(), [&](std::uint64_t, std::string_view entry) {
      all.emplace_back(entry);
      return true;
    }));
    return all;
  }
  static const GapLeaf* gap(const std::string& bytes, Leaf& leaf) {
    auto read = read_leaf(bytes);
    if (!read) return nullptr;
    leaf = *read;
    return std::get_if<GapLeaf>(&leaf);
  }
  // The writer cannot write while this stands: its log's folder has another name.
  void hide_log() { fs::rename(top_ / "logs/shard-s00-2026-11", top_ / "hidden"); }
  void show_log() { fs::rename(top_ / "hidden", top_ / "logs/shard-s00-2026-11"); }

  test::TemporaryFolder top_;
  LogChainOptions chain_options_;
  SequencerOptions options_;
  std::atomic<std::int64_t> now_ms_{at("2026-11-03T10:00:00Z")};
};

TEST_F(SequencerTest, WritesInTheOrderTakenAndSaysWhere) {
  std::map<std::uint64_t, std::uint64_t> places;
  std::string origin;
  options_.on_sequenced = [&](const std::string& log, std::span<const Sequenced> leaves) {
    origin = log;
    for (const Sequenced& leaf : leaves) places[leaf.cookie] = leaf.index;
  };
  auto sequencer = start();
  for (unsigned i = 1; i <= 5'000; ++i) ASSERT_TRUE(sequencer->try_append(test::entry(i), i % 2 ? i : 0));
  ASSERT_TRUE(sequencer->flush());
  const auto all = entries();
  ASSERT_EQ(all.size(), 5'001U);
  for (unsigned i = 1; i <= 5'000; ++i) ASSERT_EQ(all[i], test::entry(i));
  EXPECT_EQ(places.size(), 2'500U);
  for (const auto& [cookie, index] : places) EXPECT_EQ(all[index], test::entry(cookie));
  EXPECT_EQ(origin, "audit.example/audit/s00/2026-11");
  const auto counters = sequencer->counters();
  EXPECT_EQ(counters.taken, 5'000U);
  EXPECT_EQ(counters.committed, 5'000U);
  EXPECT_EQ(counters.waiting, 0U);
  EXPECT_TRUE(sequencer->stop());
}

TEST_F(SequencerTest, KeepsTheOrderOfEachThread) {
  auto sequencer = start();
  std::vector<std::thread> threads;
  constexpr unsigned kThreads = 4, kLeaves = 3'000;
  for (unsigned t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (unsigned i = 0; i < kLeaves; ++i) {
        ASSERT_TRUE(sequencer->append(std::to_string(t) + ":" + std::to_string(i)));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(sequencer->stop());
  const auto all = entries();
  ASSERT_EQ(all.size(), 1 + kThreads * kLeaves);
  std::vector<unsigned> next(kThreads, 0);
  for (std::size_t i = 1; i < all.size(); ++i) {
    const unsigned t = static_cast<unsigned>(all[i][0] - '0');
    EXPECT_EQ(all[i], std::to_string(t) + ":" + std::to_string(next[t]++));
  }
}

TEST_F(SequencerTest, SignsAtAStopAndAfterAnInterval) {
  std::atomic<std::uint64_t> notes{0};
  options_.on_checkpoint = [&](const std::string&, const std::string& note) {
    EXPECT_THAT(note, HasSubstr("audit.example/audit/s00/2026-11\n"));
    ++notes;
  };
  options_.checkpoint_ms = 10;
  auto sequencer = start();
  ASSERT_TRUE(sequencer->try_append("a"));
  while (notes.load() == 0) std::this_thread::yield();  // without a further leaf or a flush
  ASSERT_TRUE(sequencer->try_append("b"));
  ASSERT_TRUE(sequencer->stop());
  EXPECT_EQ(notes.load(), 2U);
  EXPECT_EQ(entries().size(), 3U);
}

TEST_F(SequencerTest, SaysAloudWhatWasLostInItsPlace) {
  options_.queue_entries_max = 10;
  options_.retry_ms = 1;
  auto sequencer = start();
  ASSERT_TRUE(sequencer->flush());
  hide_log();
  // The writer takes some leaves and fails; the queue fills behind it.
  unsigned taken = 0, lost = 0;
  ASSERT_TRUE(sequencer->try_append("first"));
  while (sequencer->counters().write_failures == 0) std::this_thread::yield();
  while (lost == 0) (sequencer->try_append("before") ? taken : lost) += 1;
  now_ms_ += 500;
  for (; lost < 7; ++lost) ASSERT_FALSE(sequencer->try_append("lost"));
  show_log();
  while (sequencer->counters().waiting > 0) std::this_thread::yield();
  ASSERT_TRUE(sequencer->append("after"));
  ASSERT_TRUE(sequencer->stop());

  const auto all = entries();
  ASSERT_EQ(all.size(), 2 + taken + 2U);
  EXPECT_EQ(all[1], "first");
  Leaf leaf;
  const GapLeaf* said = gap(all[all.size() - 2], leaf);
  ASSERT_NE(said, nullptr);
  EXPECT_EQ(said->leaves, 7U);
  EXPECT_EQ(said->why, "overflow");
  EXPECT_EQ(said->to_ms - said->from_ms, 500);
  EXPECT_EQ(all.back(), "after");
  EXPECT_EQ(sequencer->counters().lost_overflow, 7U);
  EXPECT_EQ(sequencer->counters().gaps, 1U);
}

TEST_F(SequencerTest, FailsClosedWithoutAGapWhenItIsToldTo) {
  options_.queue_entries_max = 3;
  options_.is_fail_closed = true;
  options_.retry_ms = 1;
  auto sequencer = start();
  ASSERT_TRUE(sequencer->flush());
  hide_log();
  ASSERT_TRUE(sequencer->try_append("first"));
  while (sequencer->counters().write_failures == 0) std::this_thread::yield();
  for (int i = 0; i < 10; ++i) (void)sequencer->try_append("x");
  EXPECT_FALSE(sequencer->has_room());
  show_log();
  ASSERT_TRUE(sequencer->stop());
  EXPECT_EQ(sequencer->counters().refused, 7U);
  EXPECT_EQ(sequencer->counters().gaps, 0U);
  EXPECT_EQ(entries().size(), 5U);
}

TEST_F(SequencerTest, RefusesLeavesOfAWrongSizeAndSaysSo) {
  auto sequencer = start();
  EXPECT_TRUE(sequencer->try_append(std::string(kEntryBytesMax, 'a')));
  EXPECT_FALSE(sequencer->try_append(std::string(kEntryBytesMax + 1, 'a')));
  EXPECT_FALSE(sequencer->append(std::string(kEntryBytesMax + 1, 'a')));
  EXPECT_FALSE(sequencer->try_append(""));
  EXPECT_TRUE(sequencer->try_append("b"));
  ASSERT_TRUE(sequencer->stop());
  const auto all = entries();
  ASSERT_EQ(all.size(), 4U);
  Leaf leaf;
  const GapLeaf* said = gap(all[2], leaf);
  ASSERT_NE(said, nullptr);
  EXPECT_EQ(said->leaves, 3U);
  EXPECT_EQ(said->why, "size");
  EXPECT_EQ(sequencer->counters().lost_size, 3U);
}

TEST_F(SequencerTest, TellsWhoWaitsThatWritingFails) {
  options_.retry_ms = 1;
  std::atomic<int> alarms{0}, all_clear{0};
  options_.on_alarm = [&](const base::Error* error) { ++(error != nullptr ? alarms : all_clear); };
  auto sequencer = start();
  ASSERT_TRUE(sequencer->flush());
  hide_log();
  ASSERT_TRUE(sequencer->try_append("a"));
  const base::Status status = sequencer->flush();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().fault, base::Fault::environment);
  show_log();
  for (int i = 0; i < 1'000 && !sequencer->flush(); ++i) std::this_thread::yield();
  EXPECT_EQ(alarms.load(), 1);
  EXPECT_EQ(all_clear.load(), 1);
  EXPECT_EQ(entries().size(), 2U);
}

TEST_F(SequencerTest, GivesUpAtAStopAndCounts) {
  options_.retry_ms = 1;
  auto sequencer = start();
  ASSERT_TRUE(sequencer->flush());
  hide_log();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(sequencer->try_append("a"));
  const base::Status status = sequencer->stop();
  ASSERT_FALSE(status);
  EXPECT_EQ(sequencer->counters().lost_stopped, 5U);
  EXPECT_FALSE(sequencer->try_append("late"));
  EXPECT_FALSE(sequencer->append("late"));
  show_log();
  sequencer.reset();
  // The next one says that something is missing.
  sequencer = start();
  ASSERT_TRUE(sequencer->stop());
  Leaf leaf;
  const GapLeaf* said = gap(entries().back(), leaf);
  ASSERT_NE(said, nullptr);
  EXPECT_EQ(said->why, "crash");
}

TEST_F(SequencerTest, SaysACrashOnceAndNothingAfterAnOrderlyStop) {
  ASSERT_TRUE(start()->stop());
  const std::string running = top_ / "logs/shard-s00.running";
  EXPECT_FALSE(fs::exists(running));
  ASSERT_TRUE(start()->stop());
  EXPECT_EQ(entries().size(), 1U);
  test::write(running, "");
  now_ms_ += 60'000;
  ASSERT_TRUE(start()->stop());
  ASSERT_TRUE(start()->stop());
  const auto all = entries();
  ASSERT_EQ(all.size(), 2U);
  Leaf leaf;
  const GapLeaf* said = gap(all[1], leaf);
  ASSERT_NE(said, nullptr);
  EXPECT_EQ(said->leaves, 0U);
  EXPECT_EQ(said->to_ms - said->from_ms, 60'000);
}

TEST_F(SequencerTest, PutsLeavesWithATimeIntoTheirMonths) {
  auto sequencer = start();
  const std::int64_t november = at("2026-11-30T23:00:00Z"), december = at("2026-12-01T01:00:00Z");
  ASSERT_TRUE(sequencer->append("n1", 0, november));
  ASSERT_TRUE(sequencer->append("n2", 0, november));
  ASSERT_TRUE(sequencer->append("d1", 0, december));
  ASSERT_TRUE(sequencer->append("late", 0, november));  // November is closed
  ASSERT_TRUE(sequencer->stop());
  EXPECT_EQ(entries("2026-11").size(), 5U);  // open, n1, n2, key, close
  const auto second = entries("2026-12");
  ASSERT_EQ(second.size(), 3U);
  EXPECT_EQ(second[1], "d1");
  EXPECT_EQ(second[2], "late");
  EXPECT_EQ(sequencer->counters().rotations, 1U);
}

TEST_F(SequencerTest, RunsWorkBetweenBatches) {
  auto sequencer = start();
  ASSERT_TRUE(sequencer->try_append("a"));
  ASSERT_TRUE(sequencer->run([&](LogChain& chain) {
    EXPECT_EQ(chain.log().size(), 2U);  // what was taken before is written
    return chain.rotate(now_ms_, "test");
  }));
  ASSERT_TRUE(sequencer->try_append("b"));
  ASSERT_TRUE(sequencer->stop());
  EXPECT_EQ(entries("2026-11-2").back(), "b");
  EXPECT_FALSE(sequencer->run([](LogChain&) { return base::Status{}; }));
}

}  // namespace
}  // namespace stillwatch::ledger
