// Who holds the master key: a file, or a command that stands for a KMS or an HSM. It wraps one thing, the root key of a
// key book, and is asked for it once, at the start.
//
// Invariant: what unwraps is what was wrapped, or an error that says whether the bytes are damaged, the key is another
// one, or the command failed; no key is in any message. A command has a time limit, and no more of its output is read
// than a wrapped key can have. Threads: one user. Cost: a file read, or a process.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace stillwatch::ledger {

class KeyWrapper {
 public:
  virtual ~KeyWrapper() = default;
  /// Bytes that only unwrap() of the same master key opens.
  virtual base::Result<std::string> wrap(std::span<const std::uint8_t> key) = 0;
  /// The key that was wrapped. `bytes` are what wrap() gave.
  virtual base::Result<std::vector<std::uint8_t>> unwrap(std::string_view bytes) = 0;
};

/// A master key of 32 bytes as 64 hex digits in a file that only its owner may read. With `create`, an absent file is
/// made (mode 0600); say so only where there is no key book yet, or a lost key looks like another one. Environment
/// error when it is unreadable, malformed, or readable by group or others.
base::Result<std::unique_ptr<KeyWrapper>> open_master_key_file(const std::string& path, bool create);

struct WrapCommand {
  /// The program and its arguments; no shell. It is run with `wrap` or `unwrap` added as the last argument, gets the
  /// bytes on standard input, writes the others to standard output and ends with status 0.
  std::vector<std::string> words;
  std::int64_t timeout_ms = 10'000;  // then it is killed, with all processes of its group
};
std::unique_ptr<KeyWrapper> make_command_wrapper(WrapCommand command);

}  // namespace stillwatch::ledger
