// The log that commands write, beside a service that runs and without one.
#include "audit/desk_log.h"

#include <gtest/gtest.h>

#include "audit/anchor_writer.h"
#include "audit/audit_fixture.h"
#include "audit/manifest_store.h"
#include "ledger/log_chain.h"
#include "ledger/log_reader.h"

namespace stillwatch::audit {
namespace {

class desk_log : public ::testing::Test {
 protected:
  desk_log() {
    ledger::LogChainOptions options;
    options.folder = folder_.path();
    options.folder_prefix = "shard-s00";
    options.origin_prefix = "audit.example/audit/s00";
    auto opened = ledger::LogChain::open(options, kStartMs);
    EXPECT_TRUE(opened) << opened.error().message;
    shard_.emplace(std::move(*opened));
    EXPECT_TRUE(shard_->sign());
  }
  DeskLog open() const {
    auto opened = DeskLog::open(folder_.path(), "", kStartMs);
    EXPECT_TRUE(opened) << opened.error().message;
    return std::move(*opened);
  }
  ledger::HoldLeaf hold() const {
    ledger::HoldLeaf leaf;
    leaf.time_ms = kStartMs;
    leaf.case_id = "case-7";
    leaf.by = "j.doe";
    return leaf;
  }
  std::vector<std::string> anchored_origins(std::uint64_t index) const {
    const auto anchors = anchor_log_names(folder_.path());
    const auto reader = ledger::LogReader::open(folder_ / "logs/" + anchors->back());
    const auto leaf = ledger::read_anchor_leaf(*reader->entry(index));
    const auto manifest = find_manifest(folder_ / "manifests/" + anchors->back(), index, leaf->manifest);
    std::vector<std::string> origins;
    const auto logs = ledger::read_manifest(manifest->text);
    for (const ledger::ManifestLog& log : *logs) origins.push_back(log.origin);
    return origins;
  }

  ScratchFolder folder_;
  std::optional<ledger::LogChain> shard_;  // as held by a gateway: never let go
};

TEST_F(desk_log, writes_beside_the_writer_of_a_shard_and_goes_on_after_a_restart) {
  EXPECT_EQ(*ledger_host(folder_.path()), "audit.example");
  std::uint64_t first = 0;
  {
    DeskLog desk = open();
    const auto place = desk.append(hold(), kStartMs);
    ASSERT_TRUE(place) << place.error().message;
    first = place->index;
    EXPECT_EQ(place->origin.substr(0, 24), "audit.example/audit/desk");
    EXPECT_FALSE(DeskLog::open(folder_.path(), "", kStartMs)) << "one command at a time";
  }
  DeskLog desk = open();
  const auto place = desk.append(hold(), kStartMs + 5);
  ASSERT_TRUE(place);
  EXPECT_EQ(place->index, first + 1);
  const auto reader = ledger::LogReader::open(folder_ / "logs/" + place->log);
  ASSERT_TRUE(reader);
  EXPECT_EQ(reader->size(), place->index + 1) << "signed as well";
  EXPECT_TRUE(std::holds_alternative<ledger::HoldLeaf>(*ledger::read_leaf(*reader->entry(place->index))));
}

TEST_F(desk_log, anchors_every_log_unless_a_service_does) {
  DeskLog desk = open();
  ASSERT_TRUE(desk.append(hold(), kStartMs));
  const auto done = desk.anchor(kStartMs);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_TRUE(*done);
  EXPECT_EQ(anchored_origins(0), (std::vector<std::string>{desk.origin(), shard_->log().origin()}));
  const auto service = AnchorWriter::open({folder_.path(), "audit.example", "", ""}, kStartMs / 1'000);
  ASSERT_TRUE(service);
  const auto refused = desk.anchor(kStartMs);
  ASSERT_TRUE(refused);
  EXPECT_FALSE(*refused);
  EXPECT_EQ(desk_checkpoints(folder_.path())->size(), 1);
}

TEST(desk_log_folder, without_a_ledger_says_what_to_name) {
  const ScratchFolder folder;
  const auto opened = DeskLog::open(folder.path(), "", kStartMs);
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find("replay --ledger"), std::string::npos);
}

}  // namespace
}  // namespace stillwatch::audit
