// Which files of a gateway, and of its audit log, know its customers.
//
// Invariant: nothing is changed; only the names beside kept states are opened. Threads: pure functions of what is on
// the disk. Cost: a list of two folders; of kept states the names, some MiB each.
#pragma once

#include <string>
#include <vector>

#include "ledger/erasure.h"

namespace stillwatch::gateway {

/// What the deployment secrets of before have left (STATE/before-*, LOG/before-*): nobody writes it any more.
std::vector<std::string> files_put_aside(const std::string& state_folder, const std::string& log_folder);
/// All files of a gateway that is stopped, those of before and the engine's snapshots among them.
std::vector<ledger::ErasureFile> files_of_stopped(const std::string& state_folder, const std::string& log_folder);
/// Adds the kept states of the engine that may know the order's customer: decisions that rest on one cannot be made
/// again when it is gone, and the leaf says so.
base::Status add_states(const std::string& ledger_folder, const ledger::KeyBook& keys, ledger::ErasureOrder& order);
/// To be rewritten without the customer's lines.
ledger::ErasureFile lines_of(std::string path);

}  // namespace stillwatch::gateway
