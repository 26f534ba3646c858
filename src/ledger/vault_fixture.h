// A folder, a clock and a disk that fails when told, for the tests of keys, vault, holds and erasure.
//
// Invariant: the folder is gone with the object; no watcher outlives a test. Threads: one test at a time.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "base/event_time.h"
#include "ledger/durable_files.h"
#include "ledger/key_book.h"

namespace stillwatch::ledger::test {

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "stillwatch-vault-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline std::string bytes_of_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
inline void put_file(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}
inline std::vector<std::string> files_under(const std::string& folder) {
  std::vector<std::string> out;
  for (const auto& file : std::filesystem::recursive_directory_iterator(folder)) {
    if (file.is_regular_file()) out.push_back(file.path().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}
/// Whether any file under the folder has these bytes.
inline bool is_anywhere(const std::string& folder, std::string_view bytes) {
  for (const std::string& path : files_under(folder)) {
    if (bytes_of_file(path).find(bytes) != std::string::npos) return true;
  }
  return false;
}

/// Fails one step of the disk, or ends the process there. Steps are counted from 0.
class DiskFault {
 public:
  enum class Kind { none, fails, kills };
  DiskFault(Kind kind, int at) {
    current() = {kind, at, 0};
    watch_disk(&DiskFault::step);
  }
  DiskFault(const DiskFault&) = delete;
  DiskFault& operator=(const DiskFault&) = delete;
  ~DiskFault() { watch_disk(nullptr); }
  static int steps() { return current().seen; }
  bool happened() const { return current().seen > current().at; }

 private:
  struct Plan {
    Kind kind = Kind::none;
    int at = 0, seen = 0;
  };
  static Plan& current() {
    static Plan plan;
    return plan;
  }
  static int step(std::string_view, const std::string&) {
    Plan& plan = current();
    if (plan.seen++ != plan.at || plan.kind == Kind::none) return 0;
    if (plan.kind == Kind::kills) ::_exit(77);
    return ENOSPC;
  }
};

/// Runs it in a process of its own. True when it was ended by a DiskFault.
template <class Run>
bool ends_in_child(Run run) {
  const pid_t child = ::fork();
  if (child == 0) {
    run();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 77;
}

inline constexpr std::int64_t kNow = 1'795'305'600'000'000;  // 2026-11-22T00:00:00Z
inline const std::int64_t kDay = day_of(kNow);

/// A book in a folder, with a clock that a test sets.
struct Bookcase {
  Folder folder;
  std::int64_t now_us = kNow;

  base::Result<std::unique_ptr<KeyBook>> try_open(bool read_only = false) {
    auto master = open_master_key_file(folder / "master", true);
    if (!master) return base::fail(master.error());
    return KeyBook::open(folder / "keys", **master, {read_only, [this] { return now_us; }});
  }
  std::unique_ptr<KeyBook> open() {
    auto book = try_open();
    return book ? std::move(*book) : nullptr;
  }
};

}  // namespace stillwatch::ledger::test
