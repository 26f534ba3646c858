#include "tlog/note.h"

#include <gtest/gtest.h>

#include "base/base64.h"
#include "crypto/random_bytes.h"
#include "tlog/checkpoint.h"
#include "tlog/cosignature.h"

namespace stillwatch::tlog {
namespace {

constexpr std::string_view kKey = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
constexpr std::string_view kNote =
    "This is an example message.\n\n"
    "\u2014 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72Ineya"
    "QM=\n";

VerifierKey known_key() { return *VerifierKey::parse(kKey); }
Ed25519NoteSigner new_signer(std::string name) {
  return Ed25519NoteSigner(std::move(name), crypto::random_secret<crypto::kEd25519SeedBytes>());
}
std::string signed_by(const std::string& text, std::span<const Ed25519NoteSigner* const> signers) {
  Note note{text, {}};
  for (const Ed25519NoteSigner* signer : signers) note.signatures.push_back(*signer->sign(text));
  return format_note(note);
}

TEST(Note, KnownAnswer) {
  const VerifierKey key = known_key();
  EXPECT_EQ(key.name, "example.com/foo");
  EXPECT_EQ(key.id, 0x530d903aU);
  EXPECT_EQ(key.text(), kKey);
  const auto note = open_note(kNote, {&key, 1});
  ASSERT_TRUE(note) << note.error().message;
  EXPECT_EQ(note->text, "This is an example message.\n");
  EXPECT_EQ(format_note(*parse_note(kNote)), kNote);
}

TEST(Note, EveryChangedBitIsRefused) {
  const VerifierKey key = known_key();
  for (std::size_t bit = 0; bit < 8 * kNote.size(); ++bit) {
    std::string bad(kNote);
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ 1 << bit % 8);
    ASSERT_FALSE(open_note(bad, {&key, 1})) << bit;
  }
  for (std::size_t length = 0; length < kNote.size(); ++length) {
    ASSERT_FALSE(open_note(kNote.substr(0, length), {&key, 1})) << length;
  }
}

TEST(Note, UnknownKeysAreIgnoredAndAWrongKnownOneRefuses) {
  const auto first = new_signer("example.com/first"), second = new_signer("example.com/second"),
             third = new_signer("example.com/third");
  const Ed25519NoteSigner* signers[] = {&first, &second, &third};
  const std::string bytes = signed_by("text\n\nmore\n", signers);
  const VerifierKey known[] = {second.verifier_key()};
  auto note = open_note(bytes, known);
  ASSERT_TRUE(note) << note.error().message;
  EXPECT_EQ(note->text, "text\n\nmore\n");
  ASSERT_EQ(note->signatures.size(), 1U);
  EXPECT_TRUE(note->signatures[0].is_of(known[0]));

  Note forged = *parse_note(bytes);
  forged.signatures[0].bytes[5] = static_cast<char>(forged.signatures[0].bytes[5] ^ 1);
  EXPECT_TRUE(open_note(format_note(forged), known));
  const VerifierKey both[] = {second.verifier_key(), first.verifier_key()};
  const auto refused = open_note(format_note(forged), both);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault, base::Fault::check);

  const VerifierKey stranger = new_signer("example.com/second").verifier_key();
  EXPECT_FALSE(open_note(bytes, {&stranger, 1}));
  EXPECT_FALSE(open_note(bytes, {}));
}

TEST(Note, ALineOfTwoKeysWithOneIdMustBeOfOneOfThem) {
  const auto signer = new_signer("example.com/log");
  VerifierKey twin = new_signer("example.com/log").verifier_key();
  twin.id = signer.verifier_key().id;
  const Ed25519NoteSigner* signers[] = {&signer};
  const std::string bytes = signed_by("text\n", signers);
  const VerifierKey both[] = {twin, signer.verifier_key()};
  EXPECT_TRUE(open_note(bytes, both));
  EXPECT_FALSE(open_note(bytes, {both, 1}));
}

TEST(Note, ManySignaturesUpToTheLimit) {
  const auto signer = new_signer("example.com/log");
  Note note{"text\n", {}};
  for (std::size_t i = 0; i + 1 < kNoteSignaturesMax; ++i) {
    note.signatures.push_back({"witness.example/" + std::to_string(i), 7, std::string(2'420 + 8, 's')});
  }
  note.signatures.push_back(*signer.sign(note.text));
  EXPECT_TRUE(open_note(format_note(note), {&signer.verifier_key(), 1}));
  note.signatures.push_back(note.signatures[0]);
  EXPECT_FALSE(parse_note(format_note(note)));
  note.signatures.assign(1, {"a", 1, std::string(kSignatureBytesMax, 's')});
  EXPECT_TRUE(parse_note(format_note(note)));
  note.signatures[0].bytes += 's';
  EXPECT_FALSE(parse_note(format_note(note)));
}

TEST(Note, MalformedOnesAreRefused) {
  const std::string line = "\u2014 name " + base::base64_encode(std::vector<std::uint8_t>(68, 1)) + "\n";
  EXPECT_TRUE(parse_note("text\n\n" + line));
  EXPECT_TRUE(parse_note("\n\n" + line));
  const std::string bad[] = {"",
                             "text\n",
                             "text\n\n",
                             "\n" + line,
                             "text\n" + line,
                             "text\n\n" + line + "\n",
                             "text\n\n" + line.substr(0, line.size() - 1),
                             "text\n\n" + line + line + "x",
                             "te\rxt\n\n" + line,
                             "te\txt\n\n" + line,
                             std::string("te\0xt\n\n", 7) + line,
                             "te\xffxt\n\n" + line,
                             "te\xed\xa0\x80xt\n\n" + line,
                             "text\n\n- name " + base::base64_encode(std::vector<std::uint8_t>(68, 1)) + "\n",
                             "text\n\n\u2014  " + base::base64_encode(std::vector<std::uint8_t>(68, 1)) + "\n",
                             "text\n\n\u2014 a+b " + base::base64_encode(std::vector<std::uint8_t>(68, 1)) + "\n",
                             "text\n\n\u2014 a\u00A0b " + base::base64_encode(std::vector<std::uint8_t>(68, 1)) + "\n",
                             "text\n\n\u2014 name AQEBAQ==\n",
                             "text\n\n\u2014 name \n",
                             "text\n\n\u2014 name\n"};
  for (const std::string& bytes : bad) EXPECT_FALSE(parse_note(bytes)) << bytes;
  EXPECT_FALSE(parse_note(std::string(kNoteBytesMax, 'x') + "\n\n" + line));
}

TEST(NoteKey, PrivateTextReadsBack) {
  const crypto::Ed25519Seed seed = crypto::random_secret<crypto::kEd25519SeedBytes>();
  const std::string text = private_key_text("example.com/log", seed);
  const auto signer = Ed25519NoteSigner::parse(text);
  ASSERT_TRUE(signer) << signer.error().message;
  EXPECT_EQ(signer->verifier_key(), Ed25519NoteSigner("example.com/log", seed).verifier_key());
  for (std::size_t at = 0; at < text.size(); ++at) {
    std::string bad = text;
    bad[at] = bad[at] == 'b' ? 'c' : 'b';
    const auto refused = Ed25519NoteSigner::parse(bad);
    ASSERT_FALSE(refused) << at;
    // The message must not show what it could not read.
    EXPECT_EQ(refused.error().message.find(text.substr(40)), std::string::npos);
  }
}

TEST(NoteKey, PublicTextIsChecked) {
  for (std::size_t at = 0; at < kKey.size(); ++at) {
    std::string bad(kKey);
    bad[at] = bad[at] == 'b' ? 'c' : 'b';
    const auto key = VerifierKey::parse(bad);
    // Another type byte makes a key of a kind that verifies nothing.
    EXPECT_TRUE(!key || !key->is_checked()) << at;
  }
  EXPECT_FALSE(VerifierKey::parse(""));
  EXPECT_FALSE(VerifierKey::parse("a+b"));
  EXPECT_FALSE(VerifierKey::parse("a+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"));
  // 31 bytes.
  EXPECT_FALSE(VerifierKey::parse("a+00000000+" + base::base64_encode(std::vector<std::uint8_t>(32, 1))));
  // Keys that cannot be checked are read, with the id checked where its rule is known.
  std::vector<std::uint8_t> ecdsa(92, 2);
  const auto other = VerifierKey::parse("a+12345678+" + base::base64_encode(ecdsa));
  ASSERT_TRUE(other);
  EXPECT_FALSE(other->is_checked());
  std::vector<std::uint8_t> ml_dsa(1'313, 6);
  EXPECT_FALSE(VerifierKey::parse("a+12345678+" + base::base64_encode(ml_dsa)));
  const auto id = key_id("a", KeyType::ml_dsa_44, std::string(1'312, 6));
  const VerifierKey key{"a", id, KeyType::ml_dsa_44, std::string(1'312, 6)};
  EXPECT_EQ(*VerifierKey::parse(key.text()), key);
}

TEST(NoteKey, Names) {
  for (const char* good : {"a", "example.com/log", "\u00e9\u4e2d", "a-b_c~d", "PRIVATE"})
    EXPECT_TRUE(is_key_name(good));
  for (const char* bad : {"", " ", "a b", "a+b", "a\nb", "a\u2003b", "\u3000", "\x7f\xff", "a\u0085"}) {
    EXPECT_FALSE(is_key_name(bad)) << bad;
  }
  EXPECT_TRUE(is_key_name(std::string(kKeyNameBytesMax, 'a')));
  EXPECT_FALSE(is_key_name(std::string(kKeyNameBytesMax + 1, 'a')));
}

constexpr std::string_view kCosignedText =
    "rome2026h1.example.org\n300\ngw31yQrqZZCcEOPrzX+bpy3nJ6QgngTKn8G1m0i62uU=\n";

TEST(Cosignature, KnownAnswer) {
  const auto key = VerifierKey::parse("mirror.example.org+3fb148ef+BAAjjch9GyYz0sJsJx7ALhbdAtz2ov0unbzSl1vMp94O");
  ASSERT_TRUE(key);
  EXPECT_EQ(key->type, KeyType::cosignature_v1);
  const auto lines = parse_signature_lines(
      "\u2014 mirror.example.org P7FI7wAAAABpVGeAjA1S4pJm6MbcXjX7UUImu4azZtrfcVW2uyr/LXIYlwEJzXC0N0EiZkbqfLdXt/4gVEEuGm"
      "xJjAfXKMCISpsJAg==\n");
  ASSERT_TRUE(lines);
  EXPECT_EQ(verify_cosignature(*key, kCosignedText, lines->at(0)), 1'767'139'200U);
  EXPECT_TRUE(verify_signature(*key, kCosignedText, lines->at(0)));
  for (std::size_t bit = 0; bit < 8 * lines->at(0).bytes.size(); ++bit) {
    NoteSignature bad = lines->at(0);
    bad.bytes[bit / 8] = static_cast<char>(bad.bytes[bit / 8] ^ 1 << bit % 8);
    ASSERT_FALSE(verify_cosignature(*key, kCosignedText, bad)) << bit;
  }
}

TEST(Cosignature, IsTiedToTimeKindAndKey) {
  const crypto::Ed25519Seed seed = crypto::random_secret<crypto::kEd25519SeedBytes>();
  const Ed25519Cosigner witness("witness.example/w1", seed);
  const auto cosignature = witness.cosign(kCosignedText, 1'800'000'000);
  ASSERT_TRUE(cosignature);
  EXPECT_EQ(cosignature->bytes.size(), 72U);
  EXPECT_EQ(verify_cosignature(witness.verifier_key(), kCosignedText, *cosignature), 1'800'000'000U);
  // The same key as a plain note key has another id, and its signature is no cosignature.
  const Ed25519NoteSigner plain("witness.example/w1", seed);
  EXPECT_NE(plain.verifier_key().id, witness.verifier_key().id);
  NoteSignature renamed = *plain.sign(kCosignedText);
  renamed.id = witness.verifier_key().id;
  EXPECT_FALSE(verify_signature(witness.verifier_key(), kCosignedText, renamed));
  EXPECT_FALSE(witness.cosign(kCosignedText, std::uint64_t{1} << 63));
}

}  // namespace
}  // namespace stillwatch::tlog
