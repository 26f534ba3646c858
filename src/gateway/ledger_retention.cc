// What is past its time in a gateway's ledger: destroyed, and logged.
#include <algorithm>

#include "audit/ledger_paths.h"
#include "base/files.h"
#include "gateway/ledger_link.h"
#include "ledger/erasure.h"
#include "ledger/hold_book.h"
#include "ledger/leaf.h"

namespace stillwatch::gateway {
namespace {

constexpr std::string_view kWho = "gateway";

bool is_due(const ledger::KeyScope& scope, const ledger::RetentionProfile& profile, std::int64_t now_us) {
  return scope.kind == ledger::KeyKind::payload ? scope.period <= last_day_due(profile, scope.retention, now_us)
                                                : scope.period <= last_month_due(profile, now_us);
}

/// As many leaves as the keys need; at least one, so that an order that found nothing is told too.
base::Status log_erasure(audit::AuditLog& log, const ledger::ErasureResult& result) {
  std::size_t from = 0;
  std::string bytes;
  do {
    const std::size_t count = std::min(ledger::kLeafListMax, result.keys.size() - from);
    ledger::EraseLeaf leaf;
    leaf.time_ms = result.time_us / 1'000;
    leaf.why = result.why;
    leaf.by = result.who;
    leaf.records = from == 0 ? result.records : 0;
    leaf.keys.assign(result.keys.begin() + static_cast<std::ptrdiff_t>(from),
                     result.keys.begin() + static_cast<std::ptrdiff_t>(from + count));
    STILLWATCH_CHECK(ledger::write_leaf(ledger::Leaf(leaf), bytes));
    if (!log.append(bytes)) return base::fail(base::Fault::environment, "the audit log takes no leaf", true);
    from += count;
  } while (from < result.keys.size());
  return log.flush();
}

base::Status finish(ledger::Eraser& eraser, audit::AuditLog& log, const ledger::ErasureResult& result) {
  STILLWATCH_CHECK(log_erasure(log, result));
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
      STILLWATCH_TRY(result, eraser.resume(std::move(order)));
      STILLWATCH_CHECK(finish(eraser, feed.log(), result));
    }
    if (!is_any_due) return {};
    STILLWATCH_TRY(result, eraser.apply_retention(profile, {}, std::string(kWho)));
    return finish(eraser, feed.log(), result);
  });
}

}  // namespace stillwatch::gateway
