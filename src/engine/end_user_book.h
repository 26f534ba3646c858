// Standings of end users: where one person inside an account is acted on instead of the account.
//
// Invariant: as the case book's: one verdict for each change, levels expire without fresh work of that very end user,
// and nothing depends on the order of a hash table. Bounded: at most policy's end_users_acted_max people an account in
// 30 days, only for accounts that a campaign holds.
// Threads: between epochs, single-threaded. Cost: linear in people acted on.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/byte_stream.h"
#include "detect/findings.h"
#include "engine/reasons.h"
#include "policy/scope.h"

namespace stillwatch::engine {

class EndUserBook {
 public:
  explicit EndUserBook(const policy::Settings& settings) : settings_(settings) {}

  /// Whether this member's own requests allow to act on end users of it.
  bool looks_narrow(const detect::MemberFinding& member, bool same_few, std::int64_t now_us) const;
  /// The members to narrow: by index into `finding.members`; empty when the group does not allow it. `levels` are those
  /// that policy would give the accounts.
  std::vector<bool> narrowed(const detect::GroupFinding& finding, std::span<const policy::Decision> decisions,
                             std::int64_t now_us) const;
  /// Gives the end users of a narrowed member the level that its account would have had.
  void act(const detect::GroupFinding& finding, const detect::MemberFinding& member, const policy::Decision& decision,
           std::uint32_t campaign, const ReasonContext& context, std::int64_t now_us,
           std::vector<event::Verdict>& verdicts);
  void expire(std::int64_t now_us, std::vector<event::Verdict>& verdicts);

  /// Those with a level: account, end user, expiry.
  void for_each(const std::function<void(event::Token, event::Token, std::int64_t)>& visit) const;
  /// People by the level they have now.
  std::map<std::string, std::uint64_t> by_level() const;

  void save(base::ByteWriter& out) const;
  bool load(base::ByteReader& in);

 private:
  struct Person {
    event::Level level = event::Level::clear;  // clear: expired, kept for the account's count of names
    event::Class class_ = event::Class::unknown;
    std::uint32_t campaign = 0;
    std::int64_t expires_us = 0, acted_us = 0;
    std::uint64_t hits_counted = 0;
  };
  using Key = std::pair<event::Token, event::Token>;  // account, end user

  policy::EndUserEvidence evidence_of(const detect::MemberFinding& member, std::int64_t now_us) const;

  policy::Settings settings_;
  std::map<Key, Person> people_;
};

}  // namespace stillwatch::engine
