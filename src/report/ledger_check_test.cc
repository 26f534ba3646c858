#include "report/ledger_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "audit/cosigned_store.h"
#include "audit/stamp_fixture.h"
#include "audit/stamp_store.h"
#include "ledger/anchor.h"
#include "ledger/leaf_examples.h"
#include "report/small_ledger_fixture.h"
#include "tlog/cosignature.h"
#include "tlog/log_fixture.h"

namespace stillwatch::report {
namespace {

namespace fs = std::filesystem;
using audit::test::kStartUs;
using ::testing::Contains;
using ::testing::HasSubstr;

constexpr const char* kAnchor = "anchor-2026";

class LedgerCheckTest : public ::testing::Test {
 protected:
  LedgerCheck check(const LedgerCheckOptions& options = {}) const {
    auto checked = check_ledger(folder_.path, options);
    EXPECT_TRUE(checked) << checked.error().message;
    return checked ? std::move(*checked) : LedgerCheck{};
  }
  /// "file index: what", one a finding.
  static std::vector<std::string> words_of(const LedgerCheck& check) {
    std::vector<std::string> words;
    for (const tlog::Finding& finding : check.findings) {
      const std::string place = finding.index ? " " + std::to_string(*finding.index) : std::string();
      words.push_back(finding.file + place + ": " + finding.what);
    }
    return words;
  }
  std::string log_folder(const std::string& name) const { return folder_.path + "/logs/" + name; }

  /// A log of its own with these entries. The first ones are closed with the log when `is_closed`.
  ledger::LogStore make_log(const std::string& name, const std::string& origin, const std::vector<std::string>& entries,
                            bool is_closed = false) const {
    fs::create_directories(folder_.path + "/logs");
    auto store = ledger::LogStore::create(log_folder(name), origin, ledger::test::seed());
    EXPECT_TRUE(store) << store.error().message;
    const std::vector<std::string_view> views(entries.begin(), entries.end());
    EXPECT_TRUE(is_closed ? store->append_and_close(views) : store->append(views));
    EXPECT_TRUE(store->sign());
    return std::move(*store);
  }
  static std::string bytes_of(const ledger::Leaf& leaf) {
    std::string bytes;
    EXPECT_TRUE(ledger::write_leaf(leaf, bytes));
    return bytes;
  }

  const audit::test::Folder folder_;
};

// The other road: the leaves read back, and the definition of their root.
TEST_F(LedgerCheckTest, AGoodLedgerHoldsAndIsCounted) {
  test::write_small_ledger(folder_.path);
  const LedgerCheck check = this->check();
  EXPECT_TRUE(check.holds()) << ::testing::PrintToString(words_of(check));
  std::map<std::string, std::vector<tlog::Hash>> hashes;
  std::map<std::string, std::uint64_t> requests, decisions;
  for (const auto& entry : audit::test::entries_of(folder_.path)) {
    hashes[entry.log].push_back(tlog::leaf_hash(entry.bytes));
    requests[entry.log] += std::holds_alternative<ledger::QueryLeaf>(entry.leaf) ? 1 : 0;
    decisions[entry.log] += std::holds_alternative<ledger::DecisionLeaf>(entry.leaf) ? 1 : 0;
  }
  ASSERT_EQ(check.logs.size(), 3U);
  for (const LogCheck& log : check.logs) {
    EXPECT_EQ(log.entries_checked, log.size);
    EXPECT_GT(log.tiles_checked, 0U);
    if (log.name == kAnchor) continue;
    EXPECT_EQ(log.size, hashes.at(log.origin).size());
    EXPECT_EQ(log.root, tlog::hash_text(tlog::root_of(hashes[log.origin])));
    EXPECT_EQ(log.leaves.at("query"), requests[log.origin]);
    EXPECT_EQ(log.leaves.at("decision"), decisions[log.origin]);
    EXPECT_EQ(log.leaves.at("open"), 1U);
  }
  EXPECT_GT(check.logs[0].size, 256U) << "a whole tile is among what is checked";
  EXPECT_EQ(requests[check.logs[0].origin] + requests[check.logs[1].origin],
            static_cast<std::uint64_t>(test::kLedgerRecords));
  ASSERT_EQ(check.anchors.size(), 1U);
  EXPECT_EQ(check.anchors[0].leaves, check.anchors[0].manifests);
  EXPECT_EQ(check.anchors[0].checkpoints, 2U);
  EXPECT_FALSE(check.anchors[0].has_policy);
}

// What a verifier reads, and what only the writer does (fsck checks that).
TEST_F(LedgerCheckTest, NoByteThatAVerifierReadsCanBeChanged) {
  test::write_small_ledger(folder_.path);
  const std::set<std::string> of_writer{"state", "signed", "lock"};
  std::set<std::string> names;
  for (const char* part : {"/logs", "/manifests"}) {
    for (const auto& file : fs::recursive_directory_iterator(folder_.path + part)) {
      const std::string path = file.path(), name = file.path().filename();
      if (!file.is_regular_file() || file.file_size() == 0 || of_writer.contains(name)) continue;
      names.insert(name);
      const std::uint64_t size = file.file_size();
      for (std::uint64_t at = 0; at < size; at += 1 + size / 30) {
        ledger::test::flip_bit(path, 8 * at + (at + size) % 8);
        const auto checked = check_ledger(folder_.path, {});
        EXPECT_FALSE(checked && checked->holds()) << path << " at " << at << " of " << size;
        ledger::test::flip_bit(path, 8 * at + (at + size) % 8);
      }
    }
  }
  for (const char* name :
       {"entries-000000", "hashes-000000", "index-000000", "level-1", "checkpoint", "key", "manifests-000000"})
    EXPECT_TRUE(names.contains(name)) << name;
  EXPECT_TRUE(check().holds()) << "all is as it was";
}

TEST_F(LedgerCheckTest, AFindingNamesTheEntry) {
  test::write_small_ledger(folder_.path);
  const std::string path = log_folder(test::kNovember) + "/entries-000000";
  const std::string entry = *ledger::LogReader::open(log_folder(test::kNovember))->entry(260);
  const std::string whole = ledger::test::read(path);
  const std::size_t place = whole.find(entry);
  ASSERT_NE(place, std::string::npos);
  std::string changed = whole;
  changed[place + entry.size() / 2] ^= 1;
  ledger::test::write(path, changed);
  const LedgerCheck check = this->check();
  ASSERT_FALSE(check.findings.empty());
  EXPECT_THAT(check.findings[0].file, HasSubstr(std::string(test::kNovember) + "/tile/entries/001"));
  EXPECT_EQ(check.findings[0].index, 260U);
}

// Rolled back, and rewritten: both are whole logs under their own keys; only what was anchored says otherwise.
TEST_F(LedgerCheckTest, WhatWasAnchoredMustBeABeginningOfTheLog) {
  const audit::test::Folder other;
  const auto write = [&](const std::string& folder, int from, int to) {
    const auto feed = test::open_replay_feed(folder);
    if (from == 0) feed->give(audit::Given(audit::test::deployment()));
    test::give_records(*feed, from, to);
    ASSERT_TRUE(feed->stop());
  };
  write(folder_.path, 0, 20);
  test::copy_folder(folder_.path, other.path);
  write(folder_.path, 20, 40);
  ASSERT_TRUE(check().holds());
  test::copy_folder(other.path + "/logs/" + test::kNovember, log_folder(test::kNovember));
  EXPECT_THAT(words_of(check()), Contains(HasSubstr("anchor-2026 1: the anchored checkpoint of "
                                                    "audit.example/audit/s00/2026-11 at size 43 is not of this log")));
  write(other.path, 25, 60);
  test::copy_folder(other.path + "/logs/" + test::kNovember, log_folder(test::kNovember));
  const LedgerCheck check = this->check();
  EXPECT_EQ(check.findings_count, 1U) << ::testing::PrintToString(words_of(check));
  EXPECT_THAT(words_of(check), Contains(HasSubstr("is not of this log")));
}

TEST_F(LedgerCheckTest, EachAnchorLeafNeedsItsManifest) {
  {
    const auto feed = test::open_replay_feed(folder_.path);
    test::give_records(*feed, 0, 5);
    for (int i = 0; i < 30; ++i) ASSERT_TRUE(feed->log().anchor_now(kStartUs / 1'000 + i * 10'000));
    ASSERT_TRUE(feed->stop());
  }
  const LedgerCheck good = check();
  ASSERT_TRUE(good.holds()) << ::testing::PrintToString(words_of(good));
  EXPECT_EQ(good.anchors[0].leaves, 31U);
  EXPECT_EQ(good.anchors[0].manifests, 31U);
  LedgerCheckOptions options;
  options.findings_max = 5;
  ledger::test::write(folder_.path + "/manifests/" + kAnchor + "/manifests-000000", "");
  const LedgerCheck none = check(options);
  EXPECT_EQ(none.findings_count, 31U);
  EXPECT_EQ(none.findings.size(), 5U) << "more are counted, not listed";
  fs::remove_all(folder_.path + "/manifests");
  EXPECT_THAT(words_of(check()), Contains(HasSubstr("manifests/anchor-2026")));
}

TEST_F(LedgerCheckTest, CosignaturesAreJudgedUnderThePolicyGiven) {
  test::write_small_ledger(folder_.path);
  const auto reader = ledger::LogReader::open(log_folder(kAnchor));
  ASSERT_TRUE(reader);
  const tlog::Ed25519Cosigner witness("w1.example", ledger::test::seed(9)), other("w2.example", ledger::test::seed(10));
  const auto cosigned = [](const std::string& bare, const tlog::Ed25519Cosigner& by,
                           std::uint64_t unix_s = 1'795'305'660) {
    return *tlog::add_signatures(bare, std::vector{*by.cosign(tlog::parse_note(bare)->text, unix_s)});
  };
  const audit::CosignedStore store(folder_.path + "/cosigned/" + kAnchor);
  ASSERT_TRUE(store.add(reader->size(), cosigned(reader->checkpoint(), witness)));
  const LedgerCheck unchecked = check();
  EXPECT_TRUE(unchecked.holds());
  EXPECT_EQ(unchecked.anchors[0].cosigned_size, reader->size());
  EXPECT_FALSE(unchecked.anchors[0].is_quorum_met) << "nobody said whose word counts";
  LedgerCheckOptions options;
  const auto policy_of = [](const tlog::Ed25519Cosigner& one) {
    return "witness w " + one.verifier_key().text() + "\nquorum w\n";
  };
  options.policy = policy_of(witness);
  const LedgerCheck met = check(options);
  EXPECT_TRUE(met.holds()) << ::testing::PrintToString(words_of(met));
  EXPECT_TRUE(met.anchors[0].is_quorum_met && met.anchors[0].has_policy);
  EXPECT_THAT(met.anchors[0].cosigners, Contains("w 2026-11-22T00:01:00Z"));
  options.policy = policy_of(other);
  EXPECT_THAT(words_of(check(options)), Contains(HasSubstr("too few witnesses")));
  // A witness may sign any time.
  options.policy = policy_of(witness);
  constexpr std::uint64_t kTimeMax = (std::uint64_t{1} << 63) - 1;
  ASSERT_TRUE(store.add(reader->size(), cosigned(reader->checkpoint(), witness, kTimeMax)));
  EXPECT_THAT(check(options).anchors[0].cosigners, Contains("w 9999-12-31T23:59:59Z"));

  // Cosigned, and of another history under the log's own name.
  const tlog::test::MemoryLog forked(reader->origin(), tlog::test::entries_of(1), 9);
  ledger::test::write(folder_.path + "/cosigned/" + kAnchor + "/newest", cosigned(forked.checkpoint_of(1), witness));
  EXPECT_THAT(words_of(check()), Contains(HasSubstr("what the witnesses cosigned is not of this log")));
  ledger::test::write(folder_.path + "/cosigned/" + kAnchor + "/newest", "no note\n");
  EXPECT_THAT(words_of(check()), Contains(HasSubstr("cosigned/anchor-2026")));
}

TEST_F(LedgerCheckTest, StampsAreCheckedOnlyWithTheirAuthority) {
  const audit::OpensslAuthority authority, stranger;
  if (!authority.ready() || !stranger.ready()) GTEST_SKIP() << "openssl is not installed";
  test::write_small_ledger(folder_.path);
  const std::string note = ledger::LogReader::open(log_folder(kAnchor))->checkpoint();
  const std::string reply = authority.answer(audit::stamp_request(note)->der);
  const audit::StampStore store(folder_.path + "/stamps");
  ASSERT_TRUE(store.add(kAnchor, "tsa", 1, note, reply));
  const LedgerCheck unchecked = check();
  EXPECT_TRUE(unchecked.holds());
  EXPECT_EQ(unchecked.anchors[0].stamps_unchecked, 1U);
  EXPECT_EQ(unchecked.anchors[0].stamps_good, 0U);
  LedgerCheckOptions options;
  options.ca_files["tsa"] = authority.ca_file();
  const LedgerCheck good = check(options);
  EXPECT_TRUE(good.holds()) << ::testing::PrintToString(words_of(good));
  EXPECT_EQ(good.anchors[0].stamps_good, 1U);
  EXPECT_EQ(good.anchors[0].newest_stamp_ms, audit::read_stamp_reply(reply)->time_ms);
  options.ca_files["tsa"] = stranger.ca_file();
  EXPECT_THAT(words_of(check(options)), Contains(HasSubstr("stamps/anchor-2026/tsa at size 1")));
  // A good stamp, but of what this log never signed.
  options.ca_files["tsa"] = authority.ca_file();
  const std::string shard = ledger::LogReader::open(log_folder(test::kDecember))->checkpoint();
  ASSERT_TRUE(store.add(kAnchor, "tsa", 1, shard, authority.answer(audit::stamp_request(shard)->der)));
  EXPECT_THAT(words_of(check(options)), Contains(HasSubstr("what was stamped is no checkpoint of this log")));
  ASSERT_TRUE(store.add(kAnchor, "tsa", 1, note, "no reply"));
  EXPECT_FALSE(check(options).holds());
}

TEST_F(LedgerCheckTest, AShardLogBeginsWithItsOwnOpenLeaf) {
  const std::string origin = "audit.example/audit/x/2026-11";
  ledger::OpenLeaf open;
  open.log = origin;
  const std::string query = bytes_of(ledger::test::query_example());
  make_log("shard-a", "audit.example/audit/a/2026-11", {query, bytes_of(open), "{}", "not even JSON"});
  open.log = "audit.example/audit/b/2026-11";
  open.previous = "audit.example/audit/a/2026-11";
  open.previous_end = ledger::Hash32{};
  make_log("shard-b", origin, {bytes_of(open), query});
  open.previous = "audit.example/audit/gone/2026-10";  // deleted with its retention
  open.log = "audit.example/audit/c/2026-11";
  make_log("shard-c", open.log, {bytes_of(open), query});
  const LedgerCheck check = this->check();
  const std::vector<std::string> words = words_of(check);
  EXPECT_THAT(words, Contains("shard-a 0: the first entry, and no other, is an open leaf"));
  EXPECT_THAT(words, Contains("shard-a 1: the first entry, and no other, is an open leaf"));
  EXPECT_THAT(words, Contains("shard-a 1: its open leaf names another log").Times(0));
  EXPECT_THAT(words, Contains(HasSubstr("shard-a 2: the entry is no leaf")));
  EXPECT_THAT(words, Contains(HasSubstr("shard-a 3: the entry is no leaf")));
  EXPECT_THAT(words, Contains("shard-b 0: its open leaf names another log"));
  EXPECT_THAT(words,
              Contains("shard-b 0: its open leaf names another final checkpoint of the log before than that has"));
  EXPECT_THAT(words, Contains(HasSubstr("shard-c")).Times(0));
}

TEST_F(LedgerCheckTest, AnAnchorLogHasAnchorLeavesInOrderOfTime) {
  const auto at = [](std::int64_t time_s) { return ledger::anchor_leaf_text({time_s, {}, {}}); };
  make_log(kAnchor, "audit.example/anchor/2026", {at(1'795'305'600), at(1'795'305'590), "not an anchor"});
  const std::vector<std::string> words = words_of(check());
  EXPECT_THAT(words, Contains("anchor-2026 1: its time is before that of the leaf before"));
  EXPECT_THAT(words, Contains(HasSubstr("anchor-2026 2: the entry is no anchor leaf")));
  EXPECT_THAT(words, Contains(HasSubstr("manifests/anchor-2026")));
}

TEST_F(LedgerCheckTest, DeletedEntriesAreNoFindingAndTheirHashesAreChecked) {
  ledger::OpenLeaf open;
  open.log = "audit.example/audit/a/2026-10";
  {
    ledger::LogStore store =
        make_log("shard-a", open.log, {bytes_of(open), bytes_of(ledger::test::query_example())}, true);
    ASSERT_EQ(*store.prune(2), 2U);
  }
  const LedgerCheck check = this->check();
  EXPECT_TRUE(check.holds()) << ::testing::PrintToString(words_of(check));
  ASSERT_EQ(check.logs.size(), 1U);
  EXPECT_EQ(check.logs[0].index_min, 2U);
  EXPECT_EQ(check.logs[0].entries_checked, 0U);
  ledger::test::flip_bit(log_folder("shard-a") + "/hashes-000000", 40);
  EXPECT_FALSE(this->check().holds());
}

TEST_F(LedgerCheckTest, WhatIsNoLedgerIsAnError) {
  EXPECT_EQ(check_ledger(folder_.path + "/none", {}).error().fault, base::Fault::environment);
  fs::create_directories(folder_.path + "/logs/shard-a");
  const auto empty = check_ledger(folder_.path, {});
  ASSERT_FALSE(empty);
  EXPECT_THAT(empty.error().message, HasSubstr("holds no log"));
  LedgerCheckOptions options;
  options.policy = "quorum w9\n";
  EXPECT_EQ(check_ledger(folder_.path, options).error().fault, base::Fault::input);
}

TEST(LogCheckTest, ALogFromElsewhereIsCheckedUnderTheKeyGiven) {
  tlog::test::MemoryLog log("log.example/a", tlog::test::entries_of(300));
  LedgerCheck check;
  LogCheck one;
  one.name = "a";
  check_log(log, log.key(), {}, one, check);
  EXPECT_TRUE(check.holds());
  EXPECT_EQ(one.entries_checked, 300U);
  EXPECT_EQ(one.origin, "log.example/a");
  const tlog::test::MemoryLog other("log.example/a", {}, 2);
  check_log(log, other.key(), {}, one, check);
  EXPECT_EQ(check.findings_count, 1U);
  EXPECT_EQ(check.findings.at(0).file, "a/checkpoint");
  for (auto& [path, bytes] : log.files) {
    LedgerCheck changed;
    bytes[bytes.size() / 3] ^= 1;
    check_log(log, log.key(), {}, one, changed);
    EXPECT_FALSE(changed.holds()) << path;
    bytes[bytes.size() / 3] ^= 1;
  }
}

}  // namespace
}  // namespace stillwatch::report
