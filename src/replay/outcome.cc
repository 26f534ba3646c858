#include "replay/outcome.h"

#include <algorithm>

#include "event/json_lines.h"
#include "replay/run_counters.h"

namespace stillwatch::replay {

base::Status write_campaigns(const engine::Engine& engine, const std::string& policy_hash, const event::OpenId& open,
                             Outcome& outcome, OutputSet& outputs) {
  const engine::CaseBook& book = engine.case_book();
  outcome.campaigns = book.campaigns(engine.detector());
  std::string lines;
  for (const event::Campaign& campaign : outcome.campaigns) {
    lines += event::to_json(campaign, open) + "\n";
    for (const event::Token model : campaign.models) outcome.models[campaign.id].emplace_back(open(model));
  }
  STILLWATCH_CHECK(outputs.write("campaigns.ndjson", lines));
  lines.clear();
  for (const event::Member& member : book.members(open)) {
    lines += event::to_json(member, open) + "\n";
    const auto standing = book.standings().find(member.account);
    const event::Level level = standing == book.standings().end() ? event::Level::clear : standing->second.level;
    outcome.members[member.campaign].push_back({std::string(open(member.account)), member, level});
  }
  for (auto& item : outcome.members) {
    std::stable_sort(item.second.begin(), item.second.end(),
                     [](const OpenedMember& a, const OpenedMember& b) { return a.member.queries > b.member.queries; });
  }
  STILLWATCH_CHECK(outputs.write("members.ndjson", lines));
  lines.clear();
  for (const event::Alarm& alarm : engine.alarm().alarms()) {
    lines += event::to_json(alarm, policy_hash, open) + "\n";
    outcome.alarms.push_back({alarm, event::opened_value(alarm, open)});
  }
  return outputs.write("alarms.ndjson", lines);
}

void count_all(const engine::Engine& engine, const intake::LogReader& reader, const intake::AccountFile& accounts,
               const intake::Identities& identities, Outcome& outcome) {
  const intake::IntakeCounters intake = reader.counters();
  const detect::Detector& detector = engine.detector();
  outcome.engine = engine.counters();
  outcome.records = intake.accepted;
  outcome.lines = intake.lines;
  outcome.rejected = intake.rejected;
  outcome.duplicates = intake.duplicates();
  outcome.late = intake.late();
  outcome.unknown_fields = intake.parser.unknown_fields + accounts.unknown_fields;
  outcome.account_lines = accounts.lines;
  outcome.account_lines_rejected = accounts.rejected;
  outcome.bytes = intake.bytes;
  outcome.rejected_by_reason = rejects_of(intake);
  outcome.accounts = detector.accounts().size();
  outcome.accounts_by_level["clear"] = outcome.accounts - engine.case_book().standings().size();
  for (const auto& item : engine.case_book().standings())
    ++outcome.accounts_by_level[std::string(event::name(item.second.level))];
  outcome.end_users_by_level = engine.case_book().end_users().by_level();
  outcome.counters = counters_of(engine, intake, accounts, identities);
  outcome.calibration_bytes = engine.calibration_bytes();
  outcome.calibration_groups = detector.calibration().group_count();
  outcome.promised_false_campaigns_per_month = detector.calibration().promised_false_campaigns_per_month();
  outcome.threshold_log10_e = detector.calibration().threshold_log10_e();
  outcome.queries_per_hour = engine.queries_per_hour();
  outcome.warnings = reader.warnings();
  outcome.problems = reader.problems();
}

}  // namespace stillwatch::replay
