#include "audit/desk_log.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include <fmt/format.h>

#include "audit/anchor_writer.h"
#include "audit/stamp_store.h"
#include "base/files.h"
#include "base/folder_lock.h"
#include "ledger/log_chain.h"
#include "tlog/checkpoint.h"

namespace stillwatch::audit {
namespace {

using base::Fault;

constexpr std::string_view kShardPrefix = "shard-";
constexpr std::size_t kDeskLogsMax = 2;  // in a manifest: an older one was anchored when it was new

/// Folders below logs/ that begin so and have a checkpoint, sorted.
base::Result<std::vector<std::string>> logs_named(const std::string& folder, std::string_view prefix) {
  std::vector<std::string> names;
  std::error_code code, none;
  const std::string top = folder + "/logs";
  if (!std::filesystem::exists(top, code)) return names;
  for (std::filesystem::directory_iterator entry(top, code), end; !code && entry != end; entry.increment(code)) {
    std::string name = entry->path().filename().string();
    if (name.starts_with(prefix) && std::filesystem::exists(entry->path() / "checkpoint", none))
      names.push_back(std::move(name));
  }
  if (code) return base::fail(Fault::environment, fmt::format("cannot read {}: {}", top, code.message()));
  std::sort(names.begin(), names.end());
  return names;
}

base::Result<ledger::ManifestLog> newest_checkpoint(const std::string& folder, const std::string& name) {
  STILLWATCH_TRY(note, base::read_file(fmt::format("{}/logs/{}/checkpoint", folder, name), tlog::kNoteBytesMax));
  return ledger::manifest_log(std::move(note));
}

}  // namespace

struct DeskLog::State {
  std::string folder, signed_folder, host;
  std::optional<ledger::LogChain> chain;
};

DeskLog::DeskLog(std::unique_ptr<State> state) : state_(std::move(state)) {}
DeskLog::DeskLog(DeskLog&&) noexcept = default;
DeskLog::~DeskLog() = default;

base::Result<DeskLog> DeskLog::open(const std::string& folder, const std::string& signed_folder, std::int64_t now_ms) {
  auto state = std::make_unique<State>();
  STILLWATCH_TRY(host, ledger_host(folder));
  ledger::LogChainOptions options;
  options.folder = folder;
  options.folder_prefix = fmt::format("{}{}", kShardPrefix, kDeskShard);
  options.origin_prefix = fmt::format("{}/audit/{}", host, kDeskShard);
  options.signed_folder = signed_folder;
  STILLWATCH_TRY(chain, ledger::LogChain::open(options, now_ms));
  state->folder = folder;
  state->signed_folder = signed_folder;
  state->host = std::move(host);
  state->chain.emplace(std::move(chain));
  return DeskLog(std::move(state));
}

std::int64_t DeskLog::leaf_time_ms(std::int64_t now_ms) { return state_->chain->leaf_time(now_ms); }
const std::string& DeskLog::origin() const { return state_->chain->log().origin(); }
const std::string& DeskLog::vkey() const { return state_->chain->log().vkey(); }
std::string DeskLog::log_name() const {
  return std::filesystem::path(state_->chain->log().folder()).filename().string();
}

base::Result<DeskPlace> DeskLog::append(const ledger::Leaf& leaf, std::int64_t now_ms) {
  std::string bytes;
  STILLWATCH_CHECK(ledger::write_leaf(leaf, bytes));
  const std::string_view entries[] = {bytes};
  STILLWATCH_TRY(index, state_->chain->append(entries, now_ms));
  STILLWATCH_CHECK(state_->chain->sign());
  return DeskPlace{log_name(), origin(), index};
}

base::Result<bool> DeskLog::anchor(std::int64_t now_ms) {
  STILLWATCH_TRY(anchors, anchor_log_names(state_->folder));
  // A service holds the newest one as long as it runs.
  if (!anchors.empty() && !base::FolderLock::take(fmt::format("{}/logs/{}", state_->folder, anchors.back())))
    return false;
  std::vector<ledger::ManifestLog> logs;
  STILLWATCH_TRY(names, logs_named(state_->folder, kShardPrefix));
  // Of a ledger of years only the last ones: all others were anchored when they were new.
  const std::size_t first = names.size() > ledger::kManifestLogsMax ? names.size() - ledger::kManifestLogsMax : 0;
  for (std::size_t i = first; i < names.size(); ++i) {
    STILLWATCH_TRY(log, newest_checkpoint(state_->folder, names[i]));
    logs.push_back(std::move(log));
  }
  STILLWATCH_TRY(token, StampStore(state_->folder + "/stamps").newest_token_hash());
  AnchorWriterOptions options;
  options.folder = state_->folder;
  options.host = state_->host;
  options.signed_folder = state_->signed_folder;
  STILLWATCH_TRY(writer, AnchorWriter::open(options, now_ms / 1'000));
  STILLWATCH_CHECK(writer.append(now_ms / 1'000, std::move(logs), token));
  return true;
}

base::Result<std::string> ledger_host(const std::string& folder) {
  for (const std::string_view prefix : {kShardPrefix, std::string_view("anchor-")}) {
    STILLWATCH_TRY(names, logs_named(folder, prefix));
    if (names.empty()) continue;
    STILLWATCH_TRY(log, newest_checkpoint(folder, names.front()));
    const std::size_t end = log.origin.find(prefix == kShardPrefix ? "/audit/" : "/anchor/");
    if (end != std::string::npos) return log.origin.substr(0, end);
  }
  return base::fail(
      Fault::environment,
      fmt::format("{} holds no log with a checkpoint; name the folder that a gateway or `replay --ledger` "
                  "writes to",
                  folder));
}

base::Result<std::vector<ledger::ManifestLog>> desk_checkpoints(const std::string& folder) {
  std::vector<ledger::ManifestLog> logs;
  STILLWATCH_TRY(names, logs_named(folder, fmt::format("{}{}-", kShardPrefix, kDeskShard)));
  const std::size_t first = names.size() > kDeskLogsMax ? names.size() - kDeskLogsMax : 0;
  for (std::size_t i = first; i < names.size(); ++i) {
    STILLWATCH_TRY(log, newest_checkpoint(folder, names[i]));
    logs.push_back(std::move(log));
  }
  return logs;
}

}  // namespace stillwatch::audit
