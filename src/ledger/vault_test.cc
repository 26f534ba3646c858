#include "ledger/vault.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "crypto/random_bytes.h"
#include "crypto/sha256.h"
#include "ledger/payload.h"
#include "ledger/row_store.h"
#include "ledger/vault_fixture.h"
#include "ledger/vault_row.h"

namespace stillwatch::ledger {
namespace {

using test::kDay;
using test::kNow;
using testing::HasSubstr;

struct Rig {
  test::Bookcase shelf;
  std::unique_ptr<KeyBook> book = shelf.open();
  std::unique_ptr<Vault> vault;

  explicit Rig(VaultOptions options = {}) { vault = open(options); }
  std::unique_ptr<Vault> open(VaultOptions options = {}) {
    auto opened = Vault::open(shelf.folder / "vault", *book, options);
    EXPECT_TRUE(opened.has_value()) << opened.error().message;
    return opened ? std::move(*opened) : nullptr;
  }
  void reopen(VaultOptions options = {}) {
    vault.reset();
    vault = open(options);
  }
  struct Stored {
    RecordName name;
    Sealed sealed;
  };
  Stored put(std::string_view tenant, std::string_view prompt, RetentionClass kind = RetentionClass::content,
             std::int64_t time_us = kNow) {
    SealRequest request;
    request.id = crypto::random_array<16>();
    request.tenant = request.account = tenant;
    request.time_us = time_us;
    request.retention = kind;
    request.prompt = prompt;
    request.response = "the answer";
    request.headers = "user-agent: test";
    auto sealed = vault->seal(request);
    EXPECT_TRUE(sealed.has_value()) << sealed.error().message;
    return {{request.id, sealed->fate.id}, *sealed};
  }
  base::Result<Opened> get(const RecordName& name) {
    OpenRequest request;
    request.record = name;
    request.time_us = kNow;
    request.who = "auditor";
    request.why = "case 7";
    return vault->open_record(request);
  }
};

std::string text_of(std::span<const std::uint8_t> bytes) { return {bytes.begin(), bytes.end()}; }

TEST(Vault, OpensWhatWasSealedAndSaysWhatToLog) {
  for (const bool compress : {false, true}) {
    Rig rig({.compress = compress});
    const std::string prompt(5'000, 'p');
    const auto stored = rig.put("acme", prompt);
    ASSERT_TRUE(stored.sealed.stored);
    rig.reopen();
    const auto opened = rig.get(stored.name);
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    EXPECT_EQ(opened->found, Found::opened);
    EXPECT_EQ(opened->payload.prompt, prompt);
    EXPECT_EQ(opened->payload.response, "the answer");
    EXPECT_EQ(opened->payload.headers, "user-agent: test");
    EXPECT_EQ(opened->commitment, stored.sealed.commitment);
    EXPECT_EQ(opened->ciphertext_hash, stored.sealed.ciphertext_hash);
    EXPECT_TRUE(opened->access.opened);
    EXPECT_EQ(opened->access.who, "auditor");
    EXPECT_EQ(opened->access.record.id, stored.name.id);
    // The commitment as somebody else would compute it from what an export gives him.
    const std::string payload = payload_bytes(prompt, "the answer", "user-agent: test");
    EXPECT_EQ(text_of(crypto::sha256(std::string("aud1 payload\0", 13) + text_of(opened->salt) +
                                     text_of(crypto::sha256(payload)))),
              text_of(opened->commitment));
  }
}

TEST(Vault, NothingReadableIsOnTheDisk) {
  Rig rig;
  const auto stored = rig.put("acme-corporation", "a secret prompt that nobody may read");
  ASSERT_TRUE(rig.vault->commit().has_value());
  for (const char* text : {"secret prompt", "the answer", "acme-corporation", "user-agent"}) {
    EXPECT_FALSE(test::is_anywhere(rig.shelf.folder.path(), text)) << text;
  }
  EXPECT_EQ(rig.get(stored.name)->found, Found::opened);
}

TEST(Vault, OpeningNeedsAPersonAndAReason) {
  Rig rig;
  const auto stored = rig.put("acme", "x");
  OpenRequest request;
  request.record = stored.name;
  request.who = "auditor";
  EXPECT_EQ(rig.vault->open_record(request).error().fault, base::Fault::caller);
  request.who = "";
  request.why = "curious";
  EXPECT_EQ(rig.vault->open_record(request).error().fault, base::Fault::caller);
  EXPECT_EQ(rig.vault->counts().records_opened, 0U);
}

TEST(Vault, AnUnknownRecordIsAbsentAndTheAttemptIsLogged) {
  Rig rig;
  (void)rig.put("acme", "x");
  const auto opened = rig.get({crypto::random_array<16>(), crypto::random_array<12>()});
  ASSERT_TRUE(opened.has_value());
  EXPECT_EQ(opened->found, Found::absent);
  EXPECT_FALSE(opened->access.opened);
  EXPECT_EQ(opened->access.why, "case 7");
}

TEST(Vault, AShreddedRecordSaysWhenAndWhyAndIsNoDamage) {
  Rig rig;
  const auto stored = rig.put("acme", "x");
  const auto other = rig.put("umbrella", "y");
  ASSERT_TRUE(rig.vault->commit().has_value());
  const KeyScope scope = KeyScope::payload(RetentionClass::content, kDay);
  ASSERT_TRUE(rig.book->destroy(scope, "acme", "request of the customer").has_value());
  for (int round = 0; round < 2; ++round) {
    const auto opened = rig.get(stored.name);
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    EXPECT_EQ(opened->found, Found::destroyed);
    EXPECT_EQ(sentence_of(opened->fate), "the key was destroyed on 2026-11-22T00:00:00Z: request of the customer");
    EXPECT_TRUE(opened->payload.prompt.empty());
    EXPECT_TRUE(rig.vault->check()->empty());
    // The second round: its row and ciphertext are gone too, and the answer is the same.
    EXPECT_EQ(rig.vault->remove_under(stored.name.key).value(), round == 0 ? 1U : 0U);
  }
  EXPECT_EQ(rig.get(other.name)->payload.prompt, "y");
  // Nothing is stored for that tenant and day any more; the caller writes a leaf without a payload.
  const auto late = rig.put("acme", "late");
  EXPECT_FALSE(late.sealed.stored);
  EXPECT_EQ(late.sealed.fate.reason, "request of the customer");
}

TEST(Vault, RemovedBytesAreGoneFromTheFiles) {
  Rig rig;
  std::vector<Rig::Stored> all;
  for (int i = 0; i < 300; ++i) all.push_back(rig.put(i % 3 == 0 ? "acme" : "umbrella", std::string(500, 'x')));
  ASSERT_TRUE(rig.vault->commit().has_value());
  const auto place = rig.vault->find(all[0].name).value();
  ASSERT_TRUE(place.has_value());
  const std::string pack = test::bytes_of_file(rig.shelf.folder / "vault/packs/content-2026-11-22-0001.pack");
  const std::string ciphertext = pack.substr(0, place->bytes);
  ASSERT_EQ(text_of(crypto::sha256(ciphertext)), text_of(all[0].sealed.ciphertext_hash));
  ASSERT_TRUE(test::is_anywhere(rig.shelf.folder / "vault", ciphertext));
  std::vector<std::string> wrapped_keys;
  {
    const auto rows = RowStore::open(rig.shelf.folder / "vault/rows", true).value();
    for (const auto& stored : all)
      wrapped_keys.push_back(rows->get(row_key(stored.name))->value().substr(kRowHeadBytes));
  }
  for (const std::string& wrapped : wrapped_keys)
    ASSERT_TRUE(test::is_anywhere(rig.shelf.folder / "vault/rows", wrapped));
  EXPECT_EQ(rig.vault->remove_under(all[0].name.key).value(), 100U);
  EXPECT_EQ(rig.vault->remove(all[1].name).value(), 1U);
  ASSERT_TRUE(rig.vault->compact().has_value());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const bool gone = all[i].name.key == all[0].name.key || all[i].name.id == all[1].name.id;
    ASSERT_EQ(test::is_anywhere(rig.shelf.folder / "vault/rows", wrapped_keys[i]), !gone);
    ASSERT_EQ(rig.get(all[i].name)->found, gone ? Found::absent : Found::opened);
  }
  EXPECT_FALSE(test::is_anywhere(rig.shelf.folder / "vault", ciphertext));
  EXPECT_FALSE(test::is_anywhere(rig.shelf.folder / "vault", ciphertext.substr(100, 64)));
  EXPECT_TRUE(rig.vault->check()->empty());
}

TEST(Vault, AWholeScopeGoesWithItsFiles) {
  Rig rig;
  const auto old = rig.put("acme", "old", RetentionClass::content, kNow - base::kDayUs);
  const auto today = rig.put("acme", "today");
  ASSERT_TRUE(rig.vault->commit().has_value());
  const KeyScope scope = KeyScope::payload(RetentionClass::content, kDay - 1);
  const auto keys = rig.book->destroy_scope(scope, "retention of content: 30 days").value();
  EXPECT_EQ(rig.vault->remove_scope(scope, keys).value(), 1U);
  EXPECT_EQ(rig.vault->remove_scope(scope, keys).value(), 0U);
  EXPECT_FALSE(exists(rig.shelf.folder / "vault/packs/content-2026-11-21-0001.pack"));
  OpenRequest request{old.name, kNow - base::kDayUs, "a", "b", {}, {}, {}};
  const auto opened = rig.vault->open_record(request);
  EXPECT_EQ(opened->found, Found::destroyed);
  EXPECT_TRUE(opened->fate.with_period);
  EXPECT_EQ(rig.get(today.name)->payload.prompt, "today");
}

TEST(Vault, AMovedRecordOutlivesItsFirstClass) {
  Rig rig;
  const auto stored = rig.put("acme", "evidence");
  const auto fate = rig.vault->move(stored.name, "acme", RetentionClass::flagged).value();
  EXPECT_TRUE(fate.state == KeyState::live);
  EXPECT_NE(fate.id, stored.name.key);
  EXPECT_EQ(rig.vault->find(stored.name)->value().scope.retention, RetentionClass::flagged);
  const KeyScope scope = KeyScope::payload(RetentionClass::content, kDay);
  const auto keys = rig.book->destroy_scope(scope, "retention").value();
  ASSERT_TRUE(rig.vault->remove_scope(scope, keys).has_value());
  rig.reopen();
  const auto opened = rig.get(stored.name);
  ASSERT_TRUE(opened.has_value()) << opened.error().message;
  EXPECT_EQ(opened->payload.prompt, "evidence");
  EXPECT_EQ(opened->commitment, stored.sealed.commitment);
  EXPECT_EQ(opened->ciphertext_hash, stored.sealed.ciphertext_hash);
  EXPECT_EQ(rig.vault->remove_under(fate.id).value(), 1U);
  EXPECT_NE(rig.get(stored.name)->found, Found::opened);
  EXPECT_EQ(rig.vault->move(stored.name, "acme", RetentionClass::content)->state, KeyState::absent);
}

TEST(Vault, WhatALeafDoesNotCommitToIsACheckError) {
  Rig rig;
  const auto stored = rig.put("acme", "x");
  OpenRequest request{stored.name, kNow, "a", "b", {}, stored.sealed.commitment, stored.sealed.ciphertext_hash};
  EXPECT_TRUE(rig.vault->open_record(request).has_value());
  (*request.commitment)[0] ^= 1;
  EXPECT_EQ(rig.vault->open_record(request).error().fault, base::Fault::check);
}

TEST(Vault, SizesAtTheLimitAndOver) {
  Rig rig;
  const auto empty = rig.put("acme", "");
  EXPECT_EQ(rig.get(empty.name)->payload.prompt, "");
  const std::string largest(kPayloadBytesMax - 12 - 10 - 16, 'x');
  const auto large = rig.put("acme", largest);
  EXPECT_EQ(rig.get(large.name)->payload.prompt.size(), largest.size());
  SealRequest request;
  const std::string over = largest + "x";
  request.prompt = over;
  request.response = "the answer";
  request.headers = "user-agent: test";
  EXPECT_EQ(rig.vault->seal(request).error().fault, base::Fault::caller);
  request.prompt = "";
  request.retention = RetentionClass::verdicts;
  EXPECT_EQ(rig.vault->seal(request).error().fault, base::Fault::caller);
  EXPECT_EQ(rig.vault->counts().records_refused, 2U);
}

TEST(Vault, AReaderMayLookBesideTheWriterAndChangesNothing) {
  Rig rig;
  const auto stored = rig.put("acme", "x");
  ASSERT_TRUE(rig.vault->commit().has_value());
  const auto reader = Vault::open(rig.shelf.folder / "vault", *rig.book, {.read_only = true});
  ASSERT_TRUE(reader.has_value()) << reader.error().message;
  OpenRequest request{stored.name, kNow, "a", "b", {}, {}, {}};
  EXPECT_EQ((*reader)->open_record(request)->payload.prompt, "x");
  EXPECT_FALSE((*reader)->remove(stored.name).has_value());
  EXPECT_FALSE((*reader)->seal({}).has_value());
}

TEST(Payload, ThePartsAreToldApart) {
  EXPECT_NE(payload_bytes("ab", "c", ""), payload_bytes("a", "bc", ""));
  const auto parsed = parse_payload(payload_bytes("ab", "c", "d"));
  EXPECT_EQ(parsed->prompt + "|" + parsed->response + "|" + parsed->headers, "ab|c|d");
  EXPECT_FALSE(parse_payload(payload_bytes("a", "b", "c") + "x").has_value());
  EXPECT_FALSE(parse_payload("").has_value());
}

}  // namespace
}  // namespace stillwatch::ledger
