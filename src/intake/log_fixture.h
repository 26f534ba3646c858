// For tests of this module only: log files in a folder of their own.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/event_time.h"

namespace stillwatch::intake::test {

struct Folder {
  Folder() {
    char name[] = "/tmp/stillwatch_intake_XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path + "/" + name, std::ios::binary) << bytes;
    return path + "/" + name;
  }
  std::string path;
};

inline constexpr std::int64_t kStartUs = 1'776'845'730'000'000;
inline std::string record(int number, std::int64_t time_us, const std::string& prompt = "hello there") {
  const std::string id = std::to_string(number);
  return R"({"v":1,"id":"r)" + id + R"(","time":")" + base::format_time(time_us) + R"(","account":"a)" +
         std::to_string(number % 7) + R"(","dialect":"text","request":{"model":"m","prompt":")" + prompt + " " + id +
         "\"}}\n";
}

}  // namespace stillwatch::intake::test
