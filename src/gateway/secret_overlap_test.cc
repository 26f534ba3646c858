#include "gateway/secret_overlap.h"

#include <gtest/gtest.h>

#include "base/files.h"
#include "crypto/keyed_hash_fixture.h"
#include "gateway/observer_fixture.h"
#include "gateway/observer_state.h"

namespace stillwatch::gateway {
namespace {

using crypto::test::secret_of;
using test::Folder;

/// Level and end of each account by its id, by the clock of the levels' own time.
std::map<std::string, std::string> levels_of(const engine::VerdictTable& table,
                                             const std::function<std::string(base::Token)>& open) {
  std::map<std::string, std::string> out;
  for (const engine::ListedLevel& one : table.list(100'000)) {
    out[open(one.account) + "/" + (one.end_user == 0 ? "" : open(one.end_user))] =
        std::string(event::name(one.level)) + " " + one.rule + " " + std::to_string(one.campaign) + " " +
        std::to_string(one.expires_us);
  }
  return out;
}

class SecretOverlapTest : public ::testing::Test {
 protected:
  std::unique_ptr<Observer> observe(const ObserverOptions& options, const crypto::KeyedHash& keyed_hash,
                                    ObserverPorts ports = {}) {
    auto observer = Observer::start(options, keyed_hash, std::move(ports));
    EXPECT_TRUE(observer) << observer.error().message;
    return observer ? std::move(*observer) : nullptr;
  }
  OverlapState take_up(const crypto::KeySet& keys) {
    auto taken = take_up_secrets(options_.state_folder, options_.log.folder, keys, crypto::KeyedHash(keys.current));
    EXPECT_TRUE(taken) << taken.error().message;
    return taken ? std::move(*taken) : OverlapState{};
  }

  const Folder folder_;
  ObserverOptions options_ = test::options_in(folder_);
};

TEST_F(SecretOverlapTest, TheOldEngineGoesOnBesideTheNewOneAndItsLevelsOutliveIt) {
  folder_.write("accounts", test::accounts_of(test::World{}));
  options_.accounts_file = folder_.path + "/accounts";
  const std::vector<Exchange> world = test::make_world();
  const std::size_t middle = world.size() * 2 / 3;
  const crypto::KeyedHash first(secret_of(1)), second(secret_of(2));
  std::map<std::string, std::string> before;
  {
    const auto observer = observe(options_, first);
    test::serve(*observer, {world.begin(), world.begin() + static_cast<std::ptrdiff_t>(middle)}, 2, 3);
    ASSERT_TRUE(observer->stop());
    before = levels_of(observer->verdicts(), [&](base::Token token) { return observer->open(token); });
  }
  ASSERT_GT(before.size(), 10U);
  const crypto::KeySet keys{secret_of(2), secret_of(1), 1};
  OverlapState overlap = take_up(keys);
  ASSERT_TRUE(overlap.has_previous);
  EXPECT_EQ(overlap.inherited, nullptr);
  // A second time, as after a kill in between, changes nothing.
  ASSERT_TRUE(take_up(keys).has_previous);

  ObserverOptions earlier = options_;
  earlier.state_folder = overlap.state_folder;
  earlier.log.folder = overlap.log_folder;
  earlier.is_mirror = true;
  std::map<std::string, std::string> after;
  {
    const auto previous = observe(earlier, first);
    EXPECT_EQ(levels_of(previous->verdicts(), [&](base::Token token) { return previous->open(token); }), before);
    ObserverPorts ports;
    ports.on_taken = [&](const Exchange& exchange) {
      previous->queue().try_push(0, std::make_unique<Exchange>(exchange));
    };
    ports.on_until = [&](std::int64_t until_us) { previous->mirror_until(until_us); };
    const auto observer = observe(options_, second, std::move(ports));
    test::serve(*observer, {world.begin() + static_cast<std::ptrdiff_t>(middle), world.end()}, 2, 3);
    ASSERT_TRUE(observer->stop());
    ASSERT_TRUE(previous->stop());
    EXPECT_EQ(previous->counters().late_shed, observer->counters().late_shed);
    EXPECT_EQ(previous->counters().log.lines, observer->counters().log.lines);
    after = levels_of(previous->verdicts(), [&](base::Token token) { return previous->open(token); });
  }
  // Each is a replay of its own log under its own secret; account records counted for both.
  EXPECT_EQ(folder_.read("state/previous/verdicts.ndjson"), test::replay(earlier, first).verdicts);
  EXPECT_EQ(folder_.read("state/verdicts.ndjson"), test::replay(options_, second).verdicts);
  EXPECT_EQ(test::replay(options_, second).accepted, world.size() - middle);
  EXPECT_EQ(folder_.read("state/accounts.ndjson"), folder_.read("state/previous/accounts.ndjson"));

  // The end: by raw ids, under whatever secret comes next.
  const auto inherited = [&](const crypto::KeySet& now) {
    const OverlapState ended = take_up(now);
    EXPECT_NE(ended.inherited, nullptr);
    if (ended.inherited == nullptr) return std::map<std::string, std::string>{};
    return levels_of(ended.inherited->table(), [&](base::Token token) { return ended.inherited->open(token); });
  };
  ASSERT_FALSE(after.empty());
  EXPECT_EQ(inherited({secret_of(2), {}, 0}), after);
  EXPECT_FALSE(std::filesystem::exists(overlap.state_folder));
  EXPECT_FALSE(std::filesystem::exists(overlap.log_folder));
  EXPECT_EQ(inherited({secret_of(3), secret_of(2), 2}), after);
  const auto current = read_state(options_.state_folder);
  ASSERT_TRUE(current && !*current) << "the state of the second secret was set aside in its turn";
}

TEST_F(SecretOverlapTest, AnInterruptedMoveIsFinished) {
  const crypto::KeyedHash first(secret_of(1));
  {
    const auto observer = observe(options_, first);
    test::World small;
    small.strangers = 20, small.days = 2, small.campaign_accounts = 5;
    test::serve(*observer, test::make_world(small), 1, 1);
    ASSERT_TRUE(observer->stop());
  }
  std::vector<std::string> logs;
  for (const auto& entry : std::filesystem::directory_iterator(options_.log.folder))
    logs.push_back(entry.path().filename());
  // Killed when some had been moved, and not the snapshot.
  std::filesystem::create_directories(options_.state_folder + "/previous");
  std::filesystem::create_directories(options_.log.folder + "/previous");
  std::filesystem::rename(options_.log.folder + "/" + logs.front(), options_.log.folder + "/previous/" + logs.front());
  const OverlapState overlap = take_up({secret_of(2), secret_of(1), 1});
  EXPECT_TRUE(overlap.has_previous);
  for (const std::string& name : logs) EXPECT_TRUE(std::filesystem::exists(overlap.log_folder + "/" + name)) << name;
  ObserverOptions earlier = options_;
  earlier.state_folder = overlap.state_folder;
  earlier.log.folder = overlap.log_folder;
  const auto previous = observe(earlier, first);
  EXPECT_EQ(previous->counters().journal_diverged, 0U);
}

TEST_F(SecretOverlapTest, NothingIsTouchedWithoutARotation) {
  const crypto::KeyedHash first(secret_of(1));
  { ASSERT_TRUE(observe(options_, first)->stop()); }
  EXPECT_FALSE(take_up({secret_of(1), {}, 0}).has_previous);
  EXPECT_FALSE(take_up({secret_of(1), secret_of(9), 1}).has_previous);
  // Of a secret that nobody has: the observer refuses it by name.
  EXPECT_FALSE(take_up({secret_of(2), {}, 0}).has_previous);
  EXPECT_TRUE(std::filesystem::exists(options_.state_folder + "/observer.snapshot"));
  folder_.write("state/inherited.levels", "damaged");
  EXPECT_FALSE(take_up_secrets(options_.state_folder, options_.log.folder, {secret_of(1), {}, 0}, first));
}

TEST(EarlierLevels, AreReadAsTheyWereWritten) {
  std::vector<EarlierLevel> levels(2);
  levels[0].account = "acct_1";
  levels[0].level.level = event::Level::restrict;
  levels[0].level.class_ = event::Class::distiller;
  levels[0].level.rule = "campaign.member";
  levels[0].level.dry_run = false;
  levels[0].level.campaign = 12;
  levels[0].level.since_us = test::kStart;
  levels[0].level.expires_us = test::kStart + base::kDayUs;
  levels[1] = levels[0];
  levels[1].end_user = "u-1";
  levels[1].level.level = event::Level::verify;
  const std::string bytes = to_bytes(levels);
  const auto again = read_earlier_levels(bytes);
  ASSERT_TRUE(again);
  EXPECT_EQ(to_bytes(*again), bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(read_earlier_levels(bytes.substr(0, size))) << size;
  const crypto::KeyedHash keyed_hash(secret_of(4));
  const EarlierLevels table(*again, keyed_hash);
  const base::Token account = keyed_hash(crypto::Domain::account, "acct_1");
  EXPECT_EQ(table.open(account), "acct_1");
  EXPECT_EQ(table.table().look_up(account, test::kStart).level, event::Level::restrict);
  EXPECT_FALSE(table.table().look_up(account, test::kStart).dry_run);
  EXPECT_TRUE(table.table().look_up(account, test::kStart + 2 * base::kDayUs).is_clear());
  const base::Token end_user = engine::end_user_subject(account, keyed_hash(crypto::Domain::end_user, "u-1"));
  EXPECT_EQ(table.table().look_up(end_user, test::kStart).level, event::Level::verify);
}

}  // namespace
}  // namespace stillwatch::gateway
