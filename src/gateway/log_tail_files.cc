// Which files a tail reads, and where it goes on in them.
#include <algorithm>

#include <fmt/format.h>

#include "gateway/log_tail_parts.h"

namespace stillwatch::gateway {
namespace {

std::int64_t wall_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

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
  for (const TailedLog& log : options.logs) parsers.push_back(log.parser(key, nullptr));
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
  files.push_back(std::make_unique<File>(File{std::move(*opened), log, *free_sources.begin(), is_rotated, false, {}}));
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
                   : known_ns != INT64_MIN && rotated[i].mark.changed_ns >= known_ns)
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
    if (file->log != log) continue;
    has_rotated |= file->is_rotated;
    if (file->is_rotated || !file->file.look(mark)) continue;
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

}  // namespace stillwatch::gateway
