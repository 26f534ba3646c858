#include "audit/shard_notes.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "base/files.h"
#include "tlog/note.h"

namespace stillwatch::audit {

base::Status ShardNotes::take_up(std::size_t shard, const std::string& ledger_folder, const std::string& shard_name,
                                 const std::string& origin_prefix) {
  const std::string top = ledger_folder + "/logs", prefix = fmt::format("shard-{}-", shard_name);
  std::vector<std::pair<std::int64_t, std::string>> logs;  // by the time of their last write: newest last
  std::error_code code;
  for (std::filesystem::directory_iterator entry(top, code), end; !code && entry != end; entry.increment(code)) {
    const std::string name = entry->path().filename().string(), checkpoint = entry->path().string() + "/checkpoint";
    std::error_code absent;
    if (!name.starts_with(prefix) || !std::filesystem::exists(checkpoint, absent)) continue;
    STILLWATCH_TRY(note, base::read_file(checkpoint, tlog::kNoteBytesMax));
    STILLWATCH_TRY(log, ledger::manifest_log(std::move(note)));
    // Another shard's name may begin with this one's.
    const std::string origin_start = origin_prefix + "/";
    if (!log.origin.starts_with(origin_start) || log.origin.find('/', origin_start.size()) != std::string::npos)
      continue;
    const auto written = std::filesystem::last_write_time(checkpoint, absent).time_since_epoch().count();
    logs.emplace_back(written, std::move(log.note));
  }
  if (code) {
    return base::fail(base::Fault::environment, fmt::format("cannot read {}: {}", top, code.message()));
  }
  std::sort(logs.begin(), logs.end());
  std::unique_lock lock(mutex_);
  const bool is_first = !done_.contains(shard);
  std::set<std::string>& done = done_[shard];
  std::vector<ledger::ManifestLog> fresh;
  for (std::size_t i = 0; i < logs.size(); ++i) {
    STILLWATCH_TRY(log, ledger::manifest_log(std::move(logs[i].second)));
    if (is_first && i + 2 < logs.size()) {
      done.insert(log.origin);
    } else if (!done.contains(log.origin)) {
      fresh.push_back(std::move(log));
    }
  }
  lock.unlock();
  for (const ledger::ManifestLog& log : fresh) put(shard, log.origin, log.note);
  return {};
}

void ShardNotes::put(std::size_t shard, const std::string& origin, const std::string& note) {
  const std::lock_guard lock(mutex_);
  for (auto& [its_origin, entry] : entries_) entry.has_ended |= entry.shard == shard && its_origin != origin;
  entries_[origin] = {shard, note, false};
}

base::Result<std::vector<ledger::ManifestLog>> ShardNotes::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<ledger::ManifestLog> logs;
  logs.reserve(entries_.size());
  for (const auto& [origin, entry] : entries_) {
    STILLWATCH_TRY(log, ledger::manifest_log(entry.note));
    logs.push_back(std::move(log));
  }
  return logs;
}

void ShardNotes::anchored(const std::vector<ledger::ManifestLog>& logs) {
  const std::lock_guard lock(mutex_);
  for (const ledger::ManifestLog& log : logs) {
    const auto found = entries_.find(log.origin);
    if (found == entries_.end() || !found->second.has_ended || found->second.note != log.note) continue;
    done_[found->second.shard].insert(log.origin);
    entries_.erase(found);
  }
}

ShardNotes::Newest ShardNotes::newest(std::size_t shard) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [origin, entry] : entries_) {
    if (entry.shard == shard && !entry.has_ended) return {origin, entry.note};
  }
  return {};
}

}  // namespace stillwatch::audit
