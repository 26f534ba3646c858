#include "sim/world.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/folder_fixture.h"

namespace stillwatch::sim {
namespace {

std::string message_of(const std::string& toml) {
  const auto world = parse_world(toml, "w.toml");
  return world ? "" : world.error().message;
}

TEST(World, UnknownKeysNameFileAndLine) {
  EXPECT_EQ(message_of("[world]\ndays = 3\ndayz = 4\n").rfind("w.toml:3: unknown key 'dayz' in [world]", 0), 0U);
  EXPECT_EQ(message_of("[benign.chatt]\naccounts = 3\n").rfind("w.toml:1: unknown stratum 'benign.chatt'", 0), 0U);
  EXPECT_EQ(message_of("\n[wurld]\n").rfind("w.toml:2: unknown section 'wurld'", 0), 0U);
}

TEST(World, ValuesHaveARange) {
  EXPECT_EQ(message_of("[campaign.x]\nattack_share = 1.5\n"),
            "w.toml:2: 'attack_share' in [campaign.x] must be between 0 and 1");
  EXPECT_NE(message_of("[campaign.x]\naccounts = -1\n"), "");
  EXPECT_NE(message_of("[campaign.x]\naccounts = \"many\"\n"), "");
  EXPECT_NE(message_of("[campaign.x]\nfamily = \"none\"\n"), "");
  EXPECT_NE(message_of("[campaign.x]\nmodels = []\n"), "");
  EXPECT_NE(message_of("[campaign.x]\nmodels = [\"a\\\"b\"]\n"), "");
  EXPECT_NE(message_of("[campaign.x]\nstart_day = 5\nend_day = 4\n"), "");
  EXPECT_NE(message_of("[world]\nstart = \"yesterday\"\n"), "");
  EXPECT_NE(message_of("[world]\ndays = nan\n"), "");
  EXPECT_NE(message_of("[world\n"), "");
  EXPECT_NE(message_of("extends = \"base.toml\"\n"), "");
  EXPECT_EQ(message_of("[world]\ndays = 3\n[campaign.x]\naccounts = 5\n"), "");
  for (const char* key : {"variants = 0", "rate_sigma = 2.5", "warm_up_days = -1", "framed_accounts = 1001",
                          "framing_share = 1.1", "hub_flood_per_day = -1", "poison_accounts = 1.5", "release_pivot = 1",
                          "end_users = \"all\"", "forged_users = true"})
    EXPECT_NE(message_of(std::string("[campaign.x]\n") + key + "\n"), "") << key;
  for (const char* key : {"corpus_half = \"most\"", "strip_affixes = 1", "match_lengths = \"yes\""})
    EXPECT_NE(message_of(std::string("[world]\n") + key + "\n"), "") << key;
  EXPECT_NE(message_of("[benign.saas_tenant]\ndrift_per_week = 1.2\n"), "");
  EXPECT_EQ(message_of("[world]\ncorpus_half = \"tuning\"\nstrip_affixes = true\n[benign.device_fleet]\n"
                       "drift_per_week = 0.2\n[campaign.x]\nvariants = 5\nend_users = \"none\"\n"),
            "");
}

TEST(World, ExtendsOverridesAndScale) {
  const auto world = load_world("worlds/reference_130.toml", {"campaign.*.attack_share=0.25", "world.name=other",
                                                              "campaign.reference-1.proxies=residential",
                                                              "benign.chat_single.accounts=100", "world.scale=2"});
  ASSERT_TRUE(world) << world.error().message;
  ASSERT_EQ(world->campaigns.size(), 1U);
  EXPECT_EQ(world->campaigns[0].accounts, 260);
  EXPECT_EQ(world->campaigns[0].attack_share, 0.25);
  EXPECT_EQ(world->campaigns[0].proxies, Proxies::residential);
  EXPECT_EQ(world->world.name, "other");
  EXPECT_EQ(world->stratum(Stratum::chat_single).accounts, 200);
  EXPECT_FALSE(load_world("worlds/reference.toml", {"campaign.*.attack_sharp=1"}));
  EXPECT_FALSE(load_world("worlds/reference.toml", {"nonsense"}));
  EXPECT_FALSE(load_world("worlds/absent.toml", {}));
}

TEST(World, ScaleTakesEverythingThatCountsAccounts) {
  const auto world = parse_world(
      "[world]\nscale = 0.5\n[campaign.x]\naccounts = 100\nframed_accounts = 4\npoison_accounts = 10\n"
      "hub_flood_per_day = 60\n[campaign.y]\naccounts = 10\n",
      "w.toml");
  ASSERT_TRUE(world) << world.error().message;
  EXPECT_EQ(world->campaigns[0].accounts, 50);
  EXPECT_EQ(world->campaigns[0].framed_accounts, 2);
  EXPECT_EQ(world->campaigns[0].poison_accounts, 5);
  EXPECT_EQ(world->campaigns[0].hub_flood_per_day, 30);
  EXPECT_EQ(world->campaigns[1].poison_accounts, 0);
}

TEST(World, ALoopOfExtendsEnds) {
  const base::test::Folder folder;
  folder.write("a.toml", "extends = \"b.toml\"\n");
  folder.write("b.toml", "extends = \"a.toml\"\n");
  const auto world = load_world(folder / "a.toml", {});
  ASSERT_FALSE(world);
  EXPECT_NE(world.error().message.find("loop"), std::string::npos);
}

TEST(World, ShippedWorldsLoad) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("worlds")) {
    const auto world = load_world(entry.path().string(), {});
    EXPECT_TRUE(world) << (world ? "" : world.error().message);
    ++count;
  }
  EXPECT_GE(count, 8U);
  const auto reference = load_world("worlds/reference.toml", {});
  ASSERT_TRUE(reference);
  std::int64_t benign = 0;
  for (std::size_t i = 0; i < kStrata; ++i) {
    const StratumSettings& stratum = reference->strata[i];
    // Strata that came later are in no world that was there before.
    if (i <= static_cast<std::size_t>(Stratum::minority_language)) {
      EXPECT_GT(stratum.accounts, 0) << kStratumNames[i];
    } else {
      EXPECT_EQ(stratum.accounts, 0) << kStratumNames[i];
    }
    benign += stratum.accounts;
  }
  EXPECT_GE(benign, 20'000);
  EXPECT_EQ(load_world("worlds/attack_free.toml", {})->campaigns.size(), 0U);
}

TEST(World, EveryKeyIsDocumentedWithItsRange) {
  std::ifstream in("docs/reference/worlds.md");
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  for (const KeyInfo& key : world_keys()) {
    EXPECT_NE(text.find("| `" + key.key + "` | " + key.range + " |"), std::string::npos)
        << key.section << ": | `" << key.key << "` | " << key.range << " |";
  }
  for (const std::string_view stratum : kStratumNames)
    EXPECT_NE(text.find("`" + std::string(stratum) + "`"), std::string::npos) << stratum;
}

}  // namespace
}  // namespace stillwatch::sim
