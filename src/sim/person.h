// A person with one account: sessions in their own hours, conversations that carry their history, second thoughts.
//
// Invariant: at most one open conversation; its text is freed when it ends. Threads: as Actor.
// Cost: 250 bytes an account, and the text of open conversations.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sim/actor.h"
#include "sim/prompt_template.h"
#include "sim/renewals.h"

namespace stillwatch::sim {

/// What the members of a group have in common: a class, a vendor, a framework, a viral prompt.
struct Material {
  std::string system, tools, params;
  std::vector<PromptTemplate> templates;
  std::vector<std::string> items;  // whole prompts: an assignment, a benchmark, jailbreaks
  std::int64_t start_us = 0;       // nobody uses it earlier
  std::int64_t spread_us = 0;      // viral: time constant of its spread and decline
  Renewals renewals;               // of templates and system
};

enum class PersonKind : std::uint8_t { chat, developer, agent, student, viral, red_team, hacker };

struct PersonPlan {
  PersonKind kind = PersonKind::chat;
  Presence presence;
  BusyClock clock;
  GapShape gap;
  double sessions_per_day = 1;
  float turns = 1;  // mean
  std::uint8_t language = 0;
  std::uint8_t default_system = 0;  // which of the front ends' default system prompts; 0 none
  std::int64_t from_us = 0, until_us = kNever;
  const Material* material = nullptr;
  std::vector<PromptTemplate> own_templates;
  Renewals own_renewals;
  double drift_per_week = 0;                          // how often the names in this person's life change
  std::uint32_t prompt_first = 0, prompt_stride = 0;  // this person's own share of the chat pool; stride 0: none
};

class Person final : public Actor {
 public:
  Person(std::uint64_t seed, PersonPlan plan);
  std::int64_t run(std::int64_t slice_end_us, const Stage& stage, Scratch& scratch, Emitter& out) override;
  std::int64_t first_us() const override { return next_us_; }

 private:
  struct Conversation {
    std::string history;
    std::uint32_t turns_left = 0;
    std::uint32_t turn = 0;
    std::uint64_t end_user = 0;
  };
  void start_session();
  void send(const Stage& stage, Scratch& scratch, Emitter& out);
  void compose(const Stage& stage, std::int64_t time_us, Scratch& scratch);
  void compose_own(const Stage& stage, std::int64_t time_us, Scratch& scratch);
  std::int64_t next_session(std::int64_t time_us);

  PersonPlan plan_;
  base::Random random_;
  std::int64_t next_us_ = 0;
  std::uint32_t prompts_used_ = 0;
  std::unique_ptr<Conversation> open_;
};

/// What people type when they do not type much: the same everywhere.
std::string_view draw_short_follow_up(base::Random& random);
std::string_view default_system_prompt(std::uint8_t which);
inline constexpr std::uint8_t kDefaultSystems = 5;
/// Words of a typical prompt.
std::size_t draw_prompt_words(base::Random& random);

}  // namespace stillwatch::sim
