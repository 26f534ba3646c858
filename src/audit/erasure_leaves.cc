#include "audit/erasure_leaves.h"

#include <string>
#include <utility>

#include "audit/kept_states.h"
#include "ledger/vault_leaves.h"

namespace stillwatch::audit {
namespace {

base::Status append(AuditLog& log, const ledger::Leaf& leaf) {
  std::string bytes;
  STILLWATCH_CHECK(ledger::write_leaf(leaf, bytes));
  if (!log.append(bytes)) return base::fail(base::Fault::environment, "the audit log takes no leaf", true);
  return {};
}

}  // namespace

std::string_view reason_of(ledger::OrderKind kind) {
  return kind == ledger::OrderKind::retention ? "retention" : "request";
}

std::vector<ledger::EraseLeaf> erasure_leaves(const ledger::ErasureResult& result, std::int64_t time_ms) {
  ledger::ErasureResult states;
  for (const std::string& path : result.removed) {
    if (const auto state = state_of_path(path)) states.keys.push_back(ledger::name_of(*state));
  }
  std::vector<ledger::EraseLeaf> leaves = ledger::leaves_of(result);
  for (ledger::EraseLeaf& leaf : leaves) leaf.why = reason_of(result.kind);
  if (!states.keys.empty()) {
    states.who = result.who;
    for (ledger::EraseLeaf& leaf : ledger::leaves_of(states)) {
      leaf.why = "states: " + std::string(reason_of(result.kind));
      leaves.push_back(std::move(leaf));
    }
  }
  for (ledger::EraseLeaf& leaf : leaves) leaf.time_ms = time_ms;
  return leaves;
}

base::Status write_now(AuditLog& log, const ledger::Leaf& leaf) {
  STILLWATCH_CHECK(append(log, leaf));
  return log.flush();
}

base::Status write_erasure(AuditLog& log, const ledger::ErasureResult& result, ledger::Eraser& eraser) {
  for (ledger::EraseLeaf& leaf : erasure_leaves(result, result.time_us / 1'000))
    STILLWATCH_CHECK(append(log, ledger::Leaf(std::move(leaf))));
  STILLWATCH_CHECK(log.flush());
  return eraser.acknowledge(result.order);
}

}  // namespace stillwatch::audit
