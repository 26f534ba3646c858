// How requests and proof files end: hashes, one a line, an empty line, and a checkpoint as it is.
//
// Internal to this module. Invariant: what append_proof() writes read_proof() gives back, and no other text.
// Threads: pure functions. Cost: linear. Spec: C2SP tlog-witness (add-checkpoint), tlog-proof.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "tlog/proof.h"

namespace stillwatch::tlog {

/// Reads all of `text`. Says what is wrong with it; nothing: it is as it should be.
std::optional<std::string_view> read_proof(std::string_view text, std::size_t hashes_max, Proof& proof,
                                           std::string& checkpoint);
void append_proof(std::string& text, const Proof& proof, std::string_view checkpoint);

}  // namespace stillwatch::tlog
