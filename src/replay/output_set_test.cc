#include "replay/output_set.h"

#include <gtest/gtest.h>

#include "replay/folder_fixture.h"

namespace stillwatch::replay {
namespace {

using Names = std::vector<std::string>;

TEST(OutputSet, ReplacesThoseOfAnEarlierRunTogether) {
  Folder out;
  out.write("a", "old");
  out.write("b", "old");
  out.write("other", "not ours");
  OutputSet outputs(out.path());
  ASSERT_TRUE(outputs.write("a", "new a") && outputs.write("b", ""));
  EXPECT_EQ(out.read("a"), "old");
  ASSERT_TRUE(outputs.publish());
  EXPECT_EQ(out.names(), (Names{"a", "b", "other"}));
  EXPECT_EQ(out.read("a"), "new a");
  EXPECT_EQ(out.read("b"), "");
  EXPECT_EQ(out.read("other"), "not ours");
}

TEST(OutputSet, UnpublishedLeavesNothing) {
  Folder out;
  out.write("a", "old");
  {
    OutputSet outputs(out.path());
    ASSERT_TRUE(outputs.write("a", "new") && outputs.write("b", "new"));
  }
  EXPECT_EQ(out.names(), Names{"a"});
  EXPECT_EQ(out.read("a"), "old");
}

TEST(OutputSet, ANameThatCannotBeTakenChangesNothing) {
  Folder out;
  out.write("a", "old");
  std::filesystem::create_directory(out / "b");
  {
    OutputSet outputs(out.path());
    ASSERT_TRUE(outputs.write("a", "new") && outputs.write("b", "new"));
    const auto status = outputs.publish();
    ASSERT_FALSE(status);
    EXPECT_NE(status.error().message.find(out / "b"), std::string::npos);
  }
  EXPECT_EQ(out.names(), (Names{"a", "b"}));
  EXPECT_EQ(out.read("a"), "old");
}

TEST(OutputSet, CopiesWholeFiles) {
  Folder out, state;
  const std::string bytes(200'000, 'x');
  state.write("from", bytes);
  OutputSet outputs(out.path());
  ASSERT_TRUE(outputs.copy("to", state / "from") && outputs.publish());
  EXPECT_EQ(out.read("to"), bytes);
  EXPECT_EQ(state.read("from"), bytes);
  EXPECT_FALSE(outputs.copy("to", state / "missing"));
}

}  // namespace
}  // namespace stillwatch::replay
