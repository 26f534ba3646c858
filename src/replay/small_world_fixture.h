// For tests of this module only: a log of six days with a campaign in it, as its lines, and a replay of it that writes
// an audit log.
//
// Invariant: the same lines for the same seed. Threads: one user. Cost: about 8,000 lines; a replay takes a second.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/event_time.h"
#include "base/random.h"
#include "replay/folder_fixture.h"
#include "replay/run.h"

namespace stillwatch::replay::test {

inline constexpr std::int64_t kWorldStartUs = 1'775'001'600'000'000;  // 2026-04-01
inline constexpr int kWorldDays = 6, kCampaignFromDay = 4, kStrangers = 200, kCampaignAccounts = 50;
inline constexpr const char* kWorldPolicy = "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// Made-up words out of a vocabulary that grows with `size`.
inline std::string words(base::Random& random, int count) {
  constexpr std::string_view kSyllables[] = {"ba",  "ke",  "ri", "mo", "su",  "ta",
                                             "len", "dor", "vi", "pa", "gru", "nel"};
  std::string out;
  for (int i = 0; i < count; ++i) {
    std::uint64_t number = base::mix64(random.below(20'000) + 77);
    if (i > 0) out += ' ';
    for (int syllable = 0; syllable < 3; ++syllable, number /= 12) out += kSyllables[number % 12];
  }
  return out;
}

/// Lines in order of time, each with its newline.
inline std::vector<std::string> world_lines(std::uint64_t seed = 1) {
  struct Request {
    std::int64_t time_us;
    std::string account, text;
    int network;
  };
  base::Random random(seed);
  std::vector<Request> requests;
  const auto moment = [&](int day) {
    return kWorldStartUs + day * base::kDayUs + static_cast<std::int64_t>(random.below(base::kDayUs));
  };
  std::vector<std::string> phrases, beginnings;  // everybody's, and the campaign's
  for (int i = 0; i < 100; ++i) phrases.push_back(words(random, 13));
  for (int i = 0; i < 40; ++i) beginnings.push_back(words(random, 14));
  for (int stranger = 0; stranger < kStrangers; ++stranger) {
    const double rate = std::exp(random.normal() * 0.6) * 5;
    for (int day = 0; day < kWorldDays; ++day) {
      for (double left = rate - random.uniform(); left > 0; --left) {
        const std::string phrase = random.chance(0.3) ? phrases[random.below(phrases.size())] + " " : "";
        requests.push_back({moment(day), "acct_" + std::to_string(stranger), phrase + words(random, 24), stranger});
      }
    }
  }
  for (int day = kCampaignFromDay; day < kWorldDays; ++day) {
    for (int account = 0; account < kCampaignAccounts; ++account) {
      for (int i = 0; i < 24; ++i) {
        const std::string begin = random.chance(0.3) ? words(random, 14) : beginnings[random.below(beginnings.size())];
        requests.push_back(
            {moment(day), "farm_" + std::to_string(account), begin + " " + words(random, 16), 5'000 + account % 3});
      }
    }
  }
  std::sort(requests.begin(), requests.end(), [](const Request& a, const Request& b) {
    return std::tie(a.time_us, a.account, a.text) < std::tie(b.time_us, b.account, b.text);
  });
  std::vector<std::string> lines;
  std::string before;  // the campaign's last text: now and then another of its accounts goes on with it
  for (const Request& request : requests) {
    const bool is_farm = request.account.starts_with("farm");
    std::string line = R"({"v":1,"id":"r)" + std::to_string(lines.size()) + R"(","time":")" +
                       base::format_time(request.time_us) + R"(","account":")" + request.account +
                       R"(","client":{"ip":"10.)" + std::to_string(request.network / 250) + "." +
                       std::to_string(request.network % 250) + R"(.7","user_agent":")";
    line += is_farm ? "grader/3.1" : "openai-python/1." + std::to_string(request.network % 7) + ".0";
    line += R"("},"dialect":"openai.chat","request":{"model":"m-large","messages":[)";
    if (is_farm && !before.empty() && random.chance(0.08)) {
      line += R"({"role":"user","content":")" + before + R"("},{"role":"assistant","content":")" + words(random, 20) +
              "\"},";
    }
    if (is_farm) before = request.text;
    line += R"({"role":"user","content":")" + request.text +
            R"("}]},"response":{"status":200,"usage":)"
            R"({"input_tokens":100,"output_tokens":700}}})";
    lines.push_back(line + "\n");
  }
  return lines;
}

inline std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line;
  return text;
}

/// Of a replay in `folder` of queries.ndjson into `out`, without an audit log.
inline Options world_options(const Folder& folder, const std::string& out) {
  Options options;
  options.logs = {folder / "queries.ndjson"};
  options.out = folder / out;
  options.secret = folder / "secret";
  options.engine.detect.calibration_us = 2 * base::kDayUs;
  options.engine.detect.first_seen_slots = 1U << 16;
  options.engine.detect.conversation_slots = 1U << 16;
  options.engine.detect.shared_tokens_max = 1U << 16;
  options.lateness_us = 30 * base::kMinuteUs;
  options.line_bytes_max = 1U << 20;
  options.policy_hash = kWorldPolicy;
  return options;
}

}  // namespace stillwatch::replay::test
