// Logs that were rotated and packed while nobody read them.
#include <gtest/gtest.h>

#include "gateway/log_tail_fixture.h"

namespace stillwatch::gateway {
namespace {

using test::LogTailTest, test::pack;
namespace fs = std::filesystem;

class PackedTailTest : public LogTailTest {
 protected:
  void write(std::size_t count, const std::string& name = "calls") {
    std::string lines;
    for (std::size_t i = 0; i < count; ++i) lines += record(number_++);
    append(lines, name);
  }
  /// As logrotate counts: calls -> calls.1 -> calls.2 and so on; all but `plain` of them packed.
  void rotate(int plain, bool is_gzip) {
    for (int i = 20; i > 0; --i) {
      for (const char* suffix : {"", ".gz", ".zst"}) {
        const std::string from = path("calls." + std::to_string(i) + suffix);
        if (fs::exists(from)) fs::rename(from, path("calls." + std::to_string(i + 1) + suffix));
      }
    }
    fs::rename(path("calls"), path("calls.1"));
    const std::string oldest = path("calls." + std::to_string(plain + 1));
    if (fs::exists(oldest)) pack(oldest, is_gzip);
  }
  void make_older(const std::string& name, int hours) const {
    fs::last_write_time(path(name), fs::last_write_time(path(name)) - std::chrono::hours(hours));
  }
  void wait_for_all(std::size_t count) const {
    for (int i = 0; i < 10'000 && logged().ids.size() < count; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  /// Reads a packed file that was broken, and what comes after it.
  void read_broken(const std::function<void(std::string&)>& damage, bool has_wrong_bytes) {
    write(5);
    begin();
    wait_for_all(number_);
    end(true);
    write(3'000);
    rotate(0, true);
    std::string bytes = folder_.read("calls.1.gz");
    damage(bytes);
    folder_.write("calls.1.gz", bytes);
    write(1);
    begin();
    const std::string last = "call" + std::to_string(number_ - 1);
    for (int i = 0; i < 10'000 && (tail_->counters().read_errors == 0 || !logged().ids.contains(last)); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    EXPECT_EQ(tail_->counters().read_errors, 1U);
    EXPECT_EQ(problems_, 1);
    end(true);
    const Logged found = logged();
    EXPECT_TRUE(found.ids.contains(last)) << "the tail goes on behind it";
    EXPECT_GT(found.ids.size(), 500U) << "its whole lines are read";
    // Packed bytes that were changed may unpack to lines that nobody wrote, before their sum says so.
    if (!has_wrong_bytes) {
      EXPECT_EQ(found.refused, 0U) << "a piece of a line is none";
    }
  }
  std::size_t number_ = 0;
};

TEST_F(PackedTailTest, GoesOnInThePackedFileAndInThoseAfterIt) {
  for (const int plain : {0, 1}) {
    for (const bool is_gzip : {true, false}) {
      write(30);
      begin();
      wait_for_all(number_);
      end(is_gzip);
      write(500);  // the file it stood in goes on, and is packed unread; so is a whole one
      rotate(plain, is_gzip);
      write(300);
      rotate(plain, is_gzip);
      write(200);
      rotate(plain, is_gzip);
      write(3);
      begin();
      wait_for_all(number_);
      EXPECT_EQ(tail_->counters().places_lost, 0U);
      EXPECT_EQ(problems_, 0);
      end(true);
      expect_each_once(number_);
    }
  }
}

TEST_F(PackedTailTest, WhatWasReadToItsEndIsNotReadAgain) {
  write(50);
  begin();
  wait_for_all(number_);
  end(true);
  rotate(0, true);
  write(50);
  rotate(0, true);
  for (int start = 0; start < 3; ++start) {
    write(10);
    begin();
    wait_for_all(number_);
    end(true);
  }
  begin();
  EXPECT_TRUE([&] {
    for (int i = 0; i < 10'000; ++i) {
      if (tail_->counters().files_open == 1 && tail_->counters().bytes_behind == 0) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }());
  EXPECT_EQ(tail_->counters().files_opened, 1U) << "gzip files say how much is in them";
  EXPECT_EQ(tail_->counters().lines, 0U);
  end(true);
  expect_each_once(number_);
}

TEST_F(PackedTailTest, KilledInTheMiddleOfAPackedFileItGoesOnThere) {
  options_.queue.count_max = 64;  // the tail waits for the observer: it is in the middle for a while
  for (const bool is_gzip : {true, false}) {
    write(5);
    begin();
    wait_for_all(number_);
    end(false);
    write(1'000);
    rotate(0, is_gzip);
    write(10);
    for (int kill = 0; kill < 5; ++kill) {
      begin();
      std::this_thread::sleep_for(std::chrono::milliseconds(5 + 7 * kill));
      end(false);
    }
    begin();
    wait_for_all(number_);
    EXPECT_EQ(tail_->counters().places_lost, 0U);
    end(true);
    expect_each_once(number_);
  }
}

TEST_F(PackedTailTest, ACutFileGivesItsWholeLinesAndTheRestWhenItIsThere) {
  for (const bool is_gzip : {true, false}) {
    const std::string packed = path(is_gzip ? "calls.1.gz" : "calls.1.zst");
    tail_options_.rotated_idle_ms = 600'000;
    write(5);
    begin();
    wait_for_all(number_);
    end(true);
    const std::size_t before = number_;
    write(3'000);
    rotate(0, is_gzip);
    const std::string whole = folder_.read(fs::path(packed).filename());
    fs::resize_file(packed, whole.size() / 2);
    begin();
    wait_for_all(before + 500);
    EXPECT_LT(logged().ids.size(), number_);
    if (is_gzip) {
      // Its writer goes on, after a kill or without one.
      end(false);
      begin();
    }
    std::ofstream(packed, std::ios::binary | std::ios::app) << whole.substr(whole.size() / 2);
    wait_for_all(number_);
    end(true);
    expect_each_once(number_);
    fs::remove(packed);
  }
}

TEST_F(PackedTailTest, ACutFileIsToldWhenNobodyWritesItOn) {
  tail_options_.rotated_idle_ms = 1;
  read_broken([](std::string& bytes) { bytes.resize(bytes.size() / 2); }, false);
}

TEST_F(PackedTailTest, ADamagedFileIsTold) {
  read_broken([](std::string& bytes) { bytes.replace(bytes.size() / 2, 40, 40, '\0'); }, true);
}

TEST_F(PackedTailTest, ABombIsLeftAlone) {
  write(5);
  begin();
  wait_for_all(number_);
  end(true);
  append(std::string(300U << 20, 'a') + "\n");  // shrinks a thousand times and more
  fs::rename(path("calls"), path("calls.1"));
  pack(path("calls.1"), false);
  write(5);
  begin();
  wait_for_all(number_);
  for (int i = 0; i < 10'000 && tail_->counters().read_errors == 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(tail_->counters().read_errors, 1U);
  end(true);
  expect_each_once(number_);
}

TEST_F(PackedTailTest, WhatWasPackedBeforeItWasEverFollowedIsNotRead) {
  append(record(1'000) + record(1'001), "calls.2");
  pack(path("calls.2"), true);
  make_older("calls.2.gz", 48);
  write(5);
  begin();
  wait_for_all(number_);
  end(true);
  write(5);
  rotate(0, true);  // calls.2.gz is calls.3.gz now
  write(5);
  begin();
  wait_for_all(number_);
  end(true);
  expect_each_once(number_);
}

TEST_F(PackedTailTest, AFileThatIsBeingPackedIsReadOnce) {
  write(5);
  begin();
  wait_for_all(number_);
  end(true);
  write(500);
  fs::rename(path("calls"), path("calls.1"));
  ASSERT_EQ(std::system(("gzip -k '" + path("calls.1") + "'").c_str()), 0);
  fs::resize_file(path("calls.1.gz"), fs::file_size(path("calls.1.gz")) / 2);
  write(5);
  begin();
  wait_for_all(number_);
  // It is done, and the original goes, while that is open.
  fs::remove(path("calls.1.gz"));
  pack(path("calls.1"), true);
  write(5);
  fs::rename(path("calls"), path("calls.2"));
  write(5);
  wait_for_all(number_);
  end(true);
  expect_each_once(number_);
}

TEST_F(PackedTailTest, APatternReadsOnInPackedFilesButNotInThoseOfBefore) {
  tail_options_.logs = {{intake::make_query_parser, folder_.path + "/calls-*.ndjson", false}};
  append(record(1'000) + record(1'001), "calls-00.ndjson");
  pack(path("calls-00.ndjson"), true);
  make_older("calls-00.ndjson.gz", 48);
  write(5, "calls-01.ndjson");
  make_older("calls-01.ndjson", 24);
  write(5, "calls-02.ndjson");
  begin();
  wait_for_all(number_);
  end(true);
  write(300, "calls-02.ndjson");
  write(300, "calls-03.ndjson");
  write(5, "calls-04.ndjson");
  pack(path("calls-01.ndjson"), false);
  pack(path("calls-02.ndjson"), true);
  pack(path("calls-03.ndjson"), false);
  begin();
  wait_for_all(number_);
  end(true);
  expect_each_once(number_);
}

// The clock is real and the records are old: what is packed must come before what is not, or it would be late.
TEST_F(PackedTailTest, PackedFilesAreReadInTheOrderOfTheirTime) {
  options_.in_flight.given_time = false;
  options_.feed_wait_us = base::kSecondUs;
  options_.lateness_us = 30 * base::kMinuteUs;
  tail_options_.turn_bytes = 2'000;
  write(10);
  begin();
  wait_for_all(number_);
  end(false);
  logged_before_ = number_;
  for (int rotation = 0; rotation < 8; ++rotation) {
    write(4'000);  // more than an hour each
    rotate(1, rotation % 2 == 0);
  }
  write(10);
  begin();
  wait_for_records(number_);
  end(true);
  expect_each_once(number_);
}

}  // namespace
}  // namespace stillwatch::gateway
