// An actor owns one account, or a pool of accounts whose requests depend on each other, and tells the
// engine when it next has something to send.
//
// Invariant: an actor draws from its own generator only, and is run by one thread at a time in time order,
// so what it sends does not depend on threads. Cost: accounts times some hundred bytes.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "sim/arrivals.h"
#include "sim/clients.h"
#include "sim/evasion.h"
#include "sim/internet.h"
#include "sim/record.h"
#include "sim/text_sources.h"
#include "sim/world.h"

namespace stillwatch::sim {

inline constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

/// What all actors share, read-only while the world runs.
struct Stage {
  const World& world;
  const TextSources& texts;
  const Internet& internet;
  const Clients& clients;
  std::int64_t start_us, end_us;
  bool bans_are_answered = false;  // campaigns fit their work to the accounts they have left
  std::size_t spare_accounts = 0;  // of each campaign, to replace banned ones by

  std::int64_t day_of(std::int64_t time_us) const;
};

/// Takes requests from actors; those of a later slice wait.
class Emitter {
 public:
  virtual ~Emitter() = default;
  virtual void emit(const Draft& draft) = 0;
};

/// Scratch texts of one worker, so that composing needs no allocation.
struct Scratch {
  std::string prompt, system, reply, params, part;
};

class Actor {
 public:
  virtual ~Actor() = default;
  /// Sends everything that starts before slice_end and returns when it wants to be called again.
  virtual std::int64_t run(std::int64_t slice_end_us, const Stage& stage, Scratch& scratch, Emitter& out) = 0;
  virtual std::int64_t first_us() const = 0;
  /// Sends as much as hundreds of accounts do.
  virtual bool heavy() const { return false; }
  struct NewAccount {
    std::uint64_t number = 0;
    std::int64_t created_us = 0;
  };
  /// One of its accounts is banned from a time on. Heavy actors only; returns the account that it buys instead.
  virtual std::optional<NewAccount> lose(std::uint64_t, std::int64_t) { return std::nullopt; }
  /// Campaigns: one more step of evasion, from now on.
  virtual void evade(Evasion, const Stage&) {}
};

/// How an account shows up in every request.
struct Presence {
  std::uint64_t account = 0;
  Egress egress;
  Egress away;  // used for away_share of the hours
  float away_share = 0;
  ClientChoice client;
  Dialect dialect = Dialect::openai_chat;
  std::uint8_t keys = 1;    // API keys of the account
  std::uint8_t params = 0;  // which of the usual parameter sets
  std::uint8_t model = 0;   // index into model names
};

/// Fills account, network, client, dialect, key and model of a draft.
void show(const Presence& presence, const Stage& stage, std::int64_t time_us, Draft& draft);
/// Status, times, stop reason and tokens of an answer of about median_tokens.
void answer(base::Random& random, const Stage& stage, double median_tokens, double sigma, Draft& draft);
/// Parameter sets that software sends by default.
std::string_view usual_params(Dialect dialect, std::uint8_t which);
inline constexpr std::uint8_t kUsualParams = 8;
Dialect draw_dialect(base::Random& random, bool text_allowed);
/// Model names, most popular first; the released one is used by those who draw it after its day.
std::string_view model_name(std::uint8_t which);
std::uint8_t draw_model(base::Random& random);
std::string_view released_model();

/// Appends `{"role":..,"content":"..."},`.
void append_message(std::string_view role, std::string_view escaped, std::string& history);

}  // namespace stillwatch::sim
