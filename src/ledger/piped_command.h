// A program that gets bytes on standard input and answers on standard output: for keys that somebody else holds.
//
// Invariant: it ends, by itself or killed with its whole process group, within the time given; no more output is kept
// than allowed; no byte of either is in a message. No shell. Threads: any. Cost: a process.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace stillwatch::ledger {

struct PipedCommand {
  std::vector<std::string> words;
  std::int64_t timeout_ms = 10'000;
  std::size_t output_bytes_max = 4'096;
};

/// Environment error when it cannot be started, is too slow, writes too much, or ends with another status than 0. Its
/// standard error is this program's.
base::Result<std::string> run_piped(const PipedCommand& command, std::string_view input);

}  // namespace stillwatch::ledger
