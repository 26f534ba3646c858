#include "gateway/line_journal.h"

#include <gtest/gtest.h>

#include "gateway/observer_fixture.h"

namespace stillwatch::gateway {
namespace {

using test::Folder;

LineJournal opened(const Folder& folder, std::uint64_t mark) {
  auto journal = LineJournal::open(folder.path + "/lines", mark);
  if (!journal) throw std::runtime_error(journal.error().message);
  return std::move(*journal);
}

TEST(LineJournal, LinesMadeAgainAreNotWrittenAgain) {
  const Folder folder;
  std::uint64_t mark = 0;
  {
    LineJournal journal = opened(folder, 0);
    EXPECT_FALSE(journal.give("one"));
    ASSERT_TRUE(journal.sync());
    mark = journal.mark();
    EXPECT_FALSE(journal.give("two"));
    EXPECT_FALSE(journal.give("three"));
    EXPECT_TRUE(journal.is_behind());
    ASSERT_TRUE(journal.flush());
    EXPECT_FALSE(journal.is_behind());
  }
  folder.write("lines", folder.read("lines") + "a half li");
  LineJournal journal = opened(folder, mark);
  EXPECT_EQ(folder.read("lines"), "one\ntwo\nthree\n");
  EXPECT_TRUE(journal.give("two"));
  EXPECT_TRUE(journal.give("three"));
  EXPECT_FALSE(journal.give("four"));
  ASSERT_TRUE(journal.flush());
  EXPECT_EQ(folder.read("lines"), "one\ntwo\nthree\nfour\n");
  EXPECT_EQ(journal.mark(), folder.read("lines").size());
  EXPECT_FALSE(journal.has_diverged());
  EXPECT_EQ(journal.again(), 2U);
}

TEST(LineJournal, WhatStandsThereStaysWhenOtherLinesCome) {
  const Folder folder;
  folder.write("lines", "one\ntwo\nthree\n");
  LineJournal journal = opened(folder, 4);
  EXPECT_FALSE(journal.give("other"));
  EXPECT_TRUE(journal.has_diverged());
  EXPECT_FALSE(journal.give("three"));
  ASSERT_TRUE(journal.flush());
  EXPECT_EQ(folder.read("lines"), "one\ntwo\nthree\nother\nthree\n");
  EXPECT_EQ(journal.mark(), folder.read("lines").size());
}

TEST(LineJournal, AFileShorterThanTheMarkIsRefused) {
  const Folder folder;
  folder.write("lines", "one\n");
  EXPECT_FALSE(LineJournal::open(folder.path + "/lines", 10));
}

}  // namespace
}  // namespace stillwatch::gateway
