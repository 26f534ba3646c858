#include "replay/decision_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <sstream>

#include <fmt/format.h>

#include "audit/commitments.h"
#include "audit/feed_fixture.h"
#include "ledger/log_fixture.h"
#include "replay/small_world_fixture.h"

namespace stillwatch::replay {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kLog = "shard-s00-2026-04";

/// One replay with an audit log, for all tests; each that changes a file has a copy of it.
class DecisionCheckTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    world_ = new Folder;
    world_->write("queries.ndjson", test::joined(test::world_lines()));
    Options options = test::world_options(*world_, "out");
    options.ledger.folder = *world_ / "ledger";
    const auto outcome = run(options);
    ASSERT_TRUE(outcome) << outcome.error().message;
    entries_ = new std::vector<audit::test::Entry>(audit::test::entries_of(*world_ / "ledger"));
  }
  static void TearDownTestSuite() {
    delete entries_;
    delete world_;
  }
  void SetUp() override {
    ASSERT_NE(entries_, nullptr);
    ASSERT_GT(decisions().size(), 20U) << "a world without verdicts shows nothing";
  }

  static std::vector<ledger::DecisionLeaf> decisions() {
    return audit::test::leaves_of<ledger::DecisionLeaf>(*entries_);
  }
  /// The last one about an account, which rests on most.
  static ledger::DecisionLeaf decision() {
    const std::vector<ledger::DecisionLeaf> all = decisions();
    const auto last =
        std::find_if(all.rbegin(), all.rend(), [](const auto& leaf) { return leaf.subject == "account"; });
    EXPECT_NE(last, all.rend()) << "no decision about an account";
    return last == all.rend() ? ledger::DecisionLeaf{} : *last;
  }
  static std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line + "\n");
    return lines;
  }

  /// A copy of log, secret and ledger.
  static void copy_world(const Folder& to) {
    std::filesystem::copy(world_->path(), to.path(), std::filesystem::copy_options::recursive);
  }
  /// The book is opened for writing when `change` is given, which is called with it first.
  static base::Result<DecisionCheck> check_in(const Folder& folder, const ledger::DecisionLeaf& leaf,
                                              const std::function<void(DecisionCheckOptions&)>& adjust = {},
                                              const std::function<void(ledger::KeyBook&)>& change = {}) {
    const auto master = audit::test::master_of(folder / "ledger");
    ledger::KeyBookOptions book;
    book.read_only = !change;
    book.now_us = [] { return test::kWorldStartUs + 30 * base::kDayUs; };
    auto keys = ledger::KeyBook::open(audit::key_book_folder(folder / "ledger"), *master, std::move(book));
    if (!keys) return base::fail(keys.error());
    if (change) change(**keys);
    const Folder scratch;
    DecisionCheckOptions options;
    options.ledger_folder = folder / "ledger";
    options.run = test::world_options(folder, "none");
    options.run.out = scratch.path();
    if (adjust) adjust(options);
    return check_decision(leaf, options, **keys);
  }
  static DecisionCheck check(const ledger::DecisionLeaf& leaf,
                             const std::function<void(DecisionCheckOptions&)>& adjust = {}) {
    auto checked = check_in(*world_, leaf, adjust);
    EXPECT_TRUE(checked) << checked.error().message;
    return checked ? std::move(*checked) : DecisionCheck{};
  }

  static inline Folder* world_ = nullptr;
  static inline std::vector<audit::test::Entry>* entries_ = nullptr;
};

// Two roads: the leaf as the run wrote it, and the line that comes out, which stands in the run's own file.
TEST_F(DecisionCheckTest, DecisionsComeOutAgainFromTheirInputs) {
  const std::vector<ledger::DecisionLeaf> all = decisions();
  const std::string verdicts = world_->read("out/verdicts.ndjson");
  std::map<std::string, ledger::DecisionLeaf> chosen{
      {"first", all.front()}, {"last", all.back()}, {"account", decision()}};
  for (const ledger::DecisionLeaf& leaf : all) chosen.emplace(leaf.subject, leaf);
  EXPECT_TRUE(chosen.contains("campaign"));
  for (const auto& [what, leaf] : chosen) {
    const DecisionCheck checked = check(leaf, [](DecisionCheckOptions& options) { options.run.threads = 3; });
    EXPECT_EQ(checked.answer, DecisionAnswer::equal) << what << ::testing::PrintToString(checked.reasons);
    std::uint64_t inputs = 0;
    for (const auto& entry : *entries_) {
      for (const auto& range : leaf.inputs) {
        inputs += entry.log == range.log && entry.index >= range.from && entry.index < range.to &&
                          std::holds_alternative<ledger::QueryLeaf>(entry.leaf)
                      ? 1
                      : 0;
      }
    }
    EXPECT_EQ(checked.inputs, inputs) << what;
    EXPECT_EQ(checked.inputs_matched, inputs) << what;
    EXPECT_EQ(checked.records_other, audit::test::leaves_of<ledger::QueryLeaf>(*entries_).size() - inputs) << what;
    EXPECT_THAT(checked.reasons, IsEmpty());
    EXPECT_THAT(checked.notes, IsEmpty());
    EXPECT_THAT(verdicts, HasSubstr(checked.recomputed + "\n")) << what;
    EXPECT_THAT(checked.recomputed, HasSubstr("\"level\":\"" + leaf.level + "\"")) << what;
  }
}

TEST_F(DecisionCheckTest, ALeafThatSaysSomethingElseIsDifferentAndTheReasonNamesIt) {
  struct Case {
    const char* what;
    std::function<void(ledger::DecisionLeaf&)> forge;
    const char* reason;
  };
  const Case cases[] = {
      {"level", [](auto& leaf) { leaf.level = "suspend"; }, "level: "},
      {"class", [](auto& leaf) { leaf.class_ = "automation"; }, "class: "},
      {"rule", [](auto& leaf) { leaf.rule = "manual"; }, "rule: "},
      {"campaign", [](auto& leaf) { leaf.campaign = "c-000099"; }, "campaign: "},
      {"dry run", [](auto& leaf) { leaf.is_dry_run = !leaf.is_dry_run; }, "dry run: "},
      {"nothing that is named", [](auto&) {}, "strength, channels, reasons or policy differ"},
      {"time", [](auto& leaf) { leaf.time_ms += 1; }, "no verdict about this account comes out at "},
      {"account", [](auto& leaf) { leaf.account[3] ^= 1; }, "no verdict about this account comes out at "},
      {"kind", [](auto& leaf) { leaf.subject = "end_user"; }, "no verdict about this end_user comes out at "},
  };
  for (const Case& one : cases) {
    ledger::DecisionLeaf leaf = decision();
    one.forge(leaf);
    leaf.verdict[0] ^= 1;  // who forges the one cannot make the other without the customer's key
    const DecisionCheck checked = check(leaf);
    EXPECT_EQ(checked.answer, DecisionAnswer::different) << one.what;
    EXPECT_THAT(checked.reasons, ElementsAre(HasSubstr(one.reason))) << one.what;
    EXPECT_EQ(checked.inputs, checked.inputs_matched);
  }
}

TEST_F(DecisionCheckTest, MissingAndChangedRecordsAreCountedAndNeverFilledIn) {
  const ledger::DecisionLeaf leaf = decision();
  const std::vector<std::string> lines = lines_of(world_->read("queries.ndjson"));
  const Folder folder;
  copy_world(folder);
  const auto answer = [&](const std::vector<std::string>& given) {
    folder.write("queries.ndjson", test::joined(given));
    auto checked = check_in(folder, leaf);
    EXPECT_TRUE(checked) << checked.error().message;
    return checked ? std::move(*checked) : DecisionCheck{};
  };
  std::vector<std::string> some = lines;
  some.erase(some.begin() + 10, some.begin() + 17);
  const DecisionCheck missing = answer(some);
  EXPECT_EQ(missing.answer, DecisionAnswer::not_replayable);
  EXPECT_EQ(missing.inputs - missing.inputs_matched, 7U);
  EXPECT_THAT(missing.reasons, ElementsAre(HasSubstr(fmt::format("7 of {} records", missing.inputs))));

  some = lines;
  const std::size_t text = some[100].find("\"content\":\"") + 11;
  some[100][text] = some[100][text] == 'x' ? 'y' : 'x';
  const DecisionCheck changed = answer(some);
  EXPECT_EQ(changed.answer, DecisionAnswer::not_replayable) << "one letter of one prompt";
  EXPECT_EQ(changed.inputs - changed.inputs_matched, 1U);

  // What is no input does not count: records of others, and lines that come twice.
  some = lines;
  const std::vector<std::string> foreign = test::world_lines(2);
  some.insert(some.end(), foreign.begin(), foreign.begin() + 500);
  for (std::size_t i = 0; i < 500; ++i) {
    std::string& line = some[lines.size() + i];
    line.replace(line.find("\"r"), 2, "\"other-");
  }
  std::stable_sort(some.begin(), some.end(), [](const std::string& a, const std::string& b) {
    return a.substr(a.find("\"time\""), 36) < b.substr(b.find("\"time\""), 36);
  });
  some.insert(some.begin() + 50, some[49]);
  const DecisionCheck beside = answer(some);
  EXPECT_EQ(beside.answer, DecisionAnswer::equal) << ::testing::PrintToString(beside.reasons);
  EXPECT_EQ(beside.records_other, check(leaf).records_other + 501);
}

TEST_F(DecisionCheckTest, DestroyedKeysAreNamedAsTheReason) {
  const Folder folder;
  copy_world(folder);
  std::uint64_t of_farm = 0;
  for (const std::string& line : lines_of(world_->read("queries.ndjson")))
    of_farm += line.find("\"account\":\"farm_7\"") != std::string::npos ? 1 : 0;
  const ledger::DecisionLeaf leaf = decision();
  const auto checked = check_in(folder, leaf, {}, [](ledger::KeyBook& keys) {
    ASSERT_TRUE(keys.destroy(ledger::KeyScope::pseudonym(202604), "farm_7", "request"));
  });
  ASSERT_TRUE(checked) << checked.error().message;
  EXPECT_EQ(checked->answer, DecisionAnswer::not_replayable);
  EXPECT_EQ(checked->keys_destroyed, 1U);
  EXPECT_LE(checked->inputs - checked->inputs_matched, of_farm);
  EXPECT_GT(checked->inputs, checked->inputs_matched);
  EXPECT_THAT(checked->reasons, ElementsAre(HasSubstr("1 keys that tell records are destroyed")));
}

TEST_F(DecisionCheckTest, RangesThatAreNotThereAreReasons) {
  const std::string origin = decision().inputs.at(0).log;
  const std::uint64_t size = entries_->size();
  const auto reasons_of = [&](std::vector<ledger::DecisionLeaf::Input> inputs) {
    ledger::DecisionLeaf leaf = decision();
    leaf.inputs = std::move(inputs);
    const DecisionCheck checked = check(leaf);
    EXPECT_EQ(checked.answer, DecisionAnswer::not_replayable);
    EXPECT_EQ(checked.inputs_matched, 0U) << "nothing was replayed";
    return checked.reasons;
  };
  EXPECT_THAT(reasons_of({{"audit.example/audit/s07/2026-04", 3, 9}}),
              ElementsAre("the log audit.example/audit/s07/2026-04, of which entries 3 to 9 are inputs, is not here"));
  EXPECT_THAT(reasons_of({{origin, 0, size + 1}}),
              ElementsAre(fmt::format("the log {} has no entry {} yet", origin, size)));
  EXPECT_THAT(reasons_of({{origin, 0, 5}, {origin, 0, size + 1}, {"x", 0, 1}}), ::testing::SizeIs(2));
  EXPECT_THAT(reasons_of({}), ElementsAre(HasSubstr("rotation of the deployment secret")));
  EXPECT_THAT(reasons_of({{origin, 0, 1}}), ElementsAre("no record is among its inputs")) << "an open leaf";
  ledger::DecisionLeaf leaf = decision();
  leaf.state = ledger::Hash32{1};
  const DecisionCheck checked = check(leaf);
  EXPECT_EQ(checked.answer, DecisionAnswer::not_replayable);
  EXPECT_THAT(checked.reasons, ElementsAre(HasSubstr("state of the engine")));
}

TEST_F(DecisionCheckTest, SaysWhatWasDeployedOtherwise) {
  ledger::DecisionLeaf leaf = decision();
  leaf.software[0] ^= 1;
  leaf.configuration[0] ^= 1;
  ASSERT_TRUE(leaf.calibration);
  (*leaf.calibration)[0] ^= 1;
  const Folder folder;
  folder.write("accounts.ndjson", "");
  const DecisionCheck checked =
      check(leaf, [&](DecisionCheckOptions& options) { options.run.accounts = folder / "accounts.ndjson"; });
  EXPECT_EQ(checked.answer, DecisionAnswer::equal) << "the bytes speak";
  EXPECT_THAT(checked.notes, ElementsAre(HasSubstr("another build"), HasSubstr("another configuration"),
                                         HasSubstr("file of accounts"), HasSubstr("calibration")));
  const DecisionCheck policy = check(
      decision(), [](DecisionCheckOptions& options) { options.run.policy_hash = "sha256:" + std::string(64, '1'); });
  EXPECT_EQ(policy.answer, DecisionAnswer::different);
  EXPECT_THAT(policy.notes, Contains(HasSubstr("another configuration")));
}

TEST_F(DecisionCheckTest, LossesAndRecordsWithoutANameInTheRangesAreTold) {
  const Folder folder;
  copy_world(folder);
  const std::int64_t end_us = test::kWorldStartUs + test::kWorldDays * base::kDayUs;
  std::uint64_t size = 0;
  {
    audit::FeedOptions options = audit::test::options_in(folder / "ledger");
    options.log.host = LedgerOptions{}.host;
    options.is_replay = true;
    options.begin_us = end_us;
    const auto feed = audit::test::open_feed(std::move(options));
    feed->give(audit::Given(audit::Loss{end_us, end_us + 5, 17, "queue_full"}));
    ASSERT_TRUE(feed->settle(60'000));
    size = feed->log().checkpoint().size;
    ASSERT_TRUE(feed->run([&]() -> base::Status {
      const auto fate = feed->keys().destroy(ledger::KeyScope::pseudonym(202604), "late", "request", true);
      return fate ? base::Status{} : base::fail(fate.error());
    }));
    audit::Record record = audit::test::record_number(1, end_us);
    record.account = "late";
    feed->give(audit::Given(record));
    ASSERT_TRUE(feed->stop());
  }
  ledger::DecisionLeaf leaf = decision();
  leaf.inputs.at(0).to = size;
  const auto lost = check_in(folder, leaf);
  ASSERT_TRUE(lost) << lost.error().message;
  EXPECT_EQ(lost->answer, DecisionAnswer::equal) << ::testing::PrintToString(lost->reasons);
  EXPECT_EQ(lost->records_lost, 17U);
  EXPECT_THAT(lost->notes, Contains(HasSubstr("17 records that were not logged")));
  leaf.inputs.at(0).to = size + 1;
  const auto unnamed = check_in(folder, leaf);
  ASSERT_TRUE(unnamed) << unnamed.error().message;
  EXPECT_EQ(unnamed->answer, DecisionAnswer::not_replayable);
  EXPECT_EQ(unnamed->inputs_unnamed, 1U);
  EXPECT_EQ(unnamed->inputs - unnamed->inputs_matched, 1U);
}

TEST_F(DecisionCheckTest, AChangedLedgerIsAnErrorAndNoAnswer) {
  const Folder folder;
  copy_world(folder);
  const ledger::DecisionLeaf leaf = decision();
  const std::string path = folder / std::string("ledger/logs/") + kLog + "/entries-000000";
  const std::string whole = ledger::test::read(path);
  const std::size_t record = whole.find("\"rc\":\"", whole.size() / 3);
  ASSERT_NE(record, std::string::npos);
  // Of the key's last quote, the colon, a quote and the first characters of the hash: some leave a leaf, some do not.
  for (std::size_t bit = 8 * (record + 3); bit < 8 * (record + 8); ++bit) {
    ledger::test::flip_bit(path, bit);
    const auto checked = check_in(folder, leaf);
    ASSERT_FALSE(checked) << bit;
    EXPECT_THAT(checked.error().message, HasSubstr("fsck")) << bit;
    ledger::test::flip_bit(path, bit);
  }
  std::filesystem::remove_all(folder / "ledger/logs");
  EXPECT_EQ(check_in(folder, leaf).error().fault, base::Fault::environment);
}

TEST(DecisionAnswerTest, HasTheWordsOfTheDocuments) {
  EXPECT_EQ(name(DecisionAnswer::equal), "equal");
  EXPECT_EQ(name(DecisionAnswer::different), "different");
  EXPECT_EQ(name(DecisionAnswer::not_replayable), "not replayable");
}

}  // namespace
}  // namespace stillwatch::replay
