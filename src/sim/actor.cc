#include "sim/actor.h"

#include <algorithm>
#include <cmath>

#include "base/event_time.h"

namespace stillwatch::sim {
namespace {

constexpr std::string_view kModels[] = {"m-large", "m-medium", "m-small", "m-reason", "m-next"};
constexpr std::uint8_t kReasoningModel = 3, kReleasedModel = 4;
constexpr double kAdoptionDays = 6;  // mean delay after a release, drawn per account

constexpr std::string_view kChatParams[kUsualParams] = {"",
                                                        ",\"temperature\":1.0",
                                                        ",\"temperature\":0.7,\"stream\":true",
                                                        ",\"stream\":true",
                                                        ",\"temperature\":0,\"max_tokens\":1024",
                                                        ",\"temperature\":0.2",
                                                        ",\"temperature\":0.7,\"top_p\":0.95,\"max_tokens\":2048",
                                                        ",\"max_tokens\":4096"};
constexpr std::string_view kResponsesParams[kUsualParams] = {"",
                                                             ",\"temperature\":1.0",
                                                             ",\"stream\":true",
                                                             ",\"store\":false",
                                                             ",\"max_output_tokens\":1024",
                                                             ",\"reasoning\":{\"effort\":\"low\"}",
                                                             ",\"temperature\":0.3,\"max_output_tokens\":2048",
                                                             ",\"text\":{\"verbosity\":\"low\"}"};
constexpr std::string_view kAnthropicParams[kUsualParams] = {",\"max_tokens\":1024",
                                                             ",\"max_tokens\":4096,\"temperature\":1.0",
                                                             ",\"max_tokens\":8192,\"stream\":true",
                                                             ",\"max_tokens\":2048",
                                                             ",\"max_tokens\":512,\"temperature\":0",
                                                             ",\"max_tokens\":4096,\"temperature\":0.2",
                                                             ",\"max_tokens\":16000,\"stream\":true",
                                                             ",\"max_tokens\":3000"};

}  // namespace

std::int64_t Stage::day_of(std::int64_t time_us) const {
  return (time_us - start_us) / base::kDayUs - (time_us < start_us ? 1 : 0);
}

std::string_view usual_params(Dialect dialect, std::uint8_t which) {
  switch (dialect) {
    case Dialect::anthropic_messages: return kAnthropicParams[which % kUsualParams];
    case Dialect::openai_responses: return kResponsesParams[which % kUsualParams];
    default: return kChatParams[which % kUsualParams];
  }
}

Dialect draw_dialect(base::Random& random, bool text_allowed) {
  const double at = random.uniform();
  if (at < 0.5) return Dialect::openai_chat;
  if (at < 0.8) return Dialect::anthropic_messages;
  if (at < 0.95 || !text_allowed) return Dialect::openai_responses;
  return Dialect::text;
}

std::string_view model_name(std::uint8_t which) { return kModels[which]; }

std::string_view released_model() { return kModels[kReleasedModel]; }

std::uint8_t draw_model(base::Random& random) {
  const double at = random.uniform();
  return at < 0.45 ? 0 : at < 0.7 ? 1 : at < 0.88 ? 2 : kReasoningModel;
}

void show(const Presence& presence, const Stage& stage, std::int64_t time_us, Draft& draft) {
  const std::uint64_t hour = static_cast<std::uint64_t>(time_us / base::kHourUs);
  const std::uint64_t draw = base::mix64(presence.egress.salt ^ (hour * 0x9E3779B97F4A7C15ULL));
  const bool away = presence.away_share > 0 && static_cast<double>(draw >> 40) * 0x1.0p-24 < presence.away_share;
  const Egress& egress = away ? presence.away : presence.egress;
  const Network& network = stage.internet.networks()[egress.network];
  const std::int64_t day = stage.day_of(time_us);
  draft.time_us = time_us;
  draft.account = presence.account;
  draft.key = presence.account * 16 + 1 + draw % presence.keys;
  draft.end_user = 0;
  draft.end_user_in_body = false;
  draft.address = stage.internet.address_at(egress, time_us);
  draft.asn = network.asn;
  draft.country = countries()[network.country].code;
  draft.client = stage.clients.fragment(presence.client, day);
  draft.dialect = presence.dialect;
  draft.params = usual_params(presence.dialect, presence.params);
  draft.system = {};
  draft.tools = {};
  draft.history = {};
  draft.reply = {};
  draft.hostile = false;
  std::uint8_t model = presence.model;
  const double release = stage.world.world.release_day;
  if (release > 0 && presence.egress.salt % 3 == 0) {
    const double adoption = release + kAdoptionDays * static_cast<double>(presence.egress.salt % 1000) / 500.0;
    if (static_cast<double>(time_us - stage.start_us) / static_cast<double>(base::kDayUs) >= adoption)
      model = kReleasedModel;
  }
  draft.model = kModels[model];
}

void answer(base::Random& random, const Stage& stage, double median_tokens, double sigma, Draft& draft) {
  draft.reasoning_tokens = 0;
  draft.cached_tokens = 0;
  if (random.chance(stage.world.world.failure_rate)) {
    const double kind = random.uniform();
    draft.status = kind < 0.6 ? 429 : kind < 0.8 ? 529 : kind < 0.93 ? 500 : 503;
    draft.duration_us = static_cast<std::int64_t>(20'000 + random.below(400'000));
    draft.output_tokens = 0;
    return;
  }
  draft.status = 200;
  const double tokens = std::clamp(lognormal(random, median_tokens, sigma), 1.0, 32'000.0);
  draft.output_tokens = static_cast<std::uint32_t>(tokens);
  if (draft.model == kModels[kReasoningModel])
    draft.reasoning_tokens = static_cast<std::uint32_t>(std::min(lognormal(random, 500, 0.9), 30'000.0));
  // 30 to 120 tokens a second after a first token that waits for the input.
  draft.ttft_us = static_cast<std::int64_t>(150'000 + 500'000 * random.exponential());
  draft.duration_us = draft.ttft_us + static_cast<std::int64_t>((tokens + draft.reasoning_tokens) *
                                                                (8'000 + 25'000 * random.uniform()));
  if (draft.system.size() + draft.history.size() > 4'096)
    draft.cached_tokens = static_cast<std::uint32_t>((draft.system.size() + draft.history.size()) / 5);
  draft.stop = draft.dialect == Dialect::anthropic_messages ? "end_turn" : "stop";
}

void append_message(std::string_view role, std::string_view escaped, std::string& history) {
  history += "{\"role\":\"";
  history += role;
  history += "\",\"content\":\"";
  history += escaped;
  history += "\"},";
}

}  // namespace stillwatch::sim
