#include "audit/erasure_leaves.h"

#include <string>

#include "audit/kept_states.h"
#include "ledger/vault_leaves.h"

namespace stillwatch::audit {

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

}  // namespace stillwatch::audit
