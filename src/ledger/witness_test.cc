// What a witness answers: each status of the specification, requests of another implementation's tests, crashes.
#include "ledger/witness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "base/json_text.h"
#include "ledger/small_log_fixture.h"
#include "tlog/policy.h"

namespace stillwatch::ledger {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kNow = 1'795'305'600;

class MemoryStore final : public WitnessStore {
 public:
  base::Result<std::string> load(const std::string& origin) override {
    if (fails_to_load) return base::fail(base::Fault::environment, "cannot read");
    return notes[origin];
  }
  base::Status replace(const std::string& origin, std::string_view expected, std::string_view note) override {
    if (fails_before) return base::fail(base::Fault::environment, "disk full");
    if (notes[origin] != expected) return base::fail(base::Fault::environment, "changed meanwhile");
    notes[origin] = note;
    ++replaced;
    if (fails_after) return base::fail(base::Fault::environment, "cannot sync the folder");
    return {};
  }
  std::map<std::string, std::string> notes;
  bool fails_to_load = false, fails_before = false, fails_after = false;
  int replaced = 0;
};

std::string body(std::uint64_t old_size, tlog::Proof proof, std::string note) {
  tlog::AddCheckpoint request;
  request.old_size = old_size;
  request.proof = std::move(proof);
  request.checkpoint = std::move(note);
  return request.text();
}

std::unique_ptr<Witness> make_witness(std::string_view policy, WitnessStore& store) {
  auto made =
      Witness::create(std::make_unique<tlog::Ed25519Cosigner>("witness.example/w1", test_seed(9)), policy, store);
  return made ? std::move(*made) : nullptr;
}

class witness : public ::testing::Test {
 protected:
  witness() {
    log_.grow(70);
    witness_ = make_witness(log_.policy(), store_);
  }
  WitnessAnswer ask(std::string_view body) { return witness_->add_checkpoint(body, kNow); }
  /// The time of the cosignature in an answer over this checkpoint; nothing when it is no good one.
  std::optional<std::uint64_t> cosigned_at(const WitnessAnswer& answer, const std::string& note) const {
    const auto lines = tlog::parse_signature_lines(answer.body);
    const auto parsed = tlog::parse_note(note);
    if (answer.status != 200 || !lines || lines->size() != 1 || !parsed) return std::nullopt;
    return tlog::verify_cosignature(witness_->verifier_key(), parsed->text, lines->front());
  }

  SmallLog log_{"log.example/a", 1};
  MemoryStore store_;
  std::unique_ptr<Witness> witness_;
};

TEST_F(witness, cosigns_what_extends_the_last_checkpoint) {
  for (const auto& [from, to] : {std::pair<std::uint64_t, std::uint64_t>{0, 1}, {1, 3}, {3, 3}, {3, 64}, {64, 70}}) {
    const WitnessAnswer answer = ask(log_.request(from, to));
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(cosigned_at(answer, log_.note(to)), kNow) << to;
  }
  const WitnessAnswer shown = witness_->checkpoint(origin_hex("log.example/a"));
  EXPECT_EQ(shown.status, 200);
  const auto policy =
      tlog::Policy::parse("log " + log_.vkey() + "\nwitness w " + witness_->verifier_key().text() + "\nquorum w\n");
  const auto witnessed = tlog::open_witnessed(*policy, shown.body);
  ASSERT_TRUE(witnessed);
  EXPECT_TRUE(witnessed->quorum_met);
  EXPECT_EQ(witnessed->checkpoint.size, 70U);
}

TEST_F(witness, says_400_to_what_is_no_request) {
  const std::string good = log_.request(0, 1);
  EXPECT_EQ(ask("").status, 400);
  EXPECT_EQ(ask("old 0\n").status, 400);
  EXPECT_EQ(ask("old 00\n" + good.substr(6)).status, 400);
  EXPECT_EQ(ask("old -1\n" + good.substr(6)).status, 400);
  EXPECT_EQ(ask("new 0\n" + good.substr(6)).status, 400);
  EXPECT_EQ(ask("old 0\nAAAA\n" + good.substr(6)).status, 400);
  std::string long_proof = "old 1\n";
  for (int i = 0; i < 64; ++i) long_proof += tlog::hash_text(tlog::empty_root()) + "\n";
  EXPECT_EQ(ask(long_proof + good.substr(6)).status, 400);
  EXPECT_EQ(ask(log_.request(0, 3)).status, 200);
  // The old size beyond the checkpoint's, also when it is the one cosigned last.
  EXPECT_EQ(ask(body(3, {}, log_.note(2))).status, 400);
  EXPECT_EQ(ask(body(9, {}, log_.note(2))).status, 400);
}

TEST_F(witness, says_403_without_a_good_signature_of_a_trusted_key) {
  SmallLog impostor("log.example/a", 2);
  impostor.grow(3);
  EXPECT_EQ(ask(impostor.request(0, 3)).status, 403);
  std::string forged = log_.request(0, 3);
  forged[forged.size() - 9] = forged[forged.size() - 9] == 'A' ? 'B' : 'A';
  EXPECT_EQ(ask(forged).status, 403);
  // Another key's line beside a good one is ignored.
  const auto other = tlog::Ed25519NoteSigner("other.example", test_seed(3)).sign("something else\n");
  const std::string both = *tlog::add_signatures(log_.note(3), std::vector{*other});
  EXPECT_EQ(ask(body(0, {}, both)).status, 200);
  EXPECT_EQ(store_.notes["log.example/a"].find("other.example"), std::string::npos);
}

TEST_F(witness, says_404_to_an_unknown_origin) {
  SmallLog unknown("log.example/b", 1);
  unknown.grow(3);
  EXPECT_EQ(ask(unknown.request(0, 3)).status, 404);
  EXPECT_EQ(witness_->checkpoint(origin_hex("log.example/b")).status, 404);
  EXPECT_EQ(witness_->checkpoint(origin_hex("log.example/a")).status, 404);  // known, and nothing cosigned yet
  EXPECT_EQ(witness_->checkpoint("nothing").status, 404);
}

TEST_F(witness, says_409_with_the_size_that_it_cosigned_last) {
  EXPECT_EQ(ask(log_.request(1, 3)).status, 409);
  EXPECT_EQ(ask(log_.request(1, 3)).body, "0\n");
  ASSERT_EQ(ask(log_.request(0, 5)).status, 200);
  for (const std::uint64_t from : {0U, 1U, 4U, 6U}) {
    const WitnessAnswer answer = ask(log_.request(from, 7));
    EXPECT_EQ(answer.status, 409);
    EXPECT_EQ(answer.content_type, "text/x.tlog.size");
    EXPECT_EQ(answer.body, "5\n");
  }
}

TEST_F(witness, says_422_to_a_proof_that_does_not_hold) {
  ASSERT_EQ(ask(log_.request(0, 5)).status, 200);
  SmallLog forked("log.example/a", 1);
  forked.grow(9, 4);
  EXPECT_EQ(ask(forked.request(5, 9)).status, 422);
  EXPECT_EQ(ask(forked.request(5, 5)).status, 422);  // equal size, another root
  EXPECT_EQ(ask(body(5, {}, log_.note(9))).status, 422);
  tlog::Proof more = log_.consistency(5, 9);
  more.push_back(tlog::empty_root());
  EXPECT_EQ(ask(body(5, more, log_.note(9))).status, 422);
  EXPECT_EQ(ask(body(5, tlog::Proof(1, tlog::empty_root()), log_.note(5))).status, 422);
  EXPECT_EQ(ask(log_.request(5, 9)).status, 200);  // and nothing of this did any harm
}

TEST_F(witness, takes_an_empty_log_and_its_first_entries_by_the_rules_for_size_0) {
  const tlog::Checkpoint wrong{"log.example/a", 0, log_.root(1), ""};
  EXPECT_EQ(ask(body(0, {}, log_.signed_note(wrong))).status, 422);
  EXPECT_EQ(ask(body(0, tlog::Proof(1, tlog::empty_root()), log_.note(0))).status, 422);
  EXPECT_EQ(ask(body(0, tlog::Proof(1, tlog::empty_root()), log_.note(1))).status, 422);
  EXPECT_EQ(ask(log_.request(0, 0)).status, 200);
  EXPECT_EQ(ask(log_.request(0, 0)).status, 200);
  EXPECT_EQ(ask(log_.request(0, 1)).status, 200);
}

TEST_F(witness, remembers_over_a_restart_and_refuses_a_state_that_is_not_its_own) {
  ASSERT_EQ(ask(log_.request(0, 5)).status, 200);
  witness_ = make_witness(log_.policy(), store_);
  EXPECT_EQ(ask(log_.request(0, 7)).body, "5\n");
  EXPECT_EQ(ask(log_.request(5, 7)).status, 200);
  for (const std::string& planted : {log_.note(3), std::string("damage"), std::string("\n")}) {
    store_.notes["log.example/a"] = planted;
    witness_ = make_witness(log_.policy(), store_);
    EXPECT_EQ(ask(log_.request(3, 9)).status, 500);
    EXPECT_EQ(witness_->checkpoint(origin_hex("log.example/a")).status, 500);
    EXPECT_EQ(store_.notes["log.example/a"], planted);
  }
}

TEST_F(witness, gives_no_cosignature_when_the_state_could_not_be_stored) {
  ASSERT_EQ(ask(log_.request(0, 5)).status, 200);
  SmallLog forked("log.example/a", 1);
  forked.grow(9, 6);
  store_.fails_before = true;
  EXPECT_EQ(ask(log_.request(5, 9)).status, 500);
  store_.fails_before = false;
  EXPECT_EQ(ask(forked.request(5, 9)).status, 200);  // it was not stored, so the other history may be the first
  store_.fails_after = true;
  log_.grow(70);
  const WitnessAnswer answer = ask(forked.request(9, 9));  // nothing to store
  EXPECT_EQ(answer.status, 200);
  forked.grow(12);
  EXPECT_EQ(ask(forked.request(9, 12)).status, 500);
  store_.fails_after = false;
  EXPECT_EQ(ask(forked.request(9, 12)).body, "12\n");  // it was on the disk after all
  store_.fails_to_load = true;
  EXPECT_EQ(ask(forked.request(12, 12)).status, 200);
}

TEST_F(witness, signs_nothing_when_what_it_cosigned_has_vanished_from_the_store) {
  ASSERT_EQ(ask(log_.request(0, 5)).status, 200);
  store_.notes.clear();
  EXPECT_EQ(ask(log_.request(5, 9)).status, 500);
  EXPECT_EQ(ask(log_.request(0, 9)).status, 500);
  EXPECT_EQ(ask(log_.request(0, 1)).status, 500);
  EXPECT_TRUE(store_.notes["log.example/a"].empty());
}

TEST_F(witness, repeating_a_request_writes_nothing) {
  ASSERT_EQ(ask(log_.request(0, 5)).status, 200);
  const int before = store_.replaced;
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ask(log_.request(5, 5)).status, 200);
  EXPECT_EQ(store_.replaced, before);
}

TEST_F(witness, keeps_several_logs_apart_and_takes_another_policy) {
  SmallLog second("log.example/b", 2);
  second.grow(9);
  EXPECT_FALSE(witness_->replace_policy("log nonsense\nquorum none\n"));
  EXPECT_EQ(ask(log_.request(0, 2)).status, 200);
  ASSERT_TRUE(witness_->replace_policy("log " + log_.vkey() + "\nlog " + second.vkey() + "\nquorum none\n"));
  EXPECT_EQ(ask(second.request(0, 9)).status, 200);
  EXPECT_EQ(ask(log_.request(2, 3)).status, 200);
  ASSERT_TRUE(witness_->replace_policy(second.policy()));
  EXPECT_EQ(ask(log_.request(3, 4)).status, 404);
}

// Whatever is sent in whatever order: all that was ever cosigned is one history.
TEST(witness_property, two_histories_of_one_log_never_both_get_cosignatures_beyond_their_fork) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 40; ++round) {
    SmallLog honest("log.example/a", 1), forked("log.example/a", 1);
    const std::uint64_t split = random() % 30;
    honest.grow(40);
    forked.grow(40, split);
    MemoryStore store;
    auto one = make_witness(honest.policy(), store);
    std::map<std::uint64_t, tlog::Hash> cosigned;
    for (int i = 0; i < 60; ++i) {
      SmallLog& log = random() % 2 != 0 ? honest : forked;
      std::uint64_t from = random() % 41, to = random() % 41;
      if (from > to) std::swap(from, to);
      if (random() % 2 != 0 && !cosigned.empty()) from = std::min(cosigned.rbegin()->first, to);
      store.fails_before = random() % 8 == 0;
      store.fails_after = random() % 8 == 0;
      if (random() % 10 == 0) one = make_witness(honest.policy(), store);
      if (one->add_checkpoint(log.request(from, to), kNow).status != 200) continue;
      ASSERT_TRUE(cosigned.empty() || cosigned.rbegin()->first <= to);
      ASSERT_TRUE(cosigned.emplace(to, log.root(to)).second || cosigned[to] == log.root(to));
    }
    const bool all_honest = std::all_of(cosigned.begin(), cosigned.end(),
                                        [&](const auto& each) { return honest.root(each.first) == each.second; });
    const bool all_forked = std::all_of(cosigned.begin(), cosigned.end(),
                                        [&](const auto& each) { return forked.root(each.first) == each.second; });
    EXPECT_TRUE(all_honest || all_forked) << "split at " << split;
  }
}

// The requests of litewitness's own test (FiloSottile/torchwood, cmd/litewitness/testdata): a log with made-up leaves,
// its real signatures, and the statuses expected there; where the specification says 404 today, it said 403.
class litewitness_requests : public ::testing::Test {
 protected:
  static constexpr const char* kOrigin =
      "sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562";
  static constexpr const char* kHash1 = "KgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
  static constexpr const char* kRoot3 = "RcCI1Nk56ZcSmIEfIn0SleqtV7uvrlXNccFx595Iwl0=";
  static constexpr const char* kRoot5 = "QrtXrQZCCvpIgsSmOsah7HdICzMLLyDfxToMql9WTjY=";
  static constexpr const char* kSigned1 =
      "UgIom7fPZTqpxWWhyjWduBvTvGVqsokMbqTArsQilegKoFBJQjUFAmQ0+YeSPM3wfUQMFSzVnnNuWRTYrajXpNUbIQY=";
  static constexpr const char* kSigned3 =
      "UgIom2VbtIcdFbwFAy1n7s6IkAxIY6J/GQOTuZF2ORV39d75cbAj2aQYwyJre36kezNobZs4SUUdrcawfAB8WVrx6go=";
  static constexpr const char* kSigned5 =
      "UgIomw/EOJmWi0i1FQsOj+etB7F8IccFam/jgd6wzRns4QPVmyEZtdvl1U2KEmLOZ/ASRcWJi0tW90dJWAShei7sDww=";

  static std::string policy() {
    constexpr std::uint8_t kKey[32] = {0xff, 0xdc, 0x2d, 0x4d, 0x98, 0xe4, 0x12, 0x4d, 0x3f, 0xea, 0xf7,
                                       0x88, 0xc0, 0xc2, 0xf9, 0xab, 0xfd, 0x79, 0x60, 0x83, 0xd1, 0xf0,
                                       0x49, 0x54, 0x37, 0xf3, 0x02, 0xec, 0x79, 0xcf, 0x10, 0x0f};
    crypto::Ed25519PublicKey key;
    std::copy(std::begin(kKey), std::end(kKey), key.begin());
    return "log " + tlog::VerifierKey::of(kOrigin, tlog::KeyType::ed25519, key).text() + "\nquorum none\n";
  }
  static std::string leaf(std::uint8_t number) {
    tlog::Hash hash{};
    hash[0] = 0x2a;
    hash[1] = number;
    return tlog::hash_text(hash);
  }
  static std::string request(int from, const std::vector<std::string>& proof, int size, const std::string& root,
                             const std::string& signature, const std::string& origin = kOrigin) {
    std::string body = "old " + std::to_string(from) + "\n";
    for (const std::string& hash : proof) body += hash + "\n";
    return body + "\n" + origin + "\n" + std::to_string(size) + "\n" + root + "\n\n\xe2\x80\x94 " + origin + " " +
           signature + "\n";
  }
  MemoryStore store_;
  std::unique_ptr<Witness> witness_ = make_witness(policy(), store_);
};

TEST_F(litewitness_requests, get_the_statuses_that_it_gives) {
  const auto status = [&](const std::string& body) { return witness_->add_checkpoint(body, kNow).status; };
  const std::string leaf1 = leaf(1), leaf2 = leaf(2), leaf3 = leaf(3), leaf4 = leaf(4);
  std::string forged = kSigned3;
  forged.replace(forged.size() - 4, 4, "6gs=");
  std::string other_origin = kOrigin;
  other_origin.back() = '1';
  EXPECT_EQ(status(request(0, {}, 1, kHash1, kSigned1)), 200);
  EXPECT_EQ(status(request(1, {leaf1, leaf2}, 3, kRoot3, forged)), 403);
  EXPECT_EQ(status(request(1, {leaf1, leaf2}, 3, kRoot3, kSigned3, other_origin)), 404);
  EXPECT_EQ(status(request(1, {}, 3, kRoot3, kSigned3)), 422);
  EXPECT_EQ(status(request(1, {leaf1, leaf3}, 3, kRoot3, kSigned3)), 422);
  EXPECT_EQ(status(request(1, {leaf1, leaf2}, 3, kRoot3, kSigned3)), 200);
  const std::string middle = "+fUDV+k970B4I3uKrqJM4aP1lloPZP8mvr2Z4wRw2LI=";
  const WitnessAnswer conflict =
      witness_->add_checkpoint(request(1, {leaf1, middle, leaf4}, 5, kRoot5, kSigned5), kNow);
  EXPECT_EQ(conflict.status, 409);
  EXPECT_EQ(conflict.body, "3\n");
  EXPECT_EQ(conflict.content_type, "text/x.tlog.size");
  const std::string left = "wgiIFdZfYNv6WU1OllBKsWnLYIS/DBMqt8Uh/S4OukE=";
  EXPECT_EQ(status(request(3, {leaf2, leaf3, left, leaf4}, 5, kRoot5, kSigned5)), 200);
  EXPECT_EQ(status(request(5, std::vector(64, leaf1), 5, kRoot5, kSigned5)), 400);
}

}  // namespace
}  // namespace stillwatch::ledger
