// Account records of the provider's file, as they come to be known while the gateway runs.
//
// Invariant: STATE/accounts.ndjson holds every line that was taken, in order, with the time from which the engine
// counts it appended to the line (of a repeated key the last counts): the line's own time, or the moment of event time
// at which it came to be known, if that is later. So a replay with that file in place of the provider's sees what the
// live run saw. A line is written there and synced before the engine is given it. Lines are taken once; a line that
// vanishes from the provider's file is not taken back. Threads: one user. Cost: reading the file again whenever it
// changes: about 1 us a line that is known, 5 a new one. Bounds: 8 bytes a line taken, kLinesMax of them; further ones
// are not taken, counted.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "crypto/keyed_hash.h"
#include "event/account.h"
#include "intake/identities.h"

namespace stillwatch::gateway {

class AccountFeed {
 public:
  static constexpr std::size_t kLinesMax = 32'000'000;  // two for each of limits::kAccountsMax accounts

  /// `file` may be empty. `hash` and `identities` outlive it.
  static base::Result<AccountFeed> open(std::string file, const std::string& state_folder,
                                        const crypto::KeyedHash& keyed_hash, intake::Identities& identities);
  AccountFeed(AccountFeed&&) noexcept;
  ~AccountFeed();

  /// The lines taken in earlier runs, in order, with their names added to the identities.
  base::Result<std::vector<event::AccountUpdate>> taken();
  /// New lines, if the file changed since the last call; they count from `now_us` on. An error leaves all as it was.
  base::Result<std::vector<event::AccountUpdate>> poll(std::int64_t now_us);

  std::uint64_t lines() const;     // taken, of all runs
  std::uint64_t rejected() const;  // in the file as it was read last
  std::uint64_t shed() const;

 private:
  struct State;
  explicit AccountFeed(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace stillwatch::gateway
