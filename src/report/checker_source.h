// The source of the checker that goes into every evidence bundle: tools/tlog_verify/main.go, as it was at build time.
// Threads: a constant. Invariant: byte for byte that file.
#pragma once

#include <string_view>

namespace stillwatch::report {

std::string_view checker_source();

}  // namespace stillwatch::report
