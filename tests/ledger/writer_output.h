// What the programs of this folder tell the tests that run them.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <string_view>

#include "base/result.h"

/// Gives the exit code.
inline int report_error(const stillwatch::base::Error& error) {
  std::fprintf(stderr, "%s\n", error.message.c_str());
  return stillwatch::base::exit_code(error.fault);
}

/// A promise, out before anything else happens: the process may be killed at any time.
inline void say(std::string_view what, std::uint64_t number) {
  fmt::print("{} {}\n", what, number);
  std::fflush(stdout);
}
