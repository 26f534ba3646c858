#include "audit/recalled_leaves.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

#include "crypto/sha256.h"
#include "ledger/log_reader.h"

namespace stillwatch::audit {
namespace {

constexpr std::string_view kMagic = "stillwatch feed 2\n", kMagicBefore = "stillwatch feed 1\n";  // no state
constexpr std::string_view kQuery = R"({"v":1,"k":"query",)", kDecision = R"({"v":1,"k":"decision",)",
                           kPolicy = R"({"v":1,"k":"policy",)", kCalibration = R"({"v":1,"k":"calibration",)",
                           kGap = R"({"v":1,"k":"gap",)";
constexpr std::size_t kIdLetters = 22;

/// The line after `name`, taken off `text`.
std::optional<std::string_view> take_line(std::string_view& text, std::string_view name) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos || !text.starts_with(name)) return std::nullopt;
  const std::string_view line = text.substr(name.size(), end - name.size());
  text.remove_prefix(end + 1);
  return line;
}

/// "<origin> <index>"; both may be absent.
bool read_place(std::string_view line, std::string& origin, std::uint64_t& index) {
  if (line.empty()) return true;
  const std::size_t space = line.rfind(' ');
  if (space == std::string_view::npos) return false;
  origin = line.substr(0, space);
  const auto read = std::from_chars(line.data() + space + 1, line.data() + line.size(), index);
  return read.ec == std::errc() && read.ptr == line.data() + line.size();
}

/// Where the value of a key begins whose name stands in no text before it.
std::optional<ledger::Id16> id_of(std::string_view leaf) {
  constexpr std::string_view kKey = R"("id":")";
  const std::size_t at = leaf.find(kKey);
  if (at == std::string_view::npos || leaf.size() < at + kKey.size() + kIdLetters) return std::nullopt;
  return ledger::read_base64url<16>(leaf.substr(at + kKey.size(), kIdLetters));
}

/// Which log, and which entry of it.
using Place = std::pair<std::size_t, std::uint64_t>;

/// Nothing for a mark of another ledger: it says nothing about this one.
std::optional<Place> place_of(const std::vector<ShardLog>& logs, const FeedMark& mark) {
  const auto found =
      std::find_if(logs.begin(), logs.end(), [&](const ShardLog& log) { return log.origin == mark.origin; });
  if (found == logs.end()) return std::nullopt;
  return Place(static_cast<std::size_t>(found - logs.begin()), mark.index);
}

/// A leaf's bytes without its time, hashed.
ledger::Id16 likeness_of(std::string_view leaf) {
  const std::size_t time = leaf.find(R"("t":)"), end = leaf.find(',', time);
  crypto::Sha256 hash;
  hash.update(leaf.substr(0, std::min(time, leaf.size())));
  if (end != std::string_view::npos) hash.update(leaf.substr(end));
  const crypto::Sha256Digest digest = hash.finish();
  ledger::Id16 out;
  std::copy_n(digest.begin(), out.size(), out.begin());
  return out;
}

}  // namespace

std::string text_of(const FeedMark& mark) {
  const auto place = [](const std::string& origin, std::uint64_t index) {
    return origin.empty() ? std::string() : fmt::format("{} {}", origin, index);
  };
  return fmt::format("{}base {}\nstate {}\nat {}\npolicy {}\n", kMagic, place(mark.base_origin, mark.base_index),
                     mark.base_state ? ledger::base64url(*mark.base_state) : std::string(),
                     place(mark.origin, mark.index), mark.policy);
}

base::Result<FeedMark> parse_mark(std::string_view text) {
  FeedMark mark;
  if (text.empty()) return mark;
  const auto damaged = [] {
    return base::fail(base::Fault::input, "the audit log's mark in the snapshot is damaged or of another version");
  };
  const bool has_state = text.starts_with(kMagic);
  if (!has_state && !text.starts_with(kMagicBefore)) return damaged();
  text.remove_prefix(kMagic.size());
  const auto base = take_line(text, "base "), state = has_state ? take_line(text, "state ") : std::string_view(),
             at = take_line(text, "at "), policy = take_line(text, "policy ");
  if (!base || !state || !at || !policy || !text.empty() || !read_place(*base, mark.base_origin, mark.base_index) ||
      !read_place(*at, mark.origin, mark.index))
    return damaged();
  if (!state->empty()) {
    mark.base_state = ledger::read_base64url<32>(*state);
    if (!mark.base_state) return damaged();
  }
  mark.policy = *policy;
  return mark;
}

base::Result<std::vector<ShardLog>> logs_of_shard(const std::string& ledger_folder, std::string_view shard) {
  const std::string prefix = fmt::format("shard-{}-", shard);
  std::vector<std::string> folders;
  std::error_code code;
  for (std::filesystem::directory_iterator at(ledger_folder + "/logs", code), end; !code && at != end;
       at.increment(code)) {
    if (at->path().filename().string().starts_with(prefix)) folders.push_back(at->path());
  }
  if (code && code != std::errc::no_such_file_or_directory) {
    return base::fail(base::Fault::environment,
                      fmt::format("cannot list {}/logs: {}; check the permissions", ledger_folder, code.message()));
  }
  // "2026-11", "2026-11-2", ..., "2026-11-10", "2026-12": the number behind a month counts as a number.
  const auto key = [&prefix](const std::string& folder) {
    const std::string period = std::filesystem::path(folder).filename().string().substr(prefix.size());
    const std::string month = period.substr(0, std::min<std::size_t>(7, period.size()));
    return std::pair(month, period.size() > 8 ? std::strtoul(period.c_str() + 8, nullptr, 10) : 1UL);
  };
  std::sort(folders.begin(), folders.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
  std::vector<ShardLog> logs;
  for (const std::string& folder : folders) {
    // One that was made and never signed holds nothing yet.
    if (!std::filesystem::exists(folder + "/checkpoint", code)) continue;
    STILLWATCH_TRY(reader, ledger::LogReader::open(folder));
    logs.push_back({folder, reader.origin(), reader.size()});
  }
  return logs;
}

std::int32_t month_of_log(std::string_view origin) {
  constexpr std::size_t kMonthLetters = 7;  // "2026-11"
  const std::string_view period = origin.substr(std::min(origin.size(), origin.rfind('/') + 1));
  std::int32_t year = 0, month = 0;
  if (period.size() < kMonthLetters || period[4] != '-') return 0;
  std::from_chars(period.data(), period.data() + 4, year);
  std::from_chars(period.data() + 5, period.data() + kMonthLetters, month);
  return year * 100 + month;
}

std::size_t RecalledLeaves::IdHash::operator()(const ledger::Id16& id) const {
  std::size_t out = 0;
  std::memcpy(&out, id.data(), sizeof out);
  return out;
}

void RecalledLeaves::add(std::string_view leaf) {
  const bool is_decision = leaf.starts_with(kDecision), has_id = is_decision || leaf.starts_with(kQuery);
  // Other kinds are not a feed's, and never given again.
  if (!has_id && !leaf.starts_with(kPolicy) && !leaf.starts_with(kCalibration) && !leaf.starts_with(kGap)) return;
  const std::optional<ledger::Id16> id = has_id ? id_of(leaf) : likeness_of(leaf);
  if (!id) return;
  ++(is_decision ? decision_counts_ : counts_)[*id];
  ++size_;
  decisions_ += is_decision ? 1 : 0;
}

base::Status RecalledLeaves::scan(const ShardLog& log, std::uint64_t from, std::uint64_t to, bool decisions_only) {
  if (from > log.size) {
    return base::fail(base::Fault::environment,
                      fmt::format("{} ends at entry {}, before entry {} that the snapshot counts on: it is an older "
                                  "copy; restore the newest one",
                                  log.folder, log.size, from));
  }
  STILLWATCH_TRY(reader, ledger::LogReader::open(log.folder));
  // What is past its retention is not given again.
  return reader.scan(std::max(from, reader.index_min()), to, [&](std::uint64_t, std::string_view entry) {
    if (!decisions_only || entry.starts_with(kDecision)) add(entry);
    return true;
  });
}

base::Result<bool> RecalledLeaves::read(const std::vector<ShardLog>& logs, const FeedMark& mark) {
  const auto place = place_of(logs, mark);
  for (std::size_t i = place ? place->first : 0; i < logs.size(); ++i)
    STILLWATCH_CHECK(scan(logs[i], place && i == place->first ? place->second : 0, logs[i].size, false));
  return place.has_value();
}

base::Status RecalledLeaves::read_decisions(const std::vector<ShardLog>& logs, const FeedMark& from,
                                            const FeedMark* until) {
  const Place begin = place_of(logs, from).value_or(Place{0, 0});
  const Place end = (until == nullptr ? std::nullopt : place_of(logs, *until)).value_or(Place{logs.size(), 0});
  for (std::size_t i = begin.first; i < logs.size() && Place(i, 0) < end; ++i) {
    const std::uint64_t to = i == end.first ? end.second : logs[i].size;
    const std::uint64_t first = i == begin.first ? begin.second : 0;
    if (first < to) STILLWATCH_CHECK(scan(logs[i], first, to, true));
  }
  return {};
}

bool RecalledLeaves::take(const ledger::Id16& id) {
  for (auto* counts : {&counts_, &decision_counts_}) {
    const auto found = counts->find(id);
    if (found == counts->end()) continue;
    if (--found->second == 0) counts->erase(found);
    --size_;
    decisions_ -= counts == &decision_counts_ ? 1 : 0;
    return true;
  }
  return false;
}

void RecalledLeaves::forget_records() {
  counts_.clear();
  size_ = decisions_;
}

bool RecalledLeaves::take_alike(std::string_view leaf) { return size_ > 0 && take(likeness_of(leaf)); }

}  // namespace stillwatch::audit
