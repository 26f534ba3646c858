#include "ledger/durable_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include <fmt/format.h>

namespace stillwatch::ledger {
namespace {

using base::Fault;

constexpr std::string_view kNew = ".new";
constexpr std::string_view kOld = ".old";
constexpr std::size_t kBlockBytes = 1U << 16;

DiskWatcher disk_watcher = nullptr;

// 0, or what the step fails with.
int asked(std::string_view step, const std::string& path) {
  return disk_watcher == nullptr ? 0 : disk_watcher(step, path);
}

tl::unexpected<base::Error> failed(std::string_view what, const std::string& path, int code) {
  return base::fail(file_error(what, path, code));
}

class Descriptor {
 public:
  Descriptor(const std::string& path, int flags, unsigned mode = 0600)
      : file_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (file_ >= 0) ::close(file_);
  }
  int get() const { return file_; }
  bool is_open() const { return file_ >= 0; }

 private:
  int file_;
};

// An errno, or 0 when all bytes are written at their place.
int write_at(int file, std::string_view bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return count < 0 ? errno : ENOSPC;
    bytes.remove_prefix(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  return 0;
}

// Whether the bytes of the open file were overwritten, as far as the file system says.
bool overwrite(int file, const std::string& path) {
  struct stat status {};
  if (asked("overwrite", path) != 0 || ::fstat(file, &status) != 0) return false;
  const std::string zeros(kBlockBytes, '\0');
  const auto size = static_cast<std::uint64_t>(status.st_size);
  for (std::uint64_t offset = 0; offset < size; offset += kBlockBytes) {
    const auto count = std::min<std::uint64_t>(kBlockBytes, size - offset);
    if (write_at(file, std::string_view(zeros).substr(0, count), offset) != 0) return false;
  }
  return ::fdatasync(file) == 0;
}

base::Status sync_folder(const std::string& folder) {
  const Descriptor file(folder, O_RDONLY | O_DIRECTORY);
  if (const int code = asked("sync folder", folder); code != 0) return failed("sync", folder, code);
  if (!file.is_open() || ::fsync(file.get()) != 0) return failed("sync", folder, errno);
  return {};
}

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

bool is_same_file(const std::string& path, const std::string& other) {
  struct stat one {
  }, two{};
  return ::stat(path.c_str(), &one) == 0 && ::stat(other.c_str(), &two) == 0 && one.st_ino == two.st_ino &&
         one.st_dev == two.st_dev;
}

}  // namespace

void watch_disk(DiskWatcher watcher) { disk_watcher = watcher; }

base::Status ask_watcher(std::string_view step, const std::string& path) {
  const int code = asked(step, path);
  if (code != 0) return failed(step, path, code);
  return {};
}

base::Error file_error(std::string_view what, const std::string& path, int code) {
  std::string_view next = "";
  if (code == ENOSPC || code == EDQUOT) next = "; free some space and try again";
  if (code == EACCES || code == EROFS || code == EPERM) next = "; mend the permissions of the folder and try again";
  if (code == ENOENT) next = "; check the path";
  const bool passes = code == ENOSPC || code == EDQUOT || code == EIO || code == EINTR || code == EAGAIN;
  return {Fault::environment, fmt::format("cannot {} {}: {}{}", what, path, std::strerror(code), next), passes};
}

base::Result<AppendFile> AppendFile::open(const std::string& path, unsigned mode) {
  if (const int code = asked("open", path); code != 0) return failed("open", path, code);
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, mode);
  struct stat status {};
  if (file < 0 || ::fstat(file, &status) != 0) {
    const int code = errno;
    if (file >= 0) ::close(file);
    return failed("open", path, code);
  }
  return AppendFile(path, file, static_cast<std::uint64_t>(status.st_size));
}

AppendFile& AppendFile::operator=(AppendFile&& other) noexcept {
  if (this != &other) {
    if (file_ >= 0) ::close(file_);
    path_ = std::move(other.path_);
    file_ = std::exchange(other.file_, -1);
    bytes_ = other.bytes_;
  }
  return *this;
}

AppendFile::~AppendFile() {
  if (file_ >= 0) ::close(file_);
}

base::Status AppendFile::append(std::string_view bytes) {
  int code = asked("append", path_);
  if (code == 0) code = write_at(file_, bytes, bytes_);
  if (code != 0) {
    // A cut that fails too leaves bytes beyond bytes_, which the next append writes over.
    (void)!::ftruncate(file_, static_cast<off_t>(bytes_));
    return failed("write", path_, code);
  }
  bytes_ += bytes.size();
  return {};
}

base::Status AppendFile::sync() {
  if (const int code = asked("sync", path_); code != 0) return failed("sync", path_, code);
  if (::fdatasync(file_) != 0) return failed("sync", path_, errno);
  return {};
}

base::Status AppendFile::truncate(std::uint64_t bytes) {
  if (const int code = asked("truncate", path_); code != 0) return failed("cut", path_, code);
  if (::ftruncate(file_, static_cast<off_t>(bytes)) != 0 || ::fdatasync(file_) != 0) return failed("cut", path_, errno);
  bytes_ = bytes;
  return {};
}

base::Result<bool> replace_file(const std::string& path, std::string_view bytes) {
  const std::string new_path = path + std::string(kNew);
  {
    const Descriptor file(new_path, O_WRONLY | O_CREAT | O_TRUNC);
    int code = asked("write aside", new_path);
    if (code == 0 && !file.is_open()) code = errno;
    if (code == 0) code = write_at(file.get(), bytes, 0);
    if (code == 0) code = asked("sync aside", new_path);
    if (code == 0 && ::fsync(file.get()) != 0) code = errno;
    if (code != 0) {
      ::unlink(new_path.c_str());
      return failed("write", new_path, code);
    }
  }
  return replace_by(path, new_path);
}

base::Result<bool> replace_by(const std::string& path, const std::string& new_path) {
  const std::string old_path = path + std::string(kOld);
  const Descriptor old(path, O_RDWR);
  const bool is_new = !old.is_open() && errno == ENOENT;
  // A second name for the old bytes, by which they are found after a crash. Where there are no hard links, the open
  // file is all there is.
  ::unlink(old_path.c_str());
  if (old.is_open()) (void)!::link(path.c_str(), old_path.c_str());
  int code = asked("rename", path);
  if (code == 0 && std::rename(new_path.c_str(), path.c_str()) != 0) code = errno;
  if (code != 0) {
    ::unlink(old_path.c_str());
    ::unlink(new_path.c_str());
    return failed("replace", path, code);
  }
  STILLWATCH_CHECK(sync_folder(folder_of(path)));
  const bool overwritten = is_new || (old.is_open() && overwrite(old.get(), old_path));
  ::unlink(old_path.c_str());
  return overwritten;
}

base::Result<bool> overwrite_and_remove(const std::string& path) {
  if (!exists(path)) return true;
  const Descriptor file(path, O_RDWR);
  const bool overwritten = file.is_open() && overwrite(file.get(), path);
  int code = asked("remove", path);
  if (code == 0 && ::unlink(path.c_str()) != 0 && errno != ENOENT) code = errno;
  if (code != 0) return failed("remove", path, code);
  STILLWATCH_CHECK(sync_folder(folder_of(path)));
  return overwritten;
}

base::Result<bool> overwrite_and_remove_all(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code code;
  if (!fs::is_directory(fs::symlink_status(path, code))) return overwrite_and_remove(path);
  std::vector<std::string> files;
  for (fs::recursive_directory_iterator entry(path, code), end; !code && entry != end; entry.increment(code)) {
    if (fs::is_regular_file(entry->symlink_status())) files.push_back(entry->path().string());
  }
  if (code) return failed("list", path, code.value());
  bool overwritten = true;
  for (const std::string& file : files) {
    STILLWATCH_TRY(done, overwrite_and_remove(file));
    overwritten = overwritten && done;
  }
  fs::remove_all(path, code);
  if (code) return failed("remove", path, code.value());
  return overwritten;
}

base::Result<std::uint64_t> finish_replacements(const std::string& folder) {
  std::vector<std::string> leftovers;
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator(folder, code))
    leftovers.push_back(entry.path().string());
  if (code) return failed("list", folder, code.value());
  std::uint64_t overwrites_failed = 0;
  for (const std::string& path : leftovers) {
    if (path.ends_with(kNew)) {
      STILLWATCH_CHECK(overwrite_and_remove(path));
    } else if (path.ends_with(kOld)) {
      const std::string current = path.substr(0, path.size() - kOld.size());
      if (is_same_file(path, current)) {  // the crash came before the rename: this is the file in use
        ::unlink(path.c_str());
        continue;
      }
      STILLWATCH_TRY(overwritten, overwrite_and_remove(path));
      overwrites_failed += overwritten ? 0 : 1;
    }
  }
  return overwrites_failed;
}

base::Status finish_replacement_of(const std::string& path) {
  STILLWATCH_CHECK(overwrite_and_remove(path + std::string(kNew)));
  const std::string old_path = path + std::string(kOld);
  if (!exists(old_path)) return {};
  if (is_same_file(old_path, path)) {
    ::unlink(old_path.c_str());
    return {};
  }
  STILLWATCH_CHECK(overwrite_and_remove(old_path));
  return {};
}

base::Status sync_folder_of(const std::string& path) { return sync_folder(folder_of(path)); }

bool exists(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

}  // namespace stillwatch::ledger
