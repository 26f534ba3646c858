// World files from anybody: parse, and whatever is accepted must be inside its ranges.
#include "base/assert.h"
#include "sim/world.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace stillwatch;
  const auto world = sim::parse_world({reinterpret_cast<const char*>(bytes), size}, "fuzz.toml");
  if (!world) {
    STILLWATCH_ASSERT(!world.error().message.empty());
    return 0;
  }
  STILLWATCH_ASSERT(world->end_us() > world->world.start_us);
  for (const sim::CampaignSettings& campaign : world->campaigns) {
    STILLWATCH_ASSERT(campaign.attack_share >= 0 && campaign.attack_share <= 1 && !campaign.models.empty() &&
                      campaign.templates > 0);
  }
  return 0;
}
