// Which files of a gateway have lines of its customers.
//
// Invariant: names only; nothing is opened. Threads: pure functions of what is on the disk. Cost: a list of two
// folders.
#pragma once

#include <string>
#include <vector>

#include "ledger/erasure.h"

namespace stillwatch::gateway {

/// What the deployment secrets of before have left (STATE/before-*, LOG/before-*): nobody writes it any more.
std::vector<std::string> files_put_aside(const std::string& state_folder, const std::string& log_folder);
/// All files of a gateway that is stopped, those of before and the engine's snapshots among them.
std::vector<ledger::ErasureFile> files_of_stopped(const std::string& state_folder, const std::string& log_folder);
/// To be rewritten without the customer's lines.
ledger::ErasureFile lines_of(std::string path);

}  // namespace stillwatch::gateway
