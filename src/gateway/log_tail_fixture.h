// For tests of this module only: an observer and a tail in a folder, and what came into our own log.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <map>
#include <set>

#include "gateway/log_tail.h"
#include "gateway/observer_fixture.h"
#include "intake/line_source.h"

namespace stillwatch::gateway::test {

/// Packs a file as logrotate has it done: the original goes, its time stays.
inline void pack(const std::string& path, bool is_gzip) {
  const std::string command = is_gzip ? "gzip -n '" : "zstd -q --rm '";
  ASSERT_EQ(std::system((command + path + "'").c_str()), 0) << command << path;
}

/// An observer with a tail on LOG (or a pattern), which can end in an orderly way or as after kill -9.
class LogTailTest : public ::testing::Test {
 protected:
  LogTailTest() : keyed_hash_(fixed_hash()), options_(options_in(folder_)) {
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
           base::format_time(kStart + static_cast<std::int64_t>(number) * base::kSecondUs) + R"(","account":"acct_)" +
           std::to_string(number % 7) + R"(","dialect":"text","request":{"prompt":")" + prompt + "\"}}\n";
  }
  /// What our own log holds: how often each id, which records came too late, how many were refused.
  struct Logged {
    std::map<std::string, int> ids;
    std::set<std::string> late;  // marked as kept from the engine
    std::size_t records = 0, refused = 0;
  };
  static std::string id_in(std::string_view line) {
    const std::size_t at = line.find(R"("id":")") + 6;
    return std::string(line.substr(at, line.find('"', at) - at));
  }
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
          if (text.find(R"("shed":true)") != std::string_view::npos) out.late.insert(id_in(text));
          out.refused += text.find(R"("refused":)") != std::string_view::npos ? 1 : 0;
          ++out.ids[id_in(text)];
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
    EXPECT_EQ(found.late.size(), 0U);
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

}  // namespace stillwatch::gateway::test
