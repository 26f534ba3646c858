// render_summary_json and render_terminal: the run for programs and for the terminal.
#include <algorithm>

#include <fmt/format.h>

#include "base/event_time.h"
#include "base/json_text.h"
#include "event/json_lines.h"
#include "report/counter_words.h"
#include "report/report.h"
#include "report/totals.h"
#include "report/words.h"

namespace stillwatch::report {
namespace {

// Writes one JSON object, key by key, in the order of the calls.
class JsonObject {
 public:
  explicit JsonObject(std::string& out) : out_(out) { out_ += '{'; }
  void text(std::string_view key, std::string_view value) { name(key), base::append_json_string(out_, value); }
  void number(std::string_view key, double value) { name(key), base::append_json_number(out_, value); }
  void count(std::string_view key, std::uint64_t value) { name(key), base::append_json_number(out_, value); }
  void truth(std::string_view key, bool value) { name(key), out_ += value ? "true" : "false"; }
  void time(std::string_view key, std::int64_t value) { text(key, base::format_time(value)); }
  template <class Map>
  void counts(std::string_view key, const Map& map) {
    name(key);
    JsonObject object(out_);
    for (const auto& [inner, value] : map) object.count(inner, value);
    object.close();
  }
  void texts(std::string_view key, const std::vector<std::string>& values) {
    name(key);
    std::string_view comma = "[";
    for (const std::string& value : values) {
      out_ += comma;
      base::append_json_string(out_, value);
      comma = ",";
    }
    out_ += values.empty() ? "[]" : "]";
  }
  std::string& raw(std::string_view key) { return name(key), out_; }
  void close() { out_ += '}'; }

 private:
  void name(std::string_view key) {
    if (!first_) out_ += ',';
    first_ = false;
    base::append_json_string(out_, key);
    out_ += ':';
  }
  std::string& out_;
  bool first_ = true;
};

void append_campaign(std::string& out, const CampaignView& view) {
  const event::Campaign& campaign = view.campaign;
  JsonObject object(out);
  object.text("id", event::campaign_name(campaign.id));
  object.text("class", event::name(campaign.class_));
  object.time("opened", campaign.opened_us);
  object.time("updated", campaign.updated_us);
  object.count("accounts_count", campaign.accounts_count);
  object.count("queries", campaign.queries);
  object.count("prevented_queries", campaign.prevented_queries);
  object.count("input_tokens", view.input_tokens);
  object.count("output_tokens", campaign.output_tokens);
  object.texts("models", view.models);
  std::vector<std::string> channels;
  for (const event::Channel channel : campaign.channels.list()) channels.emplace_back(event::name(channel));
  object.texts("channels", channels);
  object.number("log10_e", campaign.strength.log10_e);
  object.count("calibration_groups", campaign.strength.calibration_groups);
  object.truth("extrapolated", campaign.strength.extrapolated);
  object.close();
}

void append_truth(std::string& out, const TruthView& truth) {
  JsonObject object(out);
  std::string& strata = object.raw("strata");
  strata += '[';
  for (std::size_t i = 0; i < truth.strata.size(); ++i) {
    if (i > 0) strata += ',';
    JsonObject row(strata);
    row.text("name", truth.strata[i].name);
    row.count("accounts", truth.strata[i].accounts);
    row.count("alerted", truth.strata[i].alerted);
    row.count("actioned", truth.strata[i].actioned);
    row.number("error_upper_95", truth.strata[i].error_upper_95);
    row.close();
  }
  strata += ']';
  std::string& families = object.raw("families");
  families += '[';
  for (std::size_t i = 0; i < truth.families.size(); ++i) {
    const FamilyView& family = truth.families[i];
    if (i > 0) families += ',';
    JsonObject row(families);
    row.text("name", family.name);
    row.count("accounts", family.accounts);
    row.count("actioned", family.actioned);
    row.count("queries", family.queries);
    row.count("prevented_queries", family.prevented_queries);
    if (family.hours_to_first_alert >= 0) row.number("hours_to_first_alert", family.hours_to_first_alert);
    row.close();
  }
  families += ']';
  object.close();
}

}  // namespace

std::string render_summary_json(const Report& report) {
  const Summary& summary = report.summary;
  const Totals totals = total(report);
  std::string out;
  JsonObject object(out);
  object.count("v", 1);
  object.text("version", summary.version);
  object.text("policy", summary.policy_hash);
  object.texts("logs", summary.logs);
  object.time("first", summary.first_us);
  object.time("last", summary.last_us);
  object.time("calibrated_until", summary.calibrated_until_us);
  object.truth("dry_run", summary.dry_run);
  object.count("records", summary.records);
  object.count("bytes", summary.bytes);
  object.count("accounts", summary.accounts);
  object.count("rejected", summary.rejected);
  object.counts("rejected_by_reason", summary.rejected_by_reason);
  object.count("duplicates", summary.duplicates);
  object.count("late", summary.late);
  object.count("shed", summary.shed);
  object.count("unknown_fields", summary.unknown_fields);
  object.count("calibration_groups", summary.calibration_groups);
  object.number("threshold_log10_e", summary.threshold_log10_e);
  object.number("promised_false_campaigns_per_month", summary.promised_false_campaigns_per_month);
  object.counts("accounts_by_level", summary.accounts_by_level);
  object.counts("end_users_by_level", summary.end_users_by_level);
  const auto held = std::count_if(report.alarms.begin(), report.alarms.end(),
                                  [](const AlarmView& view) { return view.alarm.held_until_us != 0; });
  JsonObject alarms(object.raw("alarms"));
  alarms.count("raised", report.alarms.size());
  alarms.count("held", static_cast<std::uint64_t>(held));
  alarms.close();
  object.counts("counters", summary.counters);
  if (const auto met = bounds_met(summary.counters); !met.empty()) {
    JsonObject meanings(object.raw("bounds_met"));
    for (const auto& item : met) meanings.text(item.first, counter_meaning(item.first));
    meanings.close();
  }
  JsonObject found(object.raw("found"));
  found.count("campaigns", totals.campaigns);
  found.count("accounts", totals.accounts);
  found.count("queries", totals.queries);
  found.count("output_tokens", totals.output_tokens);
  found.count("prevented_queries", totals.prevented);
  found.count("resellers", totals.resellers);
  found.count("others", totals.others);
  found.close();
  std::string& campaigns = object.raw("campaigns");
  campaigns += '[';
  for (std::size_t i = 0; i < report.campaigns.size(); ++i) {
    if (i > 0) campaigns += ',';
    append_campaign(campaigns, report.campaigns[i]);
  }
  campaigns += ']';
  if (report.truth) append_truth(object.raw("truth"), *report.truth);
  object.close();
  return out + '\n';
}

std::string render_terminal(const Report& report, const std::string& report_path) {
  constexpr std::size_t kCampaignsListed = 10;  // a screen; the rest is in the report
  const Summary& summary = report.summary;
  const Totals totals = total(report);
  std::string out = headline(report, totals) + "\n" + subline(report, totals) + "\n\n";
  for (std::size_t i = 0; i < std::min(report.campaigns.size(), kCampaignsListed); ++i) {
    const event::Campaign& campaign = report.campaigns[i].campaign;
    std::vector<std::string> channels;
    for (const event::Channel channel : campaign.channels.list()) channels.push_back(spaced(event::name(channel)));
    fmt::format_to(std::back_inserter(out),
                   "  {}  {:<10}  {:>7} accounts  {:>12} requests  {:>6} prevented  10^{:.1f}  {}\n",
                   event::campaign_name(campaign.id), event::name(campaign.class_), grouped(campaign.accounts_count),
                   grouped(campaign.queries), percent(share(campaign.prevented_queries, campaign.queries)),
                   campaign.strength.log10_e, listed(channels, 6));
  }
  if (report.campaigns.size() > kCampaignsListed)
    fmt::format_to(std::back_inserter(out), "  and {} more\n", report.campaigns.size() - kCampaignsListed);
  if (!report.campaigns.empty()) out += "\n";
  fmt::format_to(std::back_inserter(out), "{} accounts alerted, {} {} (verify or above), of {}.\n",
                 grouped(totals.alerted), grouped(totals.actioned), summary.dry_run ? "would be acted on" : "acted on",
                 grouped(summary.accounts));
  if (!report.alarms.empty()) {
    fmt::format_to(std::back_inserter(out), "{} about the rate of verdicts; see alarms.ndjson and the report.\n",
                   counted(report.alarms.size(), "alarm", "alarms"));
  }
  if (summary.rejected > 0) {
    fmt::format_to(std::back_inserter(out), "{} rejected ({}); see rejects.ndjson.\n",
                   counted(summary.rejected, "line", "lines"),
                   percent(share(summary.rejected, summary.records + summary.rejected)));
  }
  // What is shed on purpose matters to whoever reads a verdict; daily tidying does not.
  std::vector<std::string> shed;
  for (const auto& item : bounds_met(summary.counters)) {
    if (item.first.ends_with("_shed") || item.first.ends_with("_refused") || item.first.ends_with("_deferred"))
      shed.push_back(spaced(item.first) + " " + grouped(item.second));
  }
  if (!shed.empty()) out += "Bounds were met: " + listed(shed, 6) + "; see docs/operate.md.\n";
  return out + "Report: " + report_path + "\n";
}

}  // namespace stillwatch::report
