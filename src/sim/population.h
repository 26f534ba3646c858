// Who lives in a world: builds every account and actor from the settings.
//
// Invariant: the same world, seed and texts give the same population; account numbers are dealt in building
// order and say nothing once hashed. Threads: build on one. Cost: some microseconds an account.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "sim/actor.h"
#include "sim/person.h"

namespace stillwatch::sim {

enum class Tier : std::uint8_t { free, standard, scale };
enum class Verified : std::uint8_t { none, email, phone, card, id, org };
enum class Declared : std::uint8_t { nothing, evaluation, research, synthetic_data, distillation, resale, batch };

/// What accounts.ndjson and truth.ndjson say of an account.
struct AccountRecord {
  std::uint64_t number = 0;
  std::int64_t created_us = 0;
  std::uint64_t org = 0, payment = 0, referral = 0;  // 0: none; hashed when written
  std::uint64_t mail_domain = 0;                     // small numbers are free mail providers
  std::uint32_t address = 0, asn = 0;
  std::uint16_t country = 0;
  std::uint16_t campaign = 0;  // 1 + index into World::campaigns; 0: benign
  std::uint8_t language = 0;   // index into builtin_languages(): of most of its prompts
  bool spare = false;          // in nobody's hands yet
  bool framed = false;         // somebody tries to have it convicted
  std::uint64_t unit = 0;      // number of the group whose members err together; 0: the account alone
  Stratum stratum = Stratum::chat_single;
  Tier tier = Tier::standard;
  Verified verified = Verified::email;
  Declared declared = Declared::nothing;
};

struct Population {
  std::vector<std::unique_ptr<Actor>> actors;
  std::vector<AccountRecord> accounts;
  std::deque<Material> materials;  // actors point into it
};

Population populate(const Stage& stage, std::uint64_t seed);

/// One line of accounts.ndjson and of truth.ndjson, with newline.
void append_account_line(const AccountRecord& record, const Stage& stage, const Names& names, std::string& out);
void append_truth_line(const AccountRecord& record, const World& world, const Names& names, std::string& out);

}  // namespace stillwatch::sim
