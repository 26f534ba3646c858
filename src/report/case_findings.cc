#include "report/case_findings.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <set>

#include <fmt/format.h>

#include "report/finding_rows.h"

namespace stillwatch::report {
namespace {

template <class Name>
Name named(std::string_view text, int count) {
  for (int i = 0; i < count; ++i) {
    if (event::name(static_cast<Name>(i)) == text) return static_cast<Name>(i);
  }
  return static_cast<Name>(0);
}
event::Level level_named(std::string_view text) {
  return named<event::Level>(text, static_cast<int>(event::Level::suspend) + 1);
}
event::Class class_named(std::string_view text) {
  return named<event::Class>(text, static_cast<int>(event::Class::distiller) + 1);
}
void add_channel(event::ChannelSet& set, std::string_view text) {
  for (std::size_t i = 0; i < event::kChannels; ++i) {
    if (event::name(static_cast<event::Channel>(i)) == text) set.add(static_cast<event::Channel>(i));
  }
}

std::uint32_t number_of(std::string_view case_id) {
  std::uint32_t number = 0;
  if (case_id.starts_with("c-")) std::from_chars(case_id.data() + 2, case_id.data() + case_id.size(), number);
  return number;
}

event::Strength strength_of(const Row& row) {
  return {row.number("/strength/log10_e"), static_cast<std::uint32_t>(row.count("/strength/calibration_groups")),
          row.truth("/strength/extrapolated")};
}

std::vector<event::Reason> reasons_of(const Row& row, const std::string& path) {
  std::vector<event::Reason> out;
  for (std::size_t i = 0; i < row.length(path); ++i) {
    const std::string at = fmt::format("{}/{}", path, i);
    event::ChannelSet channel;
    add_channel(channel, row.text(at + "/channel"));
    if (channel.empty()) continue;
    out.push_back({channel.list().front(), std::string(row.text(at + "/text")), row.numbers(at + "/numbers")});
  }
  return out;
}

void take_campaign(const Row& row, CampaignView& view) {
  event::Campaign& campaign = view.campaign;
  campaign.class_ = class_named(row.text("/class"));
  campaign.opened_us = row.time("/opened").value_or(0);
  campaign.updated_us = row.time("/updated").value_or(0);
  campaign.accounts_count = row.count("/accounts_count");
  campaign.queries = row.count("/queries");
  campaign.output_tokens = row.count("/output_tokens");
  campaign.prevented_queries = row.count("/evidence/prevented_queries");
  for (const std::string& channel : row.texts("/channels")) add_channel(campaign.channels, channel);
  view.models = row.texts("/models");
  campaign.strength = strength_of(row);
  campaign.reasons = reasons_of(row, "/evidence/reasons");
  campaign.measures = row.numbers("/evidence/measures");
  for (const auto& [name, value] : row.numbers("/evidence/without_channel")) {
    event::ChannelSet channel;
    add_channel(channel, name);
    if (!channel.empty()) campaign.without_channel.emplace_back(channel.list().front(), value);
  }
}

/// A gateway writes no campaigns.ndjson: the campaign's newest verdict has its class, strength and reasons.
void take_campaign_verdict(const Row& row, event::Campaign& campaign) {
  const std::int64_t time_us = row.time("/time").value_or(0);
  if (campaign.opened_us == 0) campaign.opened_us = time_us;
  campaign.updated_us = time_us;
  if (row.text("/level") == event::name(event::Level::clear)) return;
  campaign.class_ = class_named(row.text("/class"));
  campaign.strength = strength_of(row);
  campaign.reasons = reasons_of(row, "/reasons");
  for (const std::string& channel : row.texts("/channels")) add_channel(campaign.channels, channel);
}

void take_summary(const Row& row, Summary& summary) {
  summary.version = row.text("/version");
  summary.policy_hash = row.text("/policy");
  summary.first_us = row.time("/first").value_or(0);
  summary.last_us = row.time("/last").value_or(0);
  summary.calibrated_until_us = row.time("/calibrated_until").value_or(0);
  summary.dry_run = row.truth("/dry_run");
  summary.records = row.count("/records");
  summary.accounts = row.count("/accounts");
  summary.rejected = row.count("/rejected");
  summary.shed = row.count("/shed");
  summary.calibration_groups = static_cast<std::uint32_t>(row.count("/calibration_groups"));
  summary.threshold_log10_e = row.number("/threshold_log10_e");
}

/// Reads the files and adds up what is of the case.
class Reader {
 public:
  Reader(const std::string& folder, const std::string& case_id) : folder_(folder), case_(case_id) {
    out_.view.campaign.id = number_of(case_id);
  }

  base::Result<CaseFindings> read() {
    if (has("campaigns.ndjson")) STILLWATCH_CHECK(read_campaigns());
    if (has("members.ndjson")) STILLWATCH_CHECK(read_members());
    STILLWATCH_CHECK(read_verdicts());
    if (out_.campaign_lines.empty() && out_.verdict_lines.empty()) {
      return base::fail(base::Fault::caller, fmt::format("{} has no campaign {}; see campaigns.ndjson or "
                                                         "verdicts.ndjson there",
                                                         folder_, case_));
    }
    if (has("summary.json")) {
      STILLWATCH_CHECK(
          read_object(folder_ + "/summary.json", [&](const Row& row) { take_summary(row, out_.summary); }));
      out_.has_summary = true;
    }
    finish();
    return std::move(out_);
  }

 private:
  bool has(const char* name) const {
    std::error_code code;
    return std::filesystem::exists(folder_ + "/" + name, code);
  }
  /// Keeps the lines of this case, and gives each to `take`. `case_of` says which case a row is of.
  template <class CaseOf, class Take>
  base::Status read_lines(const char* name, std::string& lines, CaseOf case_of, Take take) {
    const auto visit = [&](const Row& row) {
      if (case_of(row) != case_) return;
      lines.append(row.line()) += '\n';
      take(row);
    };
    STILLWATCH_CHECK(for_each_row(folder_ + "/" + name, visit));
    return {};
  }
  base::Status read_campaigns() {
    return read_lines(
        "campaigns.ndjson", out_.campaign_lines, [](const Row& row) { return row.text("/id"); },
        [this](const Row& row) { take_campaign(row, out_.view); });
  }
  base::Status read_members() {
    const auto take = [this](const Row& row) {
      MemberView& member = members_[std::string(row.text("/account"))];
      member.member.since_us = row.time("/since").value_or(0);
      member.member.queries = row.count("/queries");
      for (const std::string& channel : row.texts("/channels")) add_channel(member.member.channels, channel);
    };
    return read_lines(
        "members.ndjson", out_.member_lines, [](const Row& row) { return row.text("/campaign"); }, take);
  }
  base::Status read_verdicts() {
    const auto is_campaign = [](const Row& row) { return row.text("/subject/kind") == "campaign"; };
    const auto take = [&](const Row& row) {
      if (is_campaign(row)) {
        if (out_.campaign_lines.empty()) take_campaign_verdict(row, out_.view.campaign);
        return;
      }
      const bool is_end_user = row.text("/subject/kind") == "end_user";
      MemberView& member = members_[std::string(row.text(is_end_user ? "/subject/account" : "/subject/id"))];
      if (member.member.since_us == 0) member.member.since_us = row.time("/time").value_or(0);
      member.level = level_named(row.text("/level"));
    };
    return read_lines(
        "verdicts.ndjson", out_.verdict_lines,
        [&](const Row& row) { return row.text(is_campaign(row) ? "/subject/id" : "/campaign"); }, take);
  }
  void finish() {
    CampaignView& view = out_.view;
    for (auto& [account, member] : members_) {
      out_.accounts.push_back(account);
      member.account = account;
      member.member.campaign = view.campaign.id;
      view.members.push_back(std::move(member));
    }
    if (view.campaign.accounts_count == 0) view.campaign.accounts_count = view.members.size();
    std::stable_sort(view.members.begin(), view.members.end(),
                     [](const MemberView& a, const MemberView& b) { return a.member.queries > b.member.queries; });
    if (view.members.size() > kMembersShownMax) view.members.resize(kMembersShownMax);
  }

  const std::string& folder_;
  const std::string& case_;
  CaseFindings out_;
  std::map<std::string, MemberView> members_;
};

}  // namespace

base::Result<CaseFindings> read_findings(const std::string& folder, const std::string& case_id) {
  return Reader(folder, case_id).read();
}

}  // namespace stillwatch::report
