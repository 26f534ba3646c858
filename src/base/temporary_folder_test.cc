#include "base/temporary_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/folder_fixture.h"

namespace stillwatch::base {
namespace {

TEST(TemporaryFolder, IsGoneWithItsFilesAndOnlyThen) {
  std::string path;
  {
    auto first = TemporaryFolder::make();
    ASSERT_TRUE(first) << first.error().message;
    path = first->path();
    std::filesystem::create_directories(*first / "a/b");
    std::ofstream(*first / "a/b/file") << "bytes";
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0700U);
    TemporaryFolder second = std::move(*first);
    first = TemporaryFolder::make();
    ASSERT_TRUE(first);
    EXPECT_NE(first->path(), path);
    EXPECT_TRUE(std::filesystem::exists(second / "a/b/file"));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(TemporaryFolder, WhatCannotBeMadeIsToldWithItsPlace) {
  const auto nowhere = TemporaryFolder::make("/proc/none");
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().fault, Fault::environment);
  EXPECT_NE(nowhere.error().message.find("/proc/none"), std::string::npos);
  EXPECT_NE(nowhere.error().message.find("TMPDIR"), std::string::npos);
  EXPECT_THROW(test::Folder("/proc/none"), std::runtime_error);
}

TEST(TemporaryFolder, TmpdirNamesWhereItLies) {
  const test::Folder parent;
  const char* const set = std::getenv("TMPDIR");
  const std::optional<std::string> before = set == nullptr ? std::nullopt : std::optional<std::string>(set);
  ASSERT_EQ(::setenv("TMPDIR", parent.path().c_str(), 1), 0);
  const auto inside = TemporaryFolder::make();
  ASSERT_EQ(::setenv("TMPDIR", (parent / "none").c_str(), 1), 0);
  const auto nowhere = TemporaryFolder::make();
  before ? ::setenv("TMPDIR", before->c_str(), 1) : ::unsetenv("TMPDIR");
  ASSERT_TRUE(inside);
  EXPECT_TRUE(inside->path().starts_with(parent.path() + "/"));
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().fault, Fault::environment);
}

TEST(TemporaryFolder, FilesOfATestComeBackAsTheyWere) {
  const test::Folder folder;
  const std::string bytes("\0\r\n\xff", 4);
  EXPECT_EQ(folder.write("b", bytes), folder / "b");
  folder.write("a", "");
  EXPECT_EQ(folder.read("b"), bytes);
  EXPECT_EQ(folder.names(), (std::vector<std::string>{"a", "b"}));
}

}  // namespace
}  // namespace stillwatch::base
