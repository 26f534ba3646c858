#include "tlog/checkpoint.h"

#include <gtest/gtest.h>

#include "crypto/random_bytes.h"
#include "tlog/cosignature.h"
#include "tlog/tree.h"

namespace stillwatch::tlog {
namespace {

Ed25519NoteSigner new_signer(std::string name) {
  return Ed25519NoteSigner(std::move(name), crypto::random_secret<crypto::kEd25519SeedBytes>());
}

TEST(Checkpoint, TextReadsBack) {
  for (const char* extensions : {"", "one\n", "one\ntwo and more\n"}) {
    for (const std::uint64_t size : {std::uint64_t{1}, std::uint64_t{70'000}, kTreeSizeMax}) {
      const Checkpoint checkpoint{"log.example/a b", size, leaf_hash("x"), extensions};
      const auto again = parse_checkpoint_text(checkpoint_text(checkpoint));
      ASSERT_TRUE(again) << again.error().message;
      EXPECT_EQ(*again, checkpoint);
    }
  }
  EXPECT_EQ(checkpoint_text({"a", 0, empty_root(), ""}), "a\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n");
}

TEST(Checkpoint, OtherTextsAreRefused) {
  const std::string root = hash_text(leaf_hash("x"));
  ASSERT_TRUE(parse_checkpoint_text("a\n1\n" + root + "\n"));
  for (const std::string& text :
       {std::string(), std::string("a"), "a\n1\n" + root, "a\n1\n" + root + "\nx", "a\n1\n" + root + "\n\n",
        "a\n1\n" + root + "\nx\n\ny\n", "\n1\n" + root + "\n", "a\n01\n" + root + "\n", "a\n-1\n" + root + "\n",
        "a\n+1\n" + root + "\n", "a\n 1\n" + root + "\n", "a\n\n" + root + "\n", "a\n1\n" + root + " \n",
        "a\n9223372036854775808\n" + root + "\n", "a\n18446744073709551617\n" + root + "\n", "a\n0x1\n" + root + "\n",
        "a\n1\n" + root.substr(1) + "\n", std::string("a\n1\n\n")}) {
    EXPECT_FALSE(parse_checkpoint_text(text)) << text;
  }
}

TEST(Checkpoint, IsOpenedWithItsLogsKeyOnly) {
  const auto log = new_signer("log.example/a"), other = new_signer("log.example/b"),
             again = new_signer("log.example/a");
  const Checkpoint checkpoint{"log.example/a", 7, leaf_hash("x"), ""};
  const auto note = sign_checkpoint(checkpoint, log);
  ASSERT_TRUE(note);
  EXPECT_EQ(*open_checkpoint(*note, log.verifier_key()), checkpoint);
  EXPECT_EQ(*read_checkpoint_unchecked(*note), checkpoint);
  EXPECT_FALSE(open_checkpoint(*note, other.verifier_key()));
  EXPECT_FALSE(open_checkpoint(*note, again.verifier_key()));
  // A key may not speak for another log.
  const auto foreign = sign_checkpoint(checkpoint, other);
  ASSERT_TRUE(foreign);
  const auto refused = open_checkpoint(*foreign, other.verifier_key());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault, base::Fault::check);
}

TEST(Checkpoint, WhatCannotBeReadIsNotSigned) {
  const auto log = new_signer("log.example/a");
  EXPECT_FALSE(sign_checkpoint({"log.example/a", 0, leaf_hash("x"), ""}, log));
  EXPECT_FALSE(sign_checkpoint({"log.example/a\n5", 1, leaf_hash("x"), ""}, log));
  EXPECT_FALSE(sign_checkpoint({"", 1, leaf_hash("x"), ""}, log));
  EXPECT_FALSE(sign_checkpoint({"log.example/a", kTreeSizeMax + 1, leaf_hash("x"), ""}, log));
  EXPECT_FALSE(sign_checkpoint({"log.example/a", 1, leaf_hash("x"), "no end"}, log));
  EXPECT_TRUE(sign_checkpoint({"log.example/a", 0, empty_root(), ""}, log));
}

TEST(Checkpoint, CosignaturesAreAddedAndReplaced) {
  const auto log = new_signer("log.example/a");
  const Ed25519Cosigner witness("witness.example", crypto::random_secret<crypto::kEd25519SeedBytes>());
  const std::string note = *sign_checkpoint({"log.example/a", 7, leaf_hash("x"), ""}, log);
  const std::string text = parse_note(note)->text;
  std::string cosigned = note;
  for (const std::uint64_t unix_s : {100U, 200U}) {
    const NoteSignature line = *witness.cosign(text, unix_s);
    const auto added = add_signatures(cosigned, {&line, 1});
    ASSERT_TRUE(added) << added.error().message;
    cosigned = *added;
    EXPECT_EQ(cosigned, note + format_signature(line));
  }
  const VerifierKey keys[] = {log.verifier_key(), witness.verifier_key()};
  const auto opened = open_note(cosigned, keys);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->signatures.size(), 2U);
  EXPECT_TRUE(open_checkpoint(cosigned, log.verifier_key()));
  // A cosignature does not stand for the log's own signature.
  const Ed25519Cosigner same_name("log.example/a", crypto::random_secret<crypto::kEd25519SeedBytes>());
  const std::string only_cosigned = format_note({text, {*same_name.cosign(text, 1)}});
  EXPECT_FALSE(open_checkpoint(only_cosigned, log.verifier_key()));
}

}  // namespace
}  // namespace stillwatch::tlog
