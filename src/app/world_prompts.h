// Where a world's prompts come from: a flag wins; otherwise the world says.
//
// Invariant: nothing means built-in prompts. Threads: pure, but for the environment. Cost: none.
#pragma once

#include <optional>
#include <string>

#include "sim/world.h"

namespace stillwatch::app {

std::optional<std::string> choose_prompts(const std::string& flag, const std::string& world_path,
                                          const sim::World& world);

}  // namespace stillwatch::app
