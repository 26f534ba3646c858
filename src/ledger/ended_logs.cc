#include "ledger/ended_logs.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "base/event_time.h"
#include "base/files.h"
#include "base/folder_lock.h"
#include "ledger/chain_names.h"
#include "ledger/disk_file.h"
#include "ledger/leaf.h"
#include "ledger/log_files.h"
#include "ledger/log_reader.h"
#include "ledger/retention.h"

namespace stillwatch::ledger {
namespace {

using base::Fault;

constexpr std::string_view kShard = "shard-";

/// "shard-s00-2026-11" -> "shard-s00-" and the period.
std::optional<std::pair<std::string, LogName>> shard_log(const std::string& folder) {
  if (!folder.starts_with(kShard)) return std::nullopt;
  for (std::size_t dash = folder.find('-', kShard.size()); dash != std::string::npos;
       dash = folder.find('-', dash + 1)) {
    const std::string prefix = folder.substr(0, dash + 1);
    if (auto name = LogName::parse(folder, prefix)) return std::pair(prefix, std::move(*name));
  }
  return std::nullopt;
}

base::Result<std::vector<std::string>> entry_files(const std::string& folder) {
  std::vector<std::string> paths;
  std::error_code code;
  for (std::filesystem::directory_iterator at(folder, code), end; !code && at != end; at.increment(code)) {
    const std::string name = at->path().filename().string();
    if (name.starts_with("entries-") || name.starts_with("index-")) paths.push_back(at->path().string());
  }
  if (code) return base::fail(call_error("list", folder, code.value()));
  return paths;
}

std::int64_t day_of_ms(std::int64_t time_ms) { return day_of(time_ms * 1'000); }

/// Nothing when it has not ended, or has no files of entries.
base::Result<std::optional<EndedLog>> ended(const std::string& folder) {
  const LogFiles files{folder};
  STILLWATCH_TRY(state_text, base::read_file(files.state(), kSmallFileMax));
  STILLWATCH_TRY(state, parse_state(state_text, files.state()));
  if (!state.is_closed) return std::optional<EndedLog>();
  STILLWATCH_TRY(paths, entry_files(folder));
  if (paths.empty()) return std::optional<EndedLog>();
  STILLWATCH_TRY(reader, LogReader::open(folder));
  // A crash may come between the end of a log and its last signature: the next start signs it.
  if (reader.size() != state.size() || reader.size() == 0) return std::optional<EndedLog>();
  EndedLog log{folder, reader.origin(), reader.size()};
  log.is_raised = reader.index_min() == reader.size();
  if (log.is_raised) return std::optional(std::move(log));
  STILLWATCH_TRY(bytes, reader.entry(reader.size() - 1));
  const auto leaf = read_leaf(bytes);
  const auto* close = leaf ? std::get_if<CloseLeaf>(&*leaf) : nullptr;
  if (close == nullptr) {
    return base::fail(Fault::environment,
                      fmt::format("the last entry of {} is no `close` leaf; run `ledger fsck`", folder));
  }
  log.last_day = day_of_ms(close->time_ms);
  return std::optional(std::move(log));
}

}  // namespace

base::Result<std::vector<EndedLog>> ended_logs(const std::string& ledger_folder) {
  const std::string top = ledger_folder + "/logs";
  std::map<std::string, std::vector<LogName>> shards;
  std::error_code code;
  for (std::filesystem::directory_iterator at(top, code), end; !code && at != end; at.increment(code)) {
    if (auto found = shard_log(at->path().filename().string()))
      shards[found->first].push_back(std::move(found->second));
  }
  if (code && code != std::errc::no_such_file_or_directory) return base::fail(call_error("list", top, code.value()));
  std::vector<EndedLog> logs;
  for (auto& [prefix, names] : shards) {
    std::sort(names.begin(), names.end());
    names.pop_back();  // what a writer goes on from
    for (const LogName& name : names) {
      STILLWATCH_TRY(log, ended(top + "/" + prefix + name.text()));
      if (log) logs.push_back(std::move(*log));
    }
  }
  return logs;
}

base::Result<std::int64_t> first_day_of(const EndedLog& log) {
  STILLWATCH_TRY(reader, LogReader::open(log.folder));
  std::int64_t first = log.last_day;
  STILLWATCH_CHECK(reader.scan(reader.index_min(), reader.size(), [&](std::uint64_t, std::string_view bytes) {
    const auto leaf = read_leaf(bytes);
    // One that cannot be read may be of any day.
    first = std::min(first, leaf ? std::visit([](const auto& kind) { return day_of_ms(kind.time_ms); }, *leaf) : 0);
    return true;
  }));
  return first;
}

base::Status raise_minimum(const EndedLog& log) {
  STILLWATCH_TRY(lock, base::FolderLock::take(log.folder));
  return put_file(LogFiles{log.folder}.pruned(), format_pruned(log.size));
}

base::Status remove_entries(const EndedLog& log) {
  STILLWATCH_TRY(lock, base::FolderLock::take(log.folder));
  STILLWATCH_TRY(reader, LogReader::open(log.folder));
  if (reader.index_min() != log.size) {
    return base::fail(Fault::ours, fmt::format("the entries of {} are not past their minimum index", log.folder));
  }
  STILLWATCH_TRY(paths, entry_files(log.folder));
  for (const std::string& path : paths) STILLWATCH_CHECK(remove_file(path));
  return sync_folder(log.folder);
}

}  // namespace stillwatch::ledger
