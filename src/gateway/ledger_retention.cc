// What is past its time in a gateway's ledger: destroyed, and logged.
#include <algorithm>

#include "audit/erasure_leaves.h"
#include "audit/kept_states.h"
#include "audit/ledger_paths.h"
#include "base/files.h"
#include "gateway/ledger_link.h"
#include "ledger/ended_logs.h"
#include "ledger/erasure.h"
#include "ledger/hold_book.h"
#include "ledger/leaf.h"
#include "ledger/vault_leaves.h"

namespace stillwatch::gateway {
namespace {

constexpr std::string_view kWho = "gateway";

bool is_due(const ledger::KeyScope& scope, const ledger::RetentionProfile& profile, std::int64_t now_us) {
  return scope.kind == ledger::KeyKind::payload ? scope.period <= last_day_due(profile, scope.retention, now_us)
                                                : scope.period <= last_month_due(profile, now_us);
}

/// States that no decision within its time rests on. Decisions leave a state for the next one, whose time is the last
/// day of this one's use; the newest is in use.
base::Result<std::vector<ledger::ErasureFile>> states_due(const std::string& folder,
                                                          const ledger::RetentionProfile& profile,
                                                          std::int64_t now_us) {
  std::vector<ledger::ErasureFile> files;
  STILLWATCH_TRY(entries, audit::KeptStates(folder).list());
  const std::int64_t last_due = last_day_due(profile, ledger::RetentionClass::evidence, now_us);
  for (std::size_t i = 0; i + 1 < entries.size(); ++i) {
    const std::int64_t first_day = ledger::day_of(entries[i].first_us);
    const std::int64_t last_day = ledger::day_of(entries[i + 1].time_us);
    if (last_day > last_due) continue;
    for (const std::string& path : {entries[i].path, entries[i].names_path})
      files.push_back({path, ledger::FileRule::remove, ledger::RetentionClass::evidence, first_day, last_day});
  }
  return files;
}

base::Result<bool> is_held(const ledger::EndedLog& ended, const ledger::HoldBook& holds) {
  if (holds.keeping_any(0, ended.last_day).empty()) return false;
  STILLWATCH_TRY(first_day, ledger::first_day_of(ended));
  return !holds.keeping_any(first_day, ended.last_day).empty();
}

/// Entries of logs that ended so long ago. They go a log at a time, with the month.
base::Status prune(audit::AuditLog& log, const std::vector<ledger::EndedLog>& due, const ledger::HoldBook& holds,
                   std::int64_t now_us) {
  for (const ledger::EndedLog& ended : due) {
    if (!ended.is_raised) {
      STILLWATCH_TRY(held, is_held(ended, holds));
      if (held) continue;
      STILLWATCH_CHECK(ledger::raise_minimum(ended));
    }
    ledger::EraseLeaf leaf;
    leaf.time_ms = now_us / 1'000;
    leaf.why = audit::reason_of(ledger::OrderKind::retention);
    leaf.records = ended.size;
    leaf.log = ended.origin;
    leaf.index_min = ended.size;
    leaf.by = kWho;
    STILLWATCH_CHECK(audit::write_now(log, ledger::Leaf(leaf)));
    STILLWATCH_CHECK(ledger::remove_entries(ended));
  }
  return {};
}

}  // namespace

base::Status apply_retention(audit::RecordFeed& feed, const std::string& folder,
                             const ledger::RetentionProfile& profile, std::int64_t now_us) {
  ledger::KeyBook& keys = feed.keys();
  const auto scopes = keys.scopes();
  const bool is_any_key_due =
      std::any_of(scopes.begin(), scopes.end(), [&](const auto& scope) { return is_due(scope, profile, now_us); });
  STILLWATCH_TRY(states, states_due(folder, profile, now_us));
  STILLWATCH_TRY(logs, ledger::ended_logs(folder));
  const std::int64_t last_due = last_day_due(profile, ledger::RetentionClass::entries, now_us);
  std::erase_if(logs, [&](const auto& log) { return !log.is_raised && log.last_day > last_due; });
  return feed.run([&]() -> base::Status {
    STILLWATCH_CHECK(base::make_writable_folder(audit::orders_folder(folder)));
    STILLWATCH_TRY(holds, ledger::HoldBook::open(audit::holds_path(folder), keys));
    STILLWATCH_TRY(eraser, ledger::Eraser::open(audit::orders_folder(folder), keys, feed.vault(), holds));
    STILLWATCH_TRY(orders, eraser.open_orders());
    for (ledger::ErasureOrder& order : orders) {
      if (order.kind != ledger::OrderKind::retention) continue;  // the desk's: others' files are to be rewritten
      STILLWATCH_TRY(result, eraser.resume(std::move(order)));
      STILLWATCH_CHECK(audit::write_erasure(feed.log(), result, eraser));
    }
    std::erase_if(states, [&](const auto& file) { return !holds.keeping_any(file.first_day, file.last_day).empty(); });
    if (is_any_key_due || !states.empty()) {
      STILLWATCH_TRY(result, eraser.apply_retention(profile, states, std::string(kWho)));
      STILLWATCH_CHECK(audit::write_erasure(feed.log(), result, eraser));
    }
    return prune(feed.log(), logs, holds, now_us);
  });
}

}  // namespace stillwatch::gateway
