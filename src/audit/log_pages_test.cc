// The pages: what is served can be checked by a stranger, and nothing else is served.
#include "audit/log_pages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "audit/audit_log.h"
#include "audit/cosigned_store.h"
#include "audit/page_book.h"
#include "audit/witness_fixture.h"
#include "tlog/offline_proof.h"
#include "tlog/tile.h"
#include "tlog/verifier.h"

namespace stillwatch::audit {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class log_pages : public ::testing::Test {
 public:
  log_pages() {
    Settings settings = test_settings(folder_.path(), clock_);
    settings.pages.resize(2);
    for (PagesSettings& pages : settings.pages) pages.listen.push_back({"127.0.0.1:0", false});
    settings.pages[1].audience = Audience::auditor;
    auto opened = AuditLog::open(std::move(settings));
    EXPECT_TRUE(opened) << opened.error().message;
    log_ = std::move(*opened);
    for (std::uint64_t i = 0; i < 599; ++i) EXPECT_TRUE(log_->append(test_leaf(i)));
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(log_->anchor_now(kStartMs + i * 10'000));
  }
  http::FetchAnswer fetch(const std::string& target, std::size_t pages = 1, const std::string& method = "GET") const {
    http::FetchRequest request;
    request.url = "http://127.0.0.1:" + std::to_string(log_->pages_port(pages)) + target;
    request.method = method;
    request.answer_bytes_max = 32U << 20;
    auto answer = http::fetch_blocking(std::move(request));
    EXPECT_TRUE(answer) << answer.error().message;
    return answer ? *answer : http::FetchAnswer{};
  }

 protected:
  ledger::LogReader reader(const std::string& name) const {
    return std::move(*ledger::LogReader::open(folder_ / "logs/" + name));
  }

  ScratchFolder folder_;
  TestClock clock_;
  std::unique_ptr<AuditLog> log_;
};

constexpr const char* kShard = "/audit/s00/2026-11/";

TEST_F(log_pages, serve_every_tile_and_bundle_of_a_checkpoint_so_that_the_whole_log_verifies) {
  class Fetched final : public tlog::TileSource {
   public:
    explicit Fetched(const log_pages& pages) : pages_(pages) {}
    base::Status read_tile(const tlog::TileId& tile, std::string& out) override {
      const http::FetchAnswer answer = pages_.fetch(kShard + tlog::tile_path(tile));
      if (answer.status != 200) return base::fail(base::Fault::input, "status " + std::to_string(answer.status));
      out = answer.body;
      return {};
    }

   private:
    const log_pages& pages_;
  };
  const http::FetchAnswer note = fetch(std::string(kShard) + "checkpoint");
  EXPECT_EQ(note.status, 200);
  EXPECT_EQ(note.fields.find("content-type"), "text/plain; charset=utf-8");
  EXPECT_EQ(note.fields.find("cache-control"), "private, max-age=2");
  const auto checkpoint =
      tlog::open_checkpoint(note.body, *tlog::VerifierKey::parse(reader("shard-s00-2026-11").vkey()));
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->size, 600U);
  Fetched tiles(*this);
  tlog::TileHashSource hashes(tiles, 600);
  EXPECT_EQ(tlog::tree_root(hashes, 600).value(), checkpoint->root);
  std::uint64_t index = 0;
  tlog::visit_new_tiles(0, 600, [&](const tlog::TileId& tile) {
    const http::FetchAnswer answer = fetch(kShard + tlog::tile_path(tile));
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.fields.find("cache-control"), "private, max-age=31536000, immutable");
    EXPECT_EQ(answer.fields.find("content-type"), "application/octet-stream");
    if (tile.kind != tlog::TileId::Kind::entries) return;
    const auto entries = tlog::read_bundle(answer.body, tile.width, true);
    ASSERT_TRUE(entries);
    for (const std::string_view entry : *entries) {
      EXPECT_EQ(hashes.subtree_root({0, index}).value(), tlog::leaf_hash(entry));
      ++index;
    }
  });
  EXPECT_EQ(index, 600U);
}

TEST_F(log_pages, nothing_beyond_the_checkpoint_and_no_second_spelling_is_served) {
  const std::string shard = kShard;
  for (const std::string& path : {shard + "tile/0/002.p/89",
                                  shard + "tile/0/003",
                                  shard + "tile/0/002",
                                  shard + "tile/1/000.p/3",
                                  shard + "tile/1/000",
                                  shard + "tile/2/000.p/1",
                                  shard + "tile/entries/003",
                                  shard + "tile/0/2",
                                  shard + "tile/00/000",
                                  shard + "tile/0/x000/000",
                                  shard + "tile/0/000.p/256",
                                  shard + "tile/0/000.p/0",
                                  shard + "tile/entries/002.p/089",
                                  shard + "checkpoint/",
                                  shard + "/checkpoint",
                                  shard + "Checkpoint",
                                  shard + "state",
                                  shard + "signed",
                                  shard + "entries-0",
                                  shard + "../shard-s00-2026-11/checkpoint",
                                  shard + "%63heckpoint",
                                  std::string("/shard-s00-2026-11/checkpoint"),
                                  std::string("/logs/anchor-2026/checkpoint"),
                                  std::string("/audit/s00/2026-11"),
                                  std::string("/audit/../anchor/2026/checkpoint"),
                                  std::string("//anchor/2026/checkpoint"),
                                  std::string("/anchor/2026/../../keys/anchor-2026.seed"),
                                  std::string("/keys/anchor-2026.seed"),
                                  std::string("/anchor/2027/checkpoint"),
                                  std::string("/"),
                                  std::string("/anchor"),
                                  std::string("/anchor/2026"),
                                  std::string("/audit/s01/2026-11/checkpoint")}) {
    EXPECT_EQ(fetch(path).status, 404) << path;
  }
  EXPECT_EQ(fetch(shard + "checkpoint?x=1").status, 400);
  EXPECT_EQ(fetch(shard + "checkpoint", 1, "POST").status, 405);
  EXPECT_EQ(fetch(shard + "checkpoint", 1, "HEAD").body, "");
  EXPECT_EQ(fetch("/healthz").body, "ok\n");
  EXPECT_EQ(log_->counters().pages_failed, 0U);
}

TEST_F(log_pages, everyone_sees_the_anchor_log_and_only_that) {
  const http::FetchAnswer note = fetch("/anchor/2026/checkpoint", 0);
  EXPECT_EQ(note.status, 200);
  EXPECT_EQ(note.fields.find("cache-control"), "public, max-age=2");
  EXPECT_EQ(note.body, log_->anchor_checkpoint().note);
  EXPECT_EQ(fetch("/anchor/2026/tile/entries/000.p/3", 0).body.size(), 3U * 162);
  for (const char* path : {"audit/s00/2026-11/checkpoint", "audit/s00/2026-11/tile/0/000",
                           "v1/proof?log=audit/s00/2026-11&index=1", "v1/cosigned?log=audit/s00/2026-11"}) {
    EXPECT_EQ(fetch(std::string("/") + path, 0).status, 404) << path;
  }
}

TEST_F(log_pages, a_proof_verifies_and_prefers_the_cosigned_checkpoint) {
  const tlog::VerifierKey key = *tlog::VerifierKey::parse(reader("anchor-2026").vkey());
  const auto check = [&](std::uint64_t index, std::uint64_t size) {
    const http::FetchAnswer answer = fetch("/v1/proof?log=anchor/2026&index=" + std::to_string(index), 0);
    EXPECT_EQ(answer.status, 200) << answer.body;
    const auto proof = tlog::OfflineProof::parse(answer.body);
    ASSERT_TRUE(proof) << proof.error().message;
    const auto checkpoint =
        tlog::verify_offline(*proof, tlog::leaf_hash(reader("anchor-2026").entry(index).value()), key);
    ASSERT_TRUE(checkpoint) << checkpoint.error().message;
    EXPECT_EQ(checkpoint->size, size);
  };
  check(0, 3);
  EXPECT_EQ(fetch("/v1/cosigned?log=anchor/2026", 0).status, 404);
  // A cosigned checkpoint of size 2, made by hand: index 2 is beyond it.
  const ledger::LogReader anchors = reader("anchor-2026");
  const CosignedStore store(folder_ / "cosigned/anchor-2026");
  tlog::Checkpoint two;
  two.origin = anchors.origin();
  two.size = 2;
  two.root = anchors.root_at(2).value();
  const auto seed = base::read_file(folder_ / "keys/anchor-2026.seed", 4'096).value();
  const auto signer = tlog::Ed25519NoteSigner::parse(seed.substr(0, seed.find('\n')));
  ASSERT_TRUE(signer) << signer.error().message;
  ASSERT_TRUE(store.add(2, tlog::sign_checkpoint(two, *signer).value()));
  check(0, 2);
  check(1, 2);
  check(2, 3);
  EXPECT_THAT(fetch("/v1/cosigned?log=anchor/2026", 0).body, StartsWith("audit.example/anchor/2026\n2\n"));
  // Witnesses that have seen another tree: no proof is given under either.
  two.root = anchors.root_at(1).value();
  ASSERT_TRUE(store.add(2, tlog::sign_checkpoint(two, *signer).value()));
  EXPECT_EQ(fetch("/v1/proof?log=anchor/2026&index=0", 0).status, 500);
  EXPECT_EQ(log_->counters().pages_failed, 1U);
}

TEST_F(log_pages, a_proof_of_a_shard_leaf_is_for_auditors) {
  const http::FetchAnswer answer = fetch("/v1/proof?index=599&log=audit/s00/2026-11");
  ASSERT_EQ(answer.status, 200);
  const auto proof = tlog::OfflineProof::parse(answer.body);
  ASSERT_TRUE(proof);
  EXPECT_TRUE(tlog::verify_offline(*proof, tlog::leaf_hash(test_leaf(598)),
                                   *tlog::VerifierKey::parse(reader("shard-s00-2026-11").vkey())));
  EXPECT_EQ(fetch("/v1/proof?log=audit/s00/2026-11&index=600").status, 404);
  for (const char* query :
       {"", "?", "?log=anchor/2026", "?index=0", "?log=anchor/2026&index=", "?log=anchor/2026&index=00",
        "?log=anchor/2026&index=-1", "?log=anchor/2026&index=0&index=1", "?log=anchor/2026&index=0&x=1",
        "?log=anchor/2026&index=99999999999999999999", "?log&index=0"}) {
    EXPECT_EQ(fetch(std::string("/v1/proof") + query).status, 400) << query;
  }
  EXPECT_EQ(fetch("/v1/proof?log=anchor-2026&index=0").status, 404);
  EXPECT_EQ(fetch("/v1/proof?log=../keys&index=0").status, 404);
}

TEST_F(log_pages, new_leaves_appear_and_old_partial_tiles_stay) {
  const std::string shard = kShard, before = fetch(shard + "tile/0/002.p/88").body;
  ASSERT_TRUE(log_->append(test_leaf(600)));
  ASSERT_TRUE(log_->flush());
  ASSERT_TRUE(http::eventually([&] { return fetch(shard + "tile/0/002.p/89").status == 200; }));
  EXPECT_EQ(fetch(shard + "tile/0/002.p/88").body, before);
}

TEST_F(log_pages, damage_on_the_disk_is_a_500_and_never_a_page) {
  const std::string folder = folder_ / "logs/anchor-2026";
  ASSERT_TRUE(log_->stop());
  std::string note = base::read_file(folder + "/checkpoint", 1U << 20).value();
  note[note.size() - 10] = note[note.size() - 10] == 'A' ? 'B' : 'A';
  ASSERT_TRUE(base::write_file(folder + "/checkpoint", note));
  Counters counters;
  PageBook book(folder_.path(), "audit.example", Audience::everyone, counters);
  EXPECT_EQ(book.answer("GET", "/anchor/2026/checkpoint", 0).status, 500);
  EXPECT_EQ(counters.pages_failed, 1U);
  PageBook other_host(folder_.path(), "other.example", Audience::auditor, counters);
  EXPECT_EQ(other_host.answer("GET", "/audit/s00/2026-11/checkpoint", 0).status, 404);
}

}  // namespace
}  // namespace stillwatch::audit
