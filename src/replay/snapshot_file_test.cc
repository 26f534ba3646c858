#include "replay/snapshot_file.h"

#include <gtest/gtest.h>

#include "replay/folder_fixture.h"

namespace stillwatch::replay {
namespace {

SnapshotFile example() {
  SnapshotFile out;
  out.policy_hash = "sha256:abc";
  out.secret_id = 7;
  out.inputs = "log\n";
  out.reader = "reader";
  out.engine.assign(5'000, '\0');
  out.identities = "";
  out.verdicts = {11, 12};
  out.rejects = {13, 14};
  out.rejects_listed = 15;
  return out;
}

TEST(SnapshotFile, ComesBackAsItWas) {
  Folder state;
  const auto none = read_snapshot(state.path(), example());
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
  ASSERT_TRUE(write_snapshot(state.path(), example()));
  EXPECT_EQ(state.names(), std::vector<std::string>{"snapshot"});
  const auto found = read_snapshot(state.path(), example());
  ASSERT_TRUE(found && *found);
  const SnapshotFile expected = example(), &read = **found;
  EXPECT_EQ(read.reader, expected.reader);
  EXPECT_EQ(read.engine, expected.engine);
  EXPECT_EQ(read.identities, expected.identities);
  EXPECT_EQ(read.verdicts.bytes, 11U);
  EXPECT_EQ(read.verdicts.sum, 12U);
  EXPECT_EQ(read.rejects.bytes, 13U);
  EXPECT_EQ(read.rejects.sum, 14U);
  EXPECT_EQ(read.rejects_listed, 15U);
  remove_snapshot(state.path());
  EXPECT_TRUE(state.names().empty());
}

TEST(SnapshotFile, BelongsToOneRun) {
  Folder state;
  ASSERT_TRUE(write_snapshot(state.path(), example()));
  SnapshotFile policy = example(), secret = example(), logs = example();
  policy.policy_hash = "sha256:abd";
  secret.secret_id = 8;
  logs.inputs = "log\nlog\n";
  for (const SnapshotFile& other : {policy, secret, logs}) {
    const auto found = read_snapshot(state.path(), other);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().fault, base::Fault::caller);
    EXPECT_NE(found.error().message.find(state / "snapshot"), std::string::npos);
  }
}

TEST(SnapshotFile, EveryDamageIsRefused) {
  Folder state;
  ASSERT_TRUE(write_snapshot(state.path(), example()));
  const std::string whole = state.read("snapshot");
  const auto refused = [&](const std::string& bytes) {
    state.write("snapshot", bytes);
    const auto found = read_snapshot(state.path(), example());
    return !found && found.error().fault == base::Fault::environment &&
           found.error().message.find(state / "snapshot") != std::string::npos;
  };
  for (std::size_t size = 0; size < whole.size(); size += size < 200 ? 1 : 97)
    EXPECT_TRUE(refused(whole.substr(0, size))) << "cut at " << size;
  for (std::size_t at = 0; at < whole.size(); at += at < 200 ? 1 : 97) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << (at % 8)));
    EXPECT_TRUE(refused(flipped)) << "flipped at " << at;
  }
  EXPECT_TRUE(refused(whole + "x"));
  EXPECT_FALSE(refused(whole));
}

}  // namespace
}  // namespace stillwatch::replay
