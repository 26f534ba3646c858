#include "sim/renewals.h"

#include "base/event_time.h"

namespace stillwatch::sim {
namespace {

constexpr std::int64_t kWeekUs = 7 * base::kDayUs;
constexpr std::size_t kSystemRules = 8;

template <class Made>
const Made* last_before(const std::vector<std::pair<std::int64_t, Made>>& made, std::int64_t time_us) {
  for (std::size_t i = made.size(); i > 0; --i) {
    if (made[i - 1].first <= time_us) return &made[i - 1].second;
  }
  return nullptr;
}

}  // namespace

void Renewals::plan(base::Random random, double share, std::int64_t from_us, std::int64_t until_us,
                    const std::vector<PromptTemplate>& first, std::size_t words, std::string_view system) {
  if (share <= 0) return;
  slots_.resize(first.size());
  for (std::int64_t week_us = from_us; week_us < until_us; week_us += kWeekUs) {
    // One release day in the week for all that a group replaces.
    const std::int64_t release_us = week_us + static_cast<std::int64_t>(random.uniform() * kWeekUs);
    for (Dated<PromptTemplate>& slot : slots_) {
      if (random.chance(share)) slot.emplace_back(release_us, PromptTemplate::draw(random, 0, words));
    }
    if (!system.empty() && random.chance(share))
      systems_.emplace_back(release_us, draw_system_prompt(random, random.below(kSystemRules)));
  }
}

const PromptTemplate& Renewals::in_use(const std::vector<PromptTemplate>& first, std::size_t slot,
                                       std::int64_t time_us) const {
  if (slot >= slots_.size()) return first[slot];
  const PromptTemplate* renewed = last_before(slots_[slot], time_us);
  return renewed == nullptr ? first[slot] : *renewed;
}

std::string_view Renewals::system_in_use(std::string_view first, std::int64_t time_us) const {
  const std::string* renewed = last_before(systems_, time_us);
  return renewed == nullptr ? first : std::string_view(*renewed);
}

std::uint64_t changes_until(std::uint64_t salt, double share, std::int64_t from_us, std::int64_t time_us) {
  std::uint64_t changes = 0;
  for (std::int64_t week = 1; from_us + week * kWeekUs <= time_us; ++week)
    changes += base::Random(salt, static_cast<std::uint64_t>(week)).chance(share) ? 1 : 0;
  return changes;
}

}  // namespace stillwatch::sim
