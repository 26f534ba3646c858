// One line of a truth, verdict, account or query file, as the evaluation needs it.
//
// Invariant: a line that lacks a required field, or has it in another type, gives false and leaves the row
// unspecified; unknown fields are ignored. Views live until the next call.
// Threads: one parser a thread. Cost: one simdjson pass over the line. Spec: docs/reference/formats.md.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "event/verdict.h"

namespace stillwatch::quality {

/// truth.ndjson. `unit` and `language` are optional additions: the independent unit that errs together
/// (vendor, class, relay), and the account's language.
struct TruthRow {
  std::string_view account, campaign, family, stratum, unit, language;
  bool hostile = false;
};

/// queries_truth.ndjson.
struct HostileRow {
  std::string_view account;
  std::int64_t time_us = 0;
  std::uint64_t output_tokens = 0;
};

/// verdicts.ndjson: only the required fields need be there.
struct VerdictRow {
  std::int64_t time_us = 0;
  std::string_view subject, campaign;
  event::SubjectKind kind = event::SubjectKind::account;
  event::Level level = event::Level::clear;
  std::optional<event::Class> class_;
};

/// accounts.ndjson.
struct AccountRow {
  std::string_view account, payment;
};

/// queries.ndjson: what the baselines see. Hashes are not keyed: they are never written and never shared.
struct LogRow {
  std::int64_t time_us = 0;
  std::string_view account;
  std::uint64_t network = 0;                               // IPv4 /24 or IPv6 /48; 0: unknown
  std::uint64_t client = 0;                                // user agent, JA4 and header order together; 0: unknown
  std::uint64_t prompt = 0;                                // the last user message, exactly; 0: none
  std::string_view text;                                   // that message's text; of several parts, all in order
  std::uint32_t turns = 0;                                 // messages
  std::uint32_t output_tokens = 0, output_tokens_max = 0;  // what came back, and the most that was asked for
};

/// First and last record of a run and what it promised, from its summary.json.
struct RunRow {
  std::int64_t first_us = 0, last_us = 0;
  std::optional<double> promised_false_campaigns;
};

class RowParser {
 public:
  RowParser();
  ~RowParser();
  RowParser(const RowParser&) = delete;
  RowParser& operator=(const RowParser&) = delete;

  bool read(std::string_view line, TruthRow& row);
  bool read(std::string_view line, HostileRow& row);
  bool read(std::string_view line, VerdictRow& row);
  bool read(std::string_view line, AccountRow& row);
  bool read(std::string_view line, LogRow& row);
  bool read(std::string_view line, RunRow& row);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace stillwatch::quality
