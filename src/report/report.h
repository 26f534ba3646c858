// What a person sees after a run: one self-contained HTML page and the terminal summary.
//
// Invariant: the page needs no network, shows every campaign with its evidence and its counterfactuals,
// and escapes every byte that came from a log. Ids are opened by the caller, through the engine's port.
// Threads: pure functions. Cost: linear in what is shown; members shown per campaign are capped.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "event/alarm.h"
#include "event/verdict.h"

namespace stillwatch::report {

/// An account of a campaign, with its id opened.
struct MemberView {
  std::string account;
  event::Member member;
  event::Level level = event::Level::clear;
};

struct CampaignView {
  event::Campaign campaign;
  std::vector<MemberView> members;  // most queries first; at most kMembersShownMax
  std::vector<std::string> models;  // opened, as campaign.models
  std::uint64_t input_tokens = 0;
};
inline constexpr std::size_t kMembersShownMax = 200;

/// An alarm about the rate of verdicts, with the name of what it is about opened.
struct AlarmView {
  event::Alarm alarm;
  std::string value;
};
inline constexpr std::size_t kAlarmsShownMax = 50;

/// Error among benign accounts of one stratum; only when the truth is known.
struct StratumView {
  std::string name;
  std::uint64_t accounts = 0, alerted = 0, actioned = 0;
  double error_upper_95 = 0;  // of being actioned, per account over the horizon
};
struct FamilyView {
  std::string name;
  std::uint64_t accounts = 0, actioned = 0, queries = 0, prevented_queries = 0;
  double hours_to_first_alert = -1;  // -1: never
};
struct TruthView {
  std::vector<StratumView> strata;
  std::vector<FamilyView> families;
};

/// The run as a whole; also summary.json.
struct Summary {
  std::string version, policy_hash;
  std::vector<std::string> logs;
  std::int64_t first_us = 0, last_us = 0, calibrated_until_us = 0;
  bool dry_run = true;
  std::uint64_t records = 0, rejected = 0, duplicates = 0, late = 0, shed = 0, unknown_fields = 0;
  std::map<std::string, std::uint64_t> rejected_by_reason;
  std::uint64_t accounts = 0, bytes = 0;
  std::uint32_t calibration_groups = 0;
  double promised_false_campaigns_per_month = 0;  // the stated promise, per million accounts
  double threshold_log10_e = 0;
  std::map<std::string, std::uint64_t> accounts_by_level;  // state at the end of the log
  std::map<std::string, std::uint64_t> end_users_by_level;
  std::map<std::string, std::uint64_t> counters;  // bounded structures: what was shed or evicted
  std::vector<std::uint32_t> queries_per_hour;    // from the hour of first_us
};

struct Report {
  Summary summary;
  std::vector<CampaignView> campaigns;
  std::vector<AlarmView> alarms;
  std::optional<TruthView> truth;
};

/// The page; UTF-8 HTML.
std::string render_html(const Report& report);

/// summary.json (one object, stable key order, newline at the end). Nothing in it depends on threads or the clock.
std::string render_summary_json(const Report& report);

/// A few lines for the terminal: what was found, what it took, where the report is.
std::string render_terminal(const Report& report, const std::string& report_path);

/// Why an account or a campaign got its verdict, from the files of a replay's output folder.
/// Caller error when the id is in none of them. `json`: one JSON object instead of text.
base::Result<std::string> explain(const std::string& out_folder, const std::string& id, bool json);

}  // namespace stillwatch::report
