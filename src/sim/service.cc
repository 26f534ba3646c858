#include "sim/service.h"

#include <algorithm>
#include <cmath>

#include "base/event_time.h"

namespace stillwatch::sim {
namespace {

constexpr double kWarmUpGaps = 3;  // mean gaps

}  // namespace

Service::Service(std::uint64_t seed, ServicePlan plan) : plan_(std::move(plan)), random_(seed, plan_.presence.account) {
  // As for a Person: bursts must not all begin when the world does.
  const double per_start = std::max(1.0, plan_.job_requests);
  next_us_ = plan_.from_us - static_cast<std::int64_t>(random_.uniform() * kWarmUpGaps * per_start /
                                                       plan_.requests_per_day * static_cast<double>(base::kDayUs));
  while (next_us_ < plan_.from_us) {
    job_left_ = 0;
    schedule(next_us_);
  }
}

void Service::schedule(std::int64_t done_us) {
  if (job_left_ > 0) {
    next_us_ = done_us + static_cast<std::int64_t>(plan_.job_gap_s * random_.exponential() * 1e6) + 1;
  } else {
    const double per_start = plan_.job_requests > 0 ? plan_.job_requests : 1;
    const double mean_hours = 24 * per_start / plan_.requests_per_day;
    next_us_ = plan_.clock.advance(done_us, mean_hours * draw_gap(plan_.gap, random_));
    if (plan_.job_requests > 0) {
      // An evaluation runs the whole set each time; other jobs vary in size.
      job_left_ = plan_.kind == ServiceKind::evaluation
                      ? static_cast<std::uint32_t>(plan_.job_requests)
                      : static_cast<std::uint32_t>(
                            std::clamp(lognormal(random_, plan_.job_requests * 0.8, 0.6), 1.0, 50'000.0));
      if (plan_.kind == ServiceKind::evaluation) at_item_ = 0;
    }
  }
  if (next_us_ >= plan_.until_us) next_us_ = kNever;
}

std::int64_t Service::run(std::int64_t slice_end_us, const Stage& stage, Scratch& scratch, Emitter& out) {
  while (next_us_ < slice_end_us) {
    // A job's next request does not wait for the answer: software sends several at a time.
    const std::int64_t sent_us = next_us_;
    const std::int64_t done_us = send(stage, scratch, out);
    if (job_left_ > 0) --job_left_;
    schedule(job_left_ > 0 ? sent_us : done_us);
  }
  return next_us_;
}

const PromptTemplate& Service::draw_template() {
  const bool shared = plan_.own_templates.empty() && plan_.material != nullptr;
  const auto& templates = shared ? plan_.material->templates : plan_.own_templates;
  const std::size_t slot = random_.below(templates.size());
  return (shared ? plan_.material->renewals : plan_.own_renewals).in_use(templates, slot, next_us_);
}

void Service::compose(const Stage& stage, Scratch& scratch) {
  std::string& prompt = scratch.prompt;
  prompt.clear();
  if (plan_.own_share > 0 && random_.chance(plan_.own_share)) {
    stage.texts.chat(0).append(random_, draw_prompt_words(random_), prompt);
    return;
  }
  switch (plan_.kind) {
    case ServiceKind::evaluation: {
      const std::string& item = plan_.material->items[at_item_++ % plan_.material->items.size()];
      plan_.material->templates[0].fill(random_, stage.texts, item, 0, prompt);
      return;
    }
    case ServiceKind::records:
      prompt += stage.texts.pool(Pool::record)[plan_.record_first + at_item_++ % plan_.record_count];
      return;
    case ServiceKind::declared: {
      const auto& tasks = stage.texts.pool(Pool::task);
      const std::string_view item = tasks[(plan_.record_first + std::uint64_t{at_item_++} * 7919) % tasks.size()];
      draw_template().fill(random_, stage.texts, item, 0, prompt);
      return;
    }
    case ServiceKind::judge: {
      scratch.part.clear();
      const bool labelled = !stage.world.world.strip_affixes;
      if (labelled) scratch.part += "[Question]\\n";
      stage.texts.chat(0).append(random_, draw_prompt_words(random_), scratch.part);
      scratch.part += labelled ? "\\n[Answer A]\\n" : "\\n\\n";
      stage.texts.passage().append(random_, 30 + random_.below(90), scratch.part);
      scratch.part += labelled ? "\\n[Answer B]\\n" : "\\n\\n";
      stage.texts.passage().append(random_, 30 + random_.below(90), scratch.part);
      draw_template().fill(random_, stage.texts, scratch.part, 0, prompt);
      return;
    }
    case ServiceKind::flood:
      if (plan_.material->templates.empty() || random_.chance(0.5)) {
        prompt += plan_.material->items[random_.below(plan_.material->items.size())];
        return;
      }
      [[fallthrough]];
    case ServiceKind::tenant:
    case ServiceKind::batch: draw_template().fill(random_, stage.texts, {}, 0, prompt); return;
  }
}

std::int64_t Service::send(const Stage& stage, Scratch& scratch, Emitter& out) {
  compose(stage, scratch);
  Draft draft;
  show(plan_.presence, stage, next_us_, draft);
  if (plan_.material != nullptr) {
    draft.system = plan_.material->renewals.system_in_use(plan_.material->system, next_us_);
    draft.tools = plan_.material->tools;
    if (!plan_.material->params.empty()) draft.params = plan_.material->params;
  }
  draft.prompt = scratch.prompt;
  answer(random_, stage, plan_.output_tokens, 0.6, draft);
  if (stage.world.world.response_body) {
    scratch.reply.clear();
    stage.texts.passage().append(random_, 1 + draft.output_tokens % 120, scratch.reply);
    draft.reply = scratch.reply;
  }
  out.emit(draft);
  std::int64_t done_us = next_us_ + draft.duration_us;
  for (int retry = 0; draft.status != 200 && retry < 3; ++retry) {
    draft.time_us = done_us + static_cast<std::int64_t>((500'000 << retry) * (0.8 + 0.4 * random_.uniform()));
    answer(random_, stage, plan_.output_tokens, 0.6, draft);
    out.emit(draft);
    done_us = draft.time_us + draft.duration_us;
  }
  return done_us;
}

}  // namespace stillwatch::sim
