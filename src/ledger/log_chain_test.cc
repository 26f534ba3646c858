#include "ledger/log_chain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/event_time.h"
#include "ledger/log_fixture.h"
#include "ledger/log_keys.h"
#include "ledger/log_reader.h"

namespace stillwatch::ledger {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::int64_t at(std::string_view time) { return *base::parse_time(time) / 1'000; }

class LogChainTest : public ::testing::Test {
 protected:
  LogChainTest() {
    options_.folder = top_.path();
    options_.folder_prefix = "shard-s00";
    options_.origin_prefix = "audit.example/audit/s00";
  }
  base::Result<LogChain> open(std::string_view time) { return LogChain::open(options_, at(time)); }
  LogChain opened(std::string_view time) {
    auto chain = open(time);
    EXPECT_TRUE(chain) << chain.error().message;
    return std::move(*chain);
  }
  static void append(LogChain& chain, std::string_view time, std::string_view text) {
    const auto index = chain.append(std::vector<std::string_view>{text}, at(time));
    ASSERT_TRUE(index) << index.error().message;
  }
  std::string folder(const std::string& name) const { return top_ / ("logs/shard-s00-" + name); }
  std::string seed_path(const std::string& name) const { return top_ / ("keys/shard-s00-" + name + ".seed"); }
  std::vector<std::string> entries(const std::string& name) const {
    std::vector<std::string> all;
    const auto reader = LogReader::open(folder(name));
    EXPECT_TRUE(reader) << reader.error().message;
    EXPECT_TRUE(reader->scan(0, reader->size(), [&](std::uint64_t, std::string_view entry) {
      all.emplace_back(entry);
      return true;
    }));
    return all;
  }
  template <class Kind>
  static Kind leaf(const std::string& bytes) {
    const auto read = read_leaf(bytes);
    EXPECT_TRUE(read && std::holds_alternative<Kind>(*read)) << bytes;
    return read && std::holds_alternative<Kind>(*read) ? std::get<Kind>(*read) : Kind{};
  }

  test::TemporaryFolder top_;
  LogChainOptions options_;
};

TEST_F(LogChainTest, OpensALogWithItsOrigin) {
  { LogChain chain = opened("2026-11-03T10:00:00Z"); }
  const auto all = entries("2026-11");
  ASSERT_EQ(all.size(), 1U);
  const OpenLeaf open = leaf<OpenLeaf>(all[0]);
  EXPECT_EQ(open.log, "audit.example/audit/s00/2026-11");
  EXPECT_EQ(open.time_ms, at("2026-11-03T10:00:00Z"));
  EXPECT_FALSE(open.previous || open.previous_end);
  struct stat facts {};
  ASSERT_EQ(::stat(seed_path("2026-11").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600U);
}

TEST_F(LogChainTest, ChainsMonthsByKeyAndFinalCheckpoint) {
  LogChain chain = opened("2026-11-03T10:00:00Z");
  append(chain, "2026-11-30T23:59:59.999Z", "november");
  append(chain, "2026-12-01T00:00:00Z", "december");
  ASSERT_TRUE(chain.sign());
  const auto november = entries("2026-11"), december = entries("2026-12");
  ASSERT_EQ(november.size(), 4U);
  EXPECT_EQ(november[1], "november");
  EXPECT_EQ(leaf<KeyLeaf>(november[2]).vkey, chain.log().vkey());
  EXPECT_EQ(leaf<CloseLeaf>(november[3]).index, 3U);
  EXPECT_EQ(leaf<CloseLeaf>(november[3]).why, "period");
  ASSERT_EQ(december.size(), 2U);
  const OpenLeaf open = leaf<OpenLeaf>(december[0]);
  EXPECT_EQ(open.previous, "audit.example/audit/s00/2026-11");
  EXPECT_EQ(open.previous_end, checkpoint_text_hash(test::read(folder("2026-11") + "/checkpoint")));
  EXPECT_EQ(LogReader::open(folder("2026-11"))->size(), 4U);  // the last checkpoint covers the `close` leaf
  EXPECT_FALSE(has_seed(seed_path("2026-11")));
  EXPECT_TRUE(has_seed(seed_path("2026-12")));
  EXPECT_NE(LogReader::open(folder("2026-11"))->vkey(), chain.log().vkey());
  EXPECT_EQ(chain.counters().rotations, 1U);
}

TEST_F(LogChainTest, GoesOnWithTheNewestLog) {
  { LogChain chain = opened("2026-11-03T10:00:00Z"); }
  { LogChain chain = opened("2026-11-04T10:00:00Z"); }
  EXPECT_EQ(entries("2026-11").size(), 1U);
  {
    LogChain chain = opened("2027-02-04T10:00:00Z");  // months in which nothing ran
    append(chain, "2027-02-04T10:00:00Z", "february");
    ASSERT_TRUE(chain.sign());
  }
  EXPECT_EQ(entries("2027-02")[1], "february");
  EXPECT_FALSE(fs::exists(folder("2026-12")));
}

TEST_F(LogChainTest, RotatesWithinAMonthToo) {
  LogChain chain = opened("2026-11-03T10:00:00Z");
  for (int round = 0; round < 10; ++round) ASSERT_TRUE(chain.rotate(at("2026-11-05T10:00:00Z"), "compromise"));
  EXPECT_EQ(chain.log().origin(), "audit.example/audit/s00/2026-11-11");
  EXPECT_EQ(leaf<CloseLeaf>(entries("2026-11-10").back()).why, "compromise");
  append(chain, "2026-12-05T10:00:00Z", "x");
  EXPECT_EQ(chain.log().origin(), "audit.example/audit/s00/2026-12");
}

TEST_F(LogChainTest, DoesNotGoBackWithTheClock) {
  {
    LogChain chain = opened("2026-11-03T10:00:00Z");
    EXPECT_EQ(chain.leaf_time(at("2026-11-04T10:00:00Z")), at("2026-11-04T10:00:00Z"));
    EXPECT_EQ(chain.leaf_time(at("2026-10-04T10:00:00Z")), at("2026-11-04T10:00:00Z"));
    EXPECT_EQ(chain.counters().clock_backwards, 1U);
    append(chain, "2026-10-04T10:00:00Z", "x");
    EXPECT_EQ(chain.log().origin(), "audit.example/audit/s00/2026-11");
    ASSERT_TRUE(chain.rotate(at("2026-10-05T10:00:00Z"), "test"));
    EXPECT_EQ(chain.log().origin(), "audit.example/audit/s00/2026-11-2");
  }
  // Also over a restart: the last leaf tells.
  LogChain chain = opened("2026-09-01T00:00:00Z");
  EXPECT_EQ(chain.last_time(), at("2026-11-04T10:00:00Z"));
}

TEST_F(LogChainTest, EndsForGoodAndMayBeFollowed) {
  {
    LogChain chain = opened("2026-11-03T10:00:00Z");
    ASSERT_TRUE(chain.finish(at("2026-11-03T11:00:00Z"), "end"));
    EXPECT_FALSE(has_seed(seed_path("2026-11")));
  }
  LogChain chain = opened("2026-11-03T12:00:00Z");
  EXPECT_EQ(chain.log().origin(), "audit.example/audit/s00/2026-11-2");
  EXPECT_EQ(leaf<OpenLeaf>(entries("2026-11-2")[0]).previous, "audit.example/audit/s00/2026-11");
}

TEST_F(LogChainTest, SaysWhatIsMissing) {
  { LogChain chain = opened("2026-11-03T10:00:00Z"); }
  fs::permissions(seed_path("2026-11"), fs::perms::group_read, fs::perm_options::add);
  EXPECT_THAT(open("2026-11-03T10:00:00Z").error().message, HasSubstr("0600"));
  fs::remove(seed_path("2026-11"));
  EXPECT_THAT(open("2026-11-03T10:00:00Z").error().message, HasSubstr("is missing, and the log in"));
  options_.folder_prefix = "../x";
  EXPECT_EQ(open("2026-11-03T10:00:00Z").error().fault, base::Fault::caller);
}

TEST_F(LogChainTest, GoesOnOnlyWithTheKeyThatTheLogBeforeNamed) {
  std::string old_seed;
  {
    LogChain chain = opened("2026-11-03T10:00:00Z");
    old_seed = test::read(seed_path("2026-11"));
    append(chain, "2026-12-01T00:00:00Z", "x");
  }
  const auto owner_only = fs::perms::owner_read | fs::perms::owner_write;
  fs::remove_all(folder("2026-12"));
  test::write(seed_path("2026-11"), old_seed);
  fs::permissions(seed_path("2026-11"), owner_only);
  ASSERT_TRUE(destroy_seed(seed_path("2026-12")));
  EXPECT_THAT(open("2026-12-03T10:00:00Z").error().message, HasSubstr("is missing, whose key the log before named"));
  ASSERT_TRUE(write_seed(seed_path("2026-12"), "audit.example/audit/s00/2026-12", test::seed(7)));
  EXPECT_THAT(open("2026-12-03T10:00:00Z").error().message, HasSubstr("is not the key that the log before named"));
}

TEST_F(LogChainTest, ChainsWithOneBeginningDoNotMeet) {
  { LogChain chain = opened("2026-11-03T10:00:00Z"); }
  options_.folder_prefix = "shard";
  options_.origin_prefix = "audit.example/audit";
  LogChain chain = opened("2026-12-03T10:00:00Z");
  EXPECT_EQ(chain.log().folder(), top_ / "logs/shard-2026-12");
  EXPECT_TRUE(has_seed(seed_path("2026-11")));
}

TEST_F(LogChainTest, GivesTheSameBytesFromTheSameSeeds) {
  options_.seed_of = [](std::string_view origin) { return test::seed(static_cast<unsigned>(origin.back())); };
  test::TemporaryFolder other;
  for (const std::string& folder : {top_.path(), other.path()}) {
    options_.folder = folder;
    LogChain chain = opened("2026-11-03T10:00:00Z");
    append(chain, "2026-12-03T10:00:00Z", "x");
    ASSERT_TRUE(chain.sign());
  }
  for (const char* file : {"logs/shard-s00-2026-11/checkpoint", "logs/shard-s00-2026-12/checkpoint"})
    EXPECT_EQ(test::read(top_ / file), test::read(other / file));
}

// What a crash leaves after each step of a rotation, made by hand: the next start goes on from there.
TEST_F(LogChainTest, GoesOnWithARotationFromAnyStep) {
  const auto finished = [&] {
    LogChain chain = opened("2026-12-03T10:00:00Z");
    append(chain, "2026-12-03T10:00:00Z", "after");
    ASSERT_TRUE(chain.sign());
    EXPECT_EQ(chain.log().origin(), "audit.example/audit/s00/2026-12");
    EXPECT_EQ(leaf<OpenLeaf>(entries("2026-12")[0]).previous_end,
              checkpoint_text_hash(test::read(folder("2026-11") + "/checkpoint")));
    EXPECT_EQ(entries("2026-12").back(), "after");
    EXPECT_FALSE(has_seed(seed_path("2026-11")));
  };
  const std::vector<std::function<void()>> undo = {
      [&] { fs::remove_all(folder("2026-12")); },
      [&] {
        fs::remove_all(folder("2026-12"));
        fs::create_directory(folder("2026-12"));
      },
      [&] {
        fs::remove_all(folder("2026-12"));
        auto store = LogStore::create(folder("2026-12"), "audit.example/audit/s00/2026-12",
                                      *read_seed(seed_path("2026-12"), "audit.example/audit/s00/2026-12"));
        ASSERT_TRUE(store);
      },
      [&] {},
  };
  for (const auto& step : undo) {
    fs::remove_all(top_ / "logs");
    fs::remove_all(top_ / "keys");
    std::string old_seed;
    {
      LogChain chain = opened("2026-11-03T10:00:00Z");
      old_seed = test::read(seed_path("2026-11"));
      append(chain, "2026-12-01T00:00:00Z", "x");
    }
    step();
    test::write(seed_path("2026-11"), old_seed);  // is destroyed last
    fs::permissions(seed_path("2026-11"), fs::perms::owner_read | fs::perms::owner_write);
    finished();
  }
}

TEST(LogKeys, KeepASeedForItsOriginOnly) {
  test::TemporaryFolder top;
  const std::string path = top / "log.seed";
  EXPECT_EQ(read_seed(path, "a.example").error().fault, base::Fault::environment);
  for (unsigned first = 0; first < 250; first += 50) {  // base64 with '+' and '/' in it
    const KeySeed seed = test::seed(first);
    ASSERT_TRUE(write_seed(path, "a.example", seed));
    EXPECT_EQ(write_seed(path, "a.example", seed).error().fault, base::Fault::caller);
    const auto read = read_seed(path, "a.example");
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_TRUE(std::ranges::equal(read->view(), seed.view()));
    EXPECT_FALSE(read_seed(path, "b.example"));
    EXPECT_THAT(vkey_of("a.example", seed), StartsWith("a.example+"));
    const std::string text = test::read(path);
    for (std::uint64_t byte = 0; byte < text.size(); ++byte) {
      test::flip_bit(path, byte * 8 + first % 8);
      const auto damaged = read_seed(path, "a.example");
      ASSERT_FALSE(damaged) << byte;
      EXPECT_THAT(damaged.error().message, Not(HasSubstr(text.substr(text.size() - 20, 15))));
      test::flip_bit(path, byte * 8 + first % 8);
    }
    ASSERT_TRUE(destroy_seed(path));
    ASSERT_TRUE(destroy_seed(path));
    EXPECT_FALSE(has_seed(path));
  }
}

}  // namespace
}  // namespace stillwatch::ledger
