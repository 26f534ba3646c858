// Asks the configured authorities for time stamps of a checkpoint, and keeps what they answer.
//
// Invariant: a reply is kept only after check_stamp_reply took it. All authorities are asked at once.
// Threads: one user. Cost: one connection an authority and interval. Spec: RFC 3161 section 3.4.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "audit/counters.h"
#include "audit/settings.h"
#include "audit/stamp_store.h"
#include "base/result.h"

namespace stillwatch::audit {

class StampAsker {
 public:
  /// Caller error for names that are no folder names, or twice the same.
  static base::Result<StampAsker> create(StampSettings settings, StampStore store, Counters& counters,
                                         AlarmBook& alarms);

  struct Taken {
    std::size_t stamps = 0;
    std::array<std::uint8_t, 32> token_hash{};  // of the last one taken
    std::string failures;                       // "NAME: why", a line each; empty when all gave one
  };
  /// Stamps `note`, the checkpoint of `log` (its folder's name) with `size` entries.
  Taken ask(std::string_view log, std::uint64_t size, std::string_view note, std::int64_t now_ms);
  bool has_authorities() const { return !settings_.authorities.empty(); }

 private:
  StampAsker(StampSettings settings, StampStore store, Counters& counters, AlarmBook& alarms)
      : settings_(std::move(settings)), store_(std::move(store)), counters_(counters), alarms_(alarms) {}

  StampSettings settings_;
  StampStore store_;
  Counters& counters_;
  AlarmBook& alarms_;
  std::map<std::string, std::int64_t> last_ms_;  // when each authority gave one; of those never, when first asked
};

}  // namespace stillwatch::audit
