// A folder of its own for work whose files nobody keeps: a measurement, a replay for comparison, a test.
//
// Invariant: gone with everything in it when the object is. Mode 0700. Threads: one user. Cost: a few system calls.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace stillwatch::base {

class TemporaryFolder {
 public:
  /// In `parent`; empty: in the system's folder for such files, which TMPDIR names.
  static Result<TemporaryFolder> make(std::string parent = {});
  TemporaryFolder(TemporaryFolder&& other) noexcept;
  TemporaryFolder& operator=(TemporaryFolder&& other) noexcept;
  ~TemporaryFolder();

  const std::string& path() const { return path_; }
  std::string operator/(std::string_view name) const;

 private:
  explicit TemporaryFolder(std::string path);
  std::string path_;  // empty: moved from
};

}  // namespace stillwatch::base
