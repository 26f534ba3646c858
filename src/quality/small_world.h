// A world small enough to know the right answer by hand, written as files. Used by tests only.
//
// Ten hostile accounts h0-h9 of campaign "farm-1" and two (g0, g1) of "loop-1"; 100 honest accounts b0-b99, of which
// b0-b19 are relay_user in two units. Each hostile account sends one hostile request an hour, from the epoch
// kWorldStartUs, for 100 hours, of 10 output tokens each.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/event_time.h"
#include "base/files.h"

namespace stillwatch::quality {

inline constexpr std::int64_t kWorldStartUs = 1'776'816'000'000'000;  // 2026-04-22T00:00:00Z
inline std::string hour(double hours) { return base::format_time(kWorldStartUs + static_cast<std::int64_t>(hours * static_cast<double>(base::kHourUs))); }

class SmallWorld : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/stillwatch_quality_XXXXXX";
    folder_ = ::mkdtemp(name);
    std::string truth, queries;
    const auto hostile = [&](const std::string& account, const std::string& campaign, const std::string& family) {
      truth += fmt::format("{{\"v\":1,\"account\":\"{}\",\"hostile\":true,\"campaign\":\"{}\",\"family\":\"{}\",\"stratum\":null}}\n", account, campaign, family);
      for (int h = 0; h < 100; ++h) {
        queries += fmt::format("{{\"id\":\"{}-{}\",\"account\":\"{}\",\"time\":\"{}\",\"output_tokens\":10,\"hostile\":true}}\n", account, h, account, hour(h));
      }
    };
    for (int i = 0; i < 10; ++i) hostile(fmt::format("h{}", i), "farm-1", "template_farm");
    for (int i = 0; i < 2; ++i) hostile(fmt::format("g{}", i), "loop-1", "judge_loop");
    for (int i = 0; i < 100; ++i) {
      truth += fmt::format("{{\"v\":1,\"account\":\"b{}\",\"hostile\":false,\"campaign\":null,\"family\":null,\"stratum\":\"{}\"{},\"language\":\"{}\"}}\n", i,
                           i < 20 ? "relay_user" : "chat_user", i < 20 ? fmt::format(",\"unit\":\"relay-{}\"", i % 2) : "", i % 2 == 0 ? "de" : "en");
    }
    write("truth.ndjson", truth);
    write("queries_truth.ndjson", queries);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string write(const std::string& name, const std::string& bytes) {
    EXPECT_TRUE(base::write_file(folder_ + "/" + name, bytes));
    return folder_ + "/" + name;
  }
  static std::string line(double hours, const std::string& account, const std::string& level, const std::string& campaign = "", const std::string& class_ = "") {
    return fmt::format("{{\"v\":1,\"time\":\"{}\",\"subject\":{{\"kind\":\"account\",\"id\":\"{}\"}},\"level\":\"{}\"{}{}}}\n", hour(hours), account, level,
                       campaign.empty() ? "" : ",\"campaign\":\"" + campaign + "\"", class_.empty() ? "" : ",\"class\":\"" + class_ + "\"");
  }

  std::string folder_;
};

}  // namespace stillwatch::quality
