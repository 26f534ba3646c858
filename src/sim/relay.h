// A relay: many users' requests over a pool of accounts. Honest relays and campaigns run the same one.
//
// Model (public relay software, docs/reference/worlds.md): the account used longest ago is next; a conversation
// stays on its account for an hour (keyed by its content); after 429, 529 or 5xx the same request goes out on
// another account, 200 ms later and doubling to 2 s, give or take 20 %; one header set; a proxy for each account.
// Invariant: requests on one account never overlap a ban: replaced accounts are used inside their lifetime only.
// Threads: as Actor. Cost: 150 bytes an account, and the text of open conversations.
#pragma once

#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "sim/account_order.h"
#include "sim/actor.h"
#include "sim/person.h"

namespace stillwatch::sim {

/// Where attack requests come from: the campaign's method over a work queue.
struct Work {
  Family family = Family::template_farm;
  std::vector<PromptTemplate> templates;
  std::vector<std::string_view> items;  // the work queue, divided among accounts
  std::vector<std::uint32_t> languages;
  std::vector<std::string> system_of_task;  // roll-outs: one per repository
  std::vector<std::string> prefixes;        // self-instruct: the long constant part, in its variants
  std::vector<std::string> instructions;    // evolution: what to do with a task
  std::string instruction_end;
  std::size_t variants = 1;                         // of each template, one after the other in `templates`
  std::vector<std::vector<PromptTemplate>> frames;  // templates of honest accounts
  double framing_share = 0;
  std::int64_t pivot_us = kNever;  // from then on only the new model
  bool labelled = true;            // constant labels around the parts of a prompt
  std::string tools;
  std::vector<std::string> models;
  double paraphrase = 0;
  double multi_turn = 0;
  bool unique = false;
  bool disjoint_topics = false;
};

/// Mean requests that one piece of work takes: arrivals are divided by it, so that shares are shares of requests.
double requests_per_work(const Work& work);

struct RelayPlan {
  std::uint64_t number = 0;  // stream of its generator
  std::vector<PoolAccount> accounts;
  std::size_t wanted_accounts = 0;            // work is for so many, and shrinks with them; 0: it does not
  std::size_t spare_first = ~std::size_t{0};  // from this index on accounts wait to replace banned ones
  double requests_per_day = 100;              // of the whole pool
  double attack_share = 0;
  double resale_share = 0;  // rest of all requests: honest users; what then remains is cover
  double turns = 3;         // of conversations
  std::uint64_t users = 100;
  std::uint64_t user_salt = 0;
  std::uint32_t cover_pool = 1000;  // different conversations that cover traffic repeats
  std::int64_t from_us = 0, until_us = kNever;
  BusyClock clock;
  GapShape gap;
  Selection selection = Selection::least_recently_used;
  std::int64_t sticky_us = 3'600'000'000;
  bool forged_users = false;  // a made-up end user for each account
  bool shown_users = false;   // the true end users
  Dialect dialect = Dialect::openai_chat;
  std::shared_ptr<const Work> work;
  std::uint32_t item_first = 0, item_stride = 1;  // this pool's share of the work queue
};

class Relay final : public Actor {
 public:
  Relay(std::uint64_t seed, RelayPlan plan);
  std::int64_t run(std::int64_t slice_end_us, const Stage& stage, Scratch& scratch, Emitter& out) override;
  std::int64_t first_us() const override { return next_us_; }
  bool heavy() const override { return true; }
  std::optional<NewAccount> lose(std::uint64_t account, std::int64_t time_us) override;
  void evade(Evasion step, const Stage& stage) override;

 private:
  enum class Kind : std::uint8_t { resale, cover, attack };
  struct Talk {
    std::string prompt, history;
    std::string_view system, tools;
    std::string params;
    std::string_view model;
    std::int64_t last_us = 0;
    std::uint32_t account = 0;
    std::uint32_t turn = 0, turns_left = 1;
    std::uint32_t retries = 0;
    std::uint32_t item = 0;
    std::uint64_t user = 0;
    std::uint64_t cover_key = 0;
    float output_tokens = 200;
    Kind kind = Kind::resale;
    std::uint8_t language = 0;
    bool chain = false;  // evolution: rewrite and answer by turns
    bool sticky = true;
    bool anywhere = true;  // account not chosen yet
  };
  struct Event {
    std::int64_t time_us;
    std::uint32_t talk;
    bool operator>(const Event& other) const {
      return time_us != other.time_us ? time_us > other.time_us : talk > other.talk;
    }
  };

  void arrive(std::int64_t time_us, const Stage& stage);
  void start_attack(Talk& talk, std::int64_t time_us, const Stage& stage);
  void start_conversation(Talk& talk, const Stage& stage);
  void conversation_prompt(Talk& talk, base::Random& random, const Stage& stage);
  void send(std::uint32_t at, std::int64_t time_us, const Stage& stage, Scratch& scratch, Emitter& out);
  void next_turn(std::uint32_t at, std::int64_t done_us, const Stage& stage, Scratch& scratch);
  std::uint32_t choose_account(std::int64_t time_us, std::uint32_t not_this);
  std::uint32_t new_talk();
  void end_talk(std::uint32_t at);
  bool start_framing(Talk& talk, std::int64_t time_us, const Stage& stage);
  std::size_t benign_length(const Stage& stage);
  void fill_item(Talk& talk, std::string_view item, const Stage& stage);
  std::string_view next_item();
  void take_on_spares(std::int64_t time_us);
  void set_pace();
  void schedule_arrival(std::int64_t time_us);

  RelayPlan plan_;
  base::Random random_;
  double mean_requests_per_arrival_ = 1;
  std::int64_t next_us_ = 0, arrival_us_ = 0;
  std::vector<Talk> talks_;
  std::vector<std::uint32_t> free_talks_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  AccountOrder order_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> arriving_;  // spare accounts, by account index
  std::uint64_t evasions_ = 0;
  std::vector<std::shared_ptr<const Work>> former_work_;  // open conversations look into it
  std::uint64_t items_taken_ = 0;
  std::uint64_t arrivals_ = 0;
  float weight_max_ = 0;
  bool uneven_ = false;           // weights differ
  std::size_t length_bytes_ = 0;  // of the attack prompt being made, when lengths are matched
};

}  // namespace stillwatch::sim
