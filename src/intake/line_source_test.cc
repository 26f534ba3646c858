#include "intake/line_source.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "intake/log_fixture.h"

namespace stillwatch::intake {
namespace {

using test::Folder, test::record, test::kStartUs;

TEST(LineSource, AFileThatChangesWhileItIsRead) {
  const Folder folder;
  std::string log;
  for (int i = 0; i < 2000; ++i) log += record(i, kStartUs + i);
  const auto drain = [](LineSource& source, std::uint64_t& lines) {
    LineBlock block;
    lines = 0;
    while (*source.next(block)) lines += block.lines.size();
  };
  std::uint64_t lines = 0;
  {
    auto source = *LineSource::open(folder.write("shrinks", log), {1 << 20, 4096});
    LineBlock block;
    ASSERT_TRUE(*source.next(block));
    std::filesystem::resize_file(folder / "shrinks", 200'000);
    drain(source, lines);
    ASSERT_TRUE(source.problem());
    EXPECT_EQ(source.problem()->fault, base::Fault::environment);
    EXPECT_NE(source.problem()->message.find("shrank"), std::string::npos);
  }
  {
    const std::string half = record(9, kStartUs).substr(0, 40);
    auto source = *LineSource::open(folder.write("grows", log + half), {1 << 20, 4096});
    std::ofstream(folder / "grows", std::ios::app) << record(9, kStartUs).substr(40) << record(10, kStartUs);
    drain(source, lines);
    EXPECT_FALSE(source.problem());
    EXPECT_EQ(lines, 2000U);
    EXPECT_TRUE(source.has_unfinished_line());
    EXPECT_NE(source.warning().find("grew"), std::string::npos);
  }
}

}  // namespace
}  // namespace stillwatch::intake
