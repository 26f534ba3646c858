// One run at a time in a folder: two would write into each other's files.
//
// Invariant: the lock goes with the process, however it ends, and leaves nothing behind in the folder. A file system
// that has no locks is used without one. Threads: one user. Cost: two system calls.
#pragma once

#include <string>
#include <utility>

#include "base/result.h"

namespace stillwatch::base {

class FolderLock {
 public:
  /// Environment error when another run has it.
  static Result<FolderLock> take(const std::string& folder);
  FolderLock(FolderLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock();

 private:
  explicit FolderLock(int file) : file_(file) {}
  int file_;
};

}  // namespace stillwatch::base
