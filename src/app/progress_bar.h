// A progress line on standard error: records, rate, share, time left. Only on a terminal, and only after a second.
//
// Invariant: it reads the clock for people only; nothing that is computed depends on it.
// Threads: one user. Cost: at most ten writes a second.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

namespace stillwatch::app {

class ProgressBar {
 public:
  /// Stays silent when standard error is no terminal or `wanted` is false.
  explicit ProgressBar(bool wanted);

  /// `done` of `total` in any unit; total 0: unknown.
  void show(std::string_view what, std::uint64_t records, std::uint64_t done, std::uint64_t total);
  /// Clears the line.
  void finish();
  double seconds() const;

 private:
  bool active_, shown_ = false;
  std::chrono::steady_clock::time_point started_, last_;
};

}  // namespace stillwatch::app
