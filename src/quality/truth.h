// The truth of a simulated world, and verdicts as timelines of its accounts.
//
// Invariant: accounts are numbered in the order of truth.ndjson; a step names an account of the truth.
// Threads: plain values once read. Cost: about 100 bytes an account, 16 a verdict; hostile requests are
// streamed, not held. Bounds: base/limits.h kAccountsMax accounts; bad lines are counted, and a file with
// none that is good is an error.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "event/verdict.h"

namespace stillwatch::quality {

/// Names to numbers, in order of first sight.
class Names {
 public:
  std::uint32_t number(std::string_view name);
  std::optional<std::uint32_t> find(std::string_view name) const;
  const std::string& name(std::uint32_t number) const { return names_[number]; }
  std::size_t size() const { return names_.size(); }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>{}(name); }
  };
  std::unordered_map<std::string, std::uint32_t, Hash, std::equal_to<>> numbers_;
  std::vector<std::string> names_;
};

inline constexpr std::uint32_t kNone = 0xFFFFFFFF;

struct TrueAccount {
  std::uint32_t campaign = kNone, family = kNone, stratum = kNone, unit = kNone, language = kNone;
  bool hostile = false;
};

struct Truth {
  std::string folder;
  Names accounts_by_name, campaigns, families, strata, units, languages;
  std::vector<TrueAccount> accounts;
  std::vector<std::uint32_t> family_of_campaign;
  std::uint64_t benign = 0, hostile = 0, bad_lines = 0;
};

/// Reads DIR/truth.ndjson (or .zst, .gz). Hostile accounts without a campaign form the campaign "(unnamed)".
base::Result<Truth> read_truth(const std::string& folder);

/// Calls take(account, time_us, output_tokens) for each line of DIR/queries_truth.ndjson (or .zst, .gz) and gives the
/// number of bad lines. Lines of unknown or honest accounts are bad.
base::Result<std::uint64_t> for_each_hostile_query(
    const Truth& truth, const std::function<void(std::uint32_t, std::int64_t, std::uint64_t)>& take);

/// One verdict line: from here on the account has this state.
struct Step {
  std::int64_t time_us = 0;
  std::uint32_t account = 0;
  std::uint32_t campaign = kNone;
  event::Level level = event::Level::clear;
  event::Class class_ = event::Class::distiller;  // who names a campaign without a class claims a distiller
};

/// One test of a baseline: its threshold, and how many accounts of the calibration period set it.
struct TestNote {
  std::string name;
  double threshold = 0;  // infinity: never acts
  std::uint64_t calibration_accounts = 0;
};

/// What one detector said, in time order.
struct Detector {
  std::string name;
  std::vector<Step> steps;
  Names campaigns;
  std::vector<TestNote> tests;                    // of a baseline
  std::map<std::string, std::uint64_t> left_out;  // what its bounds left out, by what it was; zeros too
  std::map<std::string, std::uint64_t> peaks;     // the most that was held at a time of what is bounded
  void leave_out(const std::string& what, std::uint64_t count) { left_out[what] += count; }
  void note_peak(const std::string& what, std::uint64_t count) { peaks[what] = std::max(peaks[what], count); }
  std::uint64_t bad_lines = 0, other_subjects = 0, unknown_accounts = 0;
  std::optional<std::int64_t> first_us, last_us;   // of the log, when a summary.json lies beside the verdicts
  std::optional<double> promised_false_campaigns;  // per month and million accounts
};

base::Result<Detector> read_verdicts(const std::string& path, const Truth& truth);

/// Calls take(line) for each whole line of a plain, zstd or gzip file; lines over the limit go to take as "".
base::Status for_each_line(const std::string& path, const std::function<void(std::string_view)>& take);

/// The first of PATH, PATH.zst, PATH.gz that exists.
std::optional<std::string> with_any_compression(const std::string& path);

}  // namespace stillwatch::quality
