// What is past its time in a gateway's ledger: destroyed, and logged.
#include <algorithm>

#include "audit/ledger_paths.h"
#include "base/files.h"
#include "gateway/ledger_link.h"
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

base::Status finish(ledger::Eraser& eraser, audit::AuditLog& log, const ledger::ErasureResult& result) {
  std::string bytes;
  for (const ledger::EraseLeaf& leaf : ledger::leaves_of(result)) {
    STILLWATCH_CHECK(ledger::write_leaf(ledger::Leaf(leaf), bytes));
    if (!log.append(bytes)) return base::fail(base::Fault::environment, "the audit log takes no leaf", true);
  }
  STILLWATCH_CHECK(log.flush());
  return eraser.acknowledge(result.order);
}

}  // namespace

base::Status apply_retention(audit::RecordFeed& feed, const std::string& folder,
                             const ledger::RetentionProfile& profile, std::int64_t now_us) {
  ledger::KeyBook& keys = feed.keys();
  const auto scopes = keys.scopes();
  const bool is_any_due =
      std::any_of(scopes.begin(), scopes.end(), [&](const auto& scope) { return is_due(scope, profile, now_us); });
  return feed.run([&]() -> base::Status {
    STILLWATCH_CHECK(base::make_writable_folder(audit::orders_folder(folder)));
    STILLWATCH_TRY(holds, ledger::HoldBook::open(audit::holds_path(folder), keys));
    STILLWATCH_TRY(eraser, ledger::Eraser::open(audit::orders_folder(folder), keys, feed.vault(), holds));
    STILLWATCH_TRY(orders, eraser.open_orders());
    for (ledger::ErasureOrder& order : orders) {
      if (order.kind != ledger::OrderKind::retention) continue;  // the desk's: others' files are to be rewritten
      STILLWATCH_TRY(result, eraser.resume(std::move(order)));
      STILLWATCH_CHECK(finish(eraser, feed.log(), result));
    }
    if (!is_any_due) return {};
    STILLWATCH_TRY(result, eraser.apply_retention(profile, {}, std::string(kWho)));
    return finish(eraser, feed.log(), result);
  });
}

}  // namespace stillwatch::gateway
