// Groups of linked accounts over time: who is in them, by which traits, and what they did since.
//
// Invariant: an account is in at most one group; its counters start when it joins, so that a group is judged on data
// later than what formed it. Ids are never reused; when two groups turn out to be one, the older id survives.
// Threads: between epochs, single-threaded. Cost: work() of about 50 ns, a closing.
// Bounds: Settings::groups_max live groups and as many dead ones for the report, handoff_pairs_max, link_edges_max;
// what does not fit is refused or sampled, and counted.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "detect/account_table.h"
#include "detect/calibration.h"
#include "detect/rhythm_census.h"
#include "detect/token_table.h"
#include "graph/linked_groups.h"

namespace stillwatch::detect {

/// A rare piece of software, network or identity that members have in common.
struct Trait {
  Token token = 0;
  TokenKind kind = TokenKind::client;
  std::uint32_t members = 0;
  std::uint32_t outsiders = 0;  // other actors that have it
};

struct Group {
  std::uint32_t id = 0;
  std::int64_t formed_us = 0;
  bool live = false;
  std::vector<Handle> members;  // ascending
  std::vector<Trait> traits;    // most members first
  Measures measures;
  std::vector<Measures> samples;   // during calibration: one a day
  std::uint64_t hits_total = 0;    // since formed; members' counters restart, this does not
  std::uint64_t hits_counted = 0;  // members' hits at the last epoch
  std::int64_t first_hour = 0;
  std::vector<std::uint32_t> hits_per_hour;
  std::uint32_t declared = 0;     // members with an agreed use
  std::int64_t convicted_us = 0;  // when both questions were first answered; 0: not yet

  LinkKind kind() const;
  /// Fit to teach what honest groups are like: what a contract allows looks like a harvest and is none.
  bool is_example() const { return declared * 4 < members.size() && !samples.empty(); }
  /// Adds the traffic of another group, which ends, to this one.
  void absorb(const Group& other);
};

/// Which links a closing has room for: all, or those of the tokens that most actors share.
class LinkSample {
 public:
  bool takes(Token token, const TokenEntry& entry);
  /// Leaves half of the edges out, and what comes later alike.
  void thin(std::vector<graph::ContentEdge>& edges, const TokenTable& tokens);
  std::uint64_t left_out() const { return left_out_; }

 private:
  std::uint64_t rank_min_ = 0, left_out_ = 0;
};

struct GroupTableCounters {
  std::uint64_t groups_refused = 0;     // no room, or not larger than any that could make room
  std::uint64_t groups_displaced = 0;   // small untested ones that made room for larger ones
  std::uint64_t dead_dropped = 0;       // dead groups of which nothing is kept for the report
  std::uint64_t pairs_refused = 0;      // hand-offs of pairs that found no room
  std::uint64_t links_sampled_out = 0;  // links left out of a closing that had too many
};

class GroupTable {
 public:
  explicit GroupTable(const Settings& settings) : settings_(settings) {}

  /// One epoch: takes the links and hand-offs since the last, forms and extends groups, drops idle members. While
  /// nothing is known yet (`learning`), only rare traits link: popular software would join everybody.
  void step(AccountTable& accounts, TokenTable& tokens, std::int64_t now_us, std::uint64_t active_accounts,
            bool learning);
  /// Measures every live group on its members' counters.
  void measure(const AccountTable& accounts, std::int64_t now_us, bool calibrating);
  /// A phase of calibration ends: what groups did goes to the calibration; all fall apart and form again from what is
  /// not known by then. The `suspects` (sorted ids) do neither: they look like campaigns already.
  void end_phase(AccountTable& accounts, std::span<const std::uint32_t> suspects, std::int64_t log_start_us);
  /// Trajectories of the finished phases, and of the current one when asked.
  std::vector<GroupTrajectory> trajectories_with_current() const;
  const std::vector<GroupTrajectory>& trajectories() const { return trajectories_; }

  /// By id. Dead ones stay for the report, those with most hits first, up to a bound.
  void mark_convicted(std::uint32_t id, std::int64_t now_us) { group(id).convicted_us = now_us; }
  const std::vector<Group>& groups() const { return groups_; }
  const Group* find(std::uint32_t id) const;
  /// Forgets what rests on accounts that left the account table; `gone` ascending.
  void forget(std::span<const Handle> gone);
  /// About what the next closing costs: links and hand-off pairs to look at, members to measure.
  std::uint64_t work() const;
  const GroupTableCounters& counters() const { return counters_; }
  std::uint64_t handoffs_total() const { return handoffs_total_; }
  std::uint64_t handoff_pairs() const { return pairs_.size(); }

  void save(base::ByteWriter& out) const;
  bool load(base::ByteReader& in);

 private:
  struct PairUse {
    std::uint32_t count = 0, last_minute = 0;
  };

  void take_links(AccountTable& accounts, TokenTable& tokens);
  void take_handoffs(AccountTable& accounts, TokenTable& tokens);
  void drop_idle(AccountTable& accounts, std::int64_t now_us);
  void form(AccountTable& accounts, TokenTable& tokens, std::int64_t now_us, double actors_max,
            double trait_actors_max);
  void adopt(const std::vector<Handle>& members, std::set<std::uint32_t>& taken, AccountTable& accounts,
             std::int64_t now_us);
  void note_handoff_links(AccountTable& accounts);
  bool is_rhythm_of_group(std::uint32_t members, const Group& each, Token box) const;
  bool links(Token token, TokenKind kind, const TokenTable& tokens, double actors_max) const;
  void attach_outsiders(AccountTable& accounts, TokenTable& tokens, std::int64_t now_us);
  void collect(AccountTable& accounts, TokenTable& tokens);
  void claim_tokens(Group& group, double share, AccountTable& accounts, TokenTable& tokens) const;
  void join(Handle handle, AccountState& account, std::uint32_t group, std::int64_t now_us);
  Group& group(std::uint32_t id) { return const_cast<Group&>(*find(id)); }
  std::uint32_t survivor(std::uint32_t id) const;
  void settle_aliases(TokenTable& tokens);
  bool make_room_for(std::size_t members, const std::set<std::uint32_t>& taken, AccountTable& accounts,
                     std::int64_t now_us);
  void drop_dead(AccountTable& accounts);

  Settings settings_;
  std::vector<Group> groups_;            // by id
  std::vector<std::uint32_t> alias_{0};  // by id: the surviving group
  std::vector<Handle> linked_;           // accounts with links, ascending
  std::map<std::pair<Handle, Handle>, PairUse> pairs_;
  std::vector<GroupTrajectory> trajectories_;  // of calibration
  RhythmCensus census_;
  std::uint64_t handoffs_total_ = 0;
  std::uint32_t groups_live_ = 0;
  std::vector<Handle> joined_;       // since members were last rebuilt
  bool merged_ = false;              // alias_ has steps to shorten, and the token table does not know them
  std::size_t members_refused_ = 0;  // in this closing: smaller groups find no room either
  std::uint64_t links_seen_ = 0, edges_seen_ = 0;  // at the last closing
  GroupTableCounters counters_;
};

/// A trait token that can be evidence: shared by enough actors, and not common among trusted accounts.
bool is_linkable(const TokenEntry* entry, std::uint32_t actors_min, double actors_max);

/// The traits of an account, in a fixed order: clients, networks, identity, rhythm. No allocation: every member is
/// asked each epoch.
class TraitList {
 public:
  explicit TraitList(const AccountState& account);
  const std::pair<Token, TokenKind>* begin() const { return traits_.data(); }
  const std::pair<Token, TokenKind>* end() const { return traits_.data() + count_; }
  bool has(Token token) const {
    for (const auto& trait : *this) {
      if (trait.first == token) return true;
    }
    return false;
  }

 private:
  std::array<std::pair<Token, TokenKind>,
             AccountState::kClientsMax + AccountState::kEgressMax + AccountState::kIdentityTokens + kRhythmGrids>
      traits_;
  std::size_t count_ = 0;
};

}  // namespace stillwatch::detect
