// What a replay found, with ids opened, and the files that say so.
//
// Invariant: the same engine gives the same bytes. Threads: when the run is over. Cost: one pass over the cases and the
// partitions. Spec: docs/reference/outputs.md.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"
#include "intake/account_parser.h"
#include "intake/log_reader.h"
#include "replay/output_set.h"

namespace stillwatch::replay {

struct OpenedMember {
  std::string account;
  event::Member member;
  event::Level level = event::Level::clear;
};

struct OpenedAlarm {
  event::Alarm alarm;
  std::string value;  // of its key, such as a user agent
};

struct Outcome {
  std::vector<event::Campaign> campaigns;
  std::map<std::uint32_t, std::vector<OpenedMember>> members;  // by campaign, most queries first
  std::map<std::uint32_t, std::vector<std::string>> models;
  std::map<std::string, std::uint64_t> accounts_by_level, end_users_by_level;
  std::vector<OpenedAlarm> alarms;
  engine::Engine::Counters engine;
  std::uint64_t records = 0, rejected = 0, duplicates = 0, late = 0, unknown_fields = 0, bytes = 0, lines = 0;
  std::uint64_t account_lines = 0, account_lines_rejected = 0;
  std::map<std::string, std::uint64_t> rejected_by_reason;
  std::map<std::string, std::uint64_t> counters;
  std::uint64_t accounts = 0, openings = 0;
  std::uint32_t calibration_groups = 0;
  std::string calibration_bytes;  // Engine::calibration_bytes
  double promised_false_campaigns_per_month = 0, threshold_log10_e = 0;
  std::vector<std::uint32_t> queries_per_hour;
  std::vector<std::string> warnings;
  std::vector<base::Error> problems;  // logs that were damaged or cut: their readable lines counted
  /// Share of lines that were refused.
  double reject_share() const { return lines == 0 ? 0 : static_cast<double>(rejected) / static_cast<double>(lines); }
  double account_reject_share() const {
    return account_lines == 0 ? 0 : static_cast<double>(account_lines_rejected) / static_cast<double>(account_lines);
  }
};

/// Writes campaigns.ndjson, members.ndjson and alarms.ndjson, and gives what stands in them to `outcome`.
base::Status write_campaigns(const engine::Engine& engine, const std::string& policy_hash, const event::OpenId& open,
                             Outcome& outcome, OutputSet& outputs);
/// The rest of `outcome`: numbers, warnings, problems.
void count_all(const engine::Engine& engine, const intake::LogReader& reader, const intake::AccountFile& accounts,
               const intake::Identities& identities, Outcome& outcome);

}  // namespace stillwatch::replay
