#include "gateway/run_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <mutex>

#include <fmt/format.h>
#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/sinks/base_sink.h>

#include "base/event_time.h"
#include "base/json_text.h"
#include "gateway/metric_families.h"

namespace stillwatch::gateway {

using namespace settings;
using namespace metric;

namespace {

using base::Fault;

constexpr std::size_t kQueueLines = 8'192;  // 2-4 MB. Further: the oldest are dropped, counted
constexpr unsigned kLimitedKinds = 64;

std::int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string_view name_of(LogLevel level) {
  constexpr std::array<std::string_view, 4> kNames{"debug", "info", "warn", "error"};
  return kNames[static_cast<std::size_t>(level)];
}

// The value of a family's label, from the table that the metrics use.
std::string_view label_of(std::size_t place) {
  for (const CounterFamily& family : counter_families()) {
    if (place >= family.first && place < family.first + family.values.size())
      return family.values[place - family.first];
  }
  return {};
}

void append(std::string& line, const LogField::Value& value) {
  std::visit(
      [&](const auto& field) {
        using Field = std::decay_t<decltype(field)>;
        if constexpr (std::is_same_v<Field, bool>)
          line += field ? "true" : "false";
        else if constexpr (std::is_same_v<Field, std::int64_t>)
          line += fmt::format("{}", field);
        else if constexpr (std::is_arithmetic_v<Field>)
          base::append_json_number(line, field);
        else if constexpr (std::is_same_v<Field, Literal>)
          base::append_json_string(line, field.text());
        else if constexpr (std::is_same_v<Field, Configured>)
          base::append_json_string(line, field.text);
        else if constexpr (std::is_same_v<Field, Failure>)
          base::append_json_string(line, field.error.message);
        else
          line += fmt::format("\"{:016x}\"", field.token);
      },
      value);
}

// A file descriptor that can be opened again; lines that cannot be written are counted.
class LineSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  LineSink(std::string path, int file) : path_(std::move(path)), file_(file) {}
  ~LineSink() override {
    if (!path_.empty()) ::close(file_);
  }
  base::Status reopen() {
    if (path_.empty()) return {};
    const int opened = open_file(path_);
    if (opened < 0) return failed(path_);
    const std::lock_guard lock(mutex_);
    ::close(file_);
    file_ = opened;
    return {};
  }
  static int open_file(const std::string& path) {
    return ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  }
  static tl::unexpected<base::Error> failed(const std::string& path) {
    return base::fail(Fault::environment, fmt::format("cannot write the log {}: {}", path, std::strerror(errno)));
  }
  std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    line_.assign(message.payload.data(), message.payload.size());
    line_ += '\n';
    if (::write(file_, line_.data(), line_.size()) != static_cast<ssize_t>(line_.size())) {
      lost_.fetch_add(1, std::memory_order_relaxed);
    }
  }
  void flush_() override {}

  const std::string path_;
  int file_;
  std::string line_;
  std::atomic<std::uint64_t> lost_{0};
};

// Lines of one kind within the second that runs.
struct Window {
  std::mutex mutex;
  std::int64_t second = 0;
  std::uint32_t written = 0;
  std::uint64_t suppressed = 0;
};

}  // namespace

LogField::LogField(Literal field, Refusal reason) : name(field), value(Configured{label_of(slot(reason))}) {}
LogField::LogField(Literal field, RequestDialect dialect) : name(field), value(Configured{label_of(slot(dialect))}) {}

std::string log_line(std::int64_t time_us, LogLevel level, Literal event, std::initializer_list<LogField> fields,
                     std::uint64_t suppressed) {
  std::string line = fmt::format(R"({{"time":"{}","level":"{}","event":)", base::format_time(time_us), name_of(level));
  base::append_json_string(line, event.text());
  for (const LogField& field : fields) {
    line += ',';
    base::append_json_string(line, field.name.text());
    line += ':';
    append(line, field.value);
  }
  if (suppressed > 0) line += fmt::format(",\"suppressed\":{}", suppressed);
  return line + "}";
}

struct RunLog::Sink {
  explicit Sink(const Log& configured, int file)
      : level(configured.level),
        per_second_max(configured.refusals_per_second_max),
        lines(std::make_shared<LineSink>(configured.file, file)),
        pool(std::make_shared<spdlog::details::thread_pool>(kQueueLines, 1)),
        logger(
            std::make_shared<spdlog::async_logger>("run", lines, pool, spdlog::async_overflow_policy::overrun_oldest)) {
    logger->set_level(spdlog::level::trace);
  }

  void queue(const std::string& line) { logger->log(spdlog::level::info, spdlog::string_view_t(line)); }

  const LogLevel level;
  const std::uint32_t per_second_max;
  std::shared_ptr<LineSink> lines;
  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::shared_ptr<spdlog::async_logger> logger;
  std::array<Window, kLimitedKinds> windows;
};

RunLog::RunLog() = default;
RunLog::~RunLog() = default;  // the pool writes what is queued before its thread ends

base::Result<std::unique_ptr<RunLog>> RunLog::open(const Log& configured) {
  const int file = configured.file.empty() ? STDERR_FILENO : LineSink::open_file(configured.file);
  if (file < 0) return LineSink::failed(configured.file);
  std::unique_ptr<RunLog> log(new RunLog);
  try {
    log->sink_ = std::make_unique<Sink>(configured, file);
  } catch (const std::exception& error) {  // no thread could be started
    return base::fail(Fault::environment, fmt::format("cannot start the log: {}", error.what()));
  }
  return log;
}

void RunLog::write(LogLevel level, Literal event, std::initializer_list<LogField> fields) {
  if (level < sink_->level) return;
  sink_->queue(log_line(now_us(), level, event, fields));
}

void RunLog::write_limited(unsigned kind, LogLevel level, Literal event, std::initializer_list<LogField> fields) {
  if (level < sink_->level) return;
  const std::int64_t time_us = now_us();
  std::uint64_t suppressed = 0;
  {
    Window& window = sink_->windows[kind % kLimitedKinds];
    const std::lock_guard lock(window.mutex);
    if (window.second != time_us / base::kSecondUs) {
      window.second = time_us / base::kSecondUs;
      window.written = 0;
    }
    if (window.written >= sink_->per_second_max) {
      ++window.suppressed;
      return;
    }
    ++window.written;
    suppressed = std::exchange(window.suppressed, 0);
  }
  sink_->queue(log_line(time_us, level, event, fields, suppressed));
}

void RunLog::flush() { sink_->logger->flush(); }

base::Status RunLog::reopen() { return sink_->lines->reopen(); }

std::uint64_t RunLog::dropped_lines() const { return sink_->pool->overrun_counter() + sink_->lines->lost(); }

}  // namespace stillwatch::gateway
