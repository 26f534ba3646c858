// Folders, keys and small logs for the tests of this module.
// Threads: one test. Invariant: a folder goes with its object.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/folder_fixture.h"
#include "ledger/log_store.h"

namespace stillwatch::ledger::test {

using TemporaryFolder = base::test::Folder;

inline constexpr const char* kOrigin = "audit.example/audit/s00/2026-11";

inline KeySeed seed(unsigned first = 1) {
  KeySeed seed;
  for (std::uint8_t& byte : seed.writable()) byte = static_cast<std::uint8_t>(first++);
  return seed;
}

/// A log to be, in a folder of its own.
class LogTest : public ::testing::Test {
 protected:
  LogStore create() {
    auto store = LogStore::create(folder_, kOrigin, seed());
    if (!store) throw std::runtime_error(store.error().message);
    return std::move(*store);
  }

  TemporaryFolder top_;
  std::string folder_ = top_ / "log";
};

/// Entry number i, of a length that depends on it.
inline std::string entry(std::uint64_t i) { return "entry-" + std::to_string(i) + std::string(i % 7, 'x'); }

inline void append_entries(LogStore& store, std::uint64_t count, std::size_t batch = 1'000) {
  const std::uint64_t end = store.size() + count;
  while (store.size() < end) {
    std::vector<std::string> bytes;
    for (std::uint64_t i = store.size(); i < end && bytes.size() < batch; ++i) bytes.push_back(entry(i));
    const auto first = store.append(std::vector<std::string_view>(bytes.begin(), bytes.end()));
    ASSERT_TRUE(first) << first.error().message;
  }
}

inline std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
inline void write(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}
/// In place; a second time gives the file back as it was.
inline void flip_bit(const std::string& path, std::uint64_t bit) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekg(static_cast<std::streamoff>(bit / 8));
  const int byte = file.get();
  ASSERT_NE(byte, std::char_traits<char>::eof()) << path;
  file.seekp(static_cast<std::streamoff>(bit / 8));
  file.put(static_cast<char>(byte ^ (1 << bit % 8)));
}

}  // namespace stillwatch::ledger::test
