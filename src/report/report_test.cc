#include "report/report.h"

#include <gtest/gtest.h>

#include <set>

#include "report/charts.h"
#include "report/example_report.h"
#include "report/words.h"

namespace stillwatch::report {
namespace {

constexpr std::string_view kHostile = "\"><script>alert(1)</script><img src=x onerror='y'>&\xFF\xE2\x80\xAE";

// A small checker: every tag is known, closed in order, attributes quoted. "" when well formed.
std::string ill_formed(std::string_view html) {
  const std::set<std::string, std::less<>> void_tags{"meta", "path", "br"};
  std::vector<std::string> open;
  for (std::size_t at = 0; at < html.size(); ++at) {
    if (html[at] == '>') return "a bare > at " + std::string(html.substr(at > 40 ? at - 40 : 0, 60));
    if (html[at] != '<') continue;
    const std::size_t end = html.find('>', at);
    if (end == std::string_view::npos) return "an unclosed tag";
    std::string_view tag = html.substr(at + 1, end - at - 1);
    if (std::count(tag.begin(), tag.end(), '"') % 2 != 0) return "an unclosed attribute in " + std::string(tag);
    at = end;
    if (tag.starts_with("!doctype")) continue;
    const bool closing = tag.starts_with('/');
    if (closing) tag.remove_prefix(1);
    const std::string name(tag.substr(0, tag.find_first_of(" /")));
    if (name.empty() || name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789") != std::string::npos)
      return "the tag " + name;
    if (closing) {
      if (open.empty() || open.back() != name)
        return "</" + name + "> closes " + (open.empty() ? "nothing" : open.back());
      open.pop_back();
    } else if (!void_tags.contains(name)) {
      if (name == "style") {  // raw text
        at = html.find("</style>", at) - 1;
      }
      open.push_back(name);
    }
  }
  return open.empty() ? "" : "<" + open.back() + "> is never closed";
}

Report hostile_report() {
  Report report = example_report();
  add_example_truth(report);
  report.summary.version = report.summary.policy_hash = kHostile;
  report.summary.logs = {std::string(kHostile), std::string(kHostile)};
  report.summary.rejected_by_reason[std::string(kHostile)] = 1;
  report.summary.counters[std::string(kHostile)] = 2;
  report.alarms.push_back({{}, std::string(kHostile)});
  report.truth->strata[0].name = report.truth->families[0].name = kHostile;
  for (CampaignView& view : report.campaigns) {
    view.models = {std::string(kHostile)};
    view.members[0].account = kHostile;
    view.campaign.reasons[0].text = kHostile;
    view.campaign.reasons[0].numbers = {{std::string(kHostile), 1}};
    view.campaign.measures = {{std::string(kHostile), 1}};
  }
  return report;
}

TEST(ReportHtml, IsWellFormed) {
  Report report = example_report();
  EXPECT_EQ(ill_formed(render_html(report)), "");
  add_example_truth(report);
  EXPECT_EQ(ill_formed(render_html(report)), "");
  report.campaigns.clear();
  EXPECT_EQ(ill_formed(render_html(report)), "");
  EXPECT_EQ(ill_formed(render_html(Report{})), "");
  EXPECT_EQ(ill_formed(render_html(hostile_report())), "");
  EXPECT_NE(ill_formed("<p><b></p></b>"), "");  // the checker can fail
}

TEST(ReportHtml, NothingFromALogIsMarkup) {
  const std::string html = render_html(hostile_report());
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_EQ(html.find("<img"), std::string::npos);
  EXPECT_EQ(html.find('\xFF'), std::string::npos);
  EXPECT_EQ(html.find("\xE2\x80\xAE"), std::string::npos);
  EXPECT_NE(html.find("&lt;script&gt;alert(1)"), std::string::npos);
}

TEST(ReportHtml, NeedsNoNetworkAndNoScript) {
  const std::string html = render_html(example_report());
  for (const std::string_view word : {"http:", "https:", "//", "<script", "<link", "@import", "url("}) {
    EXPECT_EQ(html.find(word), std::string::npos) << word;
  }
  EXPECT_NE(html.find("default-src 'none'; style-src 'unsafe-inline'; img-src data:"), std::string::npos);
}

TEST(ReportHtml, ShowsEveryCampaignAndItsEvidence) {
  Report report = example_report();
  for (std::uint32_t id = 100; id < 140; ++id) {
    report.campaigns.push_back(
        example_view(example_campaign(id, event::Class::automation, 5, report.summary.first_us, 30, 9), 5));
  }
  const std::string html = render_html(report);
  for (const CampaignView& view : report.campaigns) {
    char id[32];
    std::snprintf(id, sizeof id, "id=\"c-%06u\"", view.campaign.id);
    const std::size_t start = html.find(id);
    ASSERT_NE(start, std::string::npos) << id;
    const std::string_view section = std::string_view(html).substr(start, html.find("</section>", start) - start);
    for (const event::Reason& reason : view.campaign.reasons) EXPECT_NE(section.find(reason.text), std::string::npos);
    for (const auto& [name, value] : view.campaign.measures) EXPECT_NE(section.find(spaced(name)), std::string::npos);
    EXPECT_NE(section.find("Without this channel"), std::string::npos);
    EXPECT_NE(section.find("falls"), std::string::npos);  // 3.4 is below the threshold of 4.5
    for (const MemberView& member : view.members) EXPECT_NE(section.find(member.account), std::string::npos);
  }
}

TEST(ReportHtml, SaysWhatItFound) {
  Report report = example_report();
  report.campaigns.resize(1);
  report.campaigns[0].campaign.queries = 296400;
  report.campaigns[0].campaign.prevented_queries = 278616;
  EXPECT_NE(render_html(report).find("1 campaign of 300 accounts was distilling m-large; it took 296,400 requests; "
                                     "acting on these verdicts would have prevented 94 %."),
            std::string::npos);
  report.campaigns.clear();
  EXPECT_NE(render_html(report).find("No distillation campaign found in"), std::string::npos);
}

TEST(ReportHtml, ShowsAlarms) {
  Report report = example_report();
  EXPECT_EQ(render_html(report).find("<h2>Alarms</h2>"), std::string::npos);
  event::Alarm alarm;
  alarm.time_us = report.summary.first_us;
  alarm.accounts = 410;
  alarm.actioned = 59;
  alarm.held_until_us = alarm.time_us + 3 * base::kDayUs;
  report.alarms.assign(60, {alarm, "python-client/1.2"});
  const std::string html = render_html(report);
  for (const std::string_view part : {"client version: <bdi>python-client/1.2</bdi>", "59 of 410 accounts",
                                      "Held until 25 Apr 2026, 00:00 UTC", "10 more are in alarms.ndjson"}) {
    EXPECT_NE(html.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(ill_formed(html), "");
  EXPECT_NE(render_terminal(report, "r").find("60 alarms about the rate of verdicts"), std::string::npos);
}

TEST(Escape, HasNoMarkupForAnyBytes) {
  base::Random random(3);
  for (int i = 0; i < 5000; ++i) {
    std::string bytes;
    for (std::uint64_t length = random.below(40); length > 0; --length)
      bytes += static_cast<char>(random.chance(0.3) ? "<>&\"'"[random.below(5)] : static_cast<char>(random.next()));
    const std::string text = escape(bytes);
    EXPECT_EQ(text.find_first_of("<>\"'"), std::string::npos);
    for (const char c : text) EXPECT_GE(static_cast<unsigned char>(c), 0x20);
  }
  EXPECT_EQ(escape("a&b"), "a&amp;b");
}

TEST(Words, NumbersAsPeopleReadThem) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(28800000), "28,800,000");
  EXPECT_EQ(compact(14.4e9), "14.4 billion");
  EXPECT_EQ(compact(296400), "296,400");
  EXPECT_EQ(percent(0.9399), "94 %");
  EXPECT_EQ(percent(0.99996), "99.9 %");
  EXPECT_EQ(percent(1), "100 %");
  EXPECT_EQ(percent(0), "0 %");
  EXPECT_EQ(percent(3.7e-4), "0.037 %");
  EXPECT_EQ(percent(3e-6), "3e-04 %");
  EXPECT_EQ(listed({"a"}), "a");
  EXPECT_EQ(listed({"a", "b", "c"}), "a, b and c");
  EXPECT_EQ(listed({"a", "b", "c", "d", "e"}), "a, b and 3 more");
  EXPECT_EQ(measure_value("single_turn_share", 0.98), "98 %");
  EXPECT_EQ(measure_value("distance", 0.214), "0.214");
  EXPECT_EQ(plain_number(-1234.6), "-1,235");
  EXPECT_EQ(plain_number(1e300), "1.00e+300");
  EXPECT_EQ(date_and_time(*base::parse_time("2026-04-22T18:05:59Z")), "22 Apr 2026, 18:05 UTC");
}

TEST(Words, StrengthClaimsNoMoreThanItsFigures) {
  EXPECT_EQ(strength_sentence({3.9, 14, true}),
            "Among honest groups, evidence this strong is expected in fewer than 1 of 1,000. Counting the 14 honest "
            "groups of calibration could show no more than 1 of 15; beyond that the figure is extrapolated from their "
            "tail.");
  EXPECT_EQ(strength_sentence({300, 1, false}).substr(0, 78),
            "Among honest groups, evidence this strong is expected in fewer than 1 of 1 tri");
  EXPECT_EQ(strength_sentence({0.3, 5, false}).substr(0, 52), "Evidence like this is not rare among honest groups. ");
}

// No bin loses or invents a request, whatever the span and the offset.
TEST(Traffic, KeepsEveryRequest) {
  base::Random random(4);
  for (int i = 0; i < 300; ++i) {
    const std::int64_t start = static_cast<std::int64_t>(random.below(4'000'000)) * base::kMinuteUs;
    std::vector<std::uint32_t> hours(1 + random.below(i % 3 == 0 ? 20'000 : 400)), part;
    std::uint64_t sum = 0;
    for (auto& value : hours) sum += value = static_cast<std::uint32_t>(random.below(50));
    const std::size_t skip = random.below(hours.size());
    std::uint64_t part_sum = 0;
    for (std::size_t h = skip; h < hours.size(); ++h) part_sum += part.emplace_back(hours[h] / 2);
    const Traffic traffic =
        make_traffic({start, &hours}, {{start + static_cast<std::int64_t>(skip) * base::kHourUs, &part}});
    EXPECT_LE(traffic.total.size(), kTrafficBinsMax);
    std::uint64_t seen = 0, part_seen = 0;
    for (std::size_t b = 0; b < traffic.total.size(); ++b) {
      seen += traffic.total[b];
      part_seen += traffic.campaigns[0][b];
      EXPECT_LE(traffic.campaigns[0][b], traffic.total[b]);
    }
    EXPECT_EQ(seen, sum);
    EXPECT_EQ(part_seen, part_sum);
  }
}

TEST(Summary, GoldenJson) {
  Report report;
  report.summary.version = "0.1.0";
  report.summary.policy_hash = "sha256:9f2c";
  report.summary.logs = {"a.ndjson", "b\".ndjson"};
  report.summary.last_us = base::kDayUs;
  report.summary.records = 10;
  report.summary.accounts = 3;
  report.summary.threshold_log10_e = 4.5;
  report.summary.rejected_by_reason = {{"not JSON", 1}};
  report.summary.end_users_by_level = {{"verify", 2}};
  report.alarms.resize(2);
  report.alarms[1].alarm.held_until_us = 1;
  report.truth = TruthView{{{"chat_user", 3, 1, 0, 0.63}}, {}};
  EXPECT_EQ(render_summary_json(report),
            R"({"v":1,"version":"0.1.0","policy":"sha256:9f2c","logs":["a.ndjson","b\".ndjson"],)"
            R"("first":"1970-01-01T00:00:00Z",)"
            R"("last":"1970-01-02T00:00:00Z","calibrated_until":"1970-01-01T00:00:00Z","dry_run":true,"records":10,)"
            R"("bytes":0,"accounts":3,)"
            R"("rejected":0,"rejected_by_reason":{"not JSON":1},"duplicates":0,"late":0,"shed":0,"unknown_fields":0,)"
            R"("calibration_groups":0,)"
            R"("threshold_log10_e":4.5,"promised_false_campaigns_per_month":0,"accounts_by_level":{},)"
            R"("end_users_by_level":{"verify":2},"alarms":{"raised":2,"held":1},"counters":{},)"
            R"("found":{"campaigns":0,"accounts":0,"queries":0,"output_tokens":0,"prevented_queries":0,"resellers":0,)"
            R"("others":0},"campaigns":[],)"
            R"("truth":{"strata":[{"name":"chat_user","accounts":3,"alerted":1,"actioned":0,"error_upper_95":0.63}],)"
            R"("families":[]}})"
            "\n");
}

TEST(Summary, WhatWasShedIsSaidInWords) {
  Report report = example_report();
  report.summary.counters = {
      {"accounts_evicted", 12}, {"handoffs_shed", 3}, {"groups_refused", 0}, {"identities_opened", 9}};
  const std::string json = render_summary_json(report), html = render_html(report);
  const std::string terminal = render_terminal(report, "out/report.html");
  EXPECT_NE(json.find(R"("bounds_met":{"accounts_evicted":"Idle accounts that made room)"), std::string::npos);
  EXPECT_EQ(json.find(R"("groups_refused":"Gr)"), std::string::npos) << "nothing happened there";
  EXPECT_NE(html.find("Hand-offs of one closing beyond its room"), std::string::npos);
  EXPECT_EQ(html.find("identities opened"), std::string::npos) << "no bound";
  EXPECT_NE(terminal.find("Bounds were met: handoffs shed 3;"), std::string::npos);
}

TEST(Summary, TerminalNamesTheReport) {
  const std::string text = render_terminal(example_report(), "out/report.html");
  EXPECT_NE(text.find("2 campaigns of 430 accounts were distilling m-large"), std::string::npos);
  EXPECT_TRUE(text.ends_with("Report: out/report.html\n"));
  EXPECT_NE(text.find("c-000017  reseller"), std::string::npos);
}

}  // namespace
}  // namespace stillwatch::report
