// How the lines of a tailed log are read, by the name that a replay has for its format.
//
// Invariant: the same parser as `replay --format=` of that log. Threads: pure but for reading a map file. Cost: none.
#pragma once

#include <string>

#include "base/result.h"
#include "gateway/observer.h"

namespace stillwatch::gateway {

/// Caller error for a format that is not known, or a map file that is wrong.
base::Result<ObserverOptions::MakeParser> tail_parser(const std::string& format);

}  // namespace stillwatch::gateway
