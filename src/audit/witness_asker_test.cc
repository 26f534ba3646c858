// Asking witnesses: honest ones, and ones that lie, hang, forget, or are gone.
#include "audit/witness_asker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "audit/witness_fixture.h"
#include "tlog/policy.h"

namespace stillwatch::audit {
namespace {

using ::testing::HasSubstr;

class witness_asker : public ::testing::Test {
 protected:
  witness_asker() : anchor_(folder_ / "ledger") { anchor_.grow(5); }

  /// A policy of these "vkey url" with a quorum of `quorum` of them.
  void write_policy(const std::vector<std::string>& witnesses, std::size_t quorum) {
    std::string text, names;
    for (std::size_t i = 0; i < witnesses.size(); ++i) {
      text += "witness w" + std::to_string(i) + " " + witnesses[i] + "\n";
      names += " w" + std::to_string(i);
    }
    text += "group g " + std::to_string(quorum) + names + "\nquorum g\n";
    ASSERT_TRUE(base::write_file(folder_ / "policy", text));
  }
  WitnessAsker asker() {
    WitnessSettings settings;
    settings.policy_file = folder_ / "policy";
    settings.timeout_ms = timeout_ms_;
    auto made = WitnessAsker::create(settings, counters_, alarms_);
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }
  base::Result<std::string> ask(WitnessAsker& asker) { return asker.ask(anchor_.reader(), clock_.now()); }
  /// As a stranger sees the note: good cosignatures and whether they are the quorum.
  tlog::WitnessedCheckpoint seen(const std::string& note) {
    auto policy = tlog::Policy::parse(base::read_file(folder_ / "policy", 1U << 20).value());
    policy->logs.push_back({*tlog::VerifierKey::parse(anchor_.vkey()), ""});
    return tlog::open_witnessed(*policy, note).value();
  }

  ScratchFolder folder_;
  TestClock clock_;
  Counters counters_;
  AlarmBook alarms_{counters_};
  AnchorOnDisk anchor_;
  std::int64_t timeout_ms_ = 5'000;
};

TEST_F(witness_asker, gathers_a_quorum_from_witness_servers_and_keeps_up_as_the_log_grows) {
  const std::string policy = "log " + anchor_.vkey() + "\nquorum none\n";
  const auto one = start_witness(folder_ / "one", "one.example", policy, clock_.clock());
  const auto two = start_witness(folder_ / "two", "two.example", policy, clock_.clock());
  write_policy({one->vkey() + " " + url_of(*one), two->vkey() + " " + url_of(*two)}, 2);
  WitnessAsker asking = asker();
  for (int round = 0; round < 4; ++round) {
    const auto note = ask(asking);
    ASSERT_TRUE(note) << note.error().message;
    const tlog::WitnessedCheckpoint witnessed = seen(*note);
    EXPECT_TRUE(witnessed.quorum_met);
    EXPECT_EQ(witnessed.checkpoint.size, anchor_.reader().size());
    EXPECT_EQ(witnessed.cosignatures.size(), 2U);
    EXPECT_EQ(witnessed.cosignatures[0].unix_s, static_cast<std::uint64_t>(kStartMs / 1'000));
    anchor_.grow(3);
  }
  EXPECT_EQ(counters_.witness_cosignatures, 8U);
  EXPECT_EQ(counters_.witness_conflicts, 0U);
  // A new process knows no sizes: the witnesses tell it.
  WitnessAsker fresh = asker();
  EXPECT_TRUE(ask(fresh));
  EXPECT_EQ(counters_.witness_conflicts, 2U);
  EXPECT_EQ(counters_.quorums_met, 5U);
  EXPECT_TRUE(alarms_.list().empty());
}

TEST_F(witness_asker, takes_no_cosignature_by_another_key_over_another_text_or_of_garbage) {
  const tlog::Ed25519Cosigner stranger("played.example", ledger::test_seed(77));
  std::string mode;
  PlayedWitness played([&](const std::string& body) -> PlayedWitness::Answer {
    const auto request = tlog::AddCheckpoint::parse(body);
    const std::string text = tlog::parse_note(request->checkpoint)->text;
    if (mode == "wrong key") return {200, tlog::format_signature(stranger.cosign(text, 1).value())};
    if (mode == "wrong text") return {200, tlog::format_signature(played.cosigner().cosign(text + "x\n", 1).value())};
    if (mode == "old checkpoint") {
      tlog::Checkpoint old = *tlog::parse_checkpoint_text(text);
      old.size -= 1;
      return {200, tlog::format_signature(played.cosigner().cosign(tlog::checkpoint_text(old), 1).value())};
    }
    if (mode == "cut") return {200, played.cosign(body).substr(0, 40)};
    if (mode == "empty") return {200, ""};
    if (mode == "html") return {200, "<html>welcome to the hotel network</html>\n"};
    if (mode == "long") return {200, std::string(1U << 20, 'x')};
    if (mode == "500") return {500, played.cosign(body)};
    if (mode == "404") return {404, "unknown\n"};
    if (mode == "409 garbage") return {409, "many\n"};
    if (mode == "409 for ever") return {409, "2\n"};
    return {200, played.cosign(body)};
  });
  write_policy({played.vkey() + " " + played.url()}, 1);
  WitnessAsker asking = asker();
  for (const char* each : {"wrong key", "wrong text", "old checkpoint", "cut", "empty", "html", "long", "500", "404",
                           "409 garbage", "409 for ever"}) {
    mode = each;
    const auto note = ask(asking);
    ASSERT_FALSE(note) << mode;
    EXPECT_EQ(note.error().fault, base::Fault::check);
  }
  EXPECT_EQ(counters_.witness_cosignatures, 0U);
  EXPECT_EQ(counters_.witness_bad_signatures, 2U);  // wrong text and old checkpoint; a strange key is unknown
  EXPECT_EQ(counters_.quorums_missed, 11U);
  mode = "honest again";
  EXPECT_TRUE(ask(asking));
}

TEST_F(witness_asker, an_answer_may_hold_signatures_of_unknown_keys_beside_the_good_one) {
  const tlog::Ed25519Cosigner other("other.example", ledger::test_seed(77));
  PlayedWitness played([&](const std::string& body) -> PlayedWitness::Answer {
    return {200, tlog::format_signature(other.cosign("anything\n", 1).value()) + played.cosign(body)};
  });
  write_policy({played.vkey() + " " + played.url()}, 1);
  WitnessAsker asking = asker();
  const auto note = ask(asking);
  ASSERT_TRUE(note);
  EXPECT_THAT(*note, Not(HasSubstr("other.example")));
}

TEST_F(witness_asker, one_that_hangs_or_is_gone_does_not_keep_the_others_from_the_quorum) {
  timeout_ms_ = 300;
  http::Scripted hangs([](http::RawSocket& connection, int) { connection.until_closed(); });
  PlayedWitness good([&](const std::string& body) -> PlayedWitness::Answer { return {200, good.cosign(body)}; });
  const std::string nobody = tlog::Ed25519Cosigner("gone.example", ledger::test_seed(60)).verifier_key().text();
  const std::string slow = tlog::Ed25519Cosigner("slow.example", ledger::test_seed(61)).verifier_key().text();
  write_policy({nobody + " http://127.0.0.1:1", slow + " http://" + hangs.address(), good.vkey() + " " + good.url()},
               1);
  WitnessAsker asking = asker();
  EXPECT_TRUE(ask(asking));
  EXPECT_EQ(counters_.witness_unreachable, 2U);
  EXPECT_EQ(counters_.witness_cosignatures, 1U);
}

TEST_F(witness_asker, raises_an_alarm_when_the_quorum_is_missing_for_long_and_ends_it) {
  bool is_up = false;
  PlayedWitness played([&](const std::string& body) -> PlayedWitness::Answer {
    return is_up ? PlayedWitness::Answer{200, played.cosign(body, static_cast<std::uint64_t>(clock_.now()) / 1'000)}
                 : PlayedWitness::Answer{503, ""};
  });
  write_policy({played.vkey() + " " + played.url()}, 1);
  WitnessAsker asking = asker();
  EXPECT_FALSE(ask(asking));
  EXPECT_FALSE(alarms_.is_on(AlarmKind::quorum_missing, folder_ / "policy"));
  clock_.advance(601'000);
  EXPECT_FALSE(ask(asking));
  EXPECT_TRUE(alarms_.is_on(AlarmKind::quorum_missing, folder_ / "policy"));
  is_up = true;
  EXPECT_TRUE(ask(asking));
  EXPECT_FALSE(alarms_.is_on(AlarmKind::quorum_missing, folder_ / "policy"));
  ASSERT_EQ(alarms_.list().size(), 1U);
  EXPECT_FALSE(alarms_.list()[0].active);
}

TEST_F(witness_asker, says_loudly_when_a_witness_knows_another_log_of_this_name) {
  std::string mode = "larger";
  PlayedWitness played([&](const std::string& body) -> PlayedWitness::Answer {
    if (mode == "larger") return {409, "1000\n"};
    if (mode == "other") return {422, "no\n"};
    return {200, played.cosign(body)};
  });
  write_policy({played.vkey() + " " + played.url()}, 1);
  WitnessAsker asking = asker();
  EXPECT_FALSE(ask(asking));
  EXPECT_TRUE(alarms_.is_on(AlarmKind::witness_disagrees, "w0"));
  mode = "other";
  EXPECT_FALSE(ask(asking));
  EXPECT_EQ(counters_.witness_disagreements, 2U);
  mode = "agrees again";
  EXPECT_TRUE(ask(asking));
  EXPECT_FALSE(alarms_.is_on(AlarmKind::witness_disagrees, "w0"));
}

TEST_F(witness_asker, a_strange_clock_of_a_witness_is_counted_and_its_cosignature_taken) {
  PlayedWitness played([&](const std::string& body) -> PlayedWitness::Answer {
    return {200, played.cosign(body, 1'000)};
  });
  write_policy({played.vkey() + " " + played.url()}, 1);
  WitnessAsker asking = asker();
  EXPECT_TRUE(ask(asking));
  EXPECT_EQ(counters_.witness_skews, 1U);
}

TEST_F(witness_asker, reads_its_policy_again_each_time_and_keeps_the_last_good_one) {
  PlayedWitness played([&](const std::string& body) -> PlayedWitness::Answer { return {200, played.cosign(body)}; });
  write_policy({played.vkey() + " " + played.url()}, 1);
  WitnessAsker asking = asker();
  ASSERT_TRUE(base::write_file(folder_ / "policy", "quorum nobody\n"));
  EXPECT_TRUE(ask(asking));
  EXPECT_EQ(counters_.policy_failures, 1U);
  write_policy({}, 0);
  ASSERT_TRUE(base::write_file(folder_ / "policy", "quorum none\n"));
  EXPECT_TRUE(ask(asking));
  EXPECT_EQ(counters_.witness_requests, 1U);
}

TEST_F(witness_asker, a_policy_that_cannot_be_used_is_refused_by_line) {
  WitnessSettings settings;
  settings.policy_file = folder_ / "policy";
  EXPECT_FALSE(WitnessAsker::create(settings, counters_, alarms_));
  ASSERT_TRUE(base::write_file(folder_ / "policy", "witness w nonsense\nquorum w\n"));
  const auto bad = WitnessAsker::create(settings, counters_, alarms_);
  ASSERT_FALSE(bad);
  EXPECT_THAT(bad.error().message, HasSubstr(folder_ / "policy"));
  const std::string vkey = tlog::Ed25519Cosigner("w.example", ledger::test_seed(60)).verifier_key().text();
  ASSERT_TRUE(base::write_file(folder_ / "policy", "witness w " + vkey + "\nquorum w\n"));
  EXPECT_THAT(WitnessAsker::create(settings, counters_, alarms_).error().message, HasSubstr("no address"));
}

}  // namespace
}  // namespace stillwatch::audit
