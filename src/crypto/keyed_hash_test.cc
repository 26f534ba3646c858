#include "crypto/keyed_hash.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "base/folder_fixture.h"
#include "crypto/keyed_hash_fixture.h"

namespace stillwatch::crypto {
namespace {

using test::secret_of;

TEST(KeyedHash, DependsOnSecretDomainAndBytes) {
  const KeyedHash one(secret_of(1)), two(secret_of(2));
  EXPECT_EQ(one(Domain::account, "a"), KeyedHash(secret_of(1))(Domain::account, "a"));
  EXPECT_NE(one(Domain::account, "a"), two(Domain::account, "a"));
  EXPECT_NE(one(Domain::account, "a"), one(Domain::payment, "a"));
  EXPECT_NE(one(Domain::account, "a"), one(Domain::account, "b"));
  EXPECT_NE(one.secret_id(), two.secret_id());
}

class SecretFile : public ::testing::Test {
 protected:
  const base::test::Folder folder_;
};

TEST_F(SecretFile, IsCreatedOnceWithMode0600) {
  const std::string path = folder_ / "deep/secret";
  const auto first = load_or_create_secret(path);
  ASSERT_TRUE(first) << first.error().message;
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  EXPECT_EQ(load_or_create_secret(path).value(), *first);
}

TEST_F(SecretFile, RefusesMalformedAndOpenFiles) {
  const std::string path = folder_ / "secret";
  std::ofstream(path) << "not hex\n";
  ::chmod(path.c_str(), 0600);
  EXPECT_NE(load_or_create_secret(path).error().message.find("64 hexadecimal"), std::string::npos);
  ::chmod(path.c_str(), 0644);
  EXPECT_NE(load_or_create_secret(path).error().message.find("chmod 600"), std::string::npos);
}

}  // namespace
}  // namespace stillwatch::crypto
