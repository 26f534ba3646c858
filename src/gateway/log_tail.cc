#include "gateway/log_tail.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "gateway/tail_folder.h"
#include "gateway/tail_memory.h"
#include "gateway/tailed_file.h"

namespace stillwatch::gateway {
namespace {

constexpr auto kFullWait = std::chrono::milliseconds(10);
constexpr std::int64_t kProbeMs = 1'000;  // between lines while the query log cannot be written

std::int64_t wall_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

struct LogTail::State {
  State(LogTailOptions given, Observer& to, TailMemory remembered, std::function<void(std::string_view)> tell_)
      : options(std::move(given)),
        observer(to),
        memory(std::move(remembered)),
        key(memory.key()),
        tell(std::move(tell_)) {}

  struct File {
    TailedFile file;
    std::size_t log = 0;      // of options.logs
    unsigned source = 0;      // of the feed clock
    bool is_rotated = false;  // its name is another file's by now, or nobody's
    bool has_failed = false;
  };
  const LogTailOptions options;
  Observer& observer;
  TailMemory memory;
  const crypto::KeyedHash key;
  const std::function<void(std::string_view)> tell;
  std::vector<std::uint32_t> names;            // of the logs
  std::vector<std::vector<TailPlace>> places;  // of each log, known from before or of files that were closed
  std::vector<std::unique_ptr<File>> files;
  std::map<std::pair<std::uint64_t, std::uint64_t>, FileMark> parked;  // closed, by device and inode
  std::set<unsigned> free_sources;
  std::string buffer;
  std::string problem;
  std::chrono::steady_clock::time_point looked, probed;
  LogTailCounters counts;

  mutable std::mutex mutex;
  std::condition_variable wake;
  bool is_stopping = false;
  LogTailCounters published;
  std::thread thread;

  bool wait_for(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex);
    return wake.wait_for(lock, time, [this] { return is_stopping; });
  }
  bool stopping() const {
    const std::lock_guard lock(mutex);
    return is_stopping;
  }
  void say(const std::string& text) {
    if (text == problem) return;
    problem = text;
    if (tell) tell(text);
  }

  base::Status begin();
  void run();
  void look();
  void look_at(std::size_t log, bool is_first);
  bool look_for_rotated(std::size_t log);
  bool follow(const ListedFile& listed, std::size_t log, bool is_rotated, std::uint64_t offset);
  bool is_followed(const FileMark& mark) const;
  void close(File& file);
  bool read(File& file);
  bool give(File& file, std::string_view text, bool is_too_long);
  void read_all();
  void tidy();
};

bool LogTail::State::is_followed(const FileMark& mark) const {
  return std::any_of(files.begin(), files.end(), [&](const std::unique_ptr<File>& file) {
    FileMark its;
    return file->file.look(its) && its.is_same_file(mark);
  });
}

/// Before the thread runs, so that nothing is fed of a log that is not written down.
base::Status LogTail::State::begin() {
  for (unsigned source = 1; source < FeedClock::kSources; ++source) free_sources.insert(source);
  places.resize(options.logs.size());
  bool has_new = false;
  for (std::size_t log = 0; log < options.logs.size(); ++log) {
    const std::string& path = options.logs[log].path;
    const std::uint64_t hash = key(crypto::Domain::query_id, path);
    names.push_back(static_cast<std::uint32_t>(hash));
    if (memory.knows(names.back())) continue;
    has_new = true;
    std::vector<TailPlace> skipped;
    if (options.logs[log].from_end) {
      for (const ListedFile& listed : list_log(path)) {
        auto file = TailedFile::open(listed.path);
        if (!file) continue;
        if (file->start_at(listed.mark.size)) skipped.push_back(file->place(names.back(), key));
      }
    }
    memory.add(names.back(), skipped);
  }
  if (has_new) STILLWATCH_CHECK(memory.write(options.state_folder));
  const auto know = [&](const TailPlace& place) {
    const auto log = std::find(names.begin(), names.end(), place.tail);
    if (log != names.end()) places[static_cast<std::size_t>(log - names.begin())].push_back(place);
  };
  for (const TailPlace& place : memory.skipped()) know(place);
  for (const TailPlace& place : observer.tail_places()) know(place);
  return {};
}

bool LogTail::State::follow(const ListedFile& listed, std::size_t log, bool is_rotated, std::uint64_t offset) {
  if (free_sources.empty()) {
    ++counts.files_waiting;
    return false;
  }
  auto opened = TailedFile::open(listed.path);
  if (!opened || !opened->start_at(offset)) {
    ++counts.read_errors;
    if (!opened) say(opened.error().message);
    return false;
  }
  files.push_back(std::make_unique<File>(File{std::move(*opened), log, *free_sources.begin(), is_rotated, false}));
  free_sources.erase(free_sources.begin());
  // Before its first line: the observer must not go on without it.
  observer.feed_clock().begin(files.back()->source);
  ++counts.files_opened;
  return true;
}

void LogTail::State::close(File& file) {
  if (file.file.offset() > 0) places[file.log].push_back(file.file.place(names[file.log], key));
  if (places[file.log].size() > kTailPlacesMax) places[file.log].erase(places[file.log].begin());
  FileMark mark;
  if (file.file.look(mark)) parked[{mark.device, mark.inode}] = mark;
  // More than can be listed: begin anew, the places still tell what was read.
  if (parked.size() > 2 * kTailFilesListedMax) parked.clear();
  observer.feed_clock().set_behind(file.source, false);
  free_sources.insert(file.source);
}

/// Files of a plain path that went to another name unread, or partly read. True when one of them was known.
bool LogTail::State::look_for_rotated(std::size_t log) {
  const std::vector<ListedFile> rotated = list_rotated(options.logs[log].path);
  std::int64_t known_ns = INT64_MIN;
  std::vector<std::optional<std::uint64_t>> offsets(rotated.size());
  for (std::size_t i = 0; i < rotated.size(); ++i) {
    if (is_followed(rotated[i].mark)) {
      known_ns = std::max(known_ns, rotated[i].mark.changed_ns);
      continue;
    }
    const auto file = TailedFile::open(rotated[i].path);
    if (!file) continue;
    offsets[i] = file->offset_by(places[log], key);
    if (offsets[i]) known_ns = std::max(known_ns, rotated[i].mark.changed_ns);
  }
  for (std::size_t i = 0; i < rotated.size(); ++i) {
    if (is_followed(rotated[i].mark)) continue;
    if (offsets[i] ? *offsets[i] < rotated[i].mark.size
                   : known_ns != INT64_MIN && rotated[i].mark.changed_ns > known_ns)
      (void)follow(rotated[i], log, true, offsets[i].value_or(0));
  }
  return known_ns != INT64_MIN;
}

void LogTail::State::look_at(std::size_t log, bool is_first) {
  bool has_rotated = false, is_found = false;
  const std::string& path = options.logs[log].path;
  const std::vector<ListedFile> listed = list_log(path);
  for (const std::unique_ptr<File>& file : files) {
    FileMark mark;
    if (file->log != log || file->is_rotated || !file->file.look(mark)) continue;
    FileMark named;
    if (mark_of(file->file.path(), named) && named.is_same_file(mark)) continue;
    file->is_rotated = has_rotated = true;
    ++counts.rotations;
  }
  const bool is_known = is_first && !places[log].empty();
  if (is_known) is_found = look_for_rotated(log);
  for (const ListedFile& one : listed) {
    if (is_followed(one.mark)) continue;
    const auto closed = parked.find({one.mark.device, one.mark.inode});
    if (closed != parked.end() && closed->second == one.mark) continue;
    const auto file = TailedFile::open(one.path);
    if (!file) {
      ++counts.read_errors;
      say(file.error().message);
      continue;
    }
    const auto offset = file->offset_by(places[log], key);
    is_found |= offset.has_value();
    (void)follow(one, log, false, offset.value_or(0));
  }
  if (has_rotated) (void)look_for_rotated(log);
  if (is_known && !is_found && !is_pattern(path)) {
    ++counts.places_lost;
    say(fmt::format(
        "{} was rotated while nobody read it, and the file it was read to is gone or compressed; what stood "
        "behind is not read: keep rotated files uncompressed until the next rotation",
        path));
  }
}

void LogTail::State::look() {
  const bool is_first = looked == std::chrono::steady_clock::time_point{};
  looked = std::chrono::steady_clock::now();
  counts.files_waiting = 0;
  for (std::size_t log = 0; log < options.logs.size(); ++log) look_at(log, is_first);
}

bool LogTail::State::give(File& file, std::string_view text, bool is_too_long) {
  TailLine line;
  line.text = text;
  line.is_too_long = is_too_long;
  line.parser = static_cast<unsigned>(file.log);
  line.source = file.source;
  line.place = file.file.place(names[file.log], key);
  for (bool has_waited = false;; has_waited = true) {
    if (stopping()) return false;
    // While our own log cannot be written, one line now and then tries whether it can.
    const auto now = std::chrono::steady_clock::now();
    const bool may_go = !observer.feed_clock().log_failing() || now - probed >= std::chrono::milliseconds(kProbeMs);
    if (may_go && observer.feed_tail_line(options.shard, line)) {
      probed = now;
      break;
    }
    counts.waits += has_waited ? 0 : 1;
    if (wait_for(kFullWait)) return false;
  }
  ++counts.lines;
  counts.bytes += text.size();
  counts.lines_too_long += is_too_long ? 1 : 0;
  return true;
}

/// One turn. False when the thread is to stop.
bool LogTail::State::read(File& file) {
  const auto sink = [&](std::string_view text, bool is_too_long) { return give(file, text, is_too_long); };
  switch (file.file.read(buffer, options.turn_bytes, options.line_bytes_max, sink)) {
    case TailedFile::Turn::more:
    case TailedFile::Turn::end: break;
    case TailedFile::Turn::stopped: return false;
    case TailedFile::Turn::failed:
      ++counts.read_errors;
      say(fmt::format("cannot read {}; check the disk and the permissions", file.file.path()));
      file.has_failed = true;
      break;
    case TailedFile::Turn::replaced: {
      ++counts.truncations;
      if (file.file.offset() > 0) places[file.log].push_back(file.file.place(names[file.log], key));
      (void)file.file.start_at(0);
      // What it held and nobody read may be in a copy.
      (void)look_for_rotated(file.log);
      break;
    }
  }
  return true;
}

void LogTail::State::read_all() {
  FeedClock& clock = observer.feed_clock();
  const auto look_every = std::chrono::milliseconds(options.look_ms);
  const std::int64_t begun_us = observer.in_flight().now_us();
  while (!stopping()) {
    if (std::chrono::steady_clock::now() - looked >= look_every) {
      tidy();
      look();
    }
    // The file that is furthest behind in event time, so that what is read now is nearly in order.
    std::size_t next = files.size();
    std::uint64_t bytes_behind = 0;
    for (std::size_t i = 0; i < files.size(); ++i) {
      FileMark now;
      const File& file = *files[i];
      const bool has_more = !file.has_failed && file.file.look(now) && file.file.has_news(now);
      clock.set_behind(file.source, has_more);
      if (!has_more) continue;
      bytes_behind += now.size - std::min(now.size, file.file.offset());
      if (next == files.size() || clock.time_us(file.source) < clock.time_us(files[next]->source)) next = i;
    }
    counts.bytes_behind = bytes_behind;
    counts.files_open = files.size();
    {
      const std::lock_guard lock(mutex);
      published = counts;
    }
    if (next == files.size()) {
      clock.set_behind(0, false);
      clock.set_caught_up(begun_us);
      return;
    }
    if (!read(*files[next])) return;
  }
}

/// Files that are done with are closed.
void LogTail::State::tidy() {
  for (std::size_t i = 0; i < files.size();) {
    File& file = *files[i];
    FileMark mark;
    bool is_done = file.has_failed || !file.file.look(mark);
    if (!is_done && !file.file.has_news(mark)) {
      const std::int64_t idle_ms = (wall_ns() - mark.changed_ns) / 1'000'000;
      if (file.is_rotated && idle_ms >= options.rotated_idle_ms) {
        // It ends here: a last line without its newline is a line.
        const auto sink = [&](std::string_view text, bool is_too_long) { return give(file, text, is_too_long); };
        observer.feed_clock().set_behind(file.source, true);
        is_done = file.file.read_rest(buffer, options.line_bytes_max, sink) != TailedFile::Turn::stopped;
      } else {
        is_done = is_pattern(options.logs[file.log].path) &&
                  idle_ms >= (counts.files_waiting > 0 ? options.rotated_idle_ms : options.park_idle_ms) &&
                  file.file.offset() == mark.size;
      }
    }
    if (!is_done) {
      ++i;
      continue;
    }
    close(file);
    files.erase(files.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

void LogTail::State::run() {
  look();
  for (;;) {
    read_all();
    if (wait_for(std::chrono::milliseconds(options.poll_ms))) return;
  }
}

LogTail::LogTail(std::unique_ptr<State> state) : state_(std::move(state)) {}
LogTail::~LogTail() { stop(); }

base::Result<std::unique_ptr<LogTail>> LogTail::start(LogTailOptions options, Observer& observer,
                                                      std::function<void(std::string_view)> on_problem) {
  STILLWATCH_TRY(memory, TailMemory::open(options.state_folder));
  auto state = std::make_unique<State>(std::move(options), observer, std::move(memory), std::move(on_problem));
  STILLWATCH_CHECK(state->begin());
  State* const raw = state.get();
  std::unique_ptr<LogTail> tail(new LogTail(std::move(state)));
  raw->thread = std::thread([raw] { raw->run(); });
  return tail;
}

void LogTail::stop() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->is_stopping = true;
  }
  state_->wake.notify_all();
  if (state_->thread.joinable()) state_->thread.join();
}

LogTailCounters LogTail::counters() const {
  const std::lock_guard lock(state_->mutex);
  return state_->published;
}

}  // namespace stillwatch::gateway
