// Files that are complete or absent: written aside, synced, then renamed.
//
// Invariant: a reader never sees half a file under its final name.
// Threads: one writer a file. Cost: one fsync on commit.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace stillwatch::base {

/// A file being written aside (`NAME.partial`) that becomes NAME on commit() and is removed otherwise.
class AtomicFile {
 public:
  /// Environment error naming the path and the reason when it cannot be created. `mode` as for open(2).
  static Result<AtomicFile> create(std::string path, unsigned mode = 0666);
  AtomicFile(AtomicFile&&) noexcept;
  AtomicFile& operator=(AtomicFile&&) noexcept;
  ~AtomicFile();

  Status write(std::string_view bytes);
  /// Flushes, syncs, renames. After it the object is empty.
  Status commit();
  std::uint64_t bytes_written() const { return bytes_written_; }

 private:
  AtomicFile() = default;
  void discard();

  std::string path_, partial_path_;
  std::FILE* file_ = nullptr;
  std::uint64_t bytes_written_ = 0;
};

/// The whole file; an environment error when it cannot be read or is longer than bytes_max.
Result<std::string> read_file(const std::string& path, std::uint64_t bytes_max);
Status write_file(const std::string& path, std::string_view bytes);
/// Creates the folder and its parents and proves that it can be written to.
Status make_writable_folder(const std::string& path);

}  // namespace stillwatch::base
