#include "replay/output_set.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

namespace stillwatch::replay {
namespace {

base::Status failed(const char* action, const std::string& path, int code) {
  const char* const next = code == ENOSPC || code == EDQUOT || code == EFBIG
                               ? "free some space, or choose another folder, and run again"
                               : "check the disk and the permissions of the folder, and run again";
  return base::fail(base::Fault::environment,
                    fmt::format("cannot {} {}: {}; {}", action, path, std::strerror(code), next));
}

}  // namespace

OutputSet::~OutputSet() {
  for (const std::string& name : names_) ::unlink(aside(name).c_str());
}

base::Status OutputSet::write_aside(const std::string& name, std::string_view bytes, std::FILE* from) {
  const std::string path = aside(name);
  std::FILE* const file = std::fopen(path.c_str(), "wbe");
  if (file == nullptr) return failed("write", path, errno);
  adopt(name);
  bool written = std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  char block[1 << 16];
  while (from != nullptr && written) {
    const std::size_t count = std::fread(block, 1, sizeof block, from);
    if (count == 0) break;
    written = std::fwrite(block, 1, count, file) == count;
  }
  written = written && std::fflush(file) == 0 && ::fsync(::fileno(file)) == 0;
  const int code = errno;
  std::fclose(file);
  if (!written) return failed("write", path, code);
  return {};
}

base::Status OutputSet::write(const std::string& name, std::string_view bytes) {
  return write_aside(name, bytes, nullptr);
}

base::Status OutputSet::copy(const std::string& name, const std::string& from) {
  std::FILE* const source = std::fopen(from.c_str(), "rbe");
  if (source == nullptr) return failed("read", from, errno);
  base::Status status = write_aside(name, {}, source);
  if (status && std::ferror(source) != 0) status = failed("read", from, EIO);
  std::fclose(source);
  return status;
}

base::Status OutputSet::publish() {
  // Nothing is touched when a name cannot be taken.
  for (const std::string& name : names_) {
    const std::string path = folder_ + "/" + name;
    std::error_code code;
    if (std::filesystem::is_directory(path, code)) {
      return base::fail(
          base::Fault::environment,
          fmt::format("cannot write {}: a folder has that name; remove it or choose another --out", path));
    }
  }
  for (auto name = names_.rbegin(); name != names_.rend(); ++name) {
    const std::string path = folder_ + "/" + *name;
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return failed("replace", path, errno);
  }
  while (!names_.empty()) {
    const std::string path = folder_ + "/" + names_.front();
    if (std::rename(aside(names_.front()).c_str(), path.c_str()) != 0) return failed("rename to", path, errno);
    names_.erase(names_.begin());
  }
  // The names must be on the disk before the state that could make them again is removed.
  const int folder = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    (void)::fsync(folder);
    ::close(folder);
  }
  return {};
}

}  // namespace stillwatch::replay
