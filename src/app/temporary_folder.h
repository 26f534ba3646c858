// A folder of its own for a measurement, under TMPDIR.
//
// Invariant: gone with all its files when the object is. Threads: one user. Cost: a few system calls.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>

namespace stillwatch::app {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "stillwatch-bench-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code code;
    if (!path_.empty()) std::filesystem::remove_all(path_, code);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  /// Empty when it could not be made.
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace stillwatch::app
