// Layer L2, first half: who shares which token, and which conversations move between accounts.
//
// A token of one actor costs 8 bytes in a table of first sightings; the second actor makes it a shared token with a
// full entry. Shared tokens in use among trusted accounts when calibration ends are `known` and carry no evidence.
// Invariant: an entry's group changes only between epochs; counts of actors may exceed the truth by accounts whose
// bitmap forgot the token, never fall below it by more than the bitmap's collisions.
// Threads: observe() by workers that own disjoint partitions, after the account step of the same batch.
// Cost: ~0.1 us a token; bounded by Settings, oldest first sightings overwritten, counters say how many.
#pragma once

#include <span>
#include <vector>

#include "detect/account_table.h"
#include "detect/recency_table.h"

namespace stillwatch::detect {

enum class TokenKind : std::uint8_t {
  content,
  prompt,
  client,
  egress,
  payment,
  signup,
  rhythm,
  system,
  tools,
  params,
  schema
};
/// What a request is set up with: system prompt, tools, parameters, output schema.
constexpr bool is_setup(TokenKind kind) { return kind >= TokenKind::system; }

struct TokenEntry {
  Actor first_actor = 0;
  std::uint32_t actors = 0;      // about how many actors sent it
  std::uint32_t group = 0;       // the group whose work it is; 0: none
  std::uint32_t vote_group = 0;  // majority vote of new senders (Boyer, Moore 1991)
  std::uint32_t last_hour = 0;
  std::uint16_t votes = 0;
  std::uint16_t trusted_actors = 0;                  // in calibration
  std::uint16_t member_hits = 0, outsider_hits = 0;  // requests with it, by members of its group and by others, lately
  TokenKind kind = TokenKind::content;
  bool known = false;
  bool exclusive = false;  // of its group's work alone: the only tokens that speak against a single account
  bool decided = false;    // its vote crossed a bound since the last epoch
};

/// An account was seen with a token that other actors share.
struct LinkEvent {
  Handle handle = kNoHandle;
  std::uint32_t request = 0;
  std::uint32_t minute = 0;
  Token token = 0;
  bool fresh = false;  // somebody else sent the same whole prompt within two hours
  friend auto operator<=>(const LinkEvent&, const LinkEvent&) = default;
};

/// A conversation that `from` began went on at `to`, or a reply that `from` was given is in a prompt of `to`.
struct HandoffEvent {
  std::uint32_t minute = 0;
  Handle from = kNoHandle, to = kNoHandle;
  bool retry = false;   // the same request again, after a failure
  bool quoted = false;  // a passage of a reply in a prompt: of the request of `to`, from a reply given in that minute
  std::uint32_t request = 0, given_minute = 0;
  friend auto operator<=>(const HandoffEvent&, const HandoffEvent&) = default;
};

struct TokenCounters {
  std::uint64_t first_seen_overwritten = 0, conversations_overwritten = 0, shared_tokens_evicted = 0,
                shared_tokens_refused = 0, links_sampled_out = 0, handoffs_shed = 0;
};

class TokenTable {
 public:
  explicit TokenTable(const Settings& settings);

  /// The token step over one batch whose observations the account step has filled.
  void observe(Worker worker, std::span<const event::Query> queries, std::span<const Observation> observations,
               const AccountTable& accounts, std::int64_t log_start_us, bool calibrating);

  const TokenEntry* find(Token token) const;
  /// The group that the token belongs to, 0 for none; merged groups resolve to the surviving one.
  std::uint32_t group_of(Token token) const { return owner_of(token).group; }
  struct Ownership {
    std::uint32_t group = 0;
    bool exclusive = false;
    Actor first_actor = 0;
  };
  Ownership owner_of(Token token) const {
    const TokenEntry* entry = find(token);
    if (entry == nullptr || entry->group == 0) return {};
    return {resolve(entry->group), entry->exclusive, entry->first_actor};
  }
  std::uint32_t resolve(std::uint32_t group) const { return group < alias_.size() ? alias_[group] : group; }

  // Between epochs, single-threaded.
  /// In total order. Of more than link_events_max of a partition, a consistent sample by token: all or none of a token.
  /// Link events since the log began.
  std::uint64_t links_total() const;
  std::vector<LinkEvent> take_links();
  std::vector<HandoffEvent> take_handoffs();  // in total order
  void assign(Token token, std::uint32_t group);
  void set_aliases(std::vector<std::uint32_t> alias) { alias_ = std::move(alias); }
  /// Gives tokens to the group that won the vote of their new senders, and takes them from groups that lost it; says
  /// which are a group's alone.
  void settle_votes();
  /// Tokens that at least `actors_min` trusted actors share become known, but for those of a group in `suspects` and
  /// those in `suspect_traits` (both sorted). Returns all that are known, sorted.
  std::vector<Token> mark_known(std::uint32_t actors_min, std::span<const std::uint32_t> suspects,
                                std::span<const Token> suspect_traits);
  void add_known(std::span<const Token> tokens);
  /// Forgets what rests on accounts that left the account table; `gone` ascending. Between epochs, after both takes.
  void forget(std::span<const Handle> gone);
  /// Makes room: evicts entries that only two actors share, oldest first, when a partition is over its share.
  void evict(std::uint32_t hour);

  /// Slots of the tables of handles that are in use: what forget() walks over.
  std::uint64_t slots_in_use() const;
  /// What evict() costs, in units of GroupTable::work(): little, unless partitions are nearly full.
  std::uint64_t eviction_work() const;

  TokenCounters counters() const;
  std::uint64_t shared_count() const;
  void save(base::ByteWriter& out) const;
  bool load(base::ByteReader& in);

 private:
  static constexpr std::uint16_t kVotesToWin = 3;  // three new member accounts more than outsiders
  // Requests with a group's token that are remembered; about a day of a template that two hundred accounts send.
  static constexpr std::uint16_t kHitsKept = 24;
  static constexpr std::uint16_t kExclusiveHitsMin = 2;
  static constexpr std::size_t kQuotedPassagesMin = 2;
  struct Conversation {
    Handle handle;
    std::uint32_t minute_and_flags;  // minute << 2 | several << 1 | failed
  };
  /// A passage of a reply, or of a prompt, and who was given or sent it.
  struct Passage {
    Handle handle;
    std::uint32_t minute_and_flags;  // minute << 1 | public
  };
  struct Partition {
    base::FlatMap<Token, TokenEntry, TokenHash> shared;
    std::vector<LinkEvent> links;
    std::uint64_t links_total = 0;                    // since the log began
    std::uint64_t link_hash_max = ~std::uint64_t{0};  // of the sample that this epoch has room for
    std::vector<HandoffEvent> handoffs;
    std::vector<Token> decided;  // votes crossed a bound since the last epoch
    std::vector<Token> counted;  // sent since, and of a group
    bool has_replies = false;    // bodies are logged: before the first, prompts are not looked at for quotations
    TokenCounters counters;
  };
  struct Context {
    const AccountTable& accounts;
    std::int64_t log_start_us;
    std::uint32_t minute, hour;
    bool calibrating;
    bool opens;  // the request opens a conversation
  };

  void observe_token(Partition& partition, Token token, TokenKind kind, bool novel, const Observation& seen,
                     const Context& context);
  void observe_conversation(const event::Query& query, const Observation& seen, const Context& context, Worker worker);
  void observe_quotes(const event::Query& query, const Observation& seen, const Context& context, Worker worker);
  void note_reply(const event::Query& query, const Observation& seen, const Context& context, Worker worker);
  void add_handoff(Partition& partition, const HandoffEvent& handoff) const;
  bool has_replies() const;
  void add_link(Partition& partition, const LinkEvent& link) const;
  void count_hit(Partition& partition, Token token, TokenEntry& entry, const Observation& seen) const;
  void settle_exclusive(Partition& partition);
  void count_new_actor(Partition& partition, Token token, TokenEntry& entry, const Observation& seen, bool fresh,
                       const Context& context);

  Settings settings_;
  std::vector<Partition> partitions_;
  RecencyTable<Handle> first_seen_;
  RecencyTable<Conversation> conversations_;
  RecencyTable<Passage> passages_;
  std::vector<std::uint32_t> alias_;
  std::uint32_t swept_day_ = 0;  // of the last sweep of all partitions
};

}  // namespace stillwatch::detect
