// OTLP/HTTP JSON exports with GenAI semantic conventions, turned into query records.
//
// Invariant: one query record (docs/reference/log-formats.md, a line without newline) for each span or log record that
// is one call of a model; anything else in the export is counted and left. The records are what a replay reads, so
// content taken in this way and from a log tail means the same.
// Threads: one reader a thread. Cost: one scan, and the size of the messages once more for writing the record.
// Spec: OTLP 1 (JSON Protobuf encoding); OpenTelemetry semantic conventions for GenAI up to 1.37 and, for the older
// forms, 1.28 to 1.36.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "intake/reject.h"

namespace stillwatch::intake {

struct OtlpCounters {
  std::uint64_t spans = 0, log_records = 0;  // seen
  std::uint64_t records = 0;                 // written
  std::uint64_t not_a_call = 0;              // no gen_ai operation of a model: other spans, tools, agents
  std::uint64_t without_account = 0;         // a call, but nothing says whose: not written
  std::uint64_t without_content = 0;         // a call without messages: not written
};

class OtlpReader {
 public:
  using Sink = std::function<void(std::string_view record)>;

  /// `account_attribute`: which attribute of span, log record or resource says who is billed; besides it `user.id`,
  /// `enduser.id` are tried.
  explicit OtlpReader(std::string account_attribute = "user.id");
  ~OtlpReader();

  /// An ExportTraceServiceRequest or ExportLogsServiceRequest. Records before the place of a fault are given out.
  std::optional<Refusal> read(std::string_view body, const Sink& sink);
  const OtlpCounters& counters() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace stillwatch::intake
