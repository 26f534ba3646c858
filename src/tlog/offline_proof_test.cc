#include "tlog/offline_proof.h"

#include <gtest/gtest.h>

#include "tlog/add_checkpoint.h"
#include "tlog/cosignature.h"
#include "tlog/log_fixture.h"

namespace stillwatch::tlog {
namespace {

constexpr const char* kOrigin = "log.example/test";

OfflineProof proof_of(test::MemoryLog& log, std::uint64_t index, std::uint64_t size) {
  TileHashSource source(log, log.leaves().size());
  return {std::nullopt, index, *inclusion_proof(source, index, size), log.checkpoint_of(size)};
}

TEST(OfflineProof, TextIsThatOfTheSpecification) {
  test::MemoryLog log(kOrigin, test::entries_of(3));
  OfflineProof proof = proof_of(log, 1, 3);
  proof.extra = "age-v1";
  const std::string expected = "c2sp.org/tlog-proof@v1\nextra YWdlLXYx\nindex 1\n" + hash_text(log.leaves()[0]) + "\n" +
                               hash_text(log.leaves()[2]) + "\n\n" + log.checkpoint_of(3);
  EXPECT_EQ(proof.text(), expected);
  const auto again = OfflineProof::parse(expected);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->extra, "age-v1");
  EXPECT_EQ(again->text(), expected);
}

TEST(OfflineProof, HoldsForItsEntryOnly) {
  test::MemoryLog log(kOrigin, test::entries_of(300));
  for (const std::uint64_t index : {0, 1, 127, 255, 256, 299}) {
    const auto proof = OfflineProof::parse(proof_of(log, index, 300).text());
    ASSERT_TRUE(proof) << proof.error().message;
    const auto checkpoint = verify_offline(*proof, leaf_hash("entry-" + std::to_string(index)), log.key());
    ASSERT_TRUE(checkpoint) << checkpoint.error().message;
    EXPECT_EQ(checkpoint->size, 300U);
    EXPECT_FALSE(verify_offline(*proof, leaf_hash("entry-17"), log.key()));
    EXPECT_FALSE(
        verify_offline(*proof, log.leaves()[index], Ed25519NoteSigner(kOrigin, test::seed_of(2)).verifier_key()));
  }
}

TEST(OfflineProof, EveryChangedBitIsRefused) {
  test::MemoryLog log(kOrigin, test::entries_of(5));
  const std::string text = proof_of(log, 2, 5).text();
  for (std::size_t bit = 0; bit < 8 * text.size(); ++bit) {
    std::string bad = text;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ 1 << bit % 8);
    const auto proof = OfflineProof::parse(bad);
    ASSERT_FALSE(proof && verify_offline(*proof, log.leaves()[2], log.key())) << bit;
  }
}

TEST(OfflineProof, OtherTextsAreRefused) {
  const std::string hash = hash_text(leaf_hash("x")), first = "c2sp.org/tlog-proof@v1\n";
  ASSERT_TRUE(OfflineProof::parse(first + "index 0\n\nnote"));
  ASSERT_TRUE(OfflineProof::parse(first + "extra \nindex 0\n\nnote"));
  std::string most = first + "index 0\n";
  for (int i = 0; i < 63; ++i) most += hash + "\n";
  ASSERT_TRUE(OfflineProof::parse(most + "\nnote"));
  const std::string bad[] = {"",
                             first,
                             "c2sp.org/tlog-proof@v2\nindex 0\n\nnote",
                             first + "index 0\n" + hash + "\n",
                             first + "index 0\n\n",
                             first + "index 00\n\nnote",
                             first + "index -1\n\nnote",
                             first + "index 9223372036854775808\n\nnote",
                             first + "index\n\nnote",
                             first + hash + "\n\nnote",
                             first + "extra x\nindex 0\n\nnote",
                             first + "index 0\nextra \n\nnote",
                             first + "extra \nextra \nindex 0\n\nnote",
                             first + "index 0\n" + hash + " \n\nnote",
                             first + "index 0\r\n\r\nnote",
                             most + hash + "\n\nnote"};
  for (const std::string& text : bad) EXPECT_FALSE(OfflineProof::parse(text)) << text;
  OfflineProof large{std::string(kOfflineExtraBytesMax, 'x'), 0, {}, "note"};
  EXPECT_TRUE(OfflineProof::parse(large.text()));
  *large.extra += 'x';
  EXPECT_FALSE(OfflineProof::parse(large.text()));
}

TEST(OfflineProof, APolicyWantsItsQuorum) {
  test::MemoryLog log(kOrigin, test::entries_of(9));
  const Ed25519Cosigner witness("witness.example", test::seed_of(5));
  const Policy policy =
      *Policy::parse("log " + log.key().text() + "\nwitness w " + witness.verifier_key().text() + "\nquorum w\n");
  OfflineProof proof = proof_of(log, 4, 9);
  const auto refused = verify_offline(proof, log.leaves()[4], policy);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault, base::Fault::check);
  const NoteSignature line = *witness.cosign(parse_note(proof.checkpoint)->text, 1'800'000'000);
  proof.checkpoint = *add_signatures(proof.checkpoint, {&line, 1});
  const auto witnessed = verify_offline(proof, log.leaves()[4], policy);
  ASSERT_TRUE(witnessed) << witnessed.error().message;
  EXPECT_EQ(witnessed->cosignatures.at(0).unix_s, 1'800'000'000U);
  EXPECT_FALSE(verify_offline(proof, log.leaves()[5], policy));
}

TEST(AddCheckpoint, ReadsBackWhatItWrites) {
  test::MemoryLog log(kOrigin, test::entries_of(40));
  TileHashSource source(log, 40);
  for (const std::uint64_t old_size : {0, 1, 17, 32, 40}) {
    const AddCheckpoint request{old_size, *consistency_proof(source, old_size, 40), log.checkpoint_of(40)};
    const auto again = AddCheckpoint::parse(request.text());
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(again->old_size, old_size);
    EXPECT_EQ(again->proof, request.proof);
    EXPECT_EQ(again->checkpoint, request.checkpoint);
  }
}

TEST(AddCheckpoint, OtherBodiesAreRefused) {
  const std::string hash = hash_text(leaf_hash("x"));
  std::string most = "old 5\n";
  for (std::size_t i = 0; i < kAddCheckpointProofMax; ++i) most += hash + "\n";
  ASSERT_TRUE(AddCheckpoint::parse("old 0\n\nnote"));
  ASSERT_TRUE(AddCheckpoint::parse(most + "\nnote"));
  for (const std::string& body :
       {std::string(), std::string("old 0\n"), std::string("old 0\n\n"), std::string("old\n\nnote"),
        std::string("old  0\n\nnote"), std::string("old 00\n\nnote"), std::string("old +1\n\nnote"),
        std::string("old 9223372036854775808\n\nnote"), std::string("old 0\r\n\r\nnote"), std::string("Old 0\n\nnote"),
        "old 5\n" + hash + "\nnote", "old 5\n" + hash.substr(1) + "\n\nnote", most + hash + "\n\nnote",
        "old 5\n\n" + std::string(kNoteBytesMax + 1, 'x')}) {
    EXPECT_FALSE(AddCheckpoint::parse(body)) << body.substr(0, 100);
  }
}

TEST(AddCheckpoint, TheSizeOfAConflict) {
  EXPECT_EQ(*parse_witness_size(witness_size_text(0)), 0U);
  EXPECT_EQ(*parse_witness_size(witness_size_text(kTreeSizeMax)), kTreeSizeMax);
  for (const char* body : {"", "\n", "5", "05\n", "5\n\n", " 5\n", "5\r\n", "x\n", "-1\n"}) {
    EXPECT_FALSE(parse_witness_size(body)) << body;
  }
}

}  // namespace
}  // namespace stillwatch::tlog
