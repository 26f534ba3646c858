// Worlds that were written before a key existed keep their bytes: figures of earlier runs stay comparable.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "crypto/digest.h"
#include "sim/simulated_world.h"

namespace stillwatch::sim {
namespace {

using namespace test;

struct Bytes {
  std::string queries, accounts, hostile;
};

// Digests of the records, the accounts and the hostile requests; truth.ndjson may gain fields.
Bytes digests_of(const World& world) {
  const Folder folder;
  SimulateOptions options;
  options.world = world;
  options.seed = 7;
  options.out = folder.path();
  options.threads = 2;
  const int descriptor = ::open((folder / "plain").c_str(), O_CREAT | O_WRONLY, 0600);
  options.stream_to = descriptor;
  const auto summary = simulate(options);
  ::close(descriptor);
  EXPECT_TRUE(summary) << (summary ? "" : summary.error().message);
  return {crypto::sha256_hex(read(folder / "plain")), crypto::sha256_hex(read(folder / "accounts.ndjson")),
          crypto::sha256_hex(read(folder / "queries_truth.ndjson"))};
}

World shipped(const std::string& name) {
  const auto world =
      load_world("worlds/" + name + ".toml", {"world.prompts=builtin", "world.days=9", "world.scale=0.01"});
  EXPECT_TRUE(world) << (world ? "" : world.error().message);
  return world ? *world : default_world();
}

// The first strata and families, as they were when the digests were taken.
World first_world() {
  std::string toml = "[world]\ndays = 2\ncalibration_days = 0.5\n";
  for (const char* name : {"chat_single", "chat_multi", "developer", "agent_framework", "saas_tenant", "org_many_keys",
                           "evaluation", "batch", "judge", "classroom", "corporate_nat", "carrier_nat", "privacy_vpn",
                           "honest_relay", "viral_prompt", "red_team", "declared_synthetic", "minority_language"})
    toml += "[benign." + std::string(name) + "]\naccounts = 12\ngroups = 2\n";
  for (const char* name : {"template_farm", "self_instruct", "evolution", "reasoning_sweep", "judge_loop",
                           "repeated_sampling", "agent_rollouts"}) {
    toml += "[campaign." + std::string(name) + "]\nfamily = \"" + name +
            "\"\naccounts = 10\nstart_day = 0.2\nattack_share = 0.7\nreplacement_per_day = 0.3\nmulti_turn = 0.2\n"
            "disjoint_topics = true\nparaphrase = 0.1\n";
  }
  return world_from(toml);
}

TEST(Simulate, ShippedWorldsKeepTheirBytes) {
  const Bytes demo = digests_of(shipped("demo"));
  EXPECT_EQ(demo.queries, "5d2904ff65e4a1fb36d6497b5247468e976f644a34ed243efd97b93879b92b63");
  EXPECT_EQ(demo.accounts, "a87342e208cbdb51181ad7e7f4e13614840ce2a3432e7b30f276856569811def");
  EXPECT_EQ(demo.hostile, "8995ae817fc4447297008f40f3159abbc5855bbf67ddd1fd80727ea355db218a");
  const Bytes reference = digests_of(shipped("reference"));
  EXPECT_EQ(reference.queries, "818992b5d210f955fa9fa0511c26063682284f697c9b5e3a9fba9c632c7e97ef");
  EXPECT_EQ(reference.accounts, "eff17c17e40ff9831a413261e3b79ca670282907a898fdf7ca6312b1a12c4226");
  EXPECT_EQ(reference.hostile, "b897dbff82db3d5e818df0129f6a56ec9819807a0df4e3e735a92ff18b54dac6");
  const Bytes family = digests_of(shipped("family_evolution"));
  EXPECT_EQ(family.queries, "074504d254d9072627f84ef808d7e8cb4ab2cdc8d7facd46984b3af070afc3ff");
  EXPECT_EQ(family.accounts, "0b6b7237d9277bcee59558d2ad4d8e2ad87ddf61fe77d92a376d66161c6eb5c1");
  EXPECT_EQ(family.hostile, "b83ff5e5d3109d81897e0ee7fb1c3e3975cd4444c434aa8878abf465f2e6b79a");
}

TEST(Simulate, EveryStratumAndFamilyKeepsItsBytes) {
  const Bytes bytes = digests_of(first_world());
  EXPECT_EQ(bytes.queries, "b644c236085fe0c4a1457698ad192315206fec5d0177c0025d6dc7989794ad45");
  EXPECT_EQ(bytes.accounts, "3cd4619eb1b61d4814d929e2c66899c8fca5841d83b7d6f20462397720e8769f");
  EXPECT_EQ(bytes.hostile, "5b4ed9ebd743cbd802287a67224120bfe9ed09e55da318471b43608a1772c6ad");
}

}  // namespace
}  // namespace stillwatch::sim
