#include "ledger/log_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <thread>

#include "ledger/leaf_examples.h"
#include "ledger/log_fixture.h"
#include "tlog/hash.h"
#include "tlog/proof.h"
#include "tlog/tile.h"
#include "tlog/verifier.h"

namespace stillwatch::ledger {
namespace {

namespace fs = std::filesystem;
using test::append_entries;
using test::kOrigin;
using test::seed;
using ::testing::HasSubstr;

class LogReaderTest : public test::LogTest {
 protected:
  LogReader reader() {
    auto reader = LogReader::open(folder_);
    EXPECT_TRUE(reader) << reader.error().message;
    return std::move(*reader);
  }

  LogStore store_ = create();
};

TEST_F(LogReaderTest, GivesNothingBeyondThePublishedCheckpoint) {
  EXPECT_EQ(LogReader::open(folder_).error().fault, base::Fault::environment);  // nothing was signed
  ASSERT_TRUE(store_.sign());
  LogReader reader = this->reader();
  EXPECT_EQ(reader.size(), 0U);
  append_entries(store_, 300);
  ASSERT_TRUE(store_.sign());
  append_entries(store_, 300);
  EXPECT_EQ(reader.entry(0).error().fault, base::Fault::input);
  ASSERT_TRUE(reader.refresh());
  EXPECT_EQ(reader.size(), 300U);
  EXPECT_EQ(*reader.entry(299), test::entry(299));
  EXPECT_EQ(reader.entry(300).error().fault, base::Fault::input);
  EXPECT_EQ(reader.resource("tile/0/001.p/45").error().fault, base::Fault::input);
  EXPECT_EQ(reader.inclusion_proof(300).error().fault, base::Fault::caller);
  EXPECT_EQ(reader.inclusion_proof(0, 301).error().fault, base::Fault::input);
  EXPECT_EQ(reader.consistency_proof(0, 301).error().fault, base::Fault::input);
}

TEST_F(LogReaderTest, HasTheTilesOfTheDefinition) {
  append_entries(store_, 66'000, 4'096);
  ASSERT_TRUE(store_.sign());
  const LogReader reader = this->reader();
  std::vector<tlog::Hash> level;
  for (std::uint64_t i = 0; i < reader.size(); ++i) level.push_back(tlog::leaf_hash(test::entry(i)));
  for (unsigned number = 0; number < 3; ++number) {
    std::vector<tlog::Hash> above;
    for (std::size_t begin = 0; begin < level.size(); begin += 256) {
      const std::size_t width = std::min<std::size_t>(256, level.size() - begin);
      const auto tile = tlog::tile_at(tlog::TileId::Kind::hashes, number, begin / 256, reader.size());
      ASSERT_TRUE(tile);
      ASSERT_EQ(tile->width, width);
      std::string expected;
      for (std::size_t i = begin; i < begin + width; ++i) expected += tlog::hash_bytes(level[i]);
      const auto bytes = reader.resource(tlog::tile_path(*tile));
      ASSERT_TRUE(bytes) << bytes.error().message;
      EXPECT_EQ(*bytes, expected) << tlog::tile_path(*tile);
      if (width == 256) above.push_back(tlog::root_of({level.data() + begin, width}));
    }
    level = std::move(above);
  }
  EXPECT_EQ(reader.resource("tile/3/000").error().fault, base::Fault::input);
  for (const char* path : {"", "/checkpoint", "tile/0/0", "tile/0/000.p/0", "tile/0/../000", "state", "tile/08/000"})
    EXPECT_EQ(reader.resource(path).error().fault, base::Fault::input) << path;
}

TEST_F(LogReaderTest, GivesBundlesOfAnyWidthThatWasEverPublished) {
  append_entries(store_, 1'000);
  ASSERT_TRUE(store_.sign());
  const LogReader reader = this->reader();
  for (std::uint64_t bundle = 0; bundle < 4; ++bundle) {
    std::string expected;
    for (unsigned width = 1; width <= 256 && bundle * 256 + width <= 1'000; ++width) {
      ASSERT_TRUE(tlog::append_entry(expected, test::entry(bundle * 256 + width - 1)));
      const auto bytes = reader.resource(tlog::tile_path({tlog::TileId::Kind::entries, 0, bundle, width}));
      ASSERT_TRUE(bytes) << bytes.error().message;
      EXPECT_EQ(*bytes, expected);
    }
  }
}

TEST_F(LogReaderTest, ProvesInclusionAndConsistencyOfAllSizes) {
  std::map<std::uint64_t, Hash32> roots{{0, store_.root()}};
  tlog::RightEdge edge;
  while (edge.size() < 530) {
    edge.append(tlog::leaf_hash(test::entry(edge.size())));
    roots[edge.size()] = edge.root();
  }
  append_entries(store_, 530);
  ASSERT_TRUE(store_.sign());
  const LogReader reader = this->reader();
  for (std::uint64_t size = 1; size <= 530; size += 1 + size / 9) {
    EXPECT_EQ(*reader.root_at(size), roots[size]);
    for (std::uint64_t index = 0; index < size; index += 1 + index / 5) {
      const auto proof = reader.inclusion_proof(index, size);
      ASSERT_TRUE(proof) << proof.error().message;
      EXPECT_TRUE(tlog::verify_inclusion(index, size, tlog::leaf_hash(test::entry(index)), *proof, roots[size]));
    }
    for (std::uint64_t old = 0; old <= size; old += 1 + old / 5) {
      const auto proof = reader.consistency_proof(old, size);
      ASSERT_TRUE(proof) << proof.error().message;
      EXPECT_TRUE(tlog::verify_consistency(old, size, roots[old], roots[size], *proof));
    }
  }
}

TEST_F(LogReaderTest, GivesNoWrongProof) {
  append_entries(store_, 700);
  ASSERT_TRUE(store_.sign());
  const LogReader reader = this->reader();
  test::flip_bit(folder_ + "/hashes-000000", 8 * 32 * 300);
  EXPECT_TRUE(reader.inclusion_proof(10));  // level 1 stands for the tile that is damaged
  const auto proof = reader.inclusion_proof(301);
  ASSERT_FALSE(proof);
  EXPECT_EQ(proof.error().fault, base::Fault::environment);
  EXPECT_THAT(proof.error().message, HasSubstr("fsck"));
}

// Two roads: hashes over what is on the disk, and the definition's root of the entries that were given.
TEST_F(LogReaderTest, ProvenEntriesAreThoseThatWereAppended) {
  append_entries(store_, 600);
  ASSERT_TRUE(store_.sign());
  const LogReader reader = this->reader();
  for (const std::uint64_t from : {0, 1, 255, 256, 300, 511, 599, 600}) {
    for (const std::uint64_t to : {0, 1, 256, 257, 512, 599, 600, 9'000}) {
      std::uint64_t next = from;
      const auto scanned = reader.scan_proven(from, to, [&](std::uint64_t index, std::string_view entry) {
        EXPECT_EQ(index, next++);
        EXPECT_EQ(entry, test::entry(index));
        return true;
      });
      EXPECT_TRUE(scanned) << from << " to " << to << ": " << scanned.error().message;
      EXPECT_EQ(next, std::max(from, std::min<std::uint64_t>(to, 600)));
    }
  }
  std::vector<tlog::Hash> leaves;
  for (std::uint64_t i = 0; i < 600; ++i) leaves.push_back(tlog::leaf_hash(test::entry(i)));
  for (const std::uint64_t size : {300, 600}) {
    for (const std::uint64_t index : {0, 128, 299}) {
      const auto entry = reader.proven_entry(index, size);
      ASSERT_TRUE(entry) << entry.error().message;
      EXPECT_EQ(entry->bytes, test::entry(index));
      EXPECT_TRUE(tlog::verify_inclusion(index, size, leaves[index], entry->proof,
                                         tlog::root_of(std::span(leaves).first(size))));
    }
  }
  EXPECT_EQ(reader.proven_entry(600).error().fault, base::Fault::caller);
  EXPECT_EQ(reader.proven_entry(0, 601).error().fault, base::Fault::input);
}

TEST_F(LogReaderTest, AChangedEntryIsNeverProven) {
  append_entries(store_, 600);
  ASSERT_TRUE(store_.sign());
  const LogReader reader = this->reader();
  const auto pass = [](std::uint64_t, std::string_view) { return true; };
  const std::string file = folder_ + "/entries-000000", whole = test::read(file);
  const std::size_t place = whole.find(test::entry(301));
  ASSERT_NE(place, std::string::npos);
  test::flip_bit(file, 8 * place + 3);
  ASSERT_TRUE(reader.entry(301)) << "its form is right";
  EXPECT_NE(*reader.entry(301), test::entry(301));
  for (const std::uint64_t size : {302, 600}) {
    const auto entry = reader.proven_entry(301, size);
    ASSERT_FALSE(entry);
    EXPECT_EQ(entry.error().fault, base::Fault::environment);
    EXPECT_THAT(entry.error().message, HasSubstr("fsck"));
  }
  EXPECT_TRUE(reader.proven_entry(300));
  for (const auto& [from, to] : {std::pair{0, 600}, {300, 310}, {301, 302}, {0, 302}}) {
    const auto scanned = reader.scan_proven(from, to, pass);
    ASSERT_FALSE(scanned) << from << " to " << to;
    EXPECT_THAT(scanned.error().message, HasSubstr("fsck"));
  }
  EXPECT_FALSE(reader.scan_proven(0, 600, [](auto, auto) { return false; })) << "the rest is checked, too";
  EXPECT_TRUE(reader.scan_proven(302, 600, pass));
  EXPECT_TRUE(reader.scan_proven(0, 301, pass));
  // With the hash changed too, so that both files agree: what was signed speaks.
  std::string forged(whole.substr(place, test::entry(301).size()));
  forged[0] ^= 1;
  std::string hashes = test::read(folder_ + "/hashes-000000");
  hashes.replace(301 * 32, 32, tlog::hash_bytes(tlog::leaf_hash(forged)));
  test::write(file, std::string(whole).replace(place, forged.size(), forged));
  test::write(folder_ + "/hashes-000000", hashes);
  EXPECT_EQ(*reader.entry(301), forged);
  EXPECT_FALSE(reader.proven_entry(301));
  EXPECT_FALSE(reader.proven_entry(301, 302)) << "an older tree is one that the checkpoint continues";
  EXPECT_FALSE(reader.root_at(302));
  EXPECT_TRUE(reader.root_at(256));
  EXPECT_FALSE(reader.scan_proven(0, 600, pass));
  EXPECT_FALSE(reader.scan_proven(301, 302, pass));
}

TEST_F(LogReaderTest, SaysWhenTheLogWentBack) {
  append_entries(store_, 10);
  ASSERT_TRUE(store_.sign());
  const std::string old = test::read(folder_ + "/checkpoint");
  append_entries(store_, 10);
  ASSERT_TRUE(store_.sign());
  LogReader reader = this->reader();
  test::write(folder_ + "/checkpoint", old);
  EXPECT_THAT(reader.refresh().error().message, HasSubstr("rolled back"));
  EXPECT_EQ(reader.size(), 20U);
}

TEST_F(LogReaderTest, ScansAndFindsByTheIdOfALeaf) {
  std::vector<std::string> bytes;
  for (unsigned i = 0; i < 600; ++i) {
    QueryLeaf leaf = test::query_example();
    leaf.id = test::bytes_of<Id16>(i % 200);
    leaf.id[15] = static_cast<std::uint8_t>(i / 200);
    ASSERT_TRUE(write_leaf(leaf, bytes.emplace_back()));
  }
  AccessLeaf access;  // names an id, and is not the record
  access.id = test::bytes_of<Id16>(7);
  access.id[15] = 1;
  ASSERT_TRUE(write_leaf(Leaf(access), bytes.emplace_back()));
  ASSERT_TRUE(store_.append(std::vector<std::string_view>(bytes.begin(), bytes.end())));
  ASSERT_TRUE(store_.sign());
  const LogReader reader = this->reader();
  EXPECT_EQ(*reader.find(access.id), std::optional<std::uint64_t>(207));
  access.id[3] ^= 1;
  EXPECT_EQ(*reader.find(access.id), std::nullopt);
  std::uint64_t next = 100;
  ASSERT_TRUE(reader.scan(100, 10'000, [&](std::uint64_t index, std::string_view entry) {
    EXPECT_EQ(index, next);
    EXPECT_EQ(entry, bytes[index]);
    return ++next < 520;
  }));
  EXPECT_EQ(next, 520U);
}

TEST_F(LogReaderTest, ReadsBesideAWriter) {
  append_entries(store_, 1);
  ASSERT_TRUE(store_.sign());
  LogReader reader = this->reader();
  std::atomic<bool> is_done{false};
  std::thread writer([&] {
    for (int round = 0; round < 40; ++round) {
      append_entries(store_, 40 + static_cast<std::uint64_t>(round));
      EXPECT_TRUE(store_.sign());
    }
    is_done = true;
  });
  std::uint64_t before = 1;
  for (bool last = false; !last; last = is_done.load() && reader.size() == before) {
    before = reader.size();
    ASSERT_TRUE(reader.refresh());
    const std::uint64_t size = reader.size();
    for (const std::uint64_t index : {std::uint64_t{0}, size / 2, size - 1}) {
      const auto entry = reader.entry(index);
      ASSERT_TRUE(entry) << entry.error().message;
      EXPECT_EQ(*entry, test::entry(index));
      const auto proof = reader.inclusion_proof(index);
      ASSERT_TRUE(proof) << proof.error().message;
    }
    const auto proof = reader.consistency_proof(before);
    ASSERT_TRUE(proof) << proof.error().message;
  }
  writer.join();
  ASSERT_TRUE(reader.refresh());
  EXPECT_EQ(reader.size(), store_.size());
}

class PublishTest : public LogReaderTest {
 protected:
  // Our own verifier; the one that is not ours runs in tests/ledger.
  void verify(std::uint64_t size, std::uint64_t minimum_index = 0) {
    tlog::FolderLog log(public_);
    tlog::VerifySettings settings;
    settings.minimum_index = minimum_index;
    settings.older_checkpoints = notes_;
    const auto report = tlog::verify_log(log, *tlog::VerifierKey::parse(store_.vkey()), settings);
    ASSERT_TRUE(report) << report.error().message;
    for (const auto& finding : report->findings) ADD_FAILURE() << finding.file << ": " << finding.what;
    EXPECT_EQ(report->checkpoint.size, size);
  }
  std::string public_ = top_ / "public";
  std::vector<std::string> notes_;
};

TEST_F(PublishTest, WritesWhatIsNewAndVerifiesAtEachStep) {
  for (const std::uint64_t size : {0, 1, 255, 256, 257, 600, 600, 65'535, 65'536, 65'537, 70'000}) {
    append_entries(store_, size - store_.size(), 4'096);
    ASSERT_TRUE(store_.sign());
    const auto counts = publish(reader(), public_);
    ASSERT_TRUE(counts) << counts.error().message;
    EXPECT_EQ(counts->files_written == 0, !notes_.empty() && notes_.back() == reader().checkpoint());
    verify(size);
    notes_.push_back(reader().checkpoint());
  }
  EXPECT_FALSE(fs::exists(public_ + "/tile/0/000.p"));
  EXPECT_TRUE(fs::exists(public_ + "/tile/2/000.p/1"));
}

TEST_F(PublishTest, TakesPrunedBundlesAway) {
  append_entries(store_, 65'536 + 300, 4'096);
  ASSERT_TRUE(store_.sign());
  ASSERT_TRUE(publish(reader(), public_));
  ASSERT_TRUE(store_.prune(65'536));
  ASSERT_TRUE(publish(reader(), public_));
  EXPECT_FALSE(fs::exists(public_ + "/tile/entries/000"));
  EXPECT_FALSE(fs::exists(public_ + "/tile/entries/255"));
  EXPECT_TRUE(fs::exists(public_ + "/tile/entries/256"));
  verify(65'836, 65'536);
}

TEST_F(PublishTest, RefusesTheFolderOfAnotherLog) {
  append_entries(store_, 10);
  ASSERT_TRUE(store_.sign());
  ASSERT_TRUE(publish(reader(), public_));
  auto other = LogStore::create(top_ / "other", kOrigin, seed(9));
  ASSERT_TRUE(other->sign());
  EXPECT_EQ(publish(*LogReader::open(top_ / "other"), public_).error().fault, base::Fault::caller);
}

}  // namespace
}  // namespace stillwatch::ledger
