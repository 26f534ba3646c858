// What a run counted where a bound was met, by name: the names of docs/operate.md.
//
// Invariant: every name is there in every run, with 0 when nothing happened. Threads: between batches. Cost: one pass
// over partitions.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "engine/engine.h"
#include "intake/account_parser.h"
#include "intake/log_reader.h"

namespace stillwatch::replay {

std::map<std::string, std::uint64_t> counters_of(const engine::Engine& engine, const intake::IntakeCounters& intake,
                                                 const intake::AccountFile& account_file,
                                                 const intake::Identities& identities);

/// Refused lines by reason; reasons that did not occur are left out.
std::map<std::string, std::uint64_t> rejects_of(const intake::IntakeCounters& intake);

}  // namespace stillwatch::replay
