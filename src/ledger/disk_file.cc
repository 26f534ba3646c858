#include "ledger/disk_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "base/files.h"

namespace stillwatch::ledger {
namespace {

std::atomic<std::uint64_t> syncs{0};

base::Status failed(std::string_view action, const std::string& path, int code) {
  return base::fail(call_error(action, path, code));
}

}  // namespace

base::Error call_error(std::string_view action, const std::string& path, int code) {
  std::string_view next = "; see the system's log";
  if (code == ENOSPC || code == EDQUOT) next = "; free some space, then it goes on";
  if (code == EACCES || code == EROFS || code == EPERM) next = "; this user needs to be allowed to write there";
  if (code == ENOENT) next = "; check the path, then run `ledger fsck`";
  if (code == EFBIG) next = "; raise the limit on file sizes (ulimit -f)";
  if (code == EIO) next = "; the disk may be failing: run `ledger fsck` and look into the system's log";
  return {base::Fault::environment, fmt::format("cannot {} {}: {}{}", action, path, std::strerror(code), next), true};
}

base::Result<DiskFile> DiskFile::open(std::string path, Use use) {
  const int flags = use == Use::read ? O_RDONLY : O_RDWR | O_CREAT;
  const int file = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
  if (file < 0) return base::fail(call_error(use == Use::read ? "read" : "write", path, errno));
  return DiskFile(std::move(path), file);
}

base::Result<DiskFile> DiskFile::create(std::string path, unsigned mode) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (file < 0) return base::fail(call_error("create", path, errno));
  return DiskFile(std::move(path), file);
}

DiskFile::~DiskFile() {
  if (file_ >= 0) ::close(file_);
}

base::Status DiskFile::write_at(std::uint64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return failed("write", path_, count == 0 ? ENOSPC : errno);
    offset += static_cast<std::uint64_t>(count);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

base::Status DiskFile::truncate(std::uint64_t size) {
  return ::ftruncate(file_, static_cast<off_t>(size)) == 0 ? base::Status{} : failed("shorten", path_, errno);
}

base::Status DiskFile::sync() {
  syncs.fetch_add(1, std::memory_order_relaxed);
  return ::fdatasync(file_) == 0 ? base::Status{} : failed("sync", path_, errno);
}

base::Result<std::uint64_t> DiskFile::size() const {
  struct stat facts {};
  if (::fstat(file_, &facts) != 0) return base::fail(call_error("read", path_, errno));
  return static_cast<std::uint64_t>(facts.st_size);
}

base::Status DiskFile::read_at(std::uint64_t offset, std::size_t size, std::string& out) const {
  out.resize(size);
  std::size_t at = 0;
  while (at < size) {
    const ssize_t count = ::pread(file_, out.data() + at, size - at, static_cast<off_t>(offset + at));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed("read", path_, errno);
    if (count == 0) break;
    at += static_cast<std::size_t>(count);
  }
  out.resize(at);
  return {};
}

base::Status sync_folder(const std::string& folder) {
  const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return failed("sync", folder, errno);
  syncs.fetch_add(1, std::memory_order_relaxed);
  const int code = ::fsync(file) == 0 ? 0 : errno;
  ::close(file);
  return code == 0 ? base::Status{} : failed("sync", folder, code);
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

base::Status make_folder(const std::string& path, unsigned mode) {
  if (::mkdir(path.c_str(), mode) == 0) return sync_folder(folder_of(path));
  if (errno == EEXIST) return {};
  if (errno != ENOENT || folder_of(path) == path) return failed("create the folder", path, errno);
  STILLWATCH_CHECK(make_folder(folder_of(path), mode));
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return failed("create the folder", path, errno);
  return sync_folder(folder_of(path));
}

base::Status put_file(const std::string& path, std::string_view bytes, bool durable_name, unsigned mode) {
  const std::string aside = path + ".partial";
  {
    STILLWATCH_CHECK(remove_file(aside));  // a leftover could have another mode, or be a link to somewhere else
    STILLWATCH_TRY(file, DiskFile::create(aside, mode));
    STILLWATCH_CHECK(file.write_at(0, bytes));
    STILLWATCH_CHECK(file.sync());
  }
  if (::rename(aside.c_str(), path.c_str()) != 0) return failed("rename to", path, errno);
  return durable_name ? sync_folder(folder_of(path)) : base::Status{};
}

base::Status remove_file(const std::string& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  return failed("remove", path, errno);
}

bool file_exists(const std::string& path) {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) == 0;
}

base::Result<std::optional<std::string>> read_if_there(const std::string& path, std::uint64_t bytes_max) {
  if (!file_exists(path)) return std::nullopt;
  STILLWATCH_TRY(bytes, base::read_file(path, bytes_max));
  return std::optional(std::move(bytes));
}

std::uint64_t sync_count() { return syncs.load(std::memory_order_relaxed); }

}  // namespace stillwatch::ledger
