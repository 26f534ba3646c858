#include "report/case_page.h"

#include <numeric>

#include <fmt/format.h>

#include "base/event_time.h"
#include "event/json_lines.h"
#include "report/campaign_section.h"
#include "report/charts.h"
#include "report/evidence_words.h"
#include "report/style.h"
#include "report/words.h"

namespace stillwatch::report {
namespace {

std::string row(std::string_view term, const std::string& value) {
  return fmt::format("<dt>{}</dt><dd>{}</dd>", term, value);
}

std::string when(std::int64_t time_ms) { return date_and_time(time_ms * 1000); }

/// The campaign's own hours: the strip of its section begins with the hour in which it was found.
CampaignView with_hours(const CampaignView& view, const CaseTraffic& traffic) {
  CampaignView out = view;
  const std::int64_t hour_us = base::kHourUs;
  const std::int64_t skip = view.campaign.opened_us / hour_us - traffic.start_us / hour_us;
  out.campaign.queries_per_hour.clear();
  for (std::size_t i = 0; i < traffic.case_.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i) - skip;
    if (at < 0) continue;
    out.campaign.queries_per_hour.resize(static_cast<std::size_t>(at) + 1);
    out.campaign.queries_per_hour.back() = traffic.case_[i];
  }
  return out;
}

std::string cosigned_by(const EvidenceInput& input, const EvidenceLog& anchor) {
  const Cosigners cosigners = cosigners_of(input, anchor);
  std::string out;
  for (const Cosigner& one : cosigners.list)
    out += fmt::format("{}<bdi>{}</bdi>, {}", out.empty() ? "" : "; ", escape(one.name), when(one.time_ms));
  if (out.empty()) return "nobody";
  return out + (cosigners.is_quorum_met ? "" : " (fewer than the policy wants)");
}

std::string proof_section(const EvidenceInput& input) {
  std::string out =
      "<section><h2>What proves that these records are as they were</h2><p class=\"note\">Each request and each "
      "decision became one entry of a log that can only grow. The entries of this case are in this bundle with proofs "
      "that lead to signed checkpoints. VERIFY.md has the commands, with programs that the operator did not "
      "write.</p><dl class=\"plain\">";
  out += row("Entries in this bundle", grouped(input.entries.size()));
  for (const EvidenceLog& log : input.logs) {
    const std::string_view note = log.is_anchor || log.is_anchored ? "" : ", not anchored";
    out += row(log.is_anchor ? "Anchor log" : "Log",
               fmt::format("<span class=\"id\">{}</span>{}", escape(log.origin), note));
    if (log.is_anchor) out += row("Seen by", cosigned_by(input, log));
  }
  if (input.manifests.empty()) out += row("Anchor", "none: see known-gaps.md");
  std::string stamps;
  for (const EvidenceStamp& stamp : input.stamps) stamps += (stamps.empty() ? "" : ", ") + escape(stamp.name);
  out += row("Time stamps", stamps.empty() ? "none" : stamps);
  out += row("Opened contents", grouped(input.payloads.size()));
  return out + "</dl></section>";
}

std::string gap_section(const EvidenceInput& input) {
  std::string out = "<section class=\"means\"><h2>What is missing, and what this does not show</h2>";
  if (!input.gaps.empty()) {
    out += "<ul>";
    for (const std::string& gap : input.gaps) out += "<li>" + escape(gap) + "</li>";
    out += "</ul>";
  }
  return out +
         "<p>The log shows that records were not changed after they were written. It does not show that they were true "
         "or complete when they were written, nor who is behind an account. The whole list is in "
         "known-gaps.md.</p></section>";
}

std::string title(const CaseFindings& findings) {
  const event::Campaign& campaign = findings.view.campaign;
  return fmt::format("Campaign {}: {} accounts, class {}", event::campaign_name(campaign.id),
                     grouped(campaign.accounts_count), event::name(campaign.class_));
}

}  // namespace

std::string case_page(const CaseFindings& findings, const CaseTraffic& traffic, const EvidenceInput& input) {
  std::string out =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"referrer\" "
      "content=\"no-referrer\"><title>Evidence of a case</title><style>";
  out += kStyle;
  out += fmt::format(
      "</style></head><body><header><p class=\"brand\"><b>stillwatch</b><span>evidence made {}</span></p>"
      "<h1>{}</h1><p class=\"lede\">Made by <bdi>{}</bdi>, for: <bdi>{}</bdi></p></header>\n<main>",
      when(input.time_ms), title(findings), escape(input.operator_name), escape(input.reason));
  const CampaignView view = with_hours(findings.view, traffic);
  if (!traffic.total.empty()) {
    const Traffic bins = make_traffic({traffic.start_us, &traffic.total}, {{traffic.start_us, &traffic.case_}});
    out += "<section><h2>Traffic over time</h2>" +
           traffic_chart(bins, findings.summary.calibrated_until_us, {event::campaign_name(view.campaign.id)}) +
           fmt::format(
               "<p class=\"note\">Counted from {} entries of requests in the logs named below, of which {} are "
               "of the campaign's accounts.</p></section>",
               grouped(std::accumulate(traffic.total.begin(), traffic.total.end(), std::uint64_t{0})),
               grouped(std::accumulate(traffic.case_.begin(), traffic.case_.end(), std::uint64_t{0})));
  }
  Summary summary = findings.summary;
  if (!findings.has_summary) {
    summary.records = std::accumulate(traffic.total.begin(), traffic.total.end(), std::uint64_t{0});
  }
  out += "\n" + campaign_section(view, summary, 0) + "\n" + proof_section(input) + "\n" + gap_section(input);
  return out + fmt::format(
                   "</main>\n<footer><p>stillwatch {} &middot; one file, no network access. The lines that it "
                   "was made from are in the folder case.</p></footer></body></html>\n",
                   escape(input.tool_version));
}

}  // namespace stillwatch::report
