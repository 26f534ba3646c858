#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace stillwatch::base {

void invariant_broken(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "stillwatch: internal error: invariant \"%s\" broken at %s:%d; please report this\n", condition,
               file, line);
  std::abort();
}

}  // namespace stillwatch::base
