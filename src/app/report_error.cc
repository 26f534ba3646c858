#include <cstdio>

#include "app/commands.h"

namespace stillwatch::app {

int report_error(const base::Error& error) {
  std::fprintf(stderr, "stillwatch: %s\n", error.message.c_str());
  return base::exit_code(error.fault);
}

}  // namespace stillwatch::app
