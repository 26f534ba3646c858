#include "sim/simulate.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <simdjson.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include "base/event_time.h"

namespace stillwatch::sim {
namespace {

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/stillwatch_sim_XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string unpack(const std::string& packed) {
  std::string text(1 << 16, '\0'), all;
  ZSTD_DCtx* context = ZSTD_createDCtx();
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  while (in.pos < in.size) {
    ZSTD_outBuffer out{text.data(), text.size(), 0};
    const std::size_t state = ZSTD_decompressStream(context, &out, &in);
    EXPECT_FALSE(ZSTD_isError(state));
    if (ZSTD_isError(state)) break;
    all.append(text.data(), out.pos);
    while (out.pos == text.size()) {
      out.pos = 0;
      ZSTD_decompressStream(context, &out, &in);
      all.append(text.data(), out.pos);
    }
  }
  ZSTD_freeDCtx(context);
  return all;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

struct Record {
  std::string id, account, dialect, user_agent, ip, prompt, model;
  std::int64_t time_us = 0, ended_us = 0;
  std::uint64_t status = 0, output_tokens = 0;
  std::vector<std::string> messages;  // role and text
  bool has_tools = false;
};

std::string text_of(simdjson::dom::element element) {
  std::string_view text;
  return element.get_string().get(text) == simdjson::SUCCESS ? std::string(text) : std::string();
}

Record parse(simdjson::dom::parser& parser, const std::string& line) {
  Record record;
  simdjson::dom::element root;
  EXPECT_EQ(parser.parse(line).get(root), simdjson::SUCCESS) << line;
  EXPECT_EQ(std::int64_t(root["v"]), 1);
  record.id = text_of(root["id"]);
  record.account = text_of(root["account"]);
  record.dialect = text_of(root["dialect"]);
  record.time_us = base::parse_time(text_of(root["time"])).value_or(-1);
  record.ended_us = base::parse_time(text_of(root["ended"])).value_or(-1);
  record.user_agent = text_of(root["client"]["user_agent"]);
  record.ip = text_of(root["client"]["ip"]);
  record.status = std::uint64_t(root["response"]["status"]);
  simdjson::dom::element usage;
  if (root["response"]["usage"]["output_tokens"].get(usage) == simdjson::SUCCESS)
    record.output_tokens = std::uint64_t(usage);
  const simdjson::dom::element request = root["request"];
  record.model = text_of(request["model"]);
  simdjson::dom::element found;
  record.has_tools = request["tools"].get(found) == simdjson::SUCCESS;
  if (record.dialect == "text") {
    record.prompt = text_of(request["prompt"]);
    return record;
  }
  const char* const list = record.dialect == "openai.responses" ? "input" : "messages";
  for (const simdjson::dom::element message : simdjson::dom::array(request[list])) {
    const std::string role = text_of(message["role"]);
    if (role == "system") continue;
    record.messages.push_back(role + ":" + text_of(message["content"]));
    record.prompt = text_of(message["content"]);
  }
  return record;
}

struct Outcome {
  std::vector<Record> records;
  std::map<std::string, std::string> stratum, campaign;
  std::set<std::string> hostile_ids;
  SimulateSummary summary;
};

SimulateSummary simulate_into(const World& world, const std::string& out, std::size_t threads = 2,
                              std::uint64_t seed = 7) {
  SimulateOptions options;
  options.world = world;
  options.seed = seed;
  options.out = out;
  options.threads = threads;
  const auto summary = simulate(options);
  EXPECT_TRUE(summary) << (summary ? "" : summary.error().message);
  return summary.value_or(SimulateSummary{});
}

Outcome run(const World& world) {
  const Folder folder;
  Outcome result;
  result.summary = simulate_into(world, folder.path());
  simdjson::dom::parser parser;
  for (const std::string& line : lines_of(unpack(read(folder / "queries.ndjson.zst"))))
    result.records.push_back(parse(parser, line));
  for (const std::string& line : lines_of(read(folder / "truth.ndjson"))) {
    const simdjson::dom::element root = parser.parse(line);
    (bool(root["hostile"]) ? result.campaign : result.stratum)[text_of(root["account"])] =
        text_of(bool(root["hostile"]) ? root["campaign"] : root["stratum"]);
  }
  for (const std::string& line : lines_of(read(folder / "queries_truth.ndjson")))
    result.hostile_ids.insert(text_of(parser.parse(line)["id"]));
  return result;
}

World world_from(const std::string& toml) {
  auto world = parse_world(toml, "test.toml");
  EXPECT_TRUE(world) << (world ? "" : world.error().message);
  return world ? *world : default_world();
}

// Every stratum and family at once, a few accounts each.
World crowded_world() {
  std::string toml = "[world]\ndays = 2\ncalibration_days = 0.5\n";
  for (const std::string_view name : kStratumNames)
    toml += "[benign." + std::string(name) + "]\naccounts = 12\ngroups = 2\n";
  for (const std::string_view name : kFamilyNames) {
    toml += "[campaign." + std::string(name) + "]\nfamily = \"" + std::string(name) +
            "\"\naccounts = 10\nstart_day = 0.2\nattack_share = 0.7\n";
  }
  return world_from(toml);
}

TEST(Simulate, SameBytesForAnyNumberOfThreads) {
  const World world = crowded_world();
  const Folder one, two, four;
  simulate_into(world, one.path(), 1);
  simulate_into(world, two.path(), 2);
  simulate_into(world, four.path(), 4);
  for (const char* name : {"queries.ndjson.zst", "accounts.ndjson", "truth.ndjson", "queries_truth.ndjson"}) {
    const std::string bytes = read(one / name);
    EXPECT_GT(bytes.size(), 1000U) << name;
    EXPECT_TRUE(bytes == read(two / name)) << name;
    EXPECT_TRUE(bytes == read(four / name)) << name;
  }
}

TEST(Simulate, AnotherSeedIsAnotherWorld) {
  const World world = crowded_world();
  const Folder one, two;
  simulate_into(world, one.path(), 1, 1);
  simulate_into(world, two.path(), 1, 2);
  EXPECT_FALSE(read(one / "queries.ndjson.zst") == read(two / "queries.ndjson.zst"));
}

TEST(Simulate, StreamIsTheFile) {
  const World world = crowded_world();
  const Folder file, stream;
  simulate_into(world, file.path());
  SimulateOptions options;
  options.world = world;
  options.seed = 7;
  options.out = stream.path();
  const int descriptor = ::open((stream / "plain").c_str(), O_CREAT | O_WRONLY, 0600);
  options.stream_to = descriptor;
  ASSERT_TRUE(simulate(options));
  ::close(descriptor);
  EXPECT_TRUE(read(stream / "plain") == unpack(read(file / "queries.ndjson.zst")));
  EXPECT_FALSE(std::filesystem::exists(stream / "queries.ndjson.zst"));
  EXPECT_TRUE(read(stream / "queries_truth.ndjson") == read(file / "queries_truth.ndjson"));
}

TEST(Simulate, RecordsAreWholeSortedAndTrue) {
  const Outcome world = run(crowded_world());
  ASSERT_GT(world.records.size(), 2000U);
  EXPECT_EQ(world.records.size(), world.summary.records);
  EXPECT_EQ(world.hostile_ids.size(), world.summary.hostile_records);
  std::set<std::string> ids, dialects, seen_hostile, strata;
  std::int64_t last_us = 0;
  for (const Record& record : world.records) {
    EXPECT_TRUE(ids.insert(record.id).second) << "twice: " << record.id;
    EXPECT_GE(record.time_us, last_us);
    EXPECT_GT(record.ended_us, record.time_us);
    last_us = record.time_us;
    dialects.insert(record.dialect);
    EXPECT_FALSE(record.model.empty());
    EXPECT_FALSE(record.user_agent.empty());
    EXPECT_FALSE(record.prompt.empty());
    EXPECT_TRUE(world.stratum.count(record.account) + world.campaign.count(record.account) == 1) << record.account;
    if (world.stratum.count(record.account) != 0) strata.insert(world.stratum.at(record.account));
    if (world.hostile_ids.count(record.id) != 0) {
      seen_hostile.insert(record.id);
      EXPECT_EQ(world.campaign.count(record.account), 1U);
    }
  }
  EXPECT_EQ(seen_hostile, world.hostile_ids);
  EXPECT_EQ(dialects.size(), 4U);
  EXPECT_GE(strata.size(), kStrata - 2);  // a late group may stay silent in two days
}

TEST(Simulate, WithoutCampaignsNobodyIsHostile) {
  World world = crowded_world();
  world.campaigns.clear();
  const Outcome result = run(world);
  EXPECT_GT(result.records.size(), 1000U);
  EXPECT_TRUE(result.hostile_ids.empty());
  EXPECT_TRUE(result.campaign.empty());
}

TEST(Simulate, CampaignKeepsItsKnobs) {
  const Outcome result = run(world_from(R"(
[world]
days = 12
failure_rate = 0
[campaign.a]
accounts = 40
requests_per_account_day = 20
attack_share = 0.3
start_day = 2
)"));
  EXPECT_EQ(result.campaign.size(), 40U);
  std::map<std::string, double> per_account;
  for (const Record& record : result.records) ++per_account[record.account];
  const double total = static_cast<double>(result.records.size());
  EXPECT_NEAR(total / (40 * 10), 20, 1.2);
  EXPECT_NEAR(static_cast<double>(result.hostile_ids.size()) / total, 0.3, 0.02);
  EXPECT_EQ(per_account.size(), 40U);
  for (const auto& [account, count] : per_account)
    EXPECT_NEAR(count, 200, 60) << account;  // least recently used: even counts
  EXPECT_GE(result.records.front().time_us, WorldSettings().start_us + 2 * base::kDayUs);
}

TEST(Simulate, ReplacementsTakeOver) {
  World world =
      world_from("[world]\ndays = 10\n[campaign.a]\naccounts = 30\nstart_day = 1\nreplacement_per_day = 0.2\n");
  const Outcome result = run(world);
  EXPECT_GT(result.campaign.size(), 60U);
  EXPECT_LT(result.campaign.size(), 120U);
}

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
  World world = world_from(
      "[world]\ndays = 4\nresponse_body = true\nfailure_rate = 0\n[campaign.a]\nfamily = \"evolution\"\naccounts = "
      "20\nstart_day = 1\n");
  const Folder folder;
  simulate_into(world, folder.path());
  simdjson::dom::parser parser;
  std::set<std::string> replies;
  std::size_t carried = 0, total = 0;
  for (const std::string& line : lines_of(unpack(read(folder / "queries.ndjson.zst")))) {
    simdjson::dom::element content;
    const std::string prompt = parse(parser, line).prompt;
    ++total;
    carried += replies.count(prompt);
    const simdjson::dom::element again = parser.parse(line);
    if (again["response"]["body"]["choices"].at(0)["message"]["content"].get(content) == simdjson::SUCCESS)
      replies.insert(text_of(content));
    if (again["response"]["body"]["content"].at(0)["text"].get(content) == simdjson::SUCCESS)
      replies.insert(text_of(content));
  }
  EXPECT_GT(carried, total / 4);
}

TEST(Simulate, CorporaFillThePrompts) {
  const char* const data = std::getenv("STILLWATCH_DATA");
  if (data == nullptr) GTEST_SKIP() << "set STILLWATCH_DATA to the folder that holds data/prompts";
  const Folder folder;
  SimulateOptions options;
  options.world = world_from(
      "[world]\ndays = 2\n[benign.chat_single]\naccounts = 200\n[campaign.a]\naccounts = 10\nstart_day = 0.5\nfamily = "
      "\"reasoning_sweep\"\n");
  options.out = folder.path();
  options.prompts = std::string(data) + "/data/prompts";
  const auto summary = simulate(options);
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_GT(summary->records, 500U);
  options.prompts = folder.path();
  const auto empty = simulate(options);
  ASSERT_FALSE(empty);
  EXPECT_EQ(empty.error().fault, base::Fault::caller);
}

TEST(Simulate, AFolderThatCannotBeWrittenIsAnEnvironmentError) {
  SimulateOptions options;
  options.world = crowded_world();
  options.out = "/proc/stillwatch";
  const auto summary = simulate(options);
  ASSERT_FALSE(summary);
  EXPECT_EQ(summary.error().fault, base::Fault::environment);
}

TEST(Simulate, AReaderThatStopsIsAnEnvironmentErrorAndLeavesNoTruth) {
  const Folder folder;
  std::ofstream(folder / "queries.ndjson.zst") << "old";
  SimulateOptions options;
  options.world = crowded_world();
  options.out = folder.path();
  const int full = ::open("/dev/full", O_WRONLY);
  if (full < 0) GTEST_SKIP() << "this machine has no /dev/full";
  options.stream_to = full;
  const auto summary = simulate(options);
  ::close(full);
  ASSERT_FALSE(summary);
  EXPECT_EQ(summary.error().fault, base::Fault::environment);
  EXPECT_FALSE(std::filesystem::exists(folder / "queries_truth.ndjson"));
  EXPECT_FALSE(std::filesystem::exists(folder / "queries.ndjson.zst")) << "left from an earlier run";
}

}  // namespace
}  // namespace stillwatch::sim
