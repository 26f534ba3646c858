#include "app/flood_log.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "base/files.h"
#include "base/folder_fixture.h"
#include "crypto/keyed_hash_fixture.h"
#include "intake/log_reader.h"

namespace stillwatch::app {
namespace {

std::vector<event::Query> read_flood(FloodKind kind, std::uint64_t records, std::string* text = nullptr) {
  const base::test::Folder folder;
  const std::string path = folder / "flood.ndjson";
  const crypto::KeyedHash hash = crypto::test::fixed_hash();
  const auto written = write_flood_log(kind, records, hash, path);
  EXPECT_TRUE(written);
  if (text != nullptr) *text = base::read_file(path, 1U << 30).value();
  intake::Identities identities;
  std::vector<event::Query> queries;
  auto reader = intake::LogReader::open({path}, {}, hash, identities,
                                        [](const intake::Reject& reject) { ADD_FAILURE() << name(reject.reason); });
  while ((*reader)->next(queries).value()) {
  }
  EXPECT_EQ(queries.size(), written.value());
  return queries;
}

TEST(FloodLog, EveryFloodIsValidAndRepeatable) {
  for (const Flood& flood : floods()) {
    std::string first, second;
    read_flood(flood.kind, 2'000, &first);
    read_flood(flood.kind, 2'000, &second);
    EXPECT_TRUE(first == second) << flood.name;
    EXPECT_GT(first.size(), 1'000'000U) << flood.name;
  }
}

TEST(FloodLog, FloodsAreWhatTheySay) {
  std::set<event::Token> accounts, prompts, clients, networks;
  for (const event::Query& query : read_flood(FloodKind::unique_tokens, 2'000)) {
    accounts.insert(query.account);
    prompts.insert(query.fingerprint.prompt);
    clients.insert(query.client);
    networks.insert(query.egress);
  }
  EXPECT_EQ(accounts.size(), 50U);
  EXPECT_EQ(prompts.size(), 2'000U);
  EXPECT_GT(clients.size(), 1'900U);
  EXPECT_EQ(networks.size(), 2'000U);
  accounts.clear();
  for (const event::Query& query : read_flood(FloodKind::chosen_tokens, 2'000)) {
    EXPECT_EQ(query.account >> 58, 0U) << "one partition of accounts";
    EXPECT_EQ(query.fingerprint.prompt >> 54, 0U) << "and few sets of tokens";
    accounts.insert(query.account);
  }
  EXPECT_EQ(accounts.size(), 2'000U);
  prompts.clear();
  for (const event::Query& query : read_flood(FloodKind::one_token, 2'000)) prompts.insert(query.fingerprint.prompt);
  EXPECT_EQ(prompts.size(), 1U);
  std::set<event::Token> conversations;
  std::size_t handed = 0;
  for (const event::Query& query : read_flood(FloodKind::handoffs, 2'000)) {
    handed += conversations.contains(query.fingerprint.prefixes[0]) ? 1 : 0;
    conversations.insert(query.fingerprint.conversation);
  }
  EXPECT_EQ(handed, 1'500U) << "all turns but the first";
}

}  // namespace
}  // namespace stillwatch::app
