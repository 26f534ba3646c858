// The gateway's log: one JSON object a line, for people and their log collectors.
//
// Invariant: no byte of a request, a response, a key or an id of a customer can be written: events and field names are
// literals, and values are numbers, tokens, literals, or names that the operator gave in the configuration.
// Threads: any. Cost: one line of text, ~1 µs; a thread of its own writes it, and drops the oldest when it falls
// behind (counted): a request never waits for the log.
#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include "base/result.h"
#include "base/token.h"
#include "event/verdict.h"
#include "gateway/configuration.h"
#include "gateway/metric_labels.h"

namespace stillwatch::gateway {

/// Text that stands in the source of stillwatch. Cannot be made at run time.
class Literal {
 public:
  template <std::size_t size>
  consteval Literal(const char (&text)[size]) : text_(text, size - 1) {}  // NOLINT: implicit on purpose
  constexpr std::string_view text() const { return text_; }

 private:
  std::string_view text_;
};

/// Text that the operator wrote in the configuration, such as the name of an upstream. Say where it is from.
struct Configured {
  std::string_view text;
};
/// The message of an Error, which by the rules of base/result.h has no bytes of a request.
struct Failure {
  const base::Error& error;
};
/// A keyed hash, written as 16 hexadecimal digits.
struct Hashed {
  base::Token token;
};

struct LogField {
  using Value = std::variant<std::int64_t, std::uint64_t, double, bool, Literal, Configured, Failure, Hashed>;
  Literal name;
  Value value;

  template <class Number>
  requires(std::is_arithmetic_v<Number> && !std::is_same_v<Number, char>) constexpr LogField(Literal field,
                                                                                             Number number)
      : name(field), value(widened(number)) {}
  constexpr LogField(Literal field, Literal text) : name(field), value(text) {}
  constexpr LogField(Literal field, Configured text) : name(field), value(text) {}
  constexpr LogField(Literal field, Failure failure) : name(field), value(failure) {}
  constexpr LogField(Literal field, Hashed hashed) : name(field), value(hashed) {}
  LogField(Literal field, event::Level level) : name(field), value(Configured{event::name(level)}) {}
  LogField(Literal field, metric::Refusal reason);
  LogField(Literal field, metric::RequestDialect dialect);

 private:
  template <class Number>
  static constexpr Value widened(Number number) {
    if constexpr (std::is_same_v<Number, bool>)
      return number;
    else if constexpr (std::is_floating_point_v<Number>)
      return static_cast<double>(number);
    else if constexpr (std::is_signed_v<Number>)
      return static_cast<std::int64_t>(number);
    else
      return static_cast<std::uint64_t>(number);
  }
};

class RunLog {
 public:
  /// Environment error when the file cannot be opened. `settings.file` empty: standard error.
  static base::Result<std::unique_ptr<RunLog>> open(const settings::Log& configured);
  ~RunLog();  // writes what is queued
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;

  void write(settings::LogLevel level, Literal event, std::initializer_list<LogField> fields);
  /// For what clients can cause at will, such as refusals: at most settings.refusals_per_second_max lines a second of
  /// each `kind` (< 64); how many were left out stands in the next line as "suppressed".
  void write_limited(unsigned kind, settings::LogLevel level, Literal event, std::initializer_list<LogField> fields);
  void flush();
  /// Opens the file again, after it was moved away.
  base::Status reopen();
  std::uint64_t dropped_lines() const;

 private:
  RunLog();
  struct Sink;
  std::unique_ptr<Sink> sink_;
};

/// The line, without its newline: what `write` queues.
std::string log_line(std::int64_t time_us, settings::LogLevel level, Literal event,
                     std::initializer_list<LogField> fields, std::uint64_t suppressed = 0);

}  // namespace stillwatch::gateway
