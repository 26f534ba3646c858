#include "intake/line_source.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "intake/body_reader.h"
#include "intake/decompress.h"

namespace stillwatch::intake {
namespace {

// Of a line that is too long or cut: enough to find its account and time.
constexpr std::size_t kBeginningKept = 64U << 10;
constexpr std::size_t kNamedBytes = 4096;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

void grow(LineBlock& block, std::size_t capacity, std::size_t used) {
  if (block.capacity >= capacity) return;
  auto bytes = std::make_unique_for_overwrite<char[]>(capacity + kJsonPadding);
  if (used > 0) std::memcpy(bytes.get(), block.bytes.get(), used);
  std::memset(bytes.get() + capacity, 0, kJsonPadding);
  block.bytes = std::move(bytes);
  block.capacity = capacity;
}

}  // namespace

struct LineSource::State {
  std::string path;
  LineSourceOptions options;
  int file = -1;
  bool is_regular = false;
  struct stat opened {};
  std::uint64_t left = 0;  // of a regular file
  std::uint64_t bytes_read = 0;
  bool shrank = false;
  std::optional<Decompressor> decompressor;

  std::string carry;      // the beginning of a line whose end is not read yet
  LinePosition position;  // of the carry
  bool at_end = false;
  std::string beginning;
  std::optional<base::Error> problem;
  std::string warning;
  bool has_unfinished_line = false;

  ~State() {
    if (file > STDIN_FILENO) ::close(file);
  }

  /// Until a stream has bytes or has ended.
  base::Status wait() const {
    constexpr int kWaitMs = 100;
    pollfd stream{file, POLLIN, 0};
    while (!is_regular && options.stop_requested != nullptr) {
      if (options.stop_requested->load())
        return base::fail(base::Fault::environment, fmt::format("stopped while waiting for {}", path), true);
      const int ready = ::poll(&stream, 1, kWaitMs);
      if (ready > 0 || (ready < 0 && errno != EINTR)) break;
    }
    return {};
  }

  base::Result<std::size_t> read_file(char* out, std::size_t size) {
    if (is_regular) size = static_cast<std::size_t>(std::min<std::uint64_t>(size, left));
    if (size == 0) return 0;
    for (;;) {
      STILLWATCH_CHECK(wait());
      const ssize_t count = ::read(file, out, size);
      if (count >= 0) {
        if (count == 0 && is_regular) shrank = true;
        left -= is_regular ? static_cast<std::uint64_t>(count) : 0;
        bytes_read += static_cast<std::uint64_t>(count);
        return static_cast<std::size_t>(count);
      }
      if (errno != EINTR) {
        return base::fail(base::Fault::environment,
                          fmt::format("cannot read {} at byte {}: {}; check the disk and run again", path, bytes_read,
                                      std::strerror(errno)));
      }
    }
  }

  base::Result<std::size_t> read(char* out, std::size_t size) {
    STILLWATCH_TRY(count, decompressor->read(out, size));
    if (beginning.size() < kNamedBytes) beginning.append(out, std::min(count, kNamedBytes - beginning.size()));
    return count;
  }

  /// At the end: what happened to the file meanwhile.
  void conclude(std::uint64_t lines) {
    at_end = true;
    const std::string place = fmt::format("after line {}", lines);
    if (is_regular) {
      struct stat now {
      }, named{};
      if (::fstat(file, &now) != 0) now = opened;
      if (shrank || now.st_size < opened.st_size) {
        problem = base::Error{
            base::Fault::environment,
            fmt::format(
                "{} shrank while it was read ({} of {} bytes were left, {}); let its writer finish and run again", path,
                bytes_read, opened.st_size, place)};
      } else if (now.st_size > opened.st_size) {
        warning = fmt::format("{} grew while it was read: the first {} bytes were used; run again for the rest", path,
                              opened.st_size);
      } else if (now.st_mtim.tv_sec != opened.st_mtim.tv_sec || now.st_mtim.tv_nsec != opened.st_mtim.tv_nsec) {
        warning = fmt::format("{} was changed while it was read; let its writer finish and run again", path);
      } else if (::stat(path.c_str(), &named) != 0 || named.st_ino != opened.st_ino) {
        warning = fmt::format("{} was replaced while it was read: the old file was used", path);
      }
    }
    const StreamDamage* damage = decompressor->damage();
    if (damage != nullptr && !problem) {
      problem = base::Error{base::Fault::input,
                            fmt::format("{}: {} at byte {}, {}; the lines before it were read. Fetch the file again",
                                        path, damage->what, damage->offset, place)};
    }
  }
  bool grew() const {
    struct stat now {};
    return is_regular && ::fstat(file, &now) == 0 && now.st_size > opened.st_size;
  }

  void add_line(LineBlock& block, std::size_t at, std::size_t size, LineBlock::Kind kind) {
    LineBlock::Line line{at, size, size, position, kind};
    if (position.offset == 0 && std::string_view(block.bytes.get() + at, size).starts_with(kByteOrderMark)) {
      line.at += kByteOrderMark.size();
      line.size -= kByteOrderMark.size();
    }
    if (size > options.line_bytes_max) line.kind = LineBlock::Kind::too_long;
    if (line.kind != LineBlock::Kind::whole) line.size = std::min(line.size, kBeginningKept);
    block.lines.push_back(line);
  }
  void pass_line(std::uint64_t bytes) {
    position.offset += bytes;
    ++position.line;
  }

  /// Skips to behind the next newline of a line whose beginning is the last of block.lines.
  base::Status skip_rest(LineBlock& block, std::size_t used) {
    LineBlock::Line& line = block.lines.back();
    for (;;) {
      STILLWATCH_TRY(count, read(block.bytes.get() + used, block.capacity - used));
      const char* const from = block.bytes.get() + used;
      const void* const newline = count == 0 ? nullptr : std::memchr(from, '\n', count);
      if (newline == nullptr && count > 0) {
        line.full_bytes += count;
        continue;
      }
      const std::size_t taken =
          newline == nullptr ? 0 : static_cast<std::size_t>(static_cast<const char*>(newline) - from);
      line.full_bytes += taken;
      carry.assign(from + (newline == nullptr ? 0 : taken + 1), newline == nullptr ? 0 : count - taken - 1);
      pass_line(line.full_bytes + static_cast<std::uint64_t>(newline != nullptr));
      if (newline == nullptr) conclude(position.line - 1);
      return {};
    }
  }

  base::Result<bool> next(LineBlock& block) {
    block.lines.clear();
    block.next = position;
    if (at_end) return false;
    grow(block, std::max(options.block_bytes, carry.size()), 0);
    std::size_t used = carry.size();
    std::memcpy(block.bytes.get(), carry.data(), used);
    carry.clear();
    std::size_t searched = 0;  // no newline before here
    std::size_t line_at = 0;   // start of the line being collected
    bool is_last = false;
    while (!is_last) {
      // Lines that are already there.
      while (const void* newline = std::memchr(block.bytes.get() + searched, '\n', used - searched)) {
        const auto at = static_cast<std::size_t>(static_cast<const char*>(newline) - block.bytes.get());
        add_line(block, line_at, at - line_at, LineBlock::Kind::whole);
        pass_line(at - line_at + 1);
        line_at = searched = at + 1;
        if (searched == used) break;
      }
      searched = used;
      if (used - line_at > options.line_bytes_max) {
        add_line(block, line_at, used - line_at, LineBlock::Kind::too_long);
        // Read over what need not be kept.
        const std::size_t kept = std::min(used, line_at + kBeginningKept);
        grow(block, kept + options.block_bytes, kept);
        STILLWATCH_CHECK(skip_rest(block, kept));
        block.next = position;
        return true;
      }
      if (!block.lines.empty() && used == block.capacity) break;
      if (used == block.capacity)
        grow(block, std::min(2 * block.capacity, line_at + options.line_bytes_max + block.capacity), used);
      STILLWATCH_TRY(count, read(block.bytes.get() + used, block.capacity - used));
      used += count;
      is_last = count == 0;
    }
    if (!is_last) {
      carry.assign(block.bytes.get() + line_at, used - line_at);
    } else if (used > line_at) {
      if (grew() && !decompressor->is_compressed()) {
        has_unfinished_line = true;
      } else {
        const bool cut = decompressor->damage() != nullptr || shrank;
        add_line(block, line_at, used - line_at, cut ? LineBlock::Kind::truncated : LineBlock::Kind::whole);
        pass_line(used - line_at);
      }
    }
    if (is_last) conclude(position.line - 1);
    block.next = position;
    return !block.lines.empty();
  }
};

LineSource::LineSource(std::unique_ptr<State> state) : state_(std::move(state)) {}
LineSource::~LineSource() = default;
LineSource::LineSource(LineSource&&) noexcept = default;
LineSource& LineSource::operator=(LineSource&&) noexcept = default;

base::Result<LineSource> LineSource::open(const std::string& path, LineSourceOptions options) {
  auto state = std::make_unique<State>();
  state->path = path == "-" ? "standard input" : path;
  state->options = options;
  state->file = path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (state->file < 0 || ::fstat(state->file, &state->opened) != 0) {
    return base::fail(base::Fault::environment, fmt::format("cannot read {}: {}; check the path and its permissions",
                                                            path, std::strerror(errno)));
  }
  if (S_ISDIR(state->opened.st_mode)) {
    return base::fail(base::Fault::environment,
                      fmt::format("cannot read {}: it is a folder; name the log files in it", path));
  }
  state->is_regular = S_ISREG(state->opened.st_mode) && path != "-";
  state->left = static_cast<std::uint64_t>(state->opened.st_size);
  if (state->is_regular) (void)::posix_fadvise(state->file, 0, 0, POSIX_FADV_SEQUENTIAL);
  State* const raw = state.get();
  state->decompressor.emplace([raw](char* out, std::size_t size) { return raw->read_file(out, size); });
  return LineSource(std::move(state));
}

base::Result<bool> LineSource::next(LineBlock& block) { return state_->next(block); }

base::Status LineSource::skip_to(LinePosition position) {
  std::vector<char> scratch(1U << 20);
  std::uint64_t left = position.offset;
  while (left > 0) {
    STILLWATCH_TRY(
        count, state_->read(scratch.data(), static_cast<std::size_t>(std::min<std::uint64_t>(left, scratch.size()))));
    if (count == 0) {
      return base::fail(base::Fault::environment,
                        fmt::format("{} is shorter than when it was read before (line {} is missing); restore it, or "
                                    "remove the state folder and run again",
                                    state_->path, position.line));
    }
    left -= count;
  }
  state_->position = position;
  return {};
}

const std::optional<base::Error>& LineSource::problem() const { return state_->problem; }
const std::string& LineSource::warning() const { return state_->warning; }
bool LineSource::has_unfinished_line() const { return state_->has_unfinished_line; }

std::string LineSource::beginning() const { return state_->beginning; }
std::uint64_t LineSource::bytes_read() const { return state_->bytes_read; }
std::uint64_t LineSource::bytes_total() const {
  return state_->is_regular ? static_cast<std::uint64_t>(state_->opened.st_size) : 0;
}

}  // namespace stillwatch::intake
