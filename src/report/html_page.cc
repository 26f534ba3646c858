// render_html: the page around the campaigns.
#include <fmt/format.h>

#include "base/event_time.h"
#include "event/json_lines.h"
#include "report/campaign_section.h"
#include "report/charts.h"
#include "report/counter_words.h"
#include "report/report.h"
#include "report/style.h"
#include "report/totals.h"
#include "report/words.h"

namespace stillwatch::report {
namespace {

std::string key_figures(const Report& report, const Totals& totals) {
  const auto figure = [](const std::string& value, const std::string& label, bool lead = false) {
    return fmt::format("<div><dt>{}</dt><dd{}>{}</dd></div>", label, lead ? " class=\"lead\"" : "", value);
  };
  const Summary& summary = report.summary;
  std::string out = "<dl class=\"key\">";
  if (totals.campaigns > 0) {
    out += figure(grouped(totals.queries),
                  "requests taken, " + percent(share(totals.queries, summary.records)) + " of all traffic", true);
    out += figure(compact(static_cast<double>(totals.output_tokens)), "output tokens taken");
    out += figure(percent(share(totals.prevented, totals.queries)),
                  summary.dry_run ? "would have been prevented" : "prevented");
    out += figure(grouped(totals.accounts),
                  fmt::format("accounts in {}", counted(totals.campaigns, "campaign", "campaigns")));
  }
  out += figure(grouped(totals.actioned), fmt::format("of {} accounts {} (verify or above)", grouped(summary.accounts),
                                                      summary.dry_run ? "would be acted on" : "acted on"));
  if (totals.campaigns == 0) {
    out += figure(compact(static_cast<double>(summary.records)), "requests read");
    out += figure(duration(summary.last_us - summary.first_us), "of traffic");
    out += figure(grouped(summary.calibration_groups), "benign groups to compare with");
  }
  return out + "</dl>";
}

std::string overview(const Report& report) {
  if (report.campaigns.size() < 2) return "";
  std::string out =
      "<section><h2>All findings</h2><div class=\"scroll\"><table><thead><tr><th>Campaign</th><th>Class</th><th "
      "class=\"n\">Accounts</th><th class=\"n\">Requests</th>"
      "<th class=\"n\">Prevented</th><th class=\"n\">log<sub>10</sub> e</th><th>Found</th></tr></thead><tbody>";
  for (std::size_t i = 0; i < report.campaigns.size(); ++i) {
    const event::Campaign& campaign = report.campaigns[i].campaign;
    fmt::format_to(
        std::back_inserter(out),
        "<tr><td class=\"t\"><span class=\"legend {0}\"><i></i><a href=\"#{1}\">{1}</a></span></td><td>{2}</td><td "
        "class=\"n\">{3}</td><td class=\"n\">{4}</td><td class=\"n\">{5}</td>"
        "<td class=\"n\">{6:.1f}</td><td class=\"t\">{7}</td></tr>",
        colour_class(i), event::campaign_name(campaign.id), event::name(campaign.class_),
        grouped(campaign.accounts_count), grouped(campaign.queries),
        percent(share(campaign.prevented_queries, campaign.queries)), campaign.strength.log10_e,
        date_and_time(campaign.opened_us));
  }
  return out + "</tbody></table></div></section>";
}

std::string traffic_section(const Report& report) {
  std::vector<Hourly> series;
  std::vector<std::string> names;
  for (const CampaignView& view : report.campaigns) {
    series.push_back({view.campaign.opened_us, &view.campaign.queries_per_hour});
    names.push_back(event::campaign_name(view.campaign.id));
  }
  const Traffic traffic = make_traffic({report.summary.first_us, &report.summary.queries_per_hour}, series);
  return "<section><h2>Traffic over time</h2>" + traffic_chart(traffic, report.summary.calibrated_until_us, names) +
         "</section>";
}

std::string truth_section(const TruthView& truth) {
  std::string out =
      "<section><h2>Against the truth</h2><p class=\"note\">These logs come with the truth about every account, so the "
      "verdicts can be judged. Error is the share "
      "of a stratum's honest accounts that were acted on at any time; the bound holds in 95 of 100 worlds like this "
      "one if accounts err independently "
      "(Clopper-Pearson).</p>";
  if (!truth.families.empty()) {
    out +=
        "<div class=\"block\"><h3>Hostile, by family</h3><div class=\"scroll\"><table><thead><tr><th>Family</th><th "
        "class=\"n\">Accounts</th><th class=\"n\">Acted on</th>"
        "<th class=\"n\">Requests</th><th class=\"n\">Prevented</th><th class=\"n\">First alert "
        "after</th></tr></thead><tbody>";
    for (const FamilyView& family : truth.families) {
      fmt::format_to(std::back_inserter(out),
                     "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td "
                     "class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
                     escape(spaced(family.name)), grouped(family.accounts), grouped(family.actioned),
                     grouped(family.queries), percent(share(family.prevented_queries, family.queries)),
                     hours_in_words(family.hours_to_first_alert));
    }
    out += "</tbody></table></div></div>";
  }
  if (!truth.strata.empty()) {
    out +=
        "<div class=\"block\"><h3>Honest, by stratum</h3><div class=\"scroll\"><table><thead><tr><th>Stratum</th><th "
        "class=\"n\">Accounts</th><th class=\"n\">Alerted</th>"
        "<th class=\"n\">Acted on</th><th class=\"n\">Error</th><th class=\"n\">95 % bound</th></tr></thead><tbody>";
    for (const StratumView& stratum : truth.strata) {
      fmt::format_to(std::back_inserter(out),
                     "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td "
                     "class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
                     escape(spaced(stratum.name)), grouped(stratum.accounts), grouped(stratum.alerted),
                     grouped(stratum.actioned), percent(share(stratum.actioned, stratum.accounts)),
                     percent(stratum.error_upper_95));
    }
    out += "</tbody></table></div></div>";
  }
  return out + "</section>";
}

std::string alarm_section(const std::vector<AlarmView>& alarms) {
  if (alarms.empty()) return "";
  std::string out =
      "<section><h2>Alarms</h2><p class=\"note\">Verdicts fell on one kind of account more often than on others and "
      "than before. That is a note about the detector for a person to read, and no evidence against anybody.</p>"
      "<div class=\"scroll\"><table><thead><tr><th>When</th><th>What kind</th><th>What "
      "happened</th></tr></thead><tbody>";
  for (std::size_t i = 0; i < std::min(alarms.size(), kAlarmsShownMax); ++i) {
    const event::Alarm& alarm = alarms[i].alarm;
    fmt::format_to(std::back_inserter(out), "<tr><td class=\"t\">{}</td><td>{}: <bdi>{}</bdi></td><td>{}{}</td></tr>",
                   date_and_time(alarm.time_us), spaced(event::name(alarm.key)), escape(alarms[i].value),
                   escape(event::sentence(alarm)),
                   alarm.held_until_us == 0 ? "" : " Held until " + date_and_time(alarm.held_until_us) + ".");
  }
  out += "</tbody></table></div>";
  if (alarms.size() > kAlarmsShownMax)
    out += fmt::format("<p class=\"note\">{} more are in alarms.ndjson.</p>", alarms.size() - kAlarmsShownMax);
  return out + "</section>";
}

template <class Map>
std::string counts_table(const Map& counts, std::string_view first, std::string_view second) {
  std::string out = fmt::format(
      "<div class=\"scroll\"><table><thead><tr><th>{}</th><th class=\"n\">{}</th></tr></thead><tbody>", first, second);
  for (const auto& [name, count] : counts) {
    fmt::format_to(std::back_inserter(out), "<tr><td>{}</td><td class=\"n\">{}</td></tr>", escape(spaced(name)),
                   grouped(count));
  }
  return out + "</tbody></table></div>";
}

std::string decision_section(const Summary& summary) {
  const auto row = [](std::string_view term, const std::string& value) {
    return fmt::format("<dt>{}</dt><dd>{}</dd>", term, value);
  };
  std::string out = "<section><h2>How it was decided</h2><div class=\"cols\"><div><dl class=\"plain\">";
  out += row("Calibration",
             summary.calibrated_until_us > summary.first_us
                 ? fmt::format("{} to {}", date_and_time(summary.first_us), date_and_time(summary.calibrated_until_us))
                 : std::string("on a separate log"));
  out += row("Compared with", counted(summary.calibration_groups, "benign group", "benign groups"));
  out += row("Threshold", fmt::format("evidence of 10<sup>{:.1f}</sup> or more", summary.threshold_log10_e));
  out += row("Promise", fmt::format("at most {} false campaigns a month and million accounts",
                                    plain_number(summary.promised_false_campaigns_per_month)));
  out += row("Mode", summary.dry_run ? "dry run: nothing was refused" : "acting: remedies were in force");
  out += row("Policy", fmt::format("<span class=\"id\">{}</span>", escape(summary.policy_hash)));
  out +=
      "</dl></div><div class=\"note\"><p>Two questions are kept apart: are the accounts one operator's, and is what "
      "they do together a harvest? Only both together make a distiller.</p>"
      "<p>Groups are formed on earlier requests and tested on later ones, against groups of trusted traffic made the "
      "same way. "
      "Every account must also stand on its own evidence, and nothing is refused on fewer than two independent kinds "
      "of it.</p>"
      "<p>Country, language and nationality are never part of a score. The same log, settings and secret give the same "
      "verdicts, byte for byte.</p></div></div>";
  if (!summary.accounts_by_level.empty()) {
    out += "<div class=\"block cols\"><div><h3>Accounts by state at the end</h3>";
    std::vector<std::pair<std::string, std::uint64_t>> levels;
    for (int level = 0; level <= static_cast<int>(event::Level::suspend); ++level) {
      const auto found = summary.accounts_by_level.find(std::string(event::name(static_cast<event::Level>(level))));
      if (found != summary.accounts_by_level.end()) levels.emplace_back(*found);
    }
    out += counts_table(levels, "State", "Accounts");
    if (!summary.end_users_by_level.empty()) out += counts_table(summary.end_users_by_level, "State", "End users");
    out += "</div>";
    if (const auto met = bounds_met(summary.counters); !met.empty()) {
      out += "<div><h3>Where a bound was met</h3>" + counts_table(met, "Counter", "Count") + "<dl class=\"plain\">";
      for (const auto& item : met) {
        if (const std::string_view meaning = counter_meaning(item.first); !meaning.empty())
          out += row(escape(spaced(item.first)), escape(meaning));
      }
      out += "</dl></div>";
    } else {
      out += "<div><h3>Where a bound was met</h3><p class=\"note\">Nowhere: nothing was shed or evicted.</p></div>";
    }
    out += "</div>";
  }
  return out + "</section>";
}

std::string input_section(const Summary& summary) {
  std::string out = "<section><h2>What was read</h2><div class=\"cols\"><div><dl class=\"plain\">";
  const auto row = [&](std::string_view term, const std::string& value) {
    out += fmt::format("<dt>{}</dt><dd class=\"n\">{}</dd>", term, value);
  };
  row("Records", grouped(summary.records));
  row("Accounts", grouped(summary.accounts));
  row("Size", fmt::format("{} MB", grouped((summary.bytes + 500'000) / 1'000'000)));
  row("Rejected lines", fmt::format("{} ({})", grouped(summary.rejected),
                                    percent(share(summary.rejected, summary.records + summary.rejected))));
  row("Duplicates", grouped(summary.duplicates));
  row("Too late", grouped(summary.late));
  row("Shed by the live engine", grouped(summary.shed));
  row("Unknown fields", grouped(summary.unknown_fields));
  out += "</dl></div><div>";
  if (summary.rejected_by_reason.empty()) {
    out += "<p class=\"note\">No line was rejected.</p>";
  } else {
    out += "<h3>Why lines were rejected</h3>" + counts_table(summary.rejected_by_reason, "Reason", "Lines") +
           "<p class=\"note\">Each is in rejects.ndjson with its file and line. Where the account could be read, the "
           "reject counts as an event of it.</p>";
  }
  out += "</div></div><p class=\"note\">";
  std::vector<std::string> logs;
  for (const std::string& log : summary.logs) logs.push_back("<bdi>" + escape(log) + "</bdi>");
  if (!logs.empty()) out += (logs.size() == 1 ? "Log: " : "Logs: ") + listed(logs, 20);
  return out + "</p></section>";
}

}  // namespace

std::string render_html(const Report& report) {
  const Summary& summary = report.summary;
  const Totals totals = total(report);
  std::string out;
  out.reserve(1 << 16);
  out +=
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src "
      "data:\">"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"referrer\" "
      "content=\"no-referrer\">"
      "<title>stillwatch report</title><style>";
  out += kStyle;
  out += "</style></head><body><header>";
  out += fmt::format("<p class=\"brand\"><b>stillwatch</b><span>{} to {}</span></p>", date_and_time(summary.first_us),
                     date_and_time(summary.last_us));
  out += fmt::format("<h1>{}</h1><p class=\"lede\">{}</p>", escape(headline(report, totals)),
                     escape(subline(report, totals)));
  out += key_figures(report, totals) + "</header>\n<main>";
  out += traffic_section(report) + "\n";
  out += overview(report) + "\n";
  for (std::size_t i = 0; i < report.campaigns.size(); ++i)
    out += campaign_section(report.campaigns[i], summary, i) + "\n";
  if (report.campaigns.empty()) {
    out +=
        "<section class=\"means\"><h2>What this means, and what it does not</h2>"
        "<p>No group of accounts passed the threshold. Campaigns of some hundred accounts that share templates, "
        "conversations, payments or networks would stand out in traffic like this.</p>"
        "<p>It is no proof that nobody distils. Accounts that share nothing, with unique prompts, human hours and "
        "little hostile traffic each, cannot be told from the public.</p></section>\n";
  }
  if (report.truth) out += truth_section(*report.truth) + "\n";
  out += alarm_section(report.alarms);
  out += decision_section(summary) + "\n" + input_section(summary);
  out += fmt::format(
      "</main>\n<footer><p>stillwatch {} &middot; policy {} &middot; one file, no network access, made from the log "
      "alone. "
      "Why one account or campaign was named: <span class=\"id\">stillwatch explain --out=FOLDER "
      "ID</span></p></footer></body></html>\n",
      escape(summary.version), escape(summary.policy_hash));
  return out;
}

}  // namespace stillwatch::report
