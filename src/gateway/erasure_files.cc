#include "gateway/erasure_files.h"

#include <algorithm>
#include <filesystem>

#include "audit/kept_states.h"
#include "intake/identity_search.h"

namespace stillwatch::gateway {
namespace {

namespace fs = std::filesystem;

bool has_lines(const std::string& name) {
  return name.ends_with(".ndjson.zst") || name.starts_with("verdicts.ndjson") || name == "accounts.ndjson" ||
         name == "members.ndjson";
}

void add_files(const fs::path& folder, std::vector<std::string>& out) {
  std::error_code code;
  for (fs::directory_iterator entry(folder, code), end; !code && entry != end; entry.increment(code)) {
    if (has_lines(entry->path().filename().string())) out.push_back(entry->path().string());
  }
}

/// Folders below whose names begin so.
std::vector<fs::path> folders_named(const std::string& folder, std::string_view begin) {
  std::vector<fs::path> out;
  std::error_code code, none;
  for (fs::directory_iterator entry(folder, code), end; !code && entry != end; entry.increment(code)) {
    if (entry->path().filename().string().starts_with(begin) && entry->is_directory(none)) out.push_back(entry->path());
  }
  return out;
}

}  // namespace

ledger::ErasureFile lines_of(std::string path) {
  const auto kept_as = path.ends_with(".zst") ? ledger::RetentionClass::query_log : ledger::RetentionClass::verdicts;
  return {std::move(path), ledger::FileRule::lines, kept_as, 0, 0};
}

std::vector<std::string> files_put_aside(const std::string& state_folder, const std::string& log_folder) {
  std::vector<std::string> out;
  for (const std::string& folder : {log_folder, state_folder}) {
    for (const fs::path& before : folders_named(folder, "before-")) add_files(before, out);
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<ledger::ErasureFile> files_of_stopped(const std::string& state_folder, const std::string& log_folder) {
  std::vector<std::string> lines = files_put_aside(state_folder, log_folder);
  std::vector<ledger::ErasureFile> out;
  for (const std::string& folder : {log_folder, log_folder + "/previous", state_folder, state_folder + "/previous"})
    add_files(folder, lines);
  for (std::string& path : lines) out.push_back(lines_of(std::move(path)));
  // They have fingerprints of the customer's requests; the gateway makes them again from the query log.
  for (const char* name : {"/observer.snapshot", "/previous/observer.snapshot"})
    out.push_back({state_folder + name, ledger::FileRule::remove, ledger::RetentionClass::engine_state, 0, 0});
  return out;
}

base::Status add_states(const std::string& ledger_folder, const ledger::KeyBook& keys, ledger::ErasureOrder& order) {
  STILLWATCH_TRY(states, audit::states_to_erase(ledger_folder, keys, [&](std::string_view names) {
                   return intake::may_name(names, intake::IdKind::account, order.tenant);
                 }));
  order.files.insert(order.files.end(), states.begin(), states.end());
  return {};
}

}  // namespace stillwatch::gateway
