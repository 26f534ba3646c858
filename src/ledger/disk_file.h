// System calls on files, with errors that name the file and the next step.
//
// Internal to this module. Invariant: write_at() has written all bytes or failed; what sync() returned without error is
// on the disk. Every call of the write path goes through here, so that all can be counted and each made to fail.
// Threads: one user a file; read_at() any number. Cost: the system calls.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace stillwatch::ledger {

/// Environment error about `path` with the reason in `code` (errno).
base::Error call_error(std::string_view action, const std::string& path, int code);

class DiskFile {
 public:
  enum class Use : std::uint8_t { read, write };  // write: read too, made when absent

  DiskFile() = default;
  static base::Result<DiskFile> open(std::string path, Use use);
  /// Error also when it is there.
  static base::Result<DiskFile> create(std::string path, unsigned mode = 0666);
  DiskFile(DiskFile&& other) noexcept : path_(std::move(other.path_)), file_(std::exchange(other.file_, -1)) {}
  DiskFile& operator=(DiskFile&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(file_, other.file_);
    return *this;
  }
  ~DiskFile();

  bool is_open() const { return file_ >= 0; }
  const std::string& path() const { return path_; }
  base::Status write_at(std::uint64_t offset, std::string_view bytes);
  base::Status truncate(std::uint64_t size);
  base::Status sync();  // contents and size
  base::Result<std::uint64_t> size() const;
  /// Fills `out` up to `size` bytes, fewer only at the end of the file.
  base::Status read_at(std::uint64_t offset, std::size_t size, std::string& out) const;

 private:
  DiskFile(std::string path, int file) : path_(std::move(path)), file_(file) {}
  std::string path_;
  int file_ = -1;
};

/// fsync of a folder: names made, changed and removed in it are then on the disk.
base::Status sync_folder(const std::string& folder);
/// "a/b" of "a/b/c"; "." of "c".
std::string folder_of(const std::string& path);
/// Makes a folder and syncs the one that it is in; done also when it is there.
base::Status make_folder(const std::string& path, unsigned mode = 0777);
/// Makes or replaces a small file: written aside, synced, renamed. With `durable_name` the folder is synced too.
base::Status put_file(const std::string& path, std::string_view bytes, bool durable_name = true, unsigned mode = 0666);
/// Done also when it is not there.
base::Status remove_file(const std::string& path);
bool file_exists(const std::string& path);
/// The whole of a small file; nothing when it is not there.
base::Result<std::optional<std::string>> read_if_there(const std::string& path, std::uint64_t bytes_max);

/// fsync and fdatasync calls of this module in this process, for benchmarks.
std::uint64_t sync_count();

}  // namespace stillwatch::ledger
