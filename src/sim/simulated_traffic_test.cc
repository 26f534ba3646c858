#include "sim/simulated_world.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/event_time.h"

namespace stillwatch::sim {
namespace {

using namespace test;

TEST(Simulate, PeopleNeverShareAPrompt) {
  const Outcome result = run(world_from(R"(
[world]
days = 10
[benign.chat_single]
accounts = 600
[benign.chat_multi]
accounts = 400
[benign.minority_language]
accounts = 100
)"));
  std::map<std::string, std::string> owner;
  std::size_t own = 0, shared = 0;
  constexpr std::size_t kHabitBytes = 48;  // "thanks" and "hello" belong to everybody
  for (const Record& record : result.records) {
    if (record.prompt.size() < kHabitBytes) continue;
    const auto [at, fresh] = owner.try_emplace(record.prompt, record.account);
    ++own;
    if (!fresh && at->second != record.account) {
      ++shared;
      ADD_FAILURE() << record.prompt;
    }
  }
  EXPECT_GT(own, 10'000U);
  EXPECT_EQ(shared, 0U);
}

TEST(Simulate, LaboratoriesCoverTheSetInOrderAgainAndAgain) {
  const Outcome result = run(world_from(R"(
[world]
days = 20
failure_rate = 0
[benign.evaluation]
accounts = 6
groups = 1
items = 60
late_share = 0
new_share = 0
churn_share = 0
active_days = 1
requests_per_day = 40
)"));
  std::map<std::string, std::vector<std::string>> by_account;
  for (const Record& record : result.records) by_account[record.account].push_back(record.prompt);
  EXPECT_EQ(by_account.size(), 6U);
  std::size_t repeated = 0;
  std::set<std::string> whole_set;
  for (const auto& [account, prompts] : by_account) whole_set.insert(prompts.begin(), prompts.end());
  for (const auto& [account, prompts] : by_account) {
    const std::set<std::string> different(prompts.begin(), prompts.end());
    // The runs are one sequence, repeated: position i is that of i modulo its length.
    const std::size_t first_again =
        static_cast<std::size_t>(std::find(prompts.begin() + 1, prompts.end(), prompts[0]) - prompts.begin());
    if (first_again == prompts.size()) continue;
    ++repeated;
    EXPECT_EQ(first_again, different.size());
    for (std::size_t i = first_again; i < prompts.size(); ++i) EXPECT_EQ(prompts[i], prompts[i - first_again]);
  }
  EXPECT_GE(repeated, 4U);
}

TEST(Simulate, HandOffContinuesAConversationElsewhere) {
  const Outcome result = run(world_from(R"(
[world]
days = 6
failure_rate = 0.05
[benign.honest_relay]
accounts = 20
groups = 1
new_share = 0
churn_share = 0
[campaign.a]
accounts = 20
start_day = 1
attack_share = 0.2
)"));
  // Conversation so far (all but the last message) -> account that answered it.
  std::map<std::string, std::string> answered;
  std::map<std::string, std::size_t> moved, stayed;
  for (const Record& record : result.records) {
    const std::string kind = result.campaign.count(record.account) != 0 ? "campaign" : "relay";
    std::string key;
    for (const std::string& message : record.messages) key += message + "\n";
    if (record.messages.size() >= 3) {
      std::string before;
      for (std::size_t i = 0; i + 2 < record.messages.size(); ++i) before += record.messages[i] + "\n";
      const auto at = answered.find(before);
      ASSERT_NE(at, answered.end()) << "a conversation that nobody began";
      ++(at->second == record.account ? stayed : moved)[kind];
    }
    if (record.status == 200) answered[key] = record.account;
  }
  for (const char* kind : {"campaign", "relay"}) {
    EXPECT_GT(moved[kind], 20U) << kind;
    EXPECT_GT(stayed[kind], 3 * moved[kind]) << kind;
  }
}

TEST(Simulate, EvolutionCarriesTheAnswerOn) {
  const World world = world_from(
      "[world]\ndays = 4\nresponse_body = true\nfailure_rate = 0\n[campaign.a]\nfamily = \"evolution\"\naccounts = "
      "20\nstart_day = 1\n");
  const Outcome outcome = run(world);
  std::set<std::string> replies;
  std::size_t carried = 0;
  for (const Record& record : outcome.records) {
    carried += replies.count(record.prompt);
    if (!record.reply.empty()) replies.insert(record.reply);
  }
  EXPECT_GT(carried, outcome.records.size() / 4);
}

}  // namespace
}  // namespace stillwatch::sim
