// For tests of the audit log: a scratch folder, a clock that only tests move, leaves, and checks over a ledger folder.
//
// Invariant: the checks use tlog and the published bytes alone, as a stranger would. Threads: the clock from any.
// Cost: files in the system's temporary folder, removed at the end.
#pragma once

#include <atomic>
#include <string>
#include <string_view>

#include "audit/audit_log.h"
#include "base/folder_fixture.h"
#include "ledger/leaf.h"

namespace stillwatch::audit {

using ScratchFolder = base::test::Folder;

inline constexpr std::int64_t kStartMs = 1'795'305'600'000;  // 2026-11-22T00:00:00Z

/// Moves only when told.
class TestClock {
 public:
  explicit TestClock(std::int64_t ms = kStartMs) : ms_(std::make_shared<std::atomic<std::int64_t>>(ms)) {}
  void advance(std::int64_t ms) { *ms_ += ms; }
  void set(std::int64_t ms) { *ms_ = ms; }
  std::int64_t now() const { return *ms_; }
  Clock clock() const {
    return [ms = ms_] { return ms->load(); };
  }

 private:
  std::shared_ptr<std::atomic<std::int64_t>> ms_;
};

inline std::string test_leaf(std::uint64_t number) {
  ledger::QueryLeaf leaf;
  leaf.time_ms = kStartMs + static_cast<std::int64_t>(number);
  for (unsigned i = 0; i < 8; ++i) leaf.id[i] = static_cast<std::uint8_t>(number >> (8 * i));
  leaf.model = "m-4.2";
  leaf.endpoint = "chat";
  leaf.tokens_in = number;
  leaf.action = "none";
  std::string text;
  return ledger::write_leaf(leaf, text) ? text : std::string();
}

/// Settings for a ledger in `folder` that does nothing by itself.
inline Settings test_settings(const std::string& folder, const TestClock& clock) {
  Settings settings;
  settings.folder = folder;
  settings.host = "audit.example";
  settings.by_hand = true;
  settings.clock = clock.clock();
  settings.sequencer.batch_ms_max = 1;
  settings.sequencer.checkpoint_ms = 0;
  return settings;
}

}  // namespace stillwatch::audit
