#include "gateway/query_log.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <optional>

#include <fmt/format.h>

#include "base/files.h"
#include "base/folder_lock.h"
#include "gateway/short_turns.h"

namespace stillwatch::gateway {
namespace {

using base::Fault;

constexpr std::size_t kPieceBytes = 32U << 10;  // compressed at a time
constexpr std::string_view kPrefix = "queries-", kSuffix = ".ndjson.zst";
constexpr std::size_t kNameBytes = 8 + 15 + 1 + 4 + 11;  // queries-YYYYMMDDTHHMMSS-NNNN.ndjson.zst
// A replay believes no single step of the clock beyond 90 days within a file (intake/time_order.h); a file of its own
// makes it believe this one.
constexpr std::int64_t kJumpUs = 30 * base::kDayUs;

base::Error failed(std::string_view action, const std::string& path, int code) {
  return {Fault::environment,
          fmt::format("cannot {} {}: {}; {}", action, path, std::strerror(code),
                      code == ENOSPC || code == EDQUOT || code == EFBIG
                          ? "free some space, or let older files be deleted (keep_bytes)"
                          : "check the disk and the permissions of the folder"),
          true};
}

std::string name_of(std::int64_t time_us, unsigned number) {
  std::string time = base::format_time(std::max<std::int64_t>(0, time_us)).substr(0, 19);
  time.erase(std::remove_if(time.begin(), time.end(), [](char letter) { return letter == '-' || letter == ':'; }),
             time.end());
  return fmt::format("{}{}-{:04}{}", kPrefix, time, number, kSuffix);
}

struct NamedFile {
  std::int64_t time_us = 0;
  unsigned number = 0;
};

/// Nothing for a file that is not of this log.
std::optional<NamedFile> read_name(std::string_view name) {
  if (name.size() != kNameBytes || !name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return std::nullopt;
  const std::string_view time = name.substr(kPrefix.size(), 15), number = name.substr(kPrefix.size() + 16, 4);
  if (name[kPrefix.size() + 15] != '-' || number.find_first_not_of("0123456789") != std::string_view::npos)
    return std::nullopt;
  const auto part = [&](std::size_t at, std::size_t size) { return time.substr(at, size); };
  const auto time_us = base::parse_time(
      fmt::format("{}-{}-{}T{}:{}:{}Z", part(0, 4), part(4, 2), part(6, 2), part(9, 2), part(11, 2), part(13, 2)));
  if (!time_us || time[8] != 'T') return std::nullopt;
  NamedFile out{*time_us, 0};
  for (const char digit : number) out.number = 10 * out.number + static_cast<unsigned>(digit - '0');
  return out;
}

/// Bytes of the complete frames at the start of a file.
base::Result<std::uint64_t> whole_frames(int file, std::uint64_t size, const std::string& path) {
  if (size == 0) return 0;
  void* const bytes = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  if (bytes == MAP_FAILED) return base::fail(failed("read", path, errno));
  std::uint64_t at = 0;
  while (at < size) {
    const std::size_t frame = ZSTD_findFrameCompressedSize(static_cast<const char*>(bytes) + at, size - at);
    if (ZSTD_isError(frame) != 0) break;
    at += frame;
  }
  ::munmap(bytes, size);
  return at;
}

std::int64_t steady_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

struct QueryLog::State {
  explicit State(base::FolderLock taken) : lock(std::move(taken)) {}

  QueryLogOptions options;
  base::FolderLock lock;
  std::vector<std::string> files;
  ZSTD_CCtx* zstd = nullptr;
  GiveWay give_way;
  std::string packed;
  // The file being written; -1 until there is something to write.
  int file = -1;
  std::int64_t file_first_us = 0, last_us = INT64_MIN;
  std::uint64_t flushed_bytes = 0;  // compressed
  intake::LinePosition flushed;
  LogPosition end_of_log;       // stays while no file is open
  bool wants_rotation = false;  // what is waiting belongs into a new file
  bool rotation_asked = false;  // the next line does
  std::string waiting;
  std::size_t lines_waiting = 0;
  std::int64_t synced_us = 0;
  bool unsynced = false;
  std::string kept_from;  // files from this one on are never deleted
  mutable std::mutex counters_mutex;
  Counters counters;

  ~State() {
    if (file >= 0) ::close(file);
    ZSTD_freeCCtx(zstd);
  }

  std::string path_of(const std::string& name) const { return options.folder + "/" + name; }
  template <class Change>
  void count(Change change) {
    const std::lock_guard guard(counters_mutex);
    change(counters);
  }

  bool is_far(std::int64_t time_us) const {
    return time_us - file_first_us >= options.rotate_us || (last_us != INT64_MIN && time_us - last_us >= kJumpUs);
  }
  bool wants_new_file(std::int64_t time_us) const {
    if (lines_waiting > 0) return is_far(time_us);
    return file < 0 || wants_rotation || rotation_asked || flushed_bytes >= options.rotate_bytes || is_far(time_us);
  }

  void close_file() {
    if (file < 0) return;
    if (unsynced && options.sync != Sync::never) (void)::fdatasync(file);
    ::close(std::exchange(file, -1));
  }

  base::Status open_file() {
    unsigned number = 0;
    std::int64_t time_us = file_first_us;
    if (!files.empty()) {
      const auto last = read_name(files.back());
      number = (last->number + 1) % 10'000;
      time_us = std::max(time_us, last->time_us);
    }
    const std::string name = name_of(time_us, number);
    const int opened = ::open(path_of(name).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0640);
    if (opened < 0) return base::fail(failed("write", path_of(name), errno));
    file = opened;
    files.push_back(name);
    flushed_bytes = 0;
    flushed = {};
    wants_rotation = false;
    count([](Counters& c) { ++c.files_opened; });
    if (options.sync != Sync::never) {
      const int folder = ::open(options.folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      if (folder >= 0) {
        (void)::fsync(folder);
        ::close(folder);
      }
    }
    delete_old();
    return {};
  }

  void delete_old() {
    if (options.keep_bytes == 0 && options.keep_us == 0) return;
    std::uint64_t total = 0;
    std::error_code code;
    std::vector<std::uint64_t> sizes;
    for (const std::string& name : files) {
      const auto size = std::filesystem::file_size(path_of(name), code);
      sizes.push_back(code ? 0 : size);
      total += sizes.back();
    }
    std::size_t gone = 0;
    while (gone + 1 < files.size() && files[gone] < kept_from) {
      // A file ended when the next one began.
      const bool is_old = options.keep_us > 0 && last_us - read_name(files[gone + 1])->time_us > options.keep_us;
      const bool is_much = options.keep_bytes > 0 && total > options.keep_bytes;
      if (!is_old && !is_much) break;
      if (::unlink(path_of(files[gone]).c_str()) != 0 && errno != ENOENT) break;
      total -= sizes[gone++];
    }
    files.erase(files.begin(), files.begin() + static_cast<std::ptrdiff_t>(gone));
    count([&](Counters& c) { c.files_deleted += gone; });
  }

  base::Status write_all(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t written = ::write(file, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return base::fail(failed("write", path_of(files.back()), written == 0 ? ENOSPC : errno));
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
  }

  /// `waiting` into `packed`: one frame, piece by piece.
  base::Result<std::size_t> compress() {
    packed.resize(ZSTD_compressBound(waiting.size()));
    ZSTD_CCtx_reset(zstd, ZSTD_reset_session_only);
    std::size_t code = ZSTD_CCtx_setPledgedSrcSize(zstd, waiting.size());
    ZSTD_outBuffer out{packed.data(), packed.size(), 0};
    ZSTD_inBuffer in{waiting.data(), 0, 0};
    while (ZSTD_isError(code) == 0) {
      in.size = std::min(waiting.size(), in.pos + kPieceBytes);
      const bool is_last = in.size == waiting.size();
      code = ZSTD_compressStream2(zstd, &out, &in, is_last ? ZSTD_e_end : ZSTD_e_continue);
      if (is_last && code == 0) return out.pos;
      give_way.between_pieces();
    }
    return base::fail(Fault::ours,
                      fmt::format("cannot compress the query log ({}); restart it", ZSTD_getErrorName(code)));
  }

  base::Status write_waiting() {
    if (file < 0 || wants_rotation) {
      close_file();
      STILLWATCH_CHECK(open_file());
    }
    STILLWATCH_TRY(size, compress());
    base::Status status = write_all({packed.data(), size});
    if (status) status = sync_when_due();
    if (!status) {
      // The frame must not stay behind half: later ones could not be read.
      if (::ftruncate(file, static_cast<off_t>(flushed_bytes)) != 0) wants_rotation = true;
      return status;
    }
    flushed_bytes += size;
    flushed.offset += waiting.size();
    flushed.line += lines_waiting;
    end_of_log = {files.back(), flushed};
    count([&](Counters& c) {
      ++c.flushes;
      c.lines += lines_waiting;
      c.bytes += waiting.size();
      c.bytes_compressed += size;
    });
    return {};
  }

  base::Status sync_when_due() {
    unsynced = true;
    if (options.sync == Sync::never) return {};
    const std::int64_t now_us = steady_us();
    if (options.sync == Sync::per_second && now_us - synced_us < base::kSecondUs) return {};
    synced_us = now_us;
    return sync();
  }
  base::Status sync() {
    if (file < 0 || !unsynced) return {};
    if (::fdatasync(file) != 0) return base::fail(failed("write", path_of(files.back()), errno));
    unsynced = false;
    return {};
  }

  base::Status mend_last() {
    while (!files.empty()) {
      const std::string path = path_of(files.back());
      const int last = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
      struct stat about {};
      if (last < 0 || ::fstat(last, &about) != 0) {
        const int code = errno;
        if (last >= 0) ::close(last);
        return base::fail(failed("open", path, code));
      }
      const auto size = static_cast<std::uint64_t>(about.st_size);
      const auto whole = whole_frames(last, size, path);
      base::Status status = whole ? base::Status{} : base::fail(whole.error());
      if (whole && *whole < size) {
        ++counters.frames_cut;
        if (::ftruncate(last, static_cast<off_t>(*whole)) != 0 || ::fsync(last) != 0)
          status = base::fail(failed("mend", path, errno));
      }
      ::close(last);
      STILLWATCH_CHECK(status);
      if (*whole > 0) return {};
      // Nothing was ever given out of it.
      if (::unlink(path.c_str()) != 0) return base::fail(failed("remove", path, errno));
      files.pop_back();
    }
    return {};
  }
};

base::Result<QueryLog> QueryLog::open(const QueryLogOptions& options) {
  STILLWATCH_CHECK(base::make_writable_folder(options.folder));
  STILLWATCH_TRY(lock, base::FolderLock::take(options.folder));
  auto state = std::make_unique<State>(std::move(lock));
  state->options = options;
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator(options.folder, code)) {
    const std::string name = entry.path().filename().string();
    if (read_name(name)) state->files.push_back(name);
  }
  if (code) return base::fail(failed("read", options.folder, code.value()));
  std::sort(state->files.begin(), state->files.end());
  STILLWATCH_CHECK(state->mend_last());
  state->zstd = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(state->zstd, ZSTD_c_compressionLevel, options.level);
  ZSTD_CCtx_setParameter(state->zstd, ZSTD_c_checksumFlag, 1);
  return QueryLog(std::move(state));
}

QueryLog::QueryLog(std::unique_ptr<State> state) : state_(std::move(state)) {}
QueryLog::QueryLog(QueryLog&&) noexcept = default;
QueryLog& QueryLog::operator=(QueryLog&&) noexcept = default;
QueryLog::~QueryLog() = default;

const std::vector<std::string>& QueryLog::files() const { return state_->files; }
std::string QueryLog::path_of(const std::string& file) const { return state_->path_of(file); }

bool QueryLog::wants_new_file(std::int64_t time_us) const { return state_->wants_new_file(time_us); }

void QueryLog::append(std::string_view line, std::int64_t time_us) {
  State& state = *state_;
  if (state.lines_waiting == 0 && state.wants_new_file(time_us)) {
    // Opened when it is written; what counts from here on is that its lines stand in another file.
    state.wants_rotation = true;
    state.rotation_asked = false;
    state.file_first_us = std::max(time_us, state.last_us);
  }
  state.last_us = std::max(state.last_us, time_us);
  state.waiting.append(line);
  state.waiting += '\n';
  ++state.lines_waiting;
}

std::size_t QueryLog::lines_waiting() const { return state_->lines_waiting; }
std::size_t QueryLog::bytes_waiting() const { return state_->waiting.size(); }

base::Status QueryLog::flush() {
  State& state = *state_;
  if (state.lines_waiting == 0) return {};
  const base::Status status = state.write_waiting();
  if (!status) {
    state.count([&](Counters& c) {
      ++c.failures;
      c.lines_lost += state.lines_waiting;
    });
  }
  state.waiting.clear();
  state.lines_waiting = 0;
  return status;
}

base::Status QueryLog::sync() { return state_->sync(); }

LogPosition QueryLog::position() const { return state_->end_of_log; }

void QueryLog::rotate() { state_->rotation_asked = true; }
void QueryLog::end_file() {
  state_->close_file();
  state_->wants_rotation = true;
}
std::string QueryLog::current_file() const { return state_->file < 0 ? std::string() : state_->files.back(); }
std::uint64_t QueryLog::current_bytes() const { return state_->file < 0 ? 0 : state_->flushed.offset; }

base::Status QueryLog::drop_empty_files() {
  const std::string current = current_file();
  std::error_code code;
  for (const std::string& name : state_->files) {
    const auto size = std::filesystem::file_size(path_of(name), code);
    if (!code && size == 0 && name != current && ::unlink(path_of(name).c_str()) != 0)
      return base::fail(failed("remove", path_of(name), errno));
  }
  std::erase_if(state_->files, [&](const std::string& name) { return !std::filesystem::exists(path_of(name), code); });
  return {};
}
void QueryLog::stand_at(const LogPosition& end) {
  if (state_->file < 0) state_->end_of_log = end;
}
void QueryLog::keep_from(const std::string& file) { state_->kept_from = file; }

QueryLog::Counters QueryLog::counters() const {
  const std::lock_guard guard(state_->counters_mutex);
  return state_->counters;
}

}  // namespace stillwatch::gateway
