// Test support: worlds simulated into a folder and read back.
//
// Invariant: reads with simdjson's DOM and zstd's plain calls, so that it shares no code with what wrote the files.
// Threads: one test each. Cost: as the world's.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/folder_fixture.h"
#include "sim/simulate.h"

namespace stillwatch::sim::test {

using base::test::Folder;

std::string read(const std::string& path);
std::string unpack(const std::string& packed);
std::vector<std::string> lines_of(const std::string& text);

struct Record {
  std::string id, account, dialect, user_agent, ip, prompt, model, reply, end_user, system;
  std::int64_t time_us = 0, ended_us = 0;
  std::uint64_t status = 0, output_tokens = 0;
  std::vector<std::string> messages;  // role and text
  bool has_tools = false;
};

struct Outcome {
  std::vector<Record> records;
  std::map<std::string, std::string> stratum, campaign;
  std::set<std::string> hostile_ids;
  SimulateSummary summary;
};

SimulateSummary simulate_into(const World& world, const std::string& out, std::size_t threads = 2,
                              std::uint64_t seed = 7);
Outcome run(const World& world);
World world_from(const std::string& toml);
/// Every stratum and family at once, a few accounts each.
World crowded_world();

}  // namespace stillwatch::sim::test
