#include "crypto/key_set.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "base/event_time.h"
#include "base/files.h"
#include "base/folder_fixture.h"

namespace stillwatch::crypto {
namespace {

constexpr std::int64_t kNow = 1'777'000'000'000'000;

class KeySetFile : public ::testing::Test {
 protected:
  void put(const std::string& text) {
    std::ofstream(path_) << text;
    ::chmod(path_.c_str(), 0600);
  }
  const base::test::Folder folder_;
  const std::string path_ = folder_ / "secret";
};

TEST_F(KeySetFile, RotationKeepsTheOldSecretUntilTheOverlapEnds) {
  const auto first = load_or_create_secret(path_);
  ASSERT_TRUE(first);
  const auto rotated = rotate_secret(path_, kNow);
  ASSERT_TRUE(rotated) << rotated.error().message;
  EXPECT_NE(rotated->current, *first);
  EXPECT_EQ(rotated->previous, *first);
  EXPECT_EQ(rotated->rotated_us, kNow);
  EXPECT_EQ(*load_or_create_secret(path_), rotated->current);

  // Both tokens can be made: the new one for what is stored from now on, the old one to find what was.
  const KeyedHash before(*first), now(rotated->current), previous(*rotated->previous);
  EXPECT_NE(before(Domain::account, "acct_1"), now(Domain::account, "acct_1"));
  EXPECT_EQ(before(Domain::account, "acct_1"), previous(Domain::account, "acct_1"));

  // A second rotation would lose the first secret while its tokens are still in use.
  EXPECT_EQ(rotate_secret(path_, kNow + 1).error().fault, base::Fault::caller);
  EXPECT_EQ(load_key_set(path_)->current, rotated->current);

  ASSERT_TRUE(end_overlap(path_));
  EXPECT_FALSE(load_key_set(path_)->previous);
  EXPECT_EQ(load_key_set(path_)->current, rotated->current);
  EXPECT_FALSE(end_overlap(path_));
  EXPECT_TRUE(rotate_secret(path_, kNow + 2));
}

TEST_F(KeySetFile, OnlyTheOwnerReadsIt) {
  ASSERT_TRUE(load_or_create_secret(path_));
  ASSERT_TRUE(rotate_secret(path_, kNow));
  ASSERT_TRUE(backup_secret(path_, folder_ / "copy"));
  for (const std::string& file : {path_, folder_ / "copy"}) {
    struct stat status {};
    ASSERT_EQ(::stat(file.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U);
  }
  EXPECT_EQ(*base::read_file(path_, 4096), *base::read_file(folder_ / "copy", 4096));
  EXPECT_EQ(backup_secret(path_, folder_ / "copy").error().fault, base::Fault::caller);
  ::chmod(path_.c_str(), 0640);
  EXPECT_FALSE(load_key_set(path_));
  EXPECT_FALSE(load_or_create_secret(path_));
}

TEST_F(KeySetFile, RefusesWhatIsNoSecret) {
  const std::string a(64, 'a'), b(64, 'b');
  for (const std::string& text :
       {std::string(), std::string("\n"), a.substr(1), a + "a", a + "\n" + b + "\n", a + "\nprevious " + b,
        a + "\nprevious " + b + " yesterday\n", a + "\nprevious " + a + " 2026-04-22T08:15:30Z\n",
        a + "\nprevious " + b + " 2026-04-22T08:15:30Z\nmore\n", "\n" + a + "\n"}) {
    put(text);
    EXPECT_FALSE(load_key_set(path_)) << text;
    EXPECT_FALSE(load_or_create_secret(path_)) << text;
  }
  for (const std::string& text : {a, a + "\n", a + "\r\n\n", a + "\nprevious " + b + " 2026-04-22T08:15:30Z\n"}) {
    put(text);
    EXPECT_TRUE(load_key_set(path_)) << text;
  }
  EXPECT_FALSE(load_key_set(folder_ / "none"));
}

}  // namespace
}  // namespace stillwatch::crypto
