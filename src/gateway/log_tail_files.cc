// Which files a tail reads, and where it goes on in them.
#include <algorithm>

#include <fmt/format.h>

#include "gateway/log_tail_parts.h"

namespace stillwatch::gateway {
namespace {

constexpr int kListAttempts = 3;  // of a folder in which files are being renamed

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

/// What there is of a log beside what its path names. False when one was renamed meanwhile: look again.
bool LogTail::State::find_rotated(std::size_t log, std::vector<Rotated>& out) {
  out.clear();
  for (const ListedFile& listed : list_rotated(options.logs[log].path)) {
    Rotated one{listed};
    const auto before = passed.find({listed.mark.device, listed.mark.inode});
    const auto closed = parked.find({listed.mark.device, listed.mark.inode});
    if (is_followed(listed.mark) || (closed != parked.end() && closed->second == listed.mark)) {
      one.is_known = one.is_done = true;
    } else if (before != passed.end() && before->second.mark == listed.mark) {
      one.is_known = before->second.is_known;
      one.is_done = true;
    } else {
      auto file = TailedFile::open(listed.path);
      FileMark mark;
      if (!file && !mark_of(listed.path, mark)) return false;
      if (!file) continue;
      const auto offset = file->offset_by(places[log], key);
      const bool is_copy = std::any_of(files.begin(), files.end(), [&](const std::unique_ptr<File>& open) {
        return open->log == log && open->file.begins_like(*file);
      });
      one.is_known = offset || is_copy;
      one.is_done = is_copy || (offset && file->is_known_to_end_at(*offset));
      one.from = offset.value_or(0);
      if (one.is_done && !is_copy) pass(listed.mark, true);
    }
    out.push_back(std::move(one));
  }
  return true;
}

void LogTail::State::pass(const FileMark& mark, bool is_known) {
  if (passed.size() > 2 * kTailFilesListedMax) passed.clear();  // more than can be listed: they are looked at again
  passed[{mark.device, mark.inode}] = {mark, is_known};
}

/// The log was read up to this time of its files at least: what is unknown and older is none of what was missed.
std::int64_t LogTail::State::read_until_ns(std::size_t log, const std::vector<Rotated>& rotated) {
  std::int64_t newest_ns = INT64_MIN, done_ns = INT64_MIN, begun_ns = INT64_MAX;
  const auto count = [&](std::int64_t changed_ns, bool is_done) {
    newest_ns = std::max(newest_ns, changed_ns);
    if (is_done)
      done_ns = std::max(done_ns, changed_ns);
    else
      begun_ns = std::min(begun_ns, changed_ns);
  };
  for (const Rotated& one : rotated) {
    if (one.is_known) count(one.listed.mark.changed_ns, one.is_done);
  }
  // Files of one path follow each other. Those of a pattern may be written side by side.
  if (!is_pattern(options.logs[log].path)) return newest_ns;
  for (const ListedFile& listed : list_log(options.logs[log].path)) {
    auto file = TailedFile::open(listed.path);
    if (!file) continue;
    const auto offset = file->offset_by(places[log], key);
    if (offset) count(listed.mark.changed_ns, *offset >= listed.mark.size);
  }
  if (done_ns != INT64_MIN) return done_ns - 2 * options.skew_us * 1'000;
  return begun_ns == INT64_MAX ? INT64_MIN : begun_ns;
}

/// Files that went to another name, or were packed, before they were read to their end. True when one was known.
bool LogTail::State::look_for_rotated(std::size_t log) {
  std::vector<Rotated> rotated;
  for (int attempt = 0; attempt < kListAttempts && !find_rotated(log, rotated); ++attempt) continue;
  // A packed file has the time of what is in it, in whole seconds.
  const std::int64_t until_ns = read_until_ns(log, rotated);
  const std::int64_t until_s = until_ns == INT64_MIN ? INT64_MAX : until_ns / 1'000'000'000;
  for (const Rotated& one : rotated) {
    const std::int64_t changed_ns = one.listed.mark.changed_ns;
    const bool is_missed = is_packed(one.listed.path) ? changed_ns / 1'000'000'000 >= until_s
                                                      : until_ns != INT64_MIN && changed_ns >= until_ns;
    if (one.is_done) continue;
    if (one.is_known || is_missed)
      (void)follow(one.listed, log, true, one.from);
    else if (until_ns != INT64_MIN)
      pass(one.listed.mark, false);
  }
  return std::any_of(rotated.begin(), rotated.end(), [](const Rotated& one) { return one.is_known; });
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
  if (is_known || has_rotated) is_found = look_for_rotated(log);
  for (const ListedFile& one : listed) {
    if (is_followed(one.mark)) continue;
    const auto closed = parked.find({one.mark.device, one.mark.inode});
    if (closed != parked.end() && closed->second == one.mark) continue;
    auto file = TailedFile::open(one.path);
    if (!file) {
      ++counts.read_errors;
      say(file.error().message);
      continue;
    }
    const auto offset = file->offset_by(places[log], key);
    is_found |= offset.has_value();
    (void)follow(one, log, false, offset.value_or(0));
  }
  if (is_known && !is_found && !is_pattern(path)) {
    ++counts.places_lost;
    say(fmt::format(
        "{} was rotated while nobody read it, and the file it was read to is gone, or compressed with something else "
        "than gzip or zstd; what stood behind is not read: keep rotated files until they were read",
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
        if (is_done && file.file.is_cut()) {
          ++counts.read_errors;
          say(file.file.problem());
        }
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
