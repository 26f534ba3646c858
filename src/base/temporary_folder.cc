#include "base/temporary_folder.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

namespace stillwatch::base {

Result<TemporaryFolder> TemporaryFolder::make(std::string parent) {
  std::error_code code;
  if (parent.empty()) parent = std::filesystem::temp_directory_path(code).string();
  if (code) return fail(Fault::environment, "TMPDIR names no folder for temporary files; set it to one");
  std::string path = parent + "/stillwatch-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) {
    return fail(Fault::environment,
                fmt::format("cannot make a temporary folder in {}: {}; set TMPDIR to a folder that can be written to",
                            parent, std::strerror(errno)));
  }
  return TemporaryFolder(std::move(path));
}

TemporaryFolder::TemporaryFolder(std::string path) : path_(std::move(path)) {}
TemporaryFolder::TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
TemporaryFolder& TemporaryFolder::operator=(TemporaryFolder&& other) noexcept {
  std::swap(path_, other.path_);
  return *this;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

std::string TemporaryFolder::operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

}  // namespace stillwatch::base
