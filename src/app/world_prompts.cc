#include "app/world_prompts.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace stillwatch::app {

std::optional<std::string> choose_prompts(const std::string& flag, const std::string& world_path,
                                          const sim::World& world) {
  if (!flag.empty()) return flag;
  if (world.world.prompts == "builtin") return std::nullopt;
  if (world.world.prompts != "corpora")
    return (std::filesystem::path(world_path).parent_path() / world.world.prompts).string();
  if (const char* data = std::getenv("STILLWATCH_DATA"); data != nullptr && *data != '\0')
    return std::string(data) + "/data/prompts";
  std::fprintf(stderr, "stillwatch: no --prompts and STILLWATCH_DATA is not set; using built-in prompts\n");
  return std::nullopt;
}

}  // namespace stillwatch::app
