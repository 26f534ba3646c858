// A folder, a clock and a disk that fails when told, for the tests of keys, vault, holds and erasure.
//
// Invariant: the folder is gone with the object; no watcher outlives a test. Threads: one test at a time.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/event_time.h"
#include "base/folder_fixture.h"
#include "ledger/durable_files.h"
#include "ledger/key_book.h"

namespace stillwatch::ledger::test {

/// In memory where the system has such a file system, since what is tested is order and content, not the disk.
class Folder {
 public:
  Folder() : Folder(std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : "") {}
  /// Below `parent`; "": below the system's folder for temporary files.
  explicit Folder(const std::string& parent) : own_(base::test::Folder(parent)), path_(own_->path()) {}
  /// One that is there already, and stays.
  static Folder of(std::string path) { return Folder(std::nullopt, std::move(path)); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  Folder(std::nullopt_t, std::string path) : path_(std::move(path)) {}
  std::optional<base::test::Folder> own_;
  std::string path_;
};

inline std::string bytes_of_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
/// In place: a file that is cut to nothing first is flushed by ext4 when it is closed.
inline void put_file(const std::string& path, std::string_view bytes) {
  const bool is_new = !std::filesystem::exists(path);
  std::fstream out(path, is_new ? std::ios::binary | std::ios::out : std::ios::binary | std::ios::in | std::ios::out);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  std::filesystem::resize_file(path, bytes.size());
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
    current() = {kind, at, 0, {}};
    watch_disk(&DiskFault::step);
  }
  DiskFault(const DiskFault&) = delete;
  DiskFault& operator=(const DiskFault&) = delete;
  ~DiskFault() { watch_disk(nullptr); }
  static int steps() { return current().seen; }
  bool happened() const { return current().seen > current().at; }
  /// "step path" of what failed.
  const std::string& what() const { return current().what; }

 private:
  struct Plan {
    Kind kind = Kind::none;
    int at = 0, seen = 0;
    std::string what;
  };
  static Plan& current() {
    static Plan plan;
    return plan;
  }
  static int step(std::string_view step, const std::string& path) {
    Plan& plan = current();
    if (plan.seen++ != plan.at || plan.kind == Kind::none) return 0;
    plan.what = std::string(step) + " " + path;
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

/// As ends_in_child, for what starts threads of a library, which a forked process would not have: runs one disabled
/// test of this program in a new process, which finds the folder and the step in its environment.
inline bool ends_in_new_process(const std::string& test, const Folder& folder, int at) {
  const std::string command =
      "STILLWATCH_TEST_FOLDER=" + folder.path() + " STILLWATCH_TEST_STEP=" + std::to_string(at) + " exec /proc/" +
      std::to_string(::getpid()) + "/exe --gtest_also_run_disabled_tests" + " --gtest_filter=" + test + " >/dev/null";
  const int status = std::system(command.c_str());
  return WIFEXITED(status) && WEXITSTATUS(status) == 77;
}
inline Folder folder_of_parent() { return Folder::of(std::getenv("STILLWATCH_TEST_FOLDER")); }
inline int step_of_parent() { return std::atoi(std::getenv("STILLWATCH_TEST_STEP")); }

inline constexpr std::int64_t kNow = 1'795'305'600'000'000;  // 2026-11-22T00:00:00Z
inline constexpr std::int64_t kDay = kNow / base::kDayUs;

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
