#include "gateway/line_journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace stillwatch::gateway {
namespace {

tl::unexpected<base::Error> failed(std::string_view action, const std::string& path) {
  const int code = errno;
  return base::fail(base::Fault::environment,
                    fmt::format("cannot {} {}: {}; {}", action, path, std::strerror(code),
                                code == ENOSPC || code == EDQUOT || code == EFBIG
                                    ? "free some space"
                                    : "check the disk and the permissions of the folder"),
                    true);
}

}  // namespace

base::Result<LineJournal> LineJournal::open(std::string path, std::uint64_t mark) {
  LineJournal out;
  out.path_ = std::move(path);
  out.file_ = ::open(out.path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  if (out.file_ < 0) return failed("write", out.path_);
  STILLWATCH_CHECK(cut_half_line(out.file_, out.path_));
  const off_t size = ::lseek(out.file_, 0, SEEK_END);
  if (size < 0) return failed("read", out.path_);
  if (static_cast<std::uint64_t>(size) < mark) {
    return base::fail(base::Fault::environment,
                      fmt::format("{} is shorter than the snapshot counted ({} of {} bytes); restore it, or remove the "
                                  "snapshot so that the query log is read anew",
                                  out.path_, size, mark));
  }
  out.mark_ = mark;
  if (static_cast<std::uint64_t>(size) == mark) return out;
  out.before_ = std::fopen(out.path_.c_str(), "rbe");
  if (out.before_ == nullptr || ::fseeko(out.before_, static_cast<off_t>(mark), SEEK_SET) != 0)
    return failed("read", out.path_);
  return out;
}

base::Status cut_half_line(int file, const std::string& path) {
  const off_t size = ::lseek(file, 0, SEEK_END);
  if (size < 0) return failed("read", path);
  char block[4'096];
  off_t end = size;
  while (end > 0) {
    const off_t from = std::max<off_t>(0, end - static_cast<off_t>(sizeof block));
    const ssize_t count = ::pread(file, block, static_cast<std::size_t>(end - from), from);
    if (count != end - from) return failed("read", path);
    const void* const newline = ::memrchr(block, '\n', static_cast<std::size_t>(count));
    if (newline != nullptr) {
      end = from + (static_cast<const char*>(newline) - block) + 1;
      break;
    }
    end = from;
  }
  if (end < size && ::ftruncate(file, end) != 0) return failed("mend", path);
  return {};
}

LineJournal::LineJournal(LineJournal&& other) noexcept
    : path_(std::move(other.path_)),
      file_(std::exchange(other.file_, -1)),
      before_(std::exchange(other.before_, nullptr)),
      mark_(other.mark_),
      waiting_(std::move(other.waiting_)),
      lines_(other.lines_),
      again_(other.again_),
      dropped_(other.dropped_),
      has_diverged_(other.has_diverged_) {}

LineJournal::~LineJournal() {
  if (file_ >= 0) ::close(file_);
  if (before_ != nullptr) std::fclose(before_);
}

bool LineJournal::give(std::string_view line) {
  ++lines_;
  if (before_ != nullptr) {
    char* text = nullptr;
    std::size_t capacity = 0;
    const ssize_t size = ::getline(&text, &capacity, before_);
    const bool is_there = size > 0 && std::string_view(text, static_cast<std::size_t>(size) - 1) == line;
    std::free(text);
    if (is_there) {
      mark_ += static_cast<std::uint64_t>(size);
      ++again_;
      return true;
    }
    // What stands there was given, and stays.
    has_diverged_ = size > 0;
    std::fclose(std::exchange(before_, nullptr));
    if (has_diverged_) mark_ = static_cast<std::uint64_t>(::lseek(file_, 0, SEEK_END));
  }
  if (dropped_ > 0 || waiting_.size() + line.size() > kWaitingBytesMax) {
    ++dropped_;
    return false;
  }
  waiting_.append(line);
  waiting_ += '\n';
  mark_ += line.size() + 1;
  return false;
}

base::Status LineJournal::flush() {
  std::size_t done = 0;
  while (done < waiting_.size()) {
    const ssize_t count = ::write(file_, waiting_.data() + done, waiting_.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      waiting_.erase(0, done);
      return failed("write", path_);
    }
    done += static_cast<std::size_t>(count);
  }
  waiting_.clear();
  return {};
}

base::Status LineJournal::reopen() {
  const int file = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  const off_t size = file < 0 ? -1 : ::lseek(file, 0, SEEK_END);
  if (size < 0) {
    if (file >= 0) ::close(file);
    return failed("write", path_);
  }
  ::close(std::exchange(file_, file));
  if (before_ != nullptr) std::fclose(std::exchange(before_, nullptr));
  mark_ = static_cast<std::uint64_t>(size);
  return {};
}

base::Status LineJournal::sync() {
  STILLWATCH_CHECK(flush());
  if (::fdatasync(file_) != 0) return failed("write", path_);
  return {};
}

}  // namespace stillwatch::gateway
