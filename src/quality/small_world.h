// A world small enough to know the right answer by hand, written as files. For tests of this module only.
//
// Ten hostile accounts h0-h9 of campaign "farm-1" and two (g0, g1) of "loop-1"; 100 honest accounts b0-b99, of which
// b0-b19 are relay_user in two units. Each hostile account sends one hostile request an hour, from the epoch
// kWorldStartUs, for 100 hours, of 10 output tokens each.
#pragma once

#include <string>

#include "base/assert.h"
#include "base/event_time.h"
#include "base/files.h"
#include "base/folder_fixture.h"

namespace stillwatch::quality {

inline constexpr std::int64_t kWorldStartUs = 1'776'816'000'000'000;  // 2026-04-22T00:00:00Z
inline std::string hour(double hours) {
  return base::format_time(kWorldStartUs + static_cast<std::int64_t>(hours * static_cast<double>(base::kHourUs)));
}

class SmallWorld {
 public:
  SmallWorld() {
    std::string truth, queries;
    const auto hostile = [&](const std::string& account, const std::string& campaign, const std::string& family) {
      truth += R"({"v":1,"account":")" + account + R"(","hostile":true,"campaign":")" + campaign + R"(","family":")" +
               family + "\",\"stratum\":null}\n";
      for (int h = 0; h < 100; ++h) {
        queries += R"({"id":")" + account + "-" + std::to_string(h) + R"(","account":")" + account + R"(","time":")" +
                   hour(h) + "\",\"output_tokens\":10,\"hostile\":true}\n";
      }
    };
    for (int i = 0; i < 10; ++i) hostile("h" + std::to_string(i), "farm-1", "template_farm");
    for (int i = 0; i < 2; ++i) hostile("g" + std::to_string(i), "loop-1", "judge_loop");
    for (int i = 0; i < 100; ++i) {
      truth += R"({"v":1,"account":"b)" + std::to_string(i) +
               R"(","hostile":false,"campaign":null,"family":null,"stratum":")" +
               (i < 20 ? "relay_user" : "chat_user") + '"' +
               (i < 20 ? ",\"unit\":\"relay-" + std::to_string(i % 2) + '"' : "") + ",\"language\":\"" +
               (i % 2 == 0 ? "de" : "en") + "\"}\n";
    }
    write("truth.ndjson", truth);
    write("queries_truth.ndjson", queries);
  }
  SmallWorld(const SmallWorld&) = delete;
  SmallWorld& operator=(const SmallWorld&) = delete;
  const std::string& folder() const { return folder_.path(); }
  std::string write(const std::string& name, const std::string& bytes) {
    STILLWATCH_ASSERT(base::write_file(folder_ / name, bytes).has_value());
    return folder_ / name;
  }
  static std::string line(double hours, const std::string& account, const std::string& level,
                          const std::string& campaign = "", const std::string& class_ = "") {
    return R"({"v":1,"time":")" + hour(hours) + R"(","subject":{"kind":"account","id":")" + account +
           R"("},"level":")" + level + '"' + (campaign.empty() ? "" : ",\"campaign\":\"" + campaign + '"') +
           (class_.empty() ? "" : ",\"class\":\"" + class_ + '"') + "}\n";
  }

 private:
  base::test::Folder folder_;
};

}  // namespace stillwatch::quality
