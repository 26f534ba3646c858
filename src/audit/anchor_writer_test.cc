// The anchor log over restarts, years, faults and clocks that go back.
#include "audit/anchor_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "audit/audit_fixture.h"
#include "audit/manifest_store.h"
#include "base/event_time.h"
#include "base/files.h"
#include "ledger/log_keys.h"
#include "ledger/log_reader.h"
#include "ledger/small_log_fixture.h"
#include "tlog/checkpoint.h"

namespace stillwatch::audit {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kStart = kStartMs / 1'000;
constexpr std::int64_t kNewYear = 1'798'761'600;  // 2027-01-01T00:00:00Z

class anchor_writer : public ::testing::Test {
 protected:
  anchor_writer() { shard_.grow(20); }
  AnchorWriterOptions options() const { return {folder_.path(), "audit.example", "", ""}; }
  AnchorWriter open(std::int64_t time_s = kStart) const {
    auto opened = AnchorWriter::open(options(), time_s);
    EXPECT_TRUE(opened) << opened.error().message;
    return std::move(*opened);
  }
  std::vector<ledger::ManifestLog> logs(std::uint64_t size) const { return {*ledger::manifest_log(shard_.note(size))}; }
  ledger::LogReader reader(const std::string& name) const {
    return std::move(*ledger::LogReader::open(folder_ / "logs/" + name));
  }
  ledger::AnchorLeaf leaf(const std::string& name, std::uint64_t index) const {
    return *ledger::read_anchor_leaf(reader(name).entry(index).value());
  }
  std::vector<ledger::ManifestLog> manifest(const std::string& name, std::uint64_t index) const {
    const auto found = find_manifest(folder_ / "manifests/" + name, index, leaf(name, index).manifest);
    EXPECT_TRUE(found) << found.error().message;
    return ledger::read_manifest(found->text).value();
  }

  ScratchFolder folder_;
  ledger::SmallLog shard_{"audit.example/audit/s00/2026-11", 1};
};

TEST_F(anchor_writer, each_leaf_opens_to_the_manifest_that_was_given) {
  AnchorWriter writer = open();
  ledger::Hash32 stamp;
  stamp.fill(4);
  for (std::uint64_t i = 0; i < 5; ++i) {
    ASSERT_TRUE(
        writer.append(kStart + 10 * static_cast<std::int64_t>(i), logs(i + 1), i < 3 ? ledger::Hash32{} : stamp));
  }
  EXPECT_EQ(writer.origin(), "audit.example/anchor/2026");
  const ledger::LogReader log = reader("anchor-2026");
  EXPECT_EQ(log.size(), 5U);
  EXPECT_EQ(log.checkpoint(), writer.note());
  for (std::uint64_t i = 0; i < 5; ++i) {
    EXPECT_EQ(log.entry(i)->size(), ledger::kAnchorLeafBytes);
    EXPECT_EQ(leaf("anchor-2026", i).time_s, kStart + 10 * static_cast<std::int64_t>(i));
    EXPECT_EQ(leaf("anchor-2026", i).stamp, i < 3 ? ledger::Hash32{} : stamp);
    EXPECT_EQ(manifest("anchor-2026", i), logs(i + 1));
  }
}

TEST_F(anchor_writer, goes_on_after_a_restart_and_never_with_an_earlier_time) {
  {
    AnchorWriter writer = open();
    ASSERT_TRUE(writer.append(kStart + 100, logs(1), {}));
  }
  AnchorWriter writer = open(kStart - 1'000);
  EXPECT_EQ(writer.size(), 1U);
  EXPECT_EQ(writer.last_time_s(), kStart + 100);
  ASSERT_TRUE(writer.append(kStart + 50, logs(2), {}));
  EXPECT_EQ(leaf("anchor-2026", 1).time_s, kStart + 100);
  ASSERT_TRUE(writer.append(kStart + 110, logs(3), {}));
  EXPECT_EQ(leaf("anchor-2026", 2).time_s, kStart + 110);
}

TEST_F(anchor_writer, a_new_year_is_a_new_log_with_another_key_that_names_the_end_of_the_old_one) {
  AnchorWriter writer = open();
  ASSERT_TRUE(writer.append(kNewYear - 10, logs(1), {}));
  const std::string old_vkey = reader("anchor-2026").vkey(), old_end = writer.note();
  ASSERT_TRUE(writer.append(kNewYear, logs(2), {}));
  EXPECT_EQ(writer.log_name(), "anchor-2027");
  EXPECT_EQ(writer.size(), 1U);
  EXPECT_NE(reader("anchor-2027").vkey(), old_vkey);
  const auto first = manifest("anchor-2027", 0);
  ASSERT_EQ(first.size(), 2U);
  EXPECT_EQ(first[0].origin, "audit.example/anchor/2026");
  EXPECT_EQ(first[0].note, old_end);
  EXPECT_EQ(first[1], logs(2)[0]);
  EXPECT_FALSE(ledger::has_seed(folder_ / "keys/anchor-2026.seed"));
  EXPECT_TRUE(ledger::has_seed(folder_ / "keys/anchor-2027.seed"));
  ASSERT_TRUE(writer.append(kNewYear + 10, logs(3), {}));
  EXPECT_EQ(manifest("anchor-2027", 1), logs(3));
  // A clock that goes back into the old year stays in the new log.
  ASSERT_TRUE(writer.append(kNewYear - 100, logs(4), {}));
  EXPECT_EQ(writer.log_name(), "anchor-2027");
  EXPECT_EQ(leaf("anchor-2027", 2).time_s, kNewYear + 10);
}

TEST_F(anchor_writer, a_crash_while_a_year_begins_is_taken_up_at_every_step) {
  {
    AnchorWriter writer = open();
    ASSERT_TRUE(writer.append(kNewYear - 10, logs(1), {}));
  }
  // A seed without a log.
  ASSERT_TRUE(ledger::write_seed(folder_ / "keys/anchor-2027.seed", "audit.example/anchor/2027", ledger::test_seed(7)));
  {
    AnchorWriter writer = open(kNewYear);
    EXPECT_EQ(writer.log_name(), "anchor-2026");
    ASSERT_TRUE(writer.append(kNewYear, logs(2), {}));
  }
  EXPECT_EQ(reader("anchor-2027").vkey(), ledger::vkey_of("audit.example/anchor/2027", ledger::test_seed(7)));
  // The old seed still there, as if the crash was before it was destroyed.
  ASSERT_TRUE(ledger::write_seed(folder_ / "keys/anchor-2026.seed", "audit.example/anchor/2026", ledger::test_seed(8)));
  const AnchorWriter writer = open(kNewYear + 20);
  EXPECT_EQ(writer.log_name(), "anchor-2027");
  EXPECT_FALSE(ledger::has_seed(folder_ / "keys/anchor-2026.seed"));
}

TEST_F(anchor_writer, a_log_without_its_seed_is_refused_and_not_begun_anew) {
  {
    AnchorWriter writer = open();
    ASSERT_TRUE(writer.append(kStart, logs(1), {}));
  }
  ASSERT_TRUE(ledger::destroy_seed(folder_ / "keys/anchor-2026.seed"));
  const auto opened = AnchorWriter::open(options(), kStart);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().fault, base::Fault::environment);
}

TEST_F(anchor_writer, two_writers_are_refused) {
  const AnchorWriter writer = open();
  EXPECT_FALSE(AnchorWriter::open(options(), kStart));
}

TEST_F(anchor_writer, what_cannot_be_written_is_an_error_and_the_next_call_goes_on) {
  AnchorWriter writer = open();
  ASSERT_TRUE(writer.append(kStart, logs(1), {}));
  std::filesystem::rename(folder_ / "manifests", folder_ / "away");
  ASSERT_TRUE(base::write_file(folder_ / "manifests", "in the way"));
  AnchorWriter fresh = std::move(writer);
  // The file that is open goes on being written; a new day needs a new one. Make it need one by a restart.
  { const AnchorWriter ends = std::move(fresh); }
  AnchorWriter again = open();
  EXPECT_FALSE(again.append(kStart + 10, logs(2), {}));
  EXPECT_EQ(again.size(), 1U);
  std::filesystem::remove(folder_ / "manifests");
  std::filesystem::rename(folder_ / "away", folder_ / "manifests");
  ASSERT_TRUE(again.append(kStart + 20, logs(3), {}));
  EXPECT_EQ(again.size(), 2U);
  EXPECT_EQ(manifest("anchor-2026", 1), logs(3));
}

TEST_F(anchor_writer, a_derivation_key_makes_the_same_bytes_again) {
  const std::string key(32, 'k');
  std::vector<std::string> notes;
  for (int i = 0; i < 2; ++i) {
    const ScratchFolder folder;
    auto writer = AnchorWriter::open({folder.path(), "audit.example", "", key}, kStart);
    ASSERT_TRUE(writer);
    for (std::uint64_t n = 0; n < 4; ++n) ASSERT_TRUE(writer->append(kStart + 10, logs(n + 1), {}));
    notes.push_back(writer->note());
  }
  EXPECT_EQ(notes[0], notes[1]);
}

TEST_F(anchor_writer, salts_differ_though_nothing_has_happened) {
  AnchorWriter writer = open();
  ASSERT_TRUE(writer.append(kStart, logs(1), {}));
  ASSERT_TRUE(writer.append(kStart + 10, logs(1), {}));
  EXPECT_NE(leaf("anchor-2026", 0).manifest, leaf("anchor-2026", 1).manifest);
}

}  // namespace
}  // namespace stillwatch::audit
