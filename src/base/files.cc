#include "base/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

namespace stillwatch::base {
namespace {

tl::unexpected<Error> failed(std::string_view action, const std::string& path, int code) {
  std::string_view next = "";
  if (code == ENOSPC || code == EDQUOT) next = "; free some space or choose another folder";
  if (code == EACCES || code == EROFS || code == EPERM)
    next = "; choose a folder that this user may write to, or mend its permissions";
  if (code == EFBIG) next = "; raise the limit on file sizes (ulimit -f) or choose another folder";
  if (code == ENOENT) next = "; check the path";
  return fail(Fault::environment, fmt::format("cannot {} {}: {}{}", action, path, std::strerror(code), next));
}

}  // namespace

Result<AtomicFile> AtomicFile::create(std::string path, unsigned mode) {
  AtomicFile out;
  out.path_ = std::move(path);
  out.partial_path_ = out.path_ + ".partial";
  ::unlink(out.partial_path_.c_str());  // a leftover's mode must not outlive it
  const int file = ::open(out.partial_path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  if (file >= 0) out.file_ = ::fdopen(file, "wb");
  if (out.file_ == nullptr) return failed("write", out.partial_path_, errno);
  std::setvbuf(out.file_, nullptr, _IOFBF, 1 << 18);
  return out;
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept { *this = std::move(other); }

AtomicFile& AtomicFile::operator=(AtomicFile&& other) noexcept {
  if (this != &other) {
    discard();
    path_ = std::move(other.path_);
    partial_path_ = std::move(other.partial_path_);
    file_ = std::exchange(other.file_, nullptr);
    bytes_written_ = other.bytes_written_;
  }
  return *this;
}

AtomicFile::~AtomicFile() { discard(); }

void AtomicFile::discard() {
  if (file_ == nullptr) return;
  std::fclose(file_);
  file_ = nullptr;
  ::unlink(partial_path_.c_str());
}

Status AtomicFile::write(std::string_view bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) return failed("write", partial_path_, errno);
  bytes_written_ += bytes.size();
  return {};
}

Status AtomicFile::commit() {
  if (std::fflush(file_) != 0 || ::fsync(::fileno(file_)) != 0) {
    const int code = errno;
    discard();
    return failed("write", partial_path_, code);
  }
  const int closed = std::fclose(std::exchange(file_, nullptr));
  if (closed != 0 || std::rename(partial_path_.c_str(), path_.c_str()) != 0) {
    const int code = errno;
    ::unlink(partial_path_.c_str());
    return failed(closed != 0 ? "write" : "rename to", closed != 0 ? partial_path_ : path_, code);
  }
  return {};
}

Result<std::string> read_file(const std::string& path, std::uint64_t bytes_max) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return failed("read", path, errno);
  std::string bytes;
  char block[1 << 16];
  for (;;) {
    const ssize_t count = ::read(file, block, sizeof block);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      const int code = errno;
      ::close(file);
      return failed("read", path, code);
    }
    if (count == 0) break;
    bytes.append(block, static_cast<std::size_t>(count));
    if (bytes.size() > bytes_max) {
      ::close(file);
      return fail(Fault::environment,
                  fmt::format("{} is longer than {} bytes; is it the right file?", path, bytes_max));
    }
  }
  ::close(file);
  return bytes;
}

Status write_file(const std::string& path, std::string_view bytes) {
  STILLWATCH_TRY(file, AtomicFile::create(path));
  STILLWATCH_CHECK(file.write(bytes));
  return file.commit();
}

Status make_writable_folder(const std::string& path) {
  std::error_code code;
  std::filesystem::create_directories(path, code);
  if (code) return failed("create the folder", path, code.value());
  if (!std::filesystem::is_directory(path, code))
    return fail(Fault::environment, fmt::format("{} is not a folder; choose another", path));
  const std::string probe = path + "/.stillwatch-probe";
  STILLWATCH_CHECK(write_file(probe, ""));
  ::unlink(probe.c_str());
  return {};
}

}  // namespace stillwatch::base
