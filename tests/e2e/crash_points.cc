// Preloaded into the program under test: ends it with SIGKILL before the Nth call that changes what is on the disk
// under a name. So a test can visit every point at which a crash leaves different files behind.
//
// STILLWATCH_CRASH_AT=N. Threads: any. Cost: an atomic increment a call.
#include <dlfcn.h>
#include <sys/types.h>

#include <atomic>
#include <csignal>
#include <cstdlib>

namespace {

void count_call() {
  static std::atomic<long> calls{0};
  static const char* const at = std::getenv("STILLWATCH_CRASH_AT");
  if (at != nullptr && ++calls == std::atol(at)) std::raise(SIGKILL);
}

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

int rename(const char* from, const char* to) noexcept {
  count_call();
  return next<int(const char*, const char*)>("rename")(from, to);
}

int unlink(const char* path) noexcept {
  count_call();
  return next<int(const char*)>("unlink")(path);
}

int fsync(int file) {
  count_call();
  return next<int(int)>("fsync")(file);
}

int ftruncate(int file, off_t size) noexcept {
  count_call();
  return next<int(int, off_t)>("ftruncate")(file, size);
}
}
