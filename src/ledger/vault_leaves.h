// What openings, holds and erasures leave in the log.
//
// Invariant: every leaf from here is one that write_leaf takes; no name of a customer gets into one by itself.
// Threads: pure functions. Cost: a copy of the key names.
#pragma once

#include <string_view>
#include <vector>

#include "ledger/erasure.h"
#include "ledger/hold_book.h"
#include "ledger/leaf.h"
#include "ledger/vault.h"

namespace stillwatch::ledger {

/// Of who and why: two of them, with their quotation marks escaped, and a full list of keys fit into a leaf.
inline constexpr std::size_t kWhoWhyBytesMax = 256;
/// Text that a leaf can carry: not empty, at most `bytes_max` of UTF-8 without control characters.
bool is_leaf_text(std::string_view text, std::size_t bytes_max = kWhoWhyBytesMax);

AccessLeaf leaf_of(const Access& access);
HoldLeaf leaf_of(const HoldChange& change);
/// At least one leaf, with at most kLeafListMax keys each; the first counts the records. Log all of them, then
/// acknowledge the order.
std::vector<EraseLeaf> leaves_of(const ErasureResult& result);

}  // namespace stillwatch::ledger
