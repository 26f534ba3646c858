// What an erasure did, as `erase` leaves: keys that were destroyed, and states of the engine that were removed.
//
// Invariant: at least one leaf, so that an order that found nothing is told too; every key and every state is in
// exactly one. Threads: pure; what writes, one user of the log. Cost: none, or a sync. Spec:
// docs/reference/audit-log.md, "erase".
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "audit/audit_log.h"
#include "base/result.h"
#include "ledger/erasure.h"
#include "ledger/leaf.h"

namespace stillwatch::audit {

/// `why` of leaves that tell of a customer's request, and of retention; those of states have "states: " before it.
std::string_view reason_of(ledger::OrderKind kind);
std::vector<ledger::EraseLeaf> erasure_leaves(const ledger::ErasureResult& result, std::int64_t time_ms);

/// One leaf, committed and signed. Environment error when the log does not take it.
base::Status write_now(AuditLog& log, const ledger::Leaf& leaf);
/// The leaves of an erasure, committed and signed; then the eraser may forget its order.
base::Status write_erasure(AuditLog& log, const ledger::ErasureResult& result, ledger::Eraser& eraser);

}  // namespace stillwatch::audit
