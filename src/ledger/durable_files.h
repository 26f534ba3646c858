// Files of keys and orders on disk: appended to, replaced as a whole, or overwritten and removed.
//
// Invariant: a file under its name is whole, the old one or the new one; the bytes of the old one are overwritten
// before they are let go, also when a crash came between (finish_replacements). Overwriting is best effort: file
// systems that copy on write, SSDs, snapshots and backups keep old bytes (docs/operate/retention.md).
// Threads: one writer a file. Cost: two syncs an append with sync, five a replacement.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace stillwatch::ledger {

/// Asked before every step that changes the disk: 0, or the errno that the step shall fail with. For tests of full
/// disks and of kills; null, as it is at the start, means that nobody is asked. Set before threads start.
using DiskWatcher = int (*)(std::string_view step, const std::string& path);
void watch_disk(DiskWatcher watcher);
/// What the watcher says of a step: for steps that a library takes.
base::Status ask_watcher(std::string_view step, const std::string& path);

/// "cannot WHAT PATH: reason; next step".
base::Error file_error(std::string_view what, const std::string& path, int code);

/// A file that only grows.
class AppendFile {
 public:
  /// Opens it, or makes it with `mode`.
  static base::Result<AppendFile> open(const std::string& path, unsigned mode);
  AppendFile(AppendFile&& other) noexcept
      : path_(std::move(other.path_)), file_(std::exchange(other.file_, -1)), bytes_(other.bytes_) {}
  AppendFile& operator=(AppendFile&& other) noexcept;
  ~AppendFile();

  /// All of it, or nothing: what a failed write left is cut off again.
  base::Status append(std::string_view bytes);
  base::Status sync();
  base::Status truncate(std::uint64_t bytes);
  std::uint64_t bytes() const { return bytes_; }
  const std::string& path() const { return path_; }

 private:
  AppendFile(std::string path, int file, std::uint64_t bytes) : path_(std::move(path)), file_(file), bytes_(bytes) {}
  std::string path_;
  int file_;
  std::uint64_t bytes_;
};

/// Puts `bytes` under the path, mode 0600. True when there was no old file, or its bytes were overwritten.
base::Result<bool> replace_file(const std::string& path, std::string_view bytes);
/// Puts an already written and synced file under another's path, as replace_file does.
base::Result<bool> replace_by(const std::string& path, const std::string& new_path);
/// True when the bytes were overwritten; the file is gone all the same. Done also when there is none.
base::Result<bool> overwrite_and_remove(const std::string& path);
/// The same for a folder with everything in it, or a file. Links are removed, not followed.
base::Result<bool> overwrite_and_remove_all(const std::string& path);
/// After a crash: takes away what replacements left in a folder. How many old files could not be overwritten.
base::Result<std::uint64_t> finish_replacements(const std::string& folder);

/// The same for one file, in a folder that has files of others too.
base::Status finish_replacement_of(const std::string& path);

base::Status sync_folder_of(const std::string& path);
bool exists(const std::string& path);

}  // namespace stillwatch::ledger
