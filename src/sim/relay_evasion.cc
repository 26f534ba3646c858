// How a relay answers when accounts are banned: others take their place, and a campaign changes its ways.
#include <algorithm>
#include <utility>

#include "base/event_time.h"
#include "sim/relay.h"

namespace stillwatch::sim {
namespace {

constexpr double kHoursToReplaceMin = 0.5, kHoursToReplaceMax = 6;  // to notice, to buy, to set up
constexpr double kHoursOfUseMin = 0.05;                             // between sign-up and the first request
constexpr double kDilution = 0.5;                                   // attack share after a step
constexpr std::uint64_t kRewordStream = 0x2E30;

}  // namespace

std::optional<Actor::NewAccount> Relay::lose(std::uint64_t account, std::int64_t time_us) {
  const auto at = std::find_if(plan_.accounts.begin(), plan_.accounts.end(),
                               [&](const PoolAccount& one) { return one.presence.account == account; });
  if (at == plan_.accounts.end() || at->until_us <= time_us) return std::nullopt;
  at->until_us = time_us;
  order_.leave(static_cast<std::uint32_t>(at - plan_.accounts.begin()));
  if (plan_.spare_first >= plan_.accounts.size()) return std::nullopt;
  const auto spare = static_cast<std::uint32_t>(plan_.spare_first++);
  const double hours = kHoursToReplaceMin + (kHoursToReplaceMax - kHoursToReplaceMin) * random_.uniform();
  const std::int64_t joins_us = time_us + static_cast<std::int64_t>(hours * static_cast<double>(base::kHourUs));
  const double use = kHoursOfUseMin + (hours - kHoursOfUseMin) * random_.uniform();
  arriving_.push({joins_us, spare});
  return NewAccount{plan_.accounts[spare].presence.account,
                    joins_us - static_cast<std::int64_t>(use * static_cast<double>(base::kHourUs))};
}

void Relay::take_on_spares(std::int64_t time_us) {
  while (!arriving_.empty() && arriving_.top().time_us <= time_us) {
    const std::uint32_t account = arriving_.top().talk;
    arriving_.pop();
    // Banned before it began: detection may know it by what it shares.
    if (plan_.accounts[account].until_us > time_us) order_.join(account);
  }
}

void Relay::evade(Evasion step, const Stage& stage) {
  if (!plan_.work) return;
  ++evasions_;
  switch (step) {
    case Evasion::reword:
    case Evasion::reword_again: {
      auto work = std::make_shared<Work>(*plan_.work);
      // All pools of a campaign find the same words.
      base::Random random(plan_.user_salt ^ kRewordStream, evasions_);
      for (PromptTemplate& made : work->templates) made = made.reworded(random.next(), stage.texts);
      for (std::string& prefix : work->prefixes) prefix = reword(random.next(), stage.texts.passage(), prefix);
      for (std::string& instruction : work->instructions)
        instruction = reword(random.next(), stage.texts.passage(), instruction);
      former_work_.push_back(std::exchange(plan_.work, std::move(work)));
      break;
    }
    case Evasion::spoof:
      for (PoolAccount& account : plan_.accounts)
        account.presence.client =
            stage.clients.choose(random_.chance(0.6) ? ClientUse::library : ClientUse::chat_app, random_);
      break;
    case Evasion::residential:
      for (PoolAccount& account : plan_.accounts)
        account.presence.egress = stage.internet.roaming(NetworkKind::home, random_, base::kHourUs);
      break;
    case Evasion::dilute:
      plan_.attack_share *= kDilution;
      set_pace();
      break;
    case Evasion::unpace:
      plan_.selection = Selection::random;
      plan_.clock.rhythm = Rhythm::people;
      break;
  }
}

}  // namespace stillwatch::sim
