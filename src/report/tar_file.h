// An uncompressed POSIX ustar archive of regular files.
//
// Invariant: the bytes depend on names, contents and the one time only: owner 0, mode 0644, no user names, no folders
// of their own. Threads: one user. Cost: a copy of what is added. Spec: POSIX.1-2017, pax, "ustar Interchange Format".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace stillwatch::report {

class TarFile {
 public:
  explicit TarFile(std::int64_t time_s) : time_s_(time_s) {}
  /// Caller error for a name that the format cannot hold (over 100 bytes that no '/' splits, over 255 in all) or
  /// contents of 8 GiB and more.
  base::Status add(std::string_view name, std::string_view bytes);
  /// The archive with its end. Nothing is added after it.
  std::string finish();

 private:
  std::string out_;
  std::int64_t time_s_;
};

}  // namespace stillwatch::report
