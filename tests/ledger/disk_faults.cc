// Preloaded into ledger_writer: makes the Nth call that reads or changes files fail, end the program, or do half.
//
// LEDGER_FAULT_AT=N, counted from 1 over all calls below. LEDGER_FAULT: `kill` (SIGKILL before the call), `short` (a
// write or read does half of it and says so), or a number, the errno that the call fails with (a write has then written
// half). LEDGER_FAULT_COUNT names a file that gets the number of calls made, and how many of them were syncs, at the
// end. Syncs are counted and not done: what is tested is what is asked for, and a killed process loses nothing that it
// wrote. Threads: any. Cost: an atomic increment a call.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

enum class Fault { none, half, fail };

std::atomic<long> calls{0}, syncs{0};

const char* setting(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

// What the present call is to do.
Fault fault() {
  static const long at = std::atol(setting("LEDGER_FAULT_AT"));
  static const char* const kind = setting("LEDGER_FAULT");
  if (++calls != at) return Fault::none;
  if (std::strcmp(kind, "kill") == 0) std::raise(SIGKILL);
  if (std::strcmp(kind, "short") == 0) return Fault::half;
  errno = std::atoi(kind);
  return Fault::fail;
}

int sync_call() {
  ++syncs;
  return fault() == Fault::fail ? -1 : 0;
}

// Said at the end, whichever way the program ends by itself.
struct Report {
  ~Report() {
    const char* path = setting("LEDGER_FAULT_COUNT");
    if (*path == '\0') return;
    if (std::FILE* file = std::fopen(path, "w")) {
      std::fprintf(file, "%ld %ld\n", calls.load(), syncs.load());
      std::fclose(file);
    }
  }
} report;

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  std::va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  if (fault() == Fault::fail) return -1;
  return next<int(const char*, int, ...)>("open")(path, flags, mode);
}

ssize_t pwrite(int file, const void* bytes, size_t size, off_t offset) {
  const auto real = next<ssize_t(int, const void*, size_t, off_t)>("pwrite");
  const Fault now = fault();
  if (now == Fault::none) return real(file, bytes, size, offset);
  const int code = errno;
  const ssize_t half = real(file, bytes, (size + 1) / 2, offset);
  errno = code;
  return now == Fault::half ? half : -1;
}

ssize_t pread(int file, void* bytes, size_t size, off_t offset) {
  const auto real = next<ssize_t(int, void*, size_t, off_t)>("pread");
  const Fault now = fault();
  if (now == Fault::fail) return -1;
  return real(file, bytes, now == Fault::half ? (size + 1) / 2 : size, offset);
}

ssize_t read(int file, void* bytes, size_t size) {
  const auto real = next<ssize_t(int, void*, size_t)>("read");
  const Fault now = fault();
  if (now == Fault::fail) return -1;
  return real(file, bytes, now == Fault::half ? (size + 1) / 2 : size);
}

int ftruncate(int file, off_t size) noexcept {
  return fault() == Fault::fail ? -1 : next<int(int, off_t)>("ftruncate")(file, size);
}

int rename(const char* from, const char* to) noexcept {
  return fault() == Fault::fail ? -1 : next<int(const char*, const char*)>("rename")(from, to);
}

int unlink(const char* path) noexcept { return fault() == Fault::fail ? -1 : next<int(const char*)>("unlink")(path); }

int mkdir(const char* path, mode_t mode) noexcept {
  return fault() == Fault::fail ? -1 : next<int(const char*, mode_t)>("mkdir")(path, mode);
}

int fsync(int) { return sync_call(); }
int fdatasync(int) { return sync_call(); }
int syncfs(int) noexcept { return sync_call(); }
}
