#include "report/evidence_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <sstream>

#include "report/evidence_anchors.h"
#include "report/small_ledger_fixture.h"
#include "tlog/cosignature.h"
#include "tlog/offline_proof.h"

namespace stillwatch::report {
namespace {

using test::account_number;
using ::testing::HasSubstr;
using ::testing::Not;

using Places = std::set<std::pair<std::string, std::uint64_t>>;  // log, index

class EvidenceSource : public ::testing::Test {
 protected:
  /// Of these accounts of the fixture.
  EvidenceQuery query(const std::vector<int>& accounts = {1, 4}) const {
    EvidenceQuery query;
    query.ledger_folder = folder_.path;
    query.case_id = test::kLedgerCase;
    for (const int number : accounts) query.accounts.push_back(account_number(number));
    return query;
  }
  GatheredEvidence gather(const EvidenceQuery& query) const {
    test::LedgerKeys keys(query.ledger_folder);
    auto gathered = gather_evidence(query, keys.book());
    EXPECT_TRUE(gathered) << gathered.error().message;
    return gathered ? std::move(*gathered) : GatheredEvidence{};
  }
  std::optional<base::Error> refused(const EvidenceQuery& query) const {
    test::LedgerKeys keys(query.ledger_folder);
    const auto gathered = gather_evidence(query, keys.book());
    return gathered ? std::nullopt : std::optional(gathered.error());
  }
  static Places places_of(const GatheredEvidence& gathered, std::string_view prefix = "shard-") {
    Places places;
    for (const EvidenceEntry& entry : gathered.input.entries) {
      if (!entry.log.starts_with(prefix)) continue;
      EXPECT_TRUE(places.emplace(entry.log, entry.index).second) << "twice";
    }
    return places;
  }
  static std::string gaps_of(const GatheredEvidence& gathered) {
    std::string text;
    for (const std::string& gap : gathered.input.gaps) text += gap + "\n";
    return text;
  }
  static std::uint64_t requests_in(const GatheredEvidence& gathered) {
    std::uint64_t count = 0;
    for (const EvidenceEntry& entry : gathered.input.entries)
      count += entry.bytes.find(R"("k":"query")") != std::string::npos ? 1 : 0;
    return count;
  }

  const audit::test::Folder folder_;
};

// The other road: the numbers that the fixture gave, and where their commitments stand in the logs.
TEST_F(EvidenceSource, HasAllThatTheLogsHoldOfTheCaseAndNoOtherRequest) {
  test::write_small_ledger(folder_.path);
  const GatheredEvidence gathered = gather(query());
  std::map<ledger::Hash32, int> number_of;
  std::map<std::string, std::uint64_t> expected_lines;
  {
    test::LedgerKeys keys(folder_.path);
    for (int number = 0; number < test::kLedgerRecords; ++number) {
      const audit::Record record = test::timed_record(number);
      const auto names = keys.names(record.account, record.time_us);
      number_of[audit::record_commitment(names, crypto::sha256(record.line))] = number;
      if (number % 7 != 1 && number % 7 != 4) continue;
      ++expected_lines["{\"account\":\"" + record.account + "\",\"month\":\"" +
                       (number < test::kBeforeDecember ? "2026-11" : "2026-12") + "\",\"ak\":\"" +
                       ledger::base64url(names.account(record.account)) + "\",\"requests\":"];
    }
  }
  Places expected;
  std::uint64_t requests = 0, decisions = 0;
  for (const auto& entry : audit::test::entries_of(folder_.path)) {
    const std::string name = entry.log.ends_with("2026-11") ? test::kNovember : test::kDecember;
    bool is_expected = true;  // policy, open, gap, key, close
    if (const auto* request = std::get_if<ledger::QueryLeaf>(&entry.leaf)) {
      const int account = number_of.at(request->record) % 7;
      is_expected = account == 1 || account == 4;
      requests += is_expected ? 1 : 0;
    } else if (const auto* decision = std::get_if<ledger::DecisionLeaf>(&entry.leaf)) {
      is_expected = decision->campaign == test::kLedgerCase;
      decisions += is_expected ? 1 : 0;
    }
    if (is_expected) expected.emplace(name, entry.index);
  }
  EXPECT_EQ(places_of(gathered), expected);
  EXPECT_EQ(gathered.requests, requests);
  EXPECT_EQ(requests, 172U);  // of 600, of two of seven
  EXPECT_EQ(gathered.decisions, decisions);
  EXPECT_EQ(decisions, 8U);

  const CaseTraffic& traffic = gathered.traffic;
  EXPECT_EQ(traffic.start_us, audit::test::kStartUs);
  ASSERT_EQ(traffic.total.size(), static_cast<std::size_t>(test::kLedgerRecords / 2));
  for (std::size_t hour = 0; hour < traffic.total.size(); ++hour) {
    EXPECT_EQ(traffic.total[hour], 2U) << hour;
    std::uint32_t of_case = 0;
    for (const std::size_t number : {2 * hour, 2 * hour + 1}) of_case += number % 7 == 1 || number % 7 == 4 ? 1 : 0;
    EXPECT_EQ(traffic.case_[hour], of_case) << hour;
  }
  std::map<std::string, std::uint64_t> lines;
  std::istringstream text(gathered.account_lines);
  for (std::string line; std::getline(text, line);) {
    const std::size_t end = line.rfind(':') + 1;
    lines[line.substr(0, end)] = std::stoull(line.substr(end));
  }
  EXPECT_EQ(lines, expected_lines);
  EXPECT_THAT(gaps_of(gathered), HasSubstr("the log lost 17 entries"));
  EXPECT_THAT(gaps_of(gathered), Not(HasSubstr("younger")));
  EXPECT_THAT(gaps_of(gathered), Not(HasSubstr("No anchor")));
}

// As a stranger who has the bundle and its policy only.
TEST_F(EvidenceSource, EveryProofHoldsForItsEntryAlone) {
  test::write_small_ledger(folder_.path);
  const GatheredEvidence gathered = gather(query());
  const auto policy = tlog::Policy::parse(gathered.input.policy);
  ASSERT_TRUE(policy) << policy.error().message;
  std::map<std::string, std::string> checkpoints;
  for (const EvidenceLog& log : gathered.input.logs) checkpoints[log.name] = log.checkpoint;
  EXPECT_EQ(checkpoints.size(), 3U);  // two months, and the anchor log
  std::string before;
  for (const EvidenceEntry& entry : gathered.input.entries) {
    const auto proof = tlog::OfflineProof::parse(entry.proof);
    ASSERT_TRUE(proof) << proof.error().message;
    EXPECT_EQ(proof->index, entry.index);
    EXPECT_EQ(proof->checkpoint, checkpoints.at(entry.log));
    const auto holds = tlog::verify_offline(*proof, tlog::leaf_hash(entry.bytes), *policy);
    EXPECT_TRUE(holds) << entry.log << " " << entry.index << ": " << holds.error().message;
    std::string changed = entry.bytes;
    changed[changed.size() / 2] ^= 1;
    EXPECT_FALSE(tlog::verify_offline(*proof, tlog::leaf_hash(changed), *policy));
    EXPECT_FALSE(tlog::verify_offline(*proof, tlog::leaf_hash(before), *policy)) << "another entry's";
    before = entry.bytes;
  }
  // From a checkpoint to the anchor leaf that commits to it.
  std::set<std::string> anchored;
  for (const EvidenceManifest& manifest : gathered.input.manifests) {
    const auto leaf =
        std::find_if(gathered.input.entries.begin(), gathered.input.entries.end(),
                     [&](const auto& entry) { return entry.log == manifest.anchor && entry.index == manifest.index; });
    ASSERT_NE(leaf, gathered.input.entries.end());
    ledger::Hash32 salt;
    ASSERT_EQ(manifest.salt.size(), salt.size());
    std::copy(manifest.salt.begin(), manifest.salt.end(), salt.begin());
    EXPECT_EQ(ledger::read_anchor_leaf(leaf->bytes)->manifest, ledger::manifest_hash(salt, manifest.text));
    for (const std::string& name : manifest.logs) {
      EXPECT_THAT(manifest.text, HasSubstr(checkpoints.at(name)));
      anchored.insert(name);
    }
  }
  for (const EvidenceLog& log : gathered.input.logs)
    EXPECT_TRUE(log.is_anchor || (log.is_anchored && anchored.contains(log.name))) << log.name;
}

TEST_F(EvidenceSource, ChoosesRequestsEvenlyAndTheSameAgain) {
  test::write_small_ledger(folder_.path);
  EvidenceQuery query = this->query();
  const GatheredEvidence all = gather(query);
  std::vector<std::pair<std::string, std::uint64_t>> requests;
  for (const EvidenceEntry& entry : all.input.entries) {
    if (entry.bytes.find(R"("k":"query")") != std::string::npos) requests.emplace_back(entry.log, entry.index);
  }
  ASSERT_EQ(requests.size(), all.requests);
  for (const std::uint64_t max : {0, 1, 2, 7, 43, 171, 172, 173}) {
    query.requests_max = max;
    const GatheredEvidence some = gather(query);
    EXPECT_EQ(requests_in(some), std::min(max, all.requests));
    EXPECT_EQ(some.requests, all.requests);
    EXPECT_EQ(some.decisions, all.decisions);
    EXPECT_EQ(some.account_lines, all.account_lines) << "counts are of all of them";
    if (max < all.requests) {
      EXPECT_THAT(gaps_of(some), HasSubstr("Of the 172 requests of the case's accounts in the logs, " +
                                           std::to_string(max) + " are in this bundle"));
    }
    const Places places = places_of(some);
    EXPECT_EQ(places_of(gather(query)), places);
    // Of each beginning of the requests as large a share as of all of them, to less than one.
    double taken = 0;
    for (std::size_t i = 0; i < requests.size() && max < all.requests; ++i) {
      taken += places.contains(requests[i]) ? 1 : 0;
      EXPECT_LT(std::abs(taken - static_cast<double>(max * (i + 1)) / static_cast<double>(requests.size())), 1.0);
    }
  }
}

TEST_F(EvidenceSource, LeavesOutWhatNoAnchorCoversAndSaysHowMuch) {
  {
    const auto feed = test::open_replay_feed(folder_.path);
    feed->give(audit::Given(audit::test::deployment()));
    test::give_records(*feed, 0, 50);
    ASSERT_TRUE(feed->settle(10'000));
  }  // as after kill -9: no anchor
  const GatheredEvidence unanchored = gather(query());
  EXPECT_THAT(gaps_of(unanchored), HasSubstr("No anchor covers audit.example/audit/s00/2026-11"));
  ASSERT_EQ(unanchored.input.logs.size(), 1U);
  EXPECT_FALSE(unanchored.input.logs[0].is_anchored);
  EXPECT_TRUE(unanchored.input.manifests.empty());
  std::uint64_t anchored_size = 0;
  {
    const auto feed = test::open_replay_feed(folder_.path);
    test::give_records(*feed, 50, 100);
    ASSERT_TRUE(feed->settle(10'000));
    ASSERT_TRUE(feed->log().anchor_now(audit::test::kStartUs / 1'000));
    anchored_size = feed->log().checkpoint().size;
    test::give_records(*feed, 100, 140);  // and a decision
    ASSERT_TRUE(feed->settle(10'000));
  }
  const GatheredEvidence gathered = gather(query());
  EXPECT_THAT(gaps_of(gathered), HasSubstr("The last 41 entries of audit.example/audit/s00/2026-11 are younger"));
  for (const auto& [log, index] : places_of(gathered)) EXPECT_LT(index, anchored_size);
  std::uint64_t requests = 0;
  for (int number = 0; number < 100; ++number) requests += number % 7 == 1 || number % 7 == 4 ? 1 : 0;
  EXPECT_EQ(gathered.requests, requests);
  // Of one entry the proof can be had at once.
  const auto young = entry_with_proof(folder_.path, test::kNovember, anchored_size + 3);
  ASSERT_TRUE(young) << young.error().message;
  const auto reader = ledger::LogReader::open(folder_.path + "/logs/" + test::kNovember);
  EXPECT_TRUE(tlog::verify_offline(*tlog::OfflineProof::parse(young->proof), tlog::leaf_hash(young->bytes),
                                   *tlog::VerifierKey::parse(reader->vkey())));
  EXPECT_FALSE(entry_with_proof(folder_.path, test::kNovember, anchored_size + 41));
  EXPECT_FALSE(entry_with_proof(folder_.path, "shard-s00-2026-10", 0));
}

// Rolled back, and rewritten: both are signed by the log's own key.
TEST_F(EvidenceSource, RefusesALogThatIsNotTheOneThatWasAnchored) {
  const audit::test::Folder other;
  {
    const auto feed = test::open_replay_feed(folder_.path);
    feed->give(audit::Given(audit::test::deployment()));
    test::give_records(*feed, 0, 50);
    ASSERT_TRUE(feed->settle(10'000));
  }
  test::copy_folder(folder_.path, other.path);
  {
    const auto feed = test::open_replay_feed(folder_.path);
    test::give_records(*feed, 50, 100);
    ASSERT_TRUE(feed->stop());
  }
  ASSERT_FALSE(refused(query()));
  const std::string log = folder_.path + "/logs/" + test::kNovember;
  test::copy_folder(other.path + "/logs/" + test::kNovember, log);
  auto error = refused(query());
  ASSERT_TRUE(error);
  EXPECT_EQ(error->fault, base::Fault::check);
  EXPECT_THAT(error->message, HasSubstr("shorter than what was anchored"));
  {
    const auto feed = test::open_replay_feed(other.path);
    test::give_records(*feed, 60, 120);
    ASSERT_TRUE(feed->settle(10'000));
  }
  test::copy_folder(other.path + "/logs/" + test::kNovember, log);
  error = refused(query());
  ASSERT_TRUE(error);
  EXPECT_EQ(error->fault, base::Fault::check);
  EXPECT_THAT(error->message, HasSubstr("not the one that was anchored"));
}

TEST_F(EvidenceSource, AChangedByteOfTheLogIsAnErrorAndNeverEvidence) {
  test::write_small_ledger(folder_.path);
  for (const char* name : {test::kNovember, test::kDecember, "anchor-2026"}) {
    const std::string path = folder_.path + "/logs/" + name + "/entries-000000";
    const std::uint64_t size = std::filesystem::file_size(path);
    for (std::uint64_t at = 0; at < size; at += 1 + size / 40) {
      ledger::test::flip_bit(path, 8 * at + at % 8);
      EXPECT_TRUE(refused(query())) << name << " at " << at;
      ledger::test::flip_bit(path, 8 * at + at % 8);
    }
    // What the account of a request is says whether it is of the case: left out unseen it would be missing in silence.
    const auto reader = ledger::LogReader::open(folder_.path + "/logs/" + name);
    std::uint64_t index = 0;
    while (index < reader->size() && reader->entry(index)->find(R"("k":"query")") == std::string::npos) ++index;
    if (index == reader->size()) continue;
    const std::string whole = ledger::test::read(path);
    ledger::test::flip_bit(path, 8 * (whole.find(R"("ak":")") + 8));
    EXPECT_TRUE(refused(query())) << name;
    EXPECT_FALSE(entry_with_proof(folder_.path, name, index));
    ledger::test::write(path, whole);
  }
  EXPECT_FALSE(refused(query())) << "all is as it was";
}

TEST_F(EvidenceSource, TellsOfKeysThatWereDestroyed) {
  test::write_small_ledger(folder_.path);
  {
    test::LedgerKeys keys(folder_.path);
    ASSERT_TRUE(keys.book().destroy(ledger::KeyScope::pseudonym(202611), account_number(1), "request"));
  }
  const GatheredEvidence gathered = gather(query());
  std::uint64_t expected = 0;
  for (int number = 0; number < test::kLedgerRecords; ++number)
    expected += number % 7 == 4 || (number % 7 == 1 && number >= test::kBeforeDecember) ? 1 : 0;
  EXPECT_EQ(gathered.requests, expected);
  EXPECT_THAT(gaps_of(gathered), HasSubstr("For 1 of the case's accounts the pseudonym key of 2026-11 was destroyed"));
  EXPECT_EQ(std::count(gathered.account_lines.begin(), gathered.account_lines.end(), '\n'), 3);
}

TEST_F(EvidenceSource, LeavesOfOtherCasesStayOut) {
  {
    const auto feed = test::open_replay_feed(folder_.path);
    feed->give(audit::Given(audit::test::deployment()));
    test::give_records(*feed, 0, 30);
    const std::int64_t now_ms = audit::test::kStartUs / 1'000;
    for (const std::string id : {test::kLedgerCase, "c-000002"}) {
      test::append_leaf(*feed, ledger::AccessLeaf{now_ms, {}, {}, "j.doe", "reads " + id, id});
      test::append_leaf(*feed, ledger::ExportLeaf{now_ms, id, {}, 1, "exports " + id});
      test::append_leaf(*feed, ledger::HoldLeaf{now_ms, id, true, {}, 1, now_ms, {}, "holds " + id});
    }
    test::append_leaf(*feed, ledger::EraseLeaf{now_ms, "request 12", 3, {{}, {}}, {}, {}, "j.doe"});
    ASSERT_TRUE(feed->stop());
  }
  const GatheredEvidence gathered = gather(query());
  std::string text;
  for (const EvidenceEntry& entry : gathered.input.entries) text += entry.bytes;
  for (const char* what : {"reads c-00000", "exports c-00000", "holds c-00000"}) {
    EXPECT_THAT(text, HasSubstr(std::string(what) + "1"));
    EXPECT_THAT(text, Not(HasSubstr(std::string(what) + "2")));
  }
  EXPECT_THAT(gaps_of(gathered), HasSubstr("(3 records, 2 keys)"));
}

TEST_F(EvidenceSource, ThePolicyKeepsItsWitnessesAndMayNotContradictTheLogs) {
  test::write_small_ledger(folder_.path);
  const std::string witness = tlog::Ed25519Cosigner("w1.example", ledger::test::seed(9)).verifier_key().text();
  EvidenceQuery query = this->query();
  query.policy = "witness w1 " + witness + "\nquorum w1\n";
  const GatheredEvidence gathered = gather(query);
  const auto policy = tlog::Policy::parse(gathered.input.policy);
  ASSERT_TRUE(policy);
  EXPECT_EQ(policy->logs.size(), 3U);
  ASSERT_EQ(policy->witnesses.size(), 1U);
  EXPECT_EQ(policy->quorum, "w1");
  query.policy = gathered.input.policy;  // names the logs with their own keys
  EXPECT_EQ(gather(query).input.policy, gathered.input.policy);
  const std::string key =
      tlog::Ed25519NoteSigner("audit.example/audit/s00/2026-11", ledger::test::seed(9)).verifier_key().text();
  query.policy = "log " + key + "\nquorum none\n";
  const auto error = refused(query);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->fault, base::Fault::check);
  EXPECT_THAT(error->message, HasSubstr("another key"));
  query.policy = "quorum w9\n";
  EXPECT_EQ(refused(query)->fault, base::Fault::input);
}

TEST_F(EvidenceSource, ACaseThatIsNotInTheLogsHasNothing) {
  test::write_small_ledger(folder_.path);
  EvidenceQuery query;
  query.ledger_folder = folder_.path;
  query.case_id = "c-000099";
  query.accounts = {"acct_of_nobody"};
  const GatheredEvidence gathered = gather(query);
  EXPECT_TRUE(gathered.input.entries.empty());
  EXPECT_TRUE(gathered.input.logs.empty());
  EXPECT_EQ(gathered.requests, 0U);
  EXPECT_EQ(std::accumulate(gathered.traffic.total.begin(), gathered.traffic.total.end(), 0U),
            static_cast<unsigned>(test::kLedgerRecords));
  EXPECT_TRUE(gathered.account_lines.empty());
  query.ledger_folder = folder_.path + "/logs";
  EXPECT_FALSE(shard_log_names(query.ledger_folder));
}

}  // namespace
}  // namespace stillwatch::report
