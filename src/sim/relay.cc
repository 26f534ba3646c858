#include "sim/relay.h"

#include <algorithm>
#include <cmath>

#include "base/assert.h"
#include "base/event_time.h"
#include "sim/affixes.h"

namespace stillwatch::sim {
namespace {

constexpr std::size_t kHistoryBytesMax = 8'000;
constexpr std::uint32_t kTriesMax = 6;  // relays give up after some tries
constexpr double kReturnChance = 0.08;  // a user comes back after the sticky hour
constexpr int kPassedOverMax = 1'000;   // accounts whose turn it is not
constexpr std::uint64_t kCoverStream = 0xC0FE;

}  // namespace

Relay::Relay(std::uint64_t seed, RelayPlan plan) : plan_(std::move(plan)), random_(seed, plan_.number) {
  order_.open(plan_.accounts);
  for (const PoolAccount& account : plan_.accounts) weight_max_ = std::max(weight_max_, account.weight);
  for (const PoolAccount& account : plan_.accounts) uneven_ |= account.weight < weight_max_;
  set_pace();
  schedule_arrival(plan_.from_us);
  next_us_ = arrival_us_;
}

void Relay::set_pace() {
  const double attack = plan_.work ? plan_.attack_share / requests_per_work(*plan_.work) : 0;
  const double talk = (1 - (plan_.work ? plan_.attack_share : 0)) / plan_.turns;
  mean_requests_per_arrival_ = 1 / std::max(1e-9, attack + talk);
}

void Relay::schedule_arrival(std::int64_t time_us) {
  const double mean_hours = 24 * mean_requests_per_arrival_ / plan_.requests_per_day;
  arrival_us_ = plan_.clock.advance(time_us, mean_hours * draw_gap(plan_.gap, random_));
  if (arrival_us_ >= plan_.until_us) arrival_us_ = kNever;
}

std::uint32_t Relay::new_talk() {
  if (free_talks_.empty()) {
    talks_.emplace_back();
    return static_cast<std::uint32_t>(talks_.size() - 1);
  }
  const std::uint32_t at = free_talks_.back();
  free_talks_.pop_back();
  return at;
}

void Relay::end_talk(std::uint32_t at) {
  talks_[at] = Talk{};
  free_talks_.push_back(at);
}

std::int64_t Relay::run(std::int64_t slice_end_us, const Stage& stage, Scratch& scratch, Emitter& out) {
  for (;;) {
    const std::int64_t event_us = events_.empty() ? kNever : events_.top().time_us;
    next_us_ = std::min(arrival_us_, event_us);
    if (next_us_ >= slice_end_us) break;
    order_.advance(plan_.accounts, next_us_);
    if (!arriving_.empty()) take_on_spares(next_us_);
    if (event_us <= arrival_us_) {
      const Event event = events_.top();
      events_.pop();
      send(event.talk, event.time_us, stage, scratch, out);
    } else {
      const std::int64_t now = arrival_us_;
      arrive(now, stage);
      schedule_arrival(now);
    }
  }
  return next_us_;
}

void Relay::start_conversation(Talk& talk, const Stage& stage) {
  const double go_on = 1 - 1 / plan_.turns;
  talk.turns_left = 1;
  base::Random pool(0, 0);
  base::Random* random = &random_;
  if (talk.kind == Kind::cover) {
    talk.cover_key = random_.below(plan_.cover_pool);
    pool = base::Random(base::mix64(plan_.user_salt ^ kCoverStream), talk.cover_key << 8);
    random = &pool;
  } else {
    talk.user = 1 + random_.below(plan_.users);
  }
  while (talk.turns_left < 30 && random->chance(go_on)) ++talk.turns_left;
  base::Random habits(base::mix64(plan_.user_salt), talk.user + (talk.cover_key << 20));
  const double tongue = habits.uniform();
  talk.language = tongue < 0.7 ? 0 : static_cast<std::uint8_t>(1 + habits.below(kCommonLanguages - 1));
  talk.system =
      default_system_prompt(habits.chance(0.5) ? static_cast<std::uint8_t>(habits.below(kDefaultSystems)) : 0);
  talk.model = model_name(draw_model(habits));
  conversation_prompt(talk, *random, stage);
}

void Relay::conversation_prompt(Talk& talk, base::Random& random, const Stage& stage) {
  talk.prompt.clear();
  if (talk.turn > 0 && random.chance(0.14)) {
    talk.prompt += draw_short_follow_up(random);
  } else {
    stage.texts.chat(talk.language).append(random, draw_prompt_words(random), talk.prompt);
  }
}

std::uint32_t Relay::choose_account(std::int64_t, std::uint32_t not_this) {
  if (order_.size() == 0) return kNoAccount;
  const bool random = plan_.selection == Selection::random;
  if (!uneven_) return random ? order_.random(random_) : order_.least_recent(not_this);
  // Uneven volumes: who is light is passed over most times.
  std::uint32_t chosen = kNoAccount;
  for (int tries = 0; tries < kPassedOverMax; ++tries) {
    chosen = random ? order_.random(random_) : order_.least_recent(not_this);
    if (random_.chance(plan_.accounts[chosen].weight / weight_max_)) break;
    order_.used(chosen);
  }
  return chosen;
}

void Relay::send(std::uint32_t at, std::int64_t time_us, const Stage& stage, Scratch& scratch, Emitter& out) {
  Talk& talk = talks_[at];
  const bool keeps = !talk.anywhere && order_.usable(talk.account) && talk.retries == 0 &&
                     (talk.turn == 0 || (talk.sticky && time_us - talk.last_us < plan_.sticky_us));
  if (!keeps) {
    const std::uint32_t chosen = choose_account(time_us, talk.anywhere ? kNoAccount : talk.account);
    if (chosen == kNoAccount) return end_talk(at);
    talk.account = chosen;
    talk.anywhere = false;
  }
  order_.used(talk.account);
  const PoolAccount& account = plan_.accounts[talk.account];
  Draft draft;
  show(account.presence, stage, time_us, draft);
  draft.dialect = plan_.dialect;
  draft.model = talk.model;
  draft.system = talk.system;
  draft.tools = talk.tools;
  draft.history = talk.history;
  draft.prompt = talk.prompt;
  draft.hostile = talk.kind == Kind::attack;
  // Anthropic's dialect demands a bound; the relay passes on what users send, mostly nothing else.
  draft.params = !talk.params.empty()
                     ? std::string_view(talk.params)
                     : usual_params(plan_.dialect, static_cast<std::uint8_t>(talk.user % kUsualParams));
  if (plan_.forged_users) {
    draft.end_user = base::mix64(account.presence.account ^ 0xF0);
    draft.end_user_in_body = true;
  } else if (plan_.shown_users && talk.user != 0) {
    draft.end_user = base::mix64(plan_.user_salt) + talk.user;
  }
  scratch.reply.clear();
  const bool needs_reply = talk.turns_left > 1 || stage.world.world.response_body;
  if (needs_reply) {
    const double words =
        std::clamp(lognormal(random_, talk.kind == Kind::attack && !talk.chain ? 24 : 36, 0.7), 4.0, 160.0);
    (talk.chain ? stage.texts.task() : stage.texts.passage())
        .append(random_, static_cast<std::size_t>(words), scratch.reply);
  }
  answer(random_, stage, talk.output_tokens, 0.7, draft);
  if (stage.world.world.response_body) draft.reply = scratch.reply;
  out.emit(draft);
  talk.last_us = time_us;
  const std::int64_t done_us = time_us + draft.duration_us;
  if (draft.status != 200) {
    if (++talk.retries >= kTriesMax) return end_talk(at);
    const double wait_us =
        std::min(200'000.0 * (1U << (talk.retries - 1)), 2'000'000.0) * (0.8 + 0.4 * random_.uniform());
    events_.push({done_us + static_cast<std::int64_t>(wait_us), at});
    return;
  }
  talk.retries = 0;
  next_turn(at, done_us, stage, scratch);
}

void Relay::next_turn(std::uint32_t at, std::int64_t done_us, const Stage& stage, Scratch& scratch) {
  Talk& talk = talks_[at];
  --talk.turns_left;
  if (talk.turns_left == 0 || talk.history.size() > kHistoryBytesMax) return end_talk(at);
  ++talk.turn;
  double gap_s = 0;
  if (talk.chain) {
    // Response t is inside prompt t + 1: rewrite, answer, rewrite the rewritten, answer.
    if (talk.turn % 2 == 1) {
      talk.prompt = scratch.reply;
      if (stage.world.world.match_lengths) talk.prompt.resize(cut_escaped(talk.prompt, benign_length(stage)).size());
      talk.output_tokens = 600;
    } else {
      const std::string instruction = talk.prompt;
      talk.prompt = plan_.work->instructions[random_.below(plan_.work->instructions.size())];
      talk.prompt += instruction;
      talk.prompt += plan_.work->instruction_end;
      if (stage.world.world.match_lengths) fit_length(random_, stage.texts.task(), benign_length(stage), talk.prompt);
      talk.output_tokens = 90;
    }
    gap_s = lognormal(random_, 6, 0.8);
  } else {
    append_message("user", talk.prompt, talk.history);
    append_message("assistant", scratch.reply, talk.history);
    if (talk.kind == Kind::attack && plan_.work->family == Family::agent_rollouts) {
      talk.prompt = "Tool result (";
      append_number(talk.turn, talk.prompt);
      talk.prompt += "):\\n";
      stage.texts.code().append(random_, 12 + random_.below(40), talk.prompt);
      gap_s = lognormal(random_, 3, 0.7);
    } else if (talk.kind == Kind::attack) {
      talk.prompt = "Now ";
      append_builtin(TextKind::constraint, 0, random_, talk.prompt);
      gap_s = lognormal(random_, 8, 0.6);
    } else {
      if (talk.kind == Kind::cover) {
        base::Random pool(base::mix64(plan_.user_salt ^ kCoverStream), talk.cover_key << 8 | talk.turn);
        conversation_prompt(talk, pool, stage);
      } else {
        conversation_prompt(talk, random_, stage);
      }
      gap_s = random_.chance(kReturnChance) ? lognormal(random_, 2 * 3600, 0.6) : lognormal(random_, 45, 1.0);
    }
  }
  const std::int64_t at_us = done_us + static_cast<std::int64_t>(std::min(gap_s, 80'000.0) * 1e6) + 1;
  if (at_us >= plan_.until_us) return end_talk(at);
  events_.push({at_us, at});
}

}  // namespace stillwatch::sim
