// What a campaign sends: one piece of work as a request, or as the first of several.
#include <algorithm>
#include <cmath>

#include "sim/affixes.h"
#include "sim/relay.h"

namespace stillwatch::sim {
namespace {

constexpr int kTopics = 16;  // parts of the work when topics are disjoint
constexpr std::uint32_t kSamples[] = {4, 8, 16};
constexpr std::uint32_t kRolloutsMin = 4, kRolloutsMax = 8, kStepsMin = 6, kStepsMax = 14;
constexpr std::uint32_t kEvolutionsMax = 4;
constexpr std::size_t kTaskBytesMin = 24;

}  // namespace

double requests_per_work(const Work& work) {
  switch (work.family) {
    case Family::evolution: return 2 * (1 + kEvolutionsMax) / 2.0;
    case Family::repeated_sampling: return (4 + 8 + 16) / 3.0;
    case Family::agent_rollouts: return (kRolloutsMin + kRolloutsMax) / 2.0 * (kStepsMin + kStepsMax) / 2.0;
    default: return 1 + work.multi_turn * 1.5;
  }
}

std::string_view Relay::next_item() {
  const Work& work = *plan_.work;
  const std::uint64_t index = plan_.item_first + items_taken_++ * plan_.item_stride;
  return work.items[index % work.items.size()];
}

void Relay::arrive(std::int64_t time_us, const Stage& stage) {
  ++arrivals_;
  if (plan_.wanted_accounts != 0 &&
      !random_.chance(static_cast<double>(order_.size()) / static_cast<double>(plan_.wanted_accounts)))
    return;
  const double attack = plan_.work ? plan_.attack_share / requests_per_work(*plan_.work) : 0;
  const bool hostile = random_.chance(attack * mean_requests_per_arrival_);
  const std::uint32_t at = new_talk();
  Talk& talk = talks_[at];
  if (hostile) {
    talk.kind = Kind::attack;
    start_attack(talk, time_us, stage);
    // Samples and roll-outs of one task start together, on several accounts.
    std::uint32_t copies = 1;
    double spread_s = 0;
    if (plan_.work->family == Family::repeated_sampling) copies = kSamples[random_.below(3)], spread_s = 1'200;
    if (plan_.work->family == Family::agent_rollouts)
      copies = kRolloutsMin + static_cast<std::uint32_t>(random_.below(kRolloutsMax - kRolloutsMin + 1)),
      spread_s = 1'800;
    for (std::uint32_t i = 1; i < copies; ++i) {
      const std::uint32_t copy_at = new_talk();
      talks_[copy_at] = talks_[at];
      if (plan_.work->family == Family::agent_rollouts) {
        talks_[copy_at].turns_left = kStepsMin + static_cast<std::uint32_t>(random_.below(kStepsMax - kStepsMin + 1));
      }
      events_.push({time_us + static_cast<std::int64_t>(spread_s * 1e6 * random_.uniform()), copy_at});
    }
  } else {
    const double rest = plan_.work ? plan_.resale_share : 1;
    talk.kind = random_.chance(rest) ? Kind::resale : Kind::cover;
    start_conversation(talk, stage);
  }
  events_.push({time_us, at});
}

// As long as what somebody in a conversation types.
std::size_t Relay::benign_length(const Stage& stage) {
  std::string text;
  stage.texts.chat(0).append(random_, draw_prompt_words(random_), text);
  return text.size();
}

void Relay::fill_item(Talk& talk, std::string_view item, const Stage& stage) {
  const Work& work = *plan_.work;
  std::string own;
  if (work.unique) {
    stage.texts.task().append(random_, draw_prompt_words(random_), own);
    item = own;
  }
  if (work.unique || work.templates.empty()) {
    talk.prompt += item;
    return;
  }
  const std::size_t different = work.templates.size() / work.variants;
  std::size_t which = random_.below(different);
  if (work.disjoint_topics && !talk.anywhere)
    which = which / kTopics * kTopics + plan_.accounts[talk.account].topic % kTopics;
  std::size_t wording = which % different * work.variants;
  if (work.variants > 1) wording += random_.below(work.variants);
  const PromptTemplate& chosen = work.templates[wording];
  if (stage.world.world.match_lengths) {
    // The task bends before the template does.
    const std::size_t left = length_bytes_ - std::min(length_bytes_, chosen.constant_bytes());
    own.assign(item);
    fit_length(random_, stage.texts.task(), std::max(kTaskBytesMin, left), own);
    item = own;
  }
  chosen.fill(random_, stage.texts, item, work.paraphrase, talk.prompt);
}

// A victim's own template from an account that looks like his. False when the account frames nobody this time.
bool Relay::start_framing(Talk& talk, std::int64_t time_us, const Stage& stage) {
  const Work& work = *plan_.work;
  if (order_.size() == 0) return false;
  talk.account = choose_account(time_us, kNoAccount);
  talk.anywhere = false;
  const std::uint32_t whom = plan_.accounts[talk.account].frame;
  if (whom == 0 || !random_.chance(work.framing_share)) return false;
  const auto& templates = work.frames[whom - 1];
  templates[random_.below(templates.size())].fill(random_, stage.texts, {}, 0, talk.prompt);
  return true;
}

void Relay::start_attack(Talk& talk, std::int64_t time_us, const Stage& stage) {
  const Work& work = *plan_.work;
  if (stage.world.world.match_lengths) length_bytes_ = benign_length(stage);
  talk.model = work.models[random_.below(work.models.size())];
  if (time_us >= work.pivot_us) talk.model = released_model();
  talk.sticky = false;
  talk.output_tokens = 450;
  if (!work.frames.empty() && start_framing(talk, time_us, stage)) return;
  if (work.disjoint_topics && order_.size() > 0) {
    if (talk.anywhere) talk.account = choose_account(time_us, kNoAccount);
    talk.anywhere = false;
    // Each part of the work has its own stretch of the queue.
    const auto part = static_cast<std::uint64_t>(plan_.accounts[talk.account].topic % kTopics);
    items_taken_ = items_taken_ / kTopics * kTopics + kTopics + part;
  }
  const bool anthropic = plan_.dialect == Dialect::anthropic_messages;
  switch (work.family) {
    case Family::template_farm:
      fill_item(talk, next_item(), stage);
      talk.params = ",\"max_tokens\":4096";
      break;
    case Family::self_instruct: {
      if (!work.prefixes.empty())
        talk.prompt +=
            work.prefixes.size() == 1 ? work.prefixes[0] : work.prefixes[random_.below(work.prefixes.size())];
      for (int i = 1; i <= 3; ++i) {
        if (!talk.prompt.empty()) talk.prompt += "\\n";
        if (work.labelled) {
          append_number(static_cast<std::uint64_t>(i), talk.prompt);
          talk.prompt += ". ";
        }
        talk.prompt += work.items[random_.below(work.items.size())];
      }
      if (work.labelled) talk.prompt += "\\n4.";
      talk.params = ",\"temperature\":1.0,\"top_p\":1.0,\"max_tokens\":3072";
      talk.output_tokens = 900;
      break;
    }
    case Family::evolution:
      talk.chain = true;
      talk.turns_left = 2 * (1 + static_cast<std::uint32_t>(random_.below(kEvolutionsMax)));
      talk.prompt += work.instructions[random_.below(work.instructions.size())];
      talk.prompt += next_item();
      talk.prompt += work.instruction_end;
      talk.params = ",\"temperature\":0.7,\"max_tokens\":2048";
      break;
    case Family::reasoning_sweep:
      talk.prompt += next_item();
      talk.params = anthropic ? ",\"max_tokens\":64000,\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":32000}"
                              : ",\"max_tokens\":64000,\"reasoning_effort\":\"high\"";
      talk.output_tokens = 2'500;
      break;
    case Family::judge_loop: {
      std::string input(next_item());
      input += work.labelled ? "\\n\\n[A] " : "\\n\\n";
      stage.texts.passage().append(random_, 60 + random_.below(140), input);
      input += work.labelled ? "\\n\\n[B] " : "\\n\\n";
      stage.texts.passage().append(random_, 60 + random_.below(140), input);
      fill_item(talk, input, stage);
      talk.params = ",\"temperature\":0,\"max_tokens\":16";
      talk.output_tokens = 5;
      break;
    }
    case Family::repeated_sampling:
      talk.prompt += next_item();
      talk.params = ",\"temperature\":1.0,\"max_tokens\":8192";
      talk.output_tokens = 1'200;
      break;
    case Family::agent_rollouts: {
      const std::uint64_t task = items_taken_;
      talk.system = work.system_of_task[task % work.system_of_task.size()];
      talk.tools = work.tools;
      if (work.labelled) talk.prompt += "Issue: ";
      talk.prompt += next_item();
      talk.params = ",\"max_tokens\":8192";
      talk.turns_left = kStepsMin + static_cast<std::uint32_t>(random_.below(kStepsMax - kStepsMin + 1));
      talk.sticky = true;
      talk.output_tokens = 180;
      break;
    }
  }
  if (stage.world.world.match_lengths) fit_length(random_, stage.texts.task(), length_bytes_, talk.prompt);
  if (work.multi_turn > 0 && talk.turns_left == 1 && random_.chance(work.multi_turn)) {
    talk.turns_left = 2 + static_cast<std::uint32_t>(random_.below(2));
    talk.sticky = true;
  }
}

}  // namespace stillwatch::sim
