#include "ledger/key_wrapper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "ledger/vault_fixture.h"

namespace stillwatch::ledger {
namespace {

using testing::HasSubstr;

std::vector<std::uint8_t> a_key() {
  std::vector<std::uint8_t> key(32);
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>(i + 1);
  return key;
}

TEST(MasterKeyFile, IsMadeForItsOwnerOnlyAndGivesTheSameKeyAgain) {
  const test::Folder folder;
  const std::string path = folder / "master";
  EXPECT_FALSE(open_master_key_file(path, false).has_value());
  const auto first = open_master_key_file(path, true);
  ASSERT_TRUE(first.has_value()) << first.error().message;
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  const auto wrapped = (*first)->wrap(a_key());
  const auto second = open_master_key_file(path, true);
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ((*second)->unwrap(*wrapped).value(), a_key());
}

TEST(MasterKeyFile, RefusesWhatOthersCanReadAndWhatIsNoKey) {
  const test::Folder folder;
  const std::string path = folder / "master";
  ASSERT_TRUE(open_master_key_file(path, true).has_value());
  ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
  const auto open_to_all = open_master_key_file(path, true);
  ASSERT_FALSE(open_to_all.has_value());
  EXPECT_THAT(open_to_all.error().message, HasSubstr("chmod 600"));
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  const std::string good = test::bytes_of_file(path);
  for (const std::string& bad : {std::string(), good.substr(2), "0" + good, std::string(64, 'g')}) {
    test::put_file(path, bad);
    const auto refused = open_master_key_file(path, true);
    ASSERT_FALSE(refused.has_value());
    EXPECT_THAT(refused.error().message, HasSubstr("does not hold a master key"));
    EXPECT_EQ(test::bytes_of_file(path), bad) << "a bad master key must not be replaced";
  }
}

TEST(MasterKeyFile, EveryChangedBitOfAWrappedKeyIsRefused) {
  const test::Folder folder;
  const auto master = open_master_key_file(folder / "master", true);
  const std::string wrapped = (*master)->wrap(a_key()).value();
  for (std::size_t bit = 0; bit < wrapped.size() * 8; ++bit) {
    std::string bad = wrapped;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE((*master)->unwrap(bad).has_value());
  }
  EXPECT_FALSE((*master)->unwrap("").has_value());
}

// A command that does what the body says.
std::unique_ptr<KeyWrapper> script(const test::Folder& folder, const std::string& body,
                                   std::int64_t timeout_ms = 10'000) {
  const std::string path = folder / "kms.sh";
  test::put_file(path, "#!/bin/sh\n" + body + "\n");
  ::chmod(path.c_str(), 0755);
  return make_command_wrapper({{path}, timeout_ms});
}

TEST(MasterKeyCommand, WrapsAndUnwraps) {
  const test::Folder folder;
  test::put_file(folder / "kms.py",
                 "import sys\nstep = 1 if sys.argv[1] == 'wrap' else -1\n"
                 "sys.stdout.buffer.write(bytes((b + step) % 256 for b in sys.stdin.buffer.read()))\n");
  const auto kms = make_command_wrapper({{"python3", folder / "kms.py"}, 60'000});
  const auto wrapped = kms->wrap(a_key());
  ASSERT_TRUE(wrapped.has_value()) << wrapped.error().message;
  const auto key = a_key();
  EXPECT_NE(*wrapped, std::string(key.begin(), key.end()));
  EXPECT_EQ(kms->unwrap(*wrapped).value(), a_key());
}

TEST(MasterKeyCommand, ThatIsDeadSlowOrLyingGivesAnErrorThatSaysSo) {
  const test::Folder folder;
  const auto refused = [&](const std::string& body, std::int64_t timeout_ms = 10'000) {
    const auto key = script(folder, body, timeout_ms)->unwrap("wrapped");
    EXPECT_FALSE(key.has_value());
    return key ? std::string() : key.error().message;
  };
  EXPECT_THAT(refused("exit 3"), HasSubstr("ended with status 3"));
  EXPECT_THAT(refused("kill -9 $$"), HasSubstr("ended by signal 9"));
  EXPECT_THAT(refused("sleep 1000", 200), HasSubstr("did not answer within 200 ms"));
  EXPECT_THAT(refused("exec >&-; sleep 1000", 200), HasSubstr("did not answer"));
  // It ends, but what it started holds the pipe open.
  EXPECT_THAT(refused("sleep 1000 & printf x", 200), HasSubstr("did not answer"));
  EXPECT_THAT(refused("cat /dev/zero"), HasSubstr("wrote more than"));
  EXPECT_THAT(refused("printf short"), HasSubstr("gave 5 bytes"));
  EXPECT_THAT(refused("true"), HasSubstr("gave 0 bytes"));
  EXPECT_THAT(make_command_wrapper({{folder / "absent"}, 1'000})->unwrap("x").error().message,
              HasSubstr("cannot be started"));
  EXPECT_EQ(make_command_wrapper({{}, 1'000})->unwrap("x").error().fault, base::Fault::caller);
}

TEST(MasterKeyCommand, ThatGivesTheKeyBackUnwrappedIsRefused) {
  const test::Folder folder;
  const auto wrapped = script(folder, "printf header; cat")->wrap(a_key());
  ASSERT_FALSE(wrapped.has_value());
  EXPECT_THAT(wrapped.error().message, HasSubstr("unwrapped"));
}

TEST(MasterKeyCommand, ThatDoesNotReadItsInputIsNoHarm) {
  const test::Folder folder;
  const std::string long_input(1U << 20, 'x');
  const auto key = script(folder, "exec <&-; printf 0123456789abcdef0123456789abcdef")->unwrap(long_input);
  ASSERT_TRUE(key.has_value()) << key.error().message;
  EXPECT_EQ(key->size(), 32U);
}

}  // namespace
}  // namespace stillwatch::ledger
