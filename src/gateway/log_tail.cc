#include "gateway/log_tail.h"

#include <algorithm>

#include <fmt/format.h>

#include "gateway/log_tail_parts.h"

namespace stillwatch::gateway {
namespace {

constexpr auto kFullWait = std::chrono::milliseconds(10);
constexpr std::int64_t kProbeMs = 1'000;  // between lines while the query log cannot be written
// Files that were all read to their end so long ago are level with their writers.
constexpr auto kLevel = std::chrono::seconds(10);
constexpr std::size_t kTimeWithinBytes = 4'096;

}  // namespace

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

std::optional<std::int64_t> LogTail::State::time_of(std::size_t log, std::string_view text) {
  intake::LineParser& parser = *parsers[log];
  // Most formats have it near the beginning; the whole line is read only where that does not tell.
  for (const bool is_whole : {false, true}) {
    padded.assign(text.substr(0, is_whole ? text.size() : kTimeWithinBytes));
    const std::size_t size = padded.size();
    padded.append(intake::kJsonPadding, ' ');
    if (is_whole)
      parser.parse(std::string_view(padded).substr(0, size), parsed);
    else
      parser.refuse(std::string_view(padded).substr(0, size), size, intake::RejectReason::truncated, parsed);
    parser.new_ids().clear();
    if (parsed.has_time) return parsed.query.time_us;
  }
  return std::nullopt;
}

bool LogTail::State::read(File& file, std::int64_t until_us) {
  bool is_far_enough = false;
  const auto sink = [&](std::string_view text, bool is_too_long) {
    file.head_us = until_us == INT64_MAX ? std::nullopt : time_of(file.log, text);
    is_far_enough = file.head_us && *file.head_us > until_us;
    return !is_far_enough && give(file, text, is_too_long);
  };
  switch (file.file.read(buffer, options.turn_bytes, options.line_bytes_max, sink)) {
    case TailedFile::Turn::more:
    case TailedFile::Turn::end: break;
    case TailedFile::Turn::stopped:
      if (is_far_enough) observer.feed_clock().took(file.source, *file.head_us);
      return is_far_enough;
    case TailedFile::Turn::failed:
      ++counts.read_errors;
      say(file.file.problem());
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

LogTail::State::File* LogTail::State::next_file(std::int64_t& until_us) {
  FeedClock& clock = observer.feed_clock();
  const auto now = std::chrono::steady_clock::now();
  File *first = nullptr, *second = nullptr;
  std::size_t behind = 0;
  counts.bytes_behind = 0;
  counts.files_open = files.size();
  const auto time_in = [&](const File& file) { return file.head_us.value_or(clock.time_us(file.source)); };
  for (const std::unique_ptr<File>& file : files) {
    FileMark mark;
    const bool has_more = !file->has_failed && file->file.look(mark) && file->file.has_news(mark);
    clock.set_behind(file->source, has_more);
    if (!has_more) continue;
    ++behind;
    counts.bytes_behind += file->file.bytes_behind(mark);
    if (first == nullptr || time_in(*file) < time_in(*first))
      second = std::exchange(first, file.get());
    else if (second == nullptr || time_in(*file) < time_in(*second))
      second = file.get();
  }
  if (first == nullptr) was_level = now;
  // One file is as it is. Of several that are level with their writers, what comes now is of the same moment.
  until_us = INT64_MAX;
  if (behind > 1 && now - was_level > kLevel) {
    const std::int64_t next_us = time_in(*second);
    // A file of which no line was seen has one looked at first.
    until_us = !first->head_us || next_us == INT64_MIN ? INT64_MIN : next_us + options.skew_us;
  }
  const std::lock_guard lock(mutex);
  published = counts;
  return first;
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
    std::int64_t until_us = INT64_MAX;
    File* const next = next_file(until_us);
    if (next == nullptr) {
      clock.set_caught_up(begun_us);
      return;
    }
    if (!read(*next, until_us)) return;
  }
}

void LogTail::State::run() {
  look();
  observer.feed_clock().set_behind(0, false);  // each file that was found has its own bit by now
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
