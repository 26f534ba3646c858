// What a parse of the configuration cannot see: files, certificates, networks, addresses, and settings that do not fit
// together.
//
// Invariant: a configuration without an error here can be started; warnings are for a person and stop nothing.
// Threads: pure but for reading the files that it names. Cost: milliseconds; at start, reload and `config check`.
#pragma once

#include <string>
#include <vector>

#include "gateway/configuration.h"

namespace stillwatch::gateway {

struct Finding {
  bool error = true;    // false: a warning
  std::string message;  // names the setting, and the file when there is one; never what a secret file holds
};

/// In the order of the file's sections. `now_us`: certificates that are not valid then are errors, those that end
/// within 14 days warnings.
std::vector<Finding> check(const Configuration& configuration, std::int64_t now_us);

}  // namespace stillwatch::gateway
