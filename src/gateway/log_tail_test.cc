#include "gateway/log_tail.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>

#include "gateway/observer_fixture.h"
#include "intake/line_source.h"

namespace stillwatch::gateway {
namespace {

using test::Folder;

/// An observer with a tail on LOG (or a pattern), which can end in an orderly way or as after kill -9.
class LogTailTest : public ::testing::Test {
 protected:
  LogTailTest() : keyed_hash_(test::fixed_hash()), options_(test::options_in(folder_)) {
    options_.feed_wait_us = 20 * base::kMinuteUs;
    options_.tail_parsers.emplace_back(intake::make_query_parser);
    tail_options_.logs = {{intake::make_query_parser, folder_.path + "/calls", false}};
    tail_options_.state_folder = options_.state_folder;
    tail_options_.poll_ms = 1;
    tail_options_.look_ms = 2;
    tail_options_.rotated_idle_ms = 200;
    tail_options_.park_idle_ms = 200;
    tail_options_.line_bytes_max = 100'000;
  }
  void TearDown() override { end(false); }

  void begin() {
    auto observer = Observer::start(options_, keyed_hash_, {});
    ASSERT_TRUE(observer) << observer.error().message;
    observer_ = std::move(*observer);
    auto tail = LogTail::start(tail_options_, *observer_, [this](std::string_view) { ++problems_; });
    ASSERT_TRUE(tail) << tail.error().message;
    tail_ = std::move(*tail);
  }
  void end(bool orderly) {
    if (tail_ != nullptr) tail_->stop();
    tail_.reset();
    if (orderly && observer_ != nullptr) {
      EXPECT_TRUE(observer_->stop());
    }
    observer_.reset();
  }

  std::string path(const std::string& name) const { return folder_.path + "/" + name; }
  void append(const std::string& bytes, const std::string& name = "calls") const {
    std::ofstream(path(name), std::ios::binary | std::ios::app) << bytes;
  }
  /// A native record, a second of event time after the one before.
  static std::string record(std::size_t number, const std::string& prompt = "hello") {
    return R"({"v":1,"id":"call)" + std::to_string(number) + R"(","time":")" +
           base::format_time(test::kStart + static_cast<std::int64_t>(number) * base::kSecondUs) +
           R"(","account":"acct_)" + std::to_string(number % 7) + R"(","dialect":"text","request":{"prompt":")" +
           prompt + "\"}}\n";
  }
  /// What our own log holds: how often each id, and how many records are marked as shed or refused.
  struct Logged {
    std::map<std::string, int> ids;
    std::size_t records = 0, shed = 0, refused = 0;
  };
  Logged logged() const {
    Logged out;
    for (const auto& entry : std::filesystem::directory_iterator(options_.log.folder)) {
      if (entry.path().extension() != ".zst") continue;
      auto source = intake::LineSource::open(entry.path());
      if (!source) continue;
      intake::LineBlock block;
      while (source->next(block).value_or(false)) {
        for (const auto& line : block.lines) {
          const std::string_view text = block.text(line);
          ++out.records;
          out.shed += text.find(R"("shed":true)") != std::string_view::npos ? 1 : 0;
          out.refused += text.find(R"("refused":)") != std::string_view::npos ? 1 : 0;
          const std::size_t at = text.find(R"("id":")") + 6;
          ++out.ids[std::string(text.substr(at, text.find('"', at) - at))];
        }
      }
    }
    return out;
  }
  /// Waits until `count` records are in our log.
  void wait_for_records(std::size_t count) const {
    for (int i = 0; i < 20'000; ++i) {
      if (observer_->counters().log.lines + logged_before_ >= count) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    FAIL() << observer_->counters().log.lines << " of " << count << " records came";
  }
  void expect_each_once(std::size_t count) const {
    const Logged found = logged();
    for (std::size_t i = 0; i < count; ++i) {
      const auto at = found.ids.find("call" + std::to_string(i));
      ASSERT_TRUE(at != found.ids.end()) << i << " is lost";
      EXPECT_EQ(at->second, 1) << i;
    }
    EXPECT_EQ(found.shed, 0U);
    EXPECT_EQ(found.records, count + found.refused);
  }

  const Folder folder_;
  const crypto::KeyedHash keyed_hash_;
  ObserverOptions options_;
  LogTailOptions tail_options_;
  std::unique_ptr<Observer> observer_;
  std::unique_ptr<LogTail> tail_;
  std::size_t logged_before_ = 0;
  std::atomic<int> problems_{0};
};

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
  std::size_t number = 0, rotations = 0;
  std::string pending;
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
      append(pending.substr(0, size));
      pending.erase(0, size);
      if (random.chance(0.3)) std::this_thread::sleep_for(std::chrono::milliseconds(random.below(15)));
    }
    const bool is_between_lines =
        pending.empty() || folder_.read("calls").empty() || folder_.read("calls").back() == '\n';
    end(false);
    // While nobody looks.
    if (is_between_lines && random.chance(0.5)) {
      std::filesystem::rename(path("calls"), path("calls." + std::to_string(++rotations)));
      append(record(number++));
    }
  }
  append(pending);
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
  EXPECT_EQ(all.shed, 0U);
  // Lines that are refused but name an account come once each, too: nothing else is in the log.
  EXPECT_EQ(all.records, once + all.refused);
  const std::string written = [&] {
    std::string text = folder_.read("calls");
    for (std::size_t i = 1; i <= rotations; ++i) text += folder_.read("calls." + std::to_string(i));
    return text;
  }();
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
  // The tailed log in place of our own.
  ObserverOptions tailed = options_;
  tailed.log.folder = path("tailed");
  std::filesystem::create_directory(tailed.log.folder);
  std::string whole;
  for (const std::string& line : lines) whole += line;
  folder_.write("tailed/calls", whole);
  EXPECT_EQ(live, test::replay(tailed, keyed_hash_).verdicts) << "the tailed log";
}

}  // namespace
}  // namespace stillwatch::gateway
