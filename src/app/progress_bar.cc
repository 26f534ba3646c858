#include "app/progress_bar.h"

#include <unistd.h>

#include <cstdio>

#include <fmt/format.h>

namespace stillwatch::app {
namespace {

constexpr auto kFirstShown = std::chrono::seconds(1);
constexpr auto kBetween = std::chrono::milliseconds(100);

}  // namespace

ProgressBar::ProgressBar(bool wanted)
    : active_(wanted && ::isatty(STDERR_FILENO) == 1), started_(std::chrono::steady_clock::now()), last_(started_) {}

double ProgressBar::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
}

void ProgressBar::show(std::string_view what, std::uint64_t records, std::uint64_t done, std::uint64_t total) {
  if (!active_) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - started_ < kFirstShown || now - last_ < kBetween) return;
  last_ = now;
  shown_ = true;
  const double elapsed = seconds();
  std::string line = fmt::format("\r{}: {} records, {:.0f}/s", what, records, static_cast<double>(records) / elapsed);
  if (total > 0 && done > 0) {
    const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
    constexpr int kWidth = 24;
    const int filled = static_cast<int>(share * kWidth);
    line += fmt::format("  [{}{}] {:3.0f} %, {:.0f} s left", std::string(static_cast<std::size_t>(filled), '#'),
                        std::string(static_cast<std::size_t>(kWidth - filled), '.'), 100 * share,
                        elapsed * (1 - share) / share);
  }
  fmt::print(stderr, "{}\x1b[K", line);
  std::fflush(stderr);
}

void ProgressBar::finish() {
  if (shown_) fmt::print(stderr, "\r\x1b[K");
  shown_ = false;
}

}  // namespace stillwatch::app
