#include "replay/journal.h"

#include <gtest/gtest.h>

#include "replay/folder_fixture.h"

namespace stillwatch::replay {
namespace {

using Names = std::vector<std::string>;

TEST(Journal, WithoutStateIsAsideUntilPublished) {
  Folder out;
  OutputSet outputs(out.path());
  auto journal = Journal::open(out.path(), "", "lines", {});
  ASSERT_TRUE(journal);
  ASSERT_TRUE(journal->append("one"));
  ASSERT_TRUE(journal->append("two"));
  EXPECT_EQ(out.names(), Names{"lines.partial"});
  ASSERT_TRUE(journal->commit(outputs));
  EXPECT_EQ(out.names(), Names{"lines.partial"});
  ASSERT_TRUE(outputs.publish());
  EXPECT_EQ(out.names(), Names{"lines"});
  EXPECT_EQ(out.read("lines"), "one\ntwo\n");
}

TEST(Journal, WithoutStateVanishesWithAFailedRun) {
  Folder out;
  {
    auto journal = Journal::open(out.path(), "", "lines", {});
    ASSERT_TRUE(journal && journal->append("one") && journal->sync());
    EXPECT_EQ(out.names(), Names{"lines.partial"});
  }
  EXPECT_EQ(out.names(), Names{});
}

TEST(Journal, WithStateGoesOnBehindItsMark) {
  Folder out, state;
  Journal::Mark mark;
  {
    auto journal = Journal::open(out.path(), state.path(), "lines", {});
    ASSERT_TRUE(journal && journal->append("one") && journal->sync());
    mark = journal->mark();
    ASSERT_TRUE(journal->append("not counted"));
  }
  EXPECT_EQ(state.read("lines.journal"), "one\nnot counted\n");
  OutputSet outputs(out.path());
  auto journal = Journal::open(out.path(), state.path(), "lines", mark);
  ASSERT_TRUE(journal && journal->append("two") && journal->commit(outputs) && outputs.publish());
  EXPECT_EQ(out.read("lines"), "one\ntwo\n");
  EXPECT_EQ(journal->mark().bytes, 8U);
  EXPECT_EQ(state.names(), Names{"lines.journal"});  // until the run says that it is over
  journal->forget();
  EXPECT_EQ(state.names(), Names{});
}

TEST(Journal, WithoutAMarkStartsAnew) {
  Folder out, state;
  state.write("lines.journal", "of a run that died before its first snapshot\n");
  auto journal = Journal::open(out.path(), state.path(), "lines", {});
  ASSERT_TRUE(journal && journal->append("one") && journal->sync());
  EXPECT_EQ(state.read("lines.journal"), "one\n");
}

TEST(Journal, RefusesLinesThatWereNotCounted) {
  Folder out, state;
  Journal::Mark mark;
  {
    auto journal = Journal::open(out.path(), state.path(), "lines", {});
    ASSERT_TRUE(journal && journal->append(std::string(100'000, 'x')) && journal->append("end") && journal->sync());
    mark = journal->mark();
  }
  const std::string whole = state.read("lines.journal");
  for (const std::size_t at : {std::size_t{0}, std::size_t{70'000}, whole.size() - 1}) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 4);
    state.write("lines.journal", flipped);
    const auto journal = Journal::open(out.path(), state.path(), "lines", mark);
    ASSERT_FALSE(journal);
    EXPECT_NE(journal.error().message.find("lines.journal"), std::string::npos);
    EXPECT_EQ(journal.error().fault, base::Fault::environment);
  }
  state.write("lines.journal", whole.substr(0, whole.size() - 1));
  EXPECT_FALSE(Journal::open(out.path(), state.path(), "lines", mark));
  std::filesystem::remove(state / "lines.journal");
  EXPECT_FALSE(Journal::open(out.path(), state.path(), "lines", mark));
  state.write("lines.journal", whole);
  EXPECT_TRUE(Journal::open(out.path(), state.path(), "lines", mark));
}

TEST(Journal, NamesWhatCannotBeWritten) {
  Folder out;
  const auto journal = Journal::open(out / "missing", "", "lines", {});
  ASSERT_FALSE(journal);
  EXPECT_EQ(journal.error().fault, base::Fault::environment);
  EXPECT_NE(journal.error().message.find(out / "missing/lines.partial"), std::string::npos);
}

}  // namespace
}  // namespace stillwatch::replay
