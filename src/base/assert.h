// Broken invariants crash, in release too: a wrong verdict is worse than none.
#pragma once

namespace stillwatch::base {
/// Prints the broken invariant and its place, then aborts.
[[noreturn]] void invariant_broken(const char* condition, const char* file, int line);
}  // namespace stillwatch::base

#define STILLWATCH_ASSERT(condition) \
  (__builtin_expect(!(condition), 0) ? ::stillwatch::base::invariant_broken(#condition, __FILE__, __LINE__) : void())
