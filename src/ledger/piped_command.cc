#include "ledger/piped_command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "crypto/secret_bytes.h"

extern char** environ;

namespace stillwatch::ledger {
namespace {

using base::Fault;

// The time limit of a process, not a time that any output depends on.
std::int64_t steady_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000 + now.tv_nsec / 1'000'000;
}

struct Pipe {
  int ends[2] = {-1, -1};
  Pipe() {
    if (::pipe2(ends, O_CLOEXEC) != 0) ends[0] = ends[1] = -1;
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  bool is_open() const { return ends[0] >= 0; }
  void close_end(int end) {
    if (ends[end] >= 0) ::close(ends[end]);
    ends[end] = -1;
  }
};

tl::unexpected<base::Error> failed(const PipedCommand& command, std::string_view why) {
  return base::fail(Fault::environment, fmt::format("the command {} {}; try it by hand", command.words.front(), why));
}

// Writing to a program that has ended must not end this one: the signal is held back for this thread, and taken.
class WithoutPipeSignal {
 public:
  WithoutPipeSignal() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  WithoutPipeSignal(const WithoutPipeSignal&) = delete;
  WithoutPipeSignal& operator=(const WithoutPipeSignal&) = delete;
  ~WithoutPipeSignal() {
    const timespec at_once{};
    if (sigismember(&before_, SIGPIPE) == 0) (void)::sigtimedwait(&pipe_, nullptr, &at_once);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t pipe_{}, before_{};
};

enum class Talk : std::uint8_t { done, too_slow, too_much };

Talk talk(Pipe& in, Pipe& out, std::string_view input, std::size_t output_bytes_max, std::int64_t deadline_ms,
          std::string& output) {
  (void)::fcntl(in.ends[1], F_SETFL, O_NONBLOCK);
  (void)::fcntl(out.ends[0], F_SETFL, O_NONBLOCK);
  char block[4'096];
  for (;;) {
    if (input.empty()) in.close_end(1);
    pollfd waits[2] = {{out.ends[0], POLLIN, 0}, {in.ends[1], POLLOUT, 0}};
    const std::int64_t left_ms = deadline_ms - steady_ms();
    if (left_ms <= 0) return Talk::too_slow;
    const int ready = ::poll(waits, in.ends[1] >= 0 ? 2 : 1, static_cast<int>(left_ms));
    if (ready < 0 && errno != EINTR) return Talk::too_slow;
    if (ready <= 0) continue;
    if (in.ends[1] >= 0 && waits[1].revents != 0) {
      const ssize_t count = ::write(in.ends[1], input.data(), input.size());
      if (count > 0) input.remove_prefix(static_cast<std::size_t>(count));
      if (count < 0 && errno != EAGAIN && errno != EINTR) input = {};  // it reads no further
    }
    if (waits[0].revents != 0) {
      const ssize_t count = ::read(out.ends[0], block, sizeof block);
      if (count > 0) output.append(block, static_cast<std::size_t>(count));
      crypto::wipe({reinterpret_cast<std::uint8_t*>(block), sizeof block});
      if (output.size() > output_bytes_max) return Talk::too_much;
      if (count == 0) return Talk::done;
      if (count < 0 && errno != EAGAIN && errno != EINTR) return Talk::done;
    }
  }
}

// Whether it has ended by then. It is left to be waited for, so that its number is not given to another process.
bool has_ended_by(pid_t child, std::int64_t deadline_ms) {
  for (;;) {
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT) != 0 && errno != EINTR)
      return true;
    if (info.si_pid == child) return true;
    if (steady_ms() >= deadline_ms) return false;
    const timespec pause{0, 2'000'000};
    ::nanosleep(&pause, nullptr);
  }
}

base::Result<pid_t> start(const PipedCommand& command, Pipe& in, Pipe& out) {
  std::vector<char*> words;
  for (const std::string& word : command.words) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, in.ends[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out.ends[1], STDOUT_FILENO);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  pid_t child = -1;
  const int code = ::posix_spawnp(&child, words.front(), &actions, &attributes, words.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (code != 0) return failed(command, fmt::format("cannot be started: {}", std::strerror(code)));
  return child;
}

}  // namespace

base::Result<std::string> run_piped(const PipedCommand& command, std::string_view input) {
  if (command.words.empty() || command.words.front().empty()) {
    return base::fail(Fault::caller, "the command for the master key is empty; name a program");
  }
  Pipe in, out;
  if (!in.is_open() || !out.is_open()) return failed(command, fmt::format("got no pipe: {}", std::strerror(errno)));
  const WithoutPipeSignal no_signal;
  const std::int64_t deadline_ms = steady_ms() + command.timeout_ms;
  STILLWATCH_TRY(child, start(command, in, out));
  in.close_end(0);
  out.close_end(1);
  std::string output;
  output.reserve(command.output_bytes_max + 4'096);  // one place in memory, so that one wipe is enough
  const Talk talked = talk(in, out, input, command.output_bytes_max, deadline_ms, output);
  const bool ended = talked == Talk::done && has_ended_by(child, deadline_ms);
  ::kill(-child, SIGKILL);  // whatever it started goes too
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno == EINTR) continue;
    status = 0xFF00;  // somebody else waited for it: not known to be well
    break;
  }
  const auto refused = [&](std::string_view why) {
    crypto::wipe({reinterpret_cast<std::uint8_t*>(output.data()), output.size()});
    return failed(command, why);
  };
  if (talked == Talk::too_much) {
    return refused(fmt::format("wrote more than the {} bytes that a wrapped key may have", command.output_bytes_max));
  }
  if (!ended) return refused(fmt::format("did not answer within {} ms and was killed", command.timeout_ms));
  if (WIFSIGNALED(status)) return refused(fmt::format("was ended by signal {}", WTERMSIG(status)));
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return refused(fmt::format("ended with status {}", WIFEXITED(status) ? WEXITSTATUS(status) : -1));
  }
  return output;
}

}  // namespace stillwatch::ledger
