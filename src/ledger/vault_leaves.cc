#include "ledger/vault_leaves.h"

#include "base/event_time.h"
#include "base/json_text.h"

namespace stillwatch::ledger {
namespace {

constexpr std::int64_t kMillisecondUs = 1'000;
constexpr std::int64_t kDayMs = base::kDayUs / kMillisecondUs;

}  // namespace

bool is_leaf_text(std::string_view text, std::size_t bytes_max) {
  if (text.empty() || text.size() > bytes_max) return false;
  while (!text.empty()) {
    const std::size_t size = base::utf8_length(text);
    const auto first = static_cast<unsigned char>(text.front());
    if (size == 0 || first < 0x20 || first == 0x7F) return false;
    text.remove_prefix(size);
  }
  return true;
}

AccessLeaf leaf_of(const Access& access) {
  AccessLeaf leaf;
  leaf.time_ms = access.time_us / kMillisecondUs;
  leaf.id = access.record.id;
  leaf.key = access.record.key;
  leaf.by = access.who;
  leaf.why = access.why;
  leaf.case_id = access.case_id;
  return leaf;
}

HoldLeaf leaf_of(const HoldChange& change) {
  HoldLeaf leaf;
  const Hold& hold = change.hold;
  leaf.time_ms = (change.released ? hold.released_us : hold.placed_us) / kMillisecondUs;
  leaf.case_id = hold.case_id;
  leaf.is_on = !change.released;
  leaf.terms = change.terms;
  leaf.keys = change.keys;
  leaf.from_ms = hold.from_day * kDayMs;
  leaf.to_ms = (hold.until_day + 1) * kDayMs - 1;
  leaf.by = change.released ? hold.released_by : hold.who;
  return leaf;
}

std::vector<EraseLeaf> leaves_of(const ErasureResult& result) {
  std::vector<EraseLeaf> leaves;
  for (std::size_t at = 0; leaves.empty() || at < result.keys.size(); at += kLeafListMax) {
    EraseLeaf& leaf = leaves.emplace_back();
    leaf.time_ms = result.time_us / kMillisecondUs;
    leaf.why = result.why;
    leaf.by = result.who;
    leaf.records = at == 0 ? result.records : 0;
    const std::size_t end = std::min(at + kLeafListMax, result.keys.size());
    leaf.keys.assign(result.keys.begin() + static_cast<std::ptrdiff_t>(at),
                     result.keys.begin() + static_cast<std::ptrdiff_t>(end));
  }
  return leaves;
}

}  // namespace stillwatch::ledger
