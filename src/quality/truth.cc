#include "quality/truth.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "base/files.h"
#include "base/limits.h"
#include "intake/line_source.h"
#include "quality/rows.h"

namespace stillwatch::quality {
namespace {

constexpr std::uint64_t kSummaryBytesMax = 64U << 20;  // a summary lists campaigns, not accounts

// The folder's file under any compression; caller error naming what to do.
base::Result<std::string> file_of(const std::string& folder, const std::string& name) {
  if (const auto path = with_any_compression(folder + "/" + name)) return *path;
  return base::fail(
      base::Fault::caller,
      fmt::format(
          "{}/{} is missing (also as .zst and .gz): --truth names the folder that `stillwatch simulate --out` wrote",
          folder, name));
}

std::string short_name(const std::string& path) {
  const std::filesystem::path full = std::filesystem::path(path).lexically_normal();
  const std::string parent = full.parent_path().filename().string();
  return full.filename().string().starts_with("verdicts.ndjson") && !parent.empty() && parent != "."
             ? parent
             : full.filename().string();
}

}  // namespace

std::uint32_t Names::number(std::string_view name) {
  if (const auto found = numbers_.find(name); found != numbers_.end()) return found->second;
  const auto number = static_cast<std::uint32_t>(names_.size());
  names_.emplace_back(name);
  numbers_.emplace(names_.back(), number);
  return number;
}

std::optional<std::uint32_t> Names::find(std::string_view name) const {
  const auto found = numbers_.find(name);
  return found == numbers_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::string> with_any_compression(const std::string& path) {
  for (const char* ending : {"", ".zst", ".gz"}) {
    std::error_code code;
    if (std::filesystem::exists(path + ending, code)) return path + ending;
  }
  return std::nullopt;
}

base::Status for_each_line(const std::string& path, const std::function<void(std::string_view)>& take) {
  STILLWATCH_TRY(source, intake::LineSource::open(path));
  intake::LineBlock block;
  for (;;) {
    STILLWATCH_TRY(more, source.next(block));
    if (!more) break;
    for (const auto& line : block.lines)
      take(line.kind == intake::LineBlock::Kind::whole ? block.text(line) : std::string_view{});
  }
  if (source.problem()) return base::fail(*source.problem());
  return {};
}

base::Result<Truth> read_truth(const std::string& folder) {
  STILLWATCH_TRY(path, file_of(folder, "truth.ndjson"));
  Truth truth;
  truth.folder = folder;
  RowParser parser;
  TruthRow row;
  STILLWATCH_CHECK(for_each_line(path, [&](std::string_view line) {
    if (!parser.read(line, row) || truth.accounts_by_name.find(row.account) ||
        truth.accounts.size() >= base::limits::kAccountsMax) {
      ++truth.bad_lines;
      return;
    }
    truth.accounts_by_name.number(row.account);
    TrueAccount account;
    account.hostile = row.hostile;
    if (row.hostile) {
      ++truth.hostile;
      account.family = truth.families.number(row.family.empty() ? "(unnamed)" : row.family);
      account.campaign = truth.campaigns.number(row.campaign.empty() ? "(unnamed)" : row.campaign);
      if (account.campaign == truth.family_of_campaign.size()) truth.family_of_campaign.push_back(account.family);
    } else {
      ++truth.benign;
      account.stratum = truth.strata.number(row.stratum.empty() ? "(unnamed)" : row.stratum);
    }
    if (!row.unit.empty()) account.unit = truth.units.number(row.unit);
    if (!row.language.empty()) account.language = truth.languages.number(row.language);
    truth.accounts.push_back(account);
  }));
  if (truth.accounts.empty()) {
    return base::fail(
        base::Fault::caller,
        fmt::format("{} holds no truth line ({} other lines): is it the file that `stillwatch simulate` wrote?", path,
                    truth.bad_lines));
  }
  return truth;
}

base::Result<std::uint64_t> for_each_hostile_query(
    const Truth& truth, const std::function<void(std::uint32_t, std::int64_t, std::uint64_t)>& take) {
  STILLWATCH_TRY(path, file_of(truth.folder, "queries_truth.ndjson"));
  RowParser parser;
  HostileRow row;
  std::uint64_t good = 0, bad = 0;
  STILLWATCH_CHECK(for_each_line(path, [&](std::string_view line) {
    const auto account = parser.read(line, row) ? truth.accounts_by_name.find(row.account) : std::nullopt;
    if (!account || !truth.accounts[*account].hostile) {
      ++bad;
      return;
    }
    ++good;
    take(*account, row.time_us, row.output_tokens);
  }));
  if (good == 0 && bad > 0) {
    return base::fail(
        base::Fault::caller,
        fmt::format(
            "{} holds no hostile request of an account in truth.ndjson ({} other lines): are both of one world?", path,
            bad));
  }
  return bad;
}

base::Result<Detector> read_verdicts(const std::string& path, const Truth& truth) {
  Detector detector;
  detector.name = short_name(path);
  RowParser parser;
  VerdictRow row;
  Names unknown;
  STILLWATCH_CHECK(for_each_line(path, [&](std::string_view line) {
    if (!parser.read(line, row)) {
      ++detector.bad_lines;
      return;
    }
    if (row.kind != event::SubjectKind::account) {
      ++detector.other_subjects;
      return;
    }
    const auto account = truth.accounts_by_name.find(row.subject);
    if (!account) {
      if (unknown.size() < base::limits::kAccountsMax) unknown.number(row.subject);
      return;
    }
    Step step;
    step.time_us = row.time_us;
    step.account = *account;
    step.level = row.level;
    if (row.class_) step.class_ = *row.class_;
    if (!row.campaign.empty()) step.campaign = detector.campaigns.number(row.campaign);
    detector.steps.push_back(step);
  }));
  detector.unknown_accounts = unknown.size();
  if (detector.steps.empty() && detector.bad_lines > 0) {
    return base::fail(
        base::Fault::caller,
        fmt::format(
            "{} holds no verdict on an account of the truth ({} lines are no verdicts): is it a verdicts.ndjson?", path,
            detector.bad_lines));
  }
  if (detector.steps.empty() && detector.unknown_accounts > 0) {
    return base::fail(base::Fault::caller,
                      fmt::format("{}: none of its {} accounts is in {}/truth.ndjson: are both of one world?", path,
                                  detector.unknown_accounts, truth.folder));
  }
  std::stable_sort(detector.steps.begin(), detector.steps.end(),
                   [](const Step& a, const Step& b) { return a.time_us < b.time_us; });

  const std::string summary = (std::filesystem::path(path).parent_path() / "summary.json").string();
  std::error_code code;
  RunRow run;
  if (std::filesystem::exists(summary, code)) {
    const auto text = base::read_file(summary, kSummaryBytesMax);
    if (text && parser.read(*text, run)) {
      detector.first_us = run.first_us;
      detector.last_us = run.last_us;
      detector.promised_false_campaigns = run.promised_false_campaigns;
    }
  }
  return detector;
}

}  // namespace stillwatch::quality
