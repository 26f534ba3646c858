// For tests of this module only: log files in a folder of their own.
#pragma once

#include <cstdint>
#include <string>

#include "base/event_time.h"
#include "base/folder_fixture.h"

namespace stillwatch::intake::test {

using base::test::Folder;

inline constexpr std::int64_t kStartUs = 1'776'845'730'000'000;
inline std::string record(int number, std::int64_t time_us, const std::string& prompt = "hello there") {
  const std::string id = std::to_string(number);
  return R"({"v":1,"id":"r)" + id + R"(","time":")" + base::format_time(time_us) + R"(","account":"a)" +
         std::to_string(number % 7) + R"(","dialect":"text","request":{"model":"m","prompt":")" + prompt + " " + id +
         "\"}}\n";
}

}  // namespace stillwatch::intake::test
