#include "gateway/tailed_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <utility>

#include <fmt/format.h>

namespace stillwatch::gateway {
namespace {

constexpr std::size_t kBlockBytes = 256U << 10;
constexpr std::size_t kLongKeptBytes = 64U << 10;  // account and time stand near the beginning of a record

bool fill(const struct stat& about, FileMark& mark) {
  mark.device = about.st_dev;
  mark.inode = about.st_ino;
  mark.size = static_cast<std::uint64_t>(about.st_size);
  // Only compared. Whoever owns the file sets any year, and after 2262 a signed product overflows.
  mark.changed_ns = static_cast<std::int64_t>(static_cast<std::uint64_t>(about.st_mtim.tv_sec) * 1'000'000'000U +
                                              static_cast<std::uint64_t>(about.st_mtim.tv_nsec));
  return S_ISREG(about.st_mode);
}

}  // namespace

bool mark_of(const std::string& path, FileMark& mark) {
  struct stat about {};
  return ::stat(path.c_str(), &about) == 0 && fill(about, mark);
}

base::Result<TailedFile> TailedFile::open(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) {
    return base::fail(base::Fault::environment, fmt::format("cannot read {}: {}; check the path and its permissions",
                                                            path, std::strerror(errno)));
  }
  return TailedFile(path, file);
}

TailedFile::TailedFile(TailedFile&& other) noexcept { *this = std::move(other); }
TailedFile& TailedFile::operator=(TailedFile&& other) noexcept {
  std::swap(file_, other.file_);
  path_ = std::move(other.path_);
  offset_ = other.offset_, next_ = other.next_, seen_size_ = other.seen_size_,
  seen_changed_ns_ = other.seen_changed_ns_, long_until_ = other.long_until_;
  beginning_ = std::move(other.beginning_);
  prefix_ = other.prefix_, prefix_bytes_ = other.prefix_bytes_;
  return *this;
}
TailedFile::~TailedFile() {
  if (file_ >= 0) ::close(file_);
}

bool TailedFile::look(FileMark& mark) const {
  struct stat about {};
  return ::fstat(file_, &about) == 0 && fill(about, mark);
}

bool TailedFile::read_at(char* out, std::size_t size, std::uint64_t at, std::size_t& count) const {
  count = 0;
  while (count < size) {
    const ssize_t got = ::pread(file_, out + count, size - count, static_cast<off_t>(at + count));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    if (got == 0) break;
    count += static_cast<std::size_t>(got);
  }
  return true;
}

std::optional<std::uint64_t> TailedFile::offset_by(std::span<const TailPlace> places,
                                                   const crypto::KeyedHash& key) const {
  FileMark now;
  char bytes[kTailPrefixBytes];
  std::size_t count = 0;
  if (places.empty() || !look(now) || !read_at(bytes, sizeof bytes, 0, count)) return std::nullopt;
  std::map<std::uint32_t, std::uint64_t> prefixes;  // most places have one of full length
  std::optional<std::uint64_t> offset;
  for (const TailPlace& place : places) {
    if (place.offset > now.size || place.prefix_bytes > count || (offset && place.offset <= *offset)) continue;
    auto prefix = prefixes.find(place.prefix_bytes);
    if (prefix == prefixes.end()) {
      const std::uint64_t hash = key(crypto::Domain::query_id, std::string_view(bytes, place.prefix_bytes));
      prefix = prefixes.emplace(place.prefix_bytes, hash).first;
    }
    if (prefix->second == place.prefix) offset = place.offset;
  }
  return offset;
}

bool TailedFile::keep_beginning() {
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(next_, kTailPrefixBytes));
  const std::size_t kept = beginning_.size();
  if (kept >= wanted) return true;
  beginning_.resize(wanted);
  std::size_t count = 0;
  return read_at(beginning_.data() + kept, wanted - kept, kept, count) && count == wanted - kept;
}

bool TailedFile::start_at(std::uint64_t offset) {
  offset_ = next_ = seen_size_ = offset;
  seen_changed_ns_ = 0;
  long_until_ = 0;
  beginning_.clear();
  prefix_bytes_ = 0;
  return keep_beginning();
}

/// Shorter than before, or other bytes where it begins: it was truncated and written anew.
bool TailedFile::is_changed(const FileMark& now) const {
  if (now.size < std::max({offset_, seen_size_, long_until_})) return true;
  char bytes[kTailPrefixBytes];
  std::size_t count = 0;
  const std::size_t kept = std::min<std::size_t>(beginning_.size(), sizeof bytes);
  return !read_at(bytes, kept, 0, count) || count != kept || std::memcmp(bytes, beginning_.data(), kept) != 0;
}

TailPlace TailedFile::place(std::uint32_t tail, const crypto::KeyedHash& key) {
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(next_, kTailPrefixBytes));
  if (prefix_bytes_ != wanted || wanted == 0) {
    (void)keep_beginning();  // when it fails, the place will not be found again: the line comes twice, not never
    prefix_ = key(crypto::Domain::query_id, std::string_view(beginning_).substr(0, wanted));
    prefix_bytes_ = wanted;
  }
  return {tail, static_cast<std::uint32_t>(wanted), prefix_, next_};
}

TailedFile::Turn TailedFile::read(std::string& buffer, std::size_t bytes_max, std::size_t line_bytes_max,
                                  const Sink& sink) {
  FileMark now;
  if (!look(now)) return Turn::failed;
  if (is_changed(now)) return Turn::replaced;
  std::size_t used = 0, line_at = 0, searched = 0;  // in the buffer, which begins at `base`
  std::uint64_t base = std::max(offset_, long_until_);
  const std::uint64_t from = base, end = now.size;
  seen_changed_ns_ = now.changed_ns;
  const auto give = [&](std::string_view text, bool is_too_long, std::uint64_t next) {
    next_ = next;
    if (!sink(text, is_too_long)) {
      next_ = offset_;
      seen_size_ = offset_;
      return false;
    }
    offset_ = next;
    return true;
  };
  std::string beginning;
  while (base + used < end) {
    // A line that was begun is read to its end, or to the limit.
    if (base + used - from >= bytes_max && (line_at > 0 || long_until_ != 0)) break;
    buffer.resize(std::max(buffer.size(), used + kBlockBytes));
    std::size_t count = 0;
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(kBlockBytes, end - base - used));
    if (!read_at(buffer.data() + used, wanted, base + used, count)) return Turn::failed;
    if (count == 0) break;  // cut off meanwhile; the next turn sees it
    used += count;
    while (const void* newline = std::memchr(buffer.data() + searched, '\n', used - searched)) {
      const auto at = static_cast<std::size_t>(static_cast<const char*>(newline) - buffer.data());
      const std::uint64_t next = base + at + 1;
      if (long_until_ != 0 || at - line_at > line_bytes_max) {
        beginning.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kLongKeptBytes, next - 1 - offset_)));
        std::size_t kept = 0;
        if (!read_at(beginning.data(), beginning.size(), offset_, kept)) return Turn::failed;
        if (!give(std::string_view(beginning).substr(0, kept), true, next)) return Turn::stopped;
        long_until_ = 0;
      } else if (!give(std::string_view(buffer).substr(line_at, at - line_at), false, next)) {
        return Turn::stopped;
      }
      line_at = searched = at + 1;
      if (searched == used) break;
    }
    searched = used;
    if (used - line_at > line_bytes_max) {
      // Nothing of it is kept; its beginning is read again when its end is found.
      long_until_ = base + used;
      base += used;
      used = line_at = searched = 0;
    }
  }
  seen_size_ = base + used;
  FileMark after;
  if (!keep_beginning() || !look(after)) return Turn::failed;
  return has_news(after) ? Turn::more : Turn::end;
}

TailedFile::Turn TailedFile::read_rest(std::string& buffer, std::size_t line_bytes_max, const Sink& sink) {
  FileMark now;
  if (!look(now)) return Turn::failed;
  if (now.size <= offset_) return Turn::end;
  const bool is_too_long = now.size - offset_ > line_bytes_max;
  const auto wanted = is_too_long ? kLongKeptBytes : static_cast<std::size_t>(now.size - offset_);
  buffer.resize(std::max(buffer.size(), wanted));
  std::size_t count = 0;
  if (!read_at(buffer.data(), wanted, offset_, count)) return Turn::failed;
  next_ = now.size;
  if (!sink(std::string_view(buffer).substr(0, count), is_too_long)) {
    next_ = offset_;
    return Turn::stopped;
  }
  offset_ = seen_size_ = now.size;
  seen_changed_ns_ = now.changed_ns;
  long_until_ = 0;
  return Turn::end;
}

}  // namespace stillwatch::gateway
