#include "tlog/policy.h"

#include <gtest/gtest.h>

#include "tlog/cosignature.h"
#include "tlog/log_fixture.h"

namespace stillwatch::tlog {
namespace {

constexpr const char* kOrigin = "log.example/test";

std::string witness_name(std::size_t number) { return "witness.example/w" + std::to_string(number); }
Ed25519Cosigner witness_of(std::size_t number) {
  return Ed25519Cosigner(witness_name(number), test::seed_of(static_cast<std::uint8_t>(100 + number)));
}
std::string witness_line(std::size_t number, const std::string& name) {
  return "witness " + name + " " + witness_of(number).verifier_key().text() + "\n";
}
std::string log_line() { return "log " + Ed25519NoteSigner(kOrigin, test::seed_of(1)).verifier_key().text() + "\n"; }

// The example of tlog-policy, with keys.
std::string example() {
  return "# two organisations\n" + log_line() + "\n" + witness_line(0, "X1") + witness_line(1, "X2") +
         "\twitness   X3 " + witness_of(2).verifier_key().text() + " https://x3.example/  \n" +
         "group X-witnesses 2 X1 X2 X3\n \t\n" + witness_line(3, "Y1") + witness_line(4, "Y2") + witness_line(5, "Y3") +
         "group Y-witnesses any Y1 Y2 Y3\n  # both\ngroup X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n";
}

TEST(Policy, TheExampleMeansWhatItsTextSays) {
  const auto policy = Policy::parse(example());
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_EQ(policy->logs.size(), 1U);
  EXPECT_EQ(policy->witnesses.size(), 6U);
  EXPECT_EQ(policy->witnesses[2].url, "https://x3.example/");
  EXPECT_EQ(policy->log_key(kOrigin)->name, kOrigin);
  EXPECT_EQ(policy->log_key("other.example"), nullptr);
  for (unsigned set = 0; set < 64; ++set) {
    std::vector<bool> cosigned(6);
    for (unsigned i = 0; i < 6; ++i) cosigned[i] = (set >> i & 1U) != 0;
    const bool expected = cosigned[0] + cosigned[1] + cosigned[2] >= 2 && (cosigned[3] || cosigned[4] || cosigned[5]);
    EXPECT_EQ(policy->is_met_by(cosigned), expected) << set;
  }
  EXPECT_FALSE(policy->is_met_by({}));
  // Written, it means the same.
  const auto again = Policy::parse(policy->text());
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->text(), policy->text());
}

TEST(Policy, QuorumsOfOneAndOfNobody) {
  const auto one = Policy::parse(witness_line(0, "only") + "quorum only");
  ASSERT_TRUE(one) << one.error().message;
  EXPECT_TRUE(one->is_met_by({true}));
  EXPECT_FALSE(one->is_met_by({false}));
  const auto nobody = Policy::parse("quorum none\n");
  ASSERT_TRUE(nobody);
  EXPECT_TRUE(nobody->is_met_by({}));
  EXPECT_EQ(nobody->text(), "quorum none\n");
}

TEST(Policy, NamesAreBytes) {
  const auto policy = Policy::parse(witness_line(0, "\xe2\x84\xaa") + witness_line(1, "K") + witness_line(2, "\xff") +
                                    "group g all K \xe2\x84\xaa\nquorum g\n# \xfe\n");
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_TRUE(policy->is_met_by({true, true, false}));
}

TEST(Policy, FaultsNameTheLine) {
  const std::string base = log_line() + witness_line(0, "a") + witness_line(1, "b");
  ASSERT_TRUE(Policy::parse(base + "group g 1 a b\nquorum g\n"));
  const std::string bad[] = {
      "",
      "quorum\n",
      "quorum none none\n",
      "quorum none\nquorum none\n",
      "quorum c\n",
      "quorum g\ngroup g all a\n",
      "group g all\nquorum g\n",
      "group g 0 a\nquorum g\n",
      "group g 3 a b\nquorum g\n",
      "group g 01 a\nquorum g\n",
      "group g some a\nquorum g\n",
      "group g all c\nquorum g\n",
      "group g all g\nquorum g\n",
      "group a all b\nquorum a\n",
      "group none all a\nquorum none\n",
      "group g all a a\nquorum g\n",
      "group g all none\nquorum g\n",
      "group g all a\ngroup h all a\nquorum h\n",
      "log\nquorum none\n",
      "log x\nquorum none\n",
      log_line() + "quorum none\n",
      witness_line(0, "c") + "quorum none\n",
      witness_line(2, "a") + "quorum none\n",
      "witness c\nquorum none\n",
      "witness c " + Ed25519NoteSigner("c", test::seed_of(9)).verifier_key().text() + "\nquorum none\n",
      "Quorum none\n",
      "quorum none\r\n",
      std::string("quorum none\n\0", 13),
  };
  for (const std::string& text : bad) EXPECT_FALSE(Policy::parse(base + text)) << text;
  const auto fault = Policy::parse("\n# one\n" + log_line() + "group g all nobody\nquorum g\n");
  ASSERT_FALSE(fault);
  EXPECT_NE(fault.error().message.find("line 4 "), std::string::npos) << fault.error().message;
}

TEST(Policy, AsManyAsTheSpecificationWantsAndNoMoreThanTheLimit) {
  std::string text;
  for (std::size_t i = 0; i < 120; ++i) {
    text +=
        witness_line(i, "w" + std::to_string(i)) + "group g" + std::to_string(i) + " all w" + std::to_string(i) + "\n";
  }
  EXPECT_TRUE(Policy::parse(text + "quorum g119\n"));
  std::string many = witness_line(0, "w");
  for (std::size_t i = 0; i <= kPolicyGroupsMax; ++i) {
    many += "group h" + std::to_string(i) + " all " + (i == 0 ? "w" : "h" + std::to_string(i - 1)) + "\n";
  }
  EXPECT_FALSE(Policy::parse(many + "quorum h0\n"));
  EXPECT_FALSE(Policy::parse("quorum none\n#" + std::string(kPolicyBytesMax, 'x')));
}

TEST(Policy, AChosenNumberOfWitnessesMustHaveSeenACheckpoint) {
  const test::MemoryLog log(kOrigin, test::entries_of(20));
  const Policy policy = *Policy::parse(example());
  std::string note = log.checkpoint_of(20);
  const std::string text = parse_note(note)->text;
  const auto cosign = [&](std::size_t number, std::uint64_t unix_s) {
    const NoteSignature line = *witness_of(number).cosign(text, unix_s);
    return format_signature(line);
  };
  auto seen = open_witnessed(policy, note);
  ASSERT_TRUE(seen) << seen.error().message;
  EXPECT_FALSE(seen->quorum_met);
  EXPECT_TRUE(seen->cosignatures.empty());
  note += cosign(0, 50) + cosign(7, 50);  // the second is unknown
  EXPECT_FALSE(open_witnessed(policy, note)->quorum_met);
  note += cosign(0, 70) + cosign(0, 60);  // one witness counts once, with its newest time
  EXPECT_FALSE(open_witnessed(policy, note)->quorum_met);
  note += cosign(4, 80) + cosign(2, 90);
  seen = open_witnessed(policy, note);
  ASSERT_TRUE(seen);
  EXPECT_TRUE(seen->quorum_met);
  EXPECT_EQ(seen->checkpoint.size, 20U);
  ASSERT_EQ(seen->cosignatures.size(), 3U);
  EXPECT_EQ(seen->cosignatures[0].witness, 0U);
  EXPECT_EQ(seen->cosignatures[0].unix_s, 70U);
  // A wrong signature of a known witness makes the note worthless.
  NoteSignature wrong = *witness_of(1).cosign("other text\n", 90);
  EXPECT_FALSE(open_witnessed(policy, note + format_signature(wrong)));
  // Cosignatures alone, or another log's.
  Note only = *parse_note(note);
  only.signatures.erase(only.signatures.begin());
  EXPECT_FALSE(open_witnessed(policy, format_note(only)));
  const test::MemoryLog other("log.example/other", test::entries_of(20));
  EXPECT_FALSE(open_witnessed(policy, other.checkpoint_of(20)));
}

TEST(Policy, AnMlDsaWitnessIsReadAndNeverCounts) {
  const std::string public_key(1'312, 'k');
  const VerifierKey key{"pq.example", key_id("pq.example", KeyType::ml_dsa_44, public_key), KeyType::ml_dsa_44,
                        public_key};
  const auto policy = Policy::parse(log_line() + "witness pq " + key.text() + "\nquorum pq\n");
  ASSERT_TRUE(policy) << policy.error().message;
  const test::MemoryLog log(kOrigin, test::entries_of(3));
  const NoteSignature line{key.name, key.id, std::string(8 + 2'420, 's')};
  const auto seen = open_witnessed(*policy, log.checkpoint_of(3) + format_signature(line));
  ASSERT_TRUE(seen) << seen.error().message;
  EXPECT_FALSE(seen->quorum_met);
}

}  // namespace
}  // namespace stillwatch::tlog
