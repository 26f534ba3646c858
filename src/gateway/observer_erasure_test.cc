// An erasure while traffic goes on: what is left is as if what went had never been, in the files and in the engine.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "gateway/observer_fixture.h"
#include "ledger/file_eraser.h"

namespace stillwatch::gateway {
namespace {

using test::Folder;
using test::send;

const std::vector<std::string> kGone{"acct_399", "farm_7"};

bool is_gone(const std::string& account) { return std::find(kGone.begin(), kGone.end(), account) != kGone.end(); }

/// As the desk does it, without a ledger.
void erase(Observer& observer, const crypto::KeyedHash& keyed_hash) {
  const ledger::JudgeLine judge =
      ledger::make_field_judge({{"account", "subject.id", "subject.account"}, kGone, "time", {}});
  std::vector<base::Token> accounts;
  for (const std::string& account : kGone) accounts.push_back(keyed_hash(crypto::Domain::account, account));
  const auto files = observer.begin_erasure(accounts);
  ASSERT_TRUE(files) << files.error().message;
  std::uint64_t lines = 0;
  for (const std::string& file : *files) {
    if (!std::filesystem::exists(file)) continue;
    const auto own = observer.erase_own_lines(file, judge);
    ASSERT_TRUE(own) << own.error().message;
    if (*own) continue;
    const auto erased = ledger::erase_lines(file, judge);
    ASSERT_TRUE(erased) << erased.error().message;
    lines += erased->lines_erased;
  }
  EXPECT_GT(lines, 20U);
  const auto ended = observer.end_erasure();
  ASSERT_TRUE(ended) << ended.error().message;
}

void wait_for_remake(const Observer& observer, std::uint64_t count) {
  for (int i = 0; i < 600'000 && observer.counters().is_erasing; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(observer.counters().remakes, count);
  EXPECT_EQ(observer.counters().remakes_given_up, 0U);
}

void expect_no_trace(const Folder& folder) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path)) {
    if (!entry.is_regular_file()) continue;
    const std::string path = entry.path();
    std::string bytes = folder.read(path.substr(folder.path.size() + 1));
    if (path.ends_with(".zst")) {
      bytes.clear();
      auto source = intake::LineSource::open(path);
      ASSERT_TRUE(source);
      intake::LineBlock block;
      for (auto more = source->next(block); more && *more; more = source->next(block)) {
        for (const auto& line : block.lines) bytes += block.text(line);
      }
    }
    for (const std::string& account : kGone) EXPECT_EQ(bytes.find(account), std::string::npos) << path;
  }
}

struct Parts {
  std::vector<Exchange> before, after;  // in the second nobody of those who go sends anything
};

Parts parts_of_world() {
  Parts parts;
  std::vector<Exchange> world = test::make_world();
  const std::size_t middle = world.size() * 5 / 6;
  for (std::size_t i = 0; i < world.size(); ++i) {
    if (i < middle)
      parts.before.push_back(std::move(world[i]));
    else if (!is_gone(world[i].account))
      parts.after.push_back(std::move(world[i]));
  }
  return parts;
}

ObserverOptions small_options(const Folder& folder) {
  ObserverOptions options = test::options_in(folder);
  options.lateness_us = base::kHourUs;  // one thread sends, in order
  options.snapshot_seconds = 0.05;
  return options;
}

TEST(ObserverErasure, UnderTrafficTheEngineBecomesTheOneThatNeverSawIt) {
  const Folder folder;
  const crypto::KeyedHash keyed_hash = test::fixed_hash();
  const ObserverOptions options = small_options(folder);
  const Parts parts = parts_of_world();
  std::string names_after;
  {
    auto observer = Observer::start(options, keyed_hash, {});
    ASSERT_TRUE(observer) << observer.error().message;
    send(**observer, parts.before);
    const base::Token farm = keyed_hash(crypto::Domain::account, "farm_7");
    EXPECT_EQ((*observer)->open(farm), "farm_7");
    std::thread traffic([&] { send(**observer, parts.after); });
    erase(**observer, keyed_hash);
    wait_for_remake(**observer, 1);
    traffic.join();
    EXPECT_NE((*observer)->open(farm), "farm_7");
    EXPECT_TRUE((*observer)->verdicts().look_up(farm).is_clear());
    ASSERT_TRUE((*observer)->stop());
  }
  const test::Replayed replayed = test::replay(options, keyed_hash);
  EXPECT_GT(test::line_count(replayed.verdicts), 20U);
  EXPECT_EQ(folder.read("state/verdicts.ndjson"), replayed.verdicts);
  expect_no_trace(folder);
  // And a start goes on from there.
  {
    auto observer = Observer::start(options, keyed_hash, {});
    ASSERT_TRUE(observer) << observer.error().message;
    EXPECT_LT((*observer)->counters().recovered_records, 100U) << "there was a snapshot";
    ASSERT_TRUE((*observer)->stop());
  }
  EXPECT_EQ(folder.read("state/verdicts.ndjson"), replayed.verdicts);
}

TEST(ObserverErasure, AStopInTheMiddleLeavesNoSnapshotAndTheNextStartReadsWhatIsLeft) {
  const Folder folder;
  const crypto::KeyedHash keyed_hash = test::fixed_hash();
  const ObserverOptions options = small_options(folder);
  const Parts parts = parts_of_world();
  {
    auto observer = Observer::start(options, keyed_hash, {});
    ASSERT_TRUE(observer) << observer.error().message;
    send(**observer, parts.before);
    ASSERT_TRUE((*observer)->begin_erasure({}));
    EXPECT_FALSE(std::filesystem::exists(options.state_folder + "/observer.snapshot"));
    send(**observer, parts.after);
    ASSERT_TRUE((*observer)->stop());
  }
  EXPECT_FALSE(std::filesystem::exists(options.state_folder + "/observer.snapshot"));
  {
    auto observer = Observer::start(options, keyed_hash, {});
    ASSERT_TRUE(observer) << observer.error().message;
    EXPECT_EQ((*observer)->counters().recovered_records, parts.before.size() + parts.after.size());
    erase(**observer, keyed_hash);
    wait_for_remake(**observer, 1);
    ASSERT_TRUE((*observer)->stop());
  }
  EXPECT_EQ(folder.read("state/verdicts.ndjson"), test::replay(options, keyed_hash).verdicts);
  expect_no_trace(folder);
}

TEST(ObserverErasure, AFileThatHasNoLineLeftGoesAndTheLogGoesOn) {
  const Folder folder;
  const crypto::KeyedHash keyed_hash = test::fixed_hash();
  const ObserverOptions options = small_options(folder);
  Parts parts = parts_of_world();
  for (Exchange& exchange : parts.before) exchange.account = kGone[0];
  parts.before.resize(200);
  {
    auto observer = Observer::start(options, keyed_hash, {});
    ASSERT_TRUE(observer) << observer.error().message;
    send(**observer, parts.before);
    erase(**observer, keyed_hash);
    wait_for_remake(**observer, 1);
    EXPECT_TRUE(std::filesystem::is_empty(options.log.folder));
    ASSERT_TRUE((*observer)->stop());
  }
  auto observer = Observer::start(options, keyed_hash, {});
  ASSERT_TRUE(observer) << observer.error().message;
  send(**observer, std::span(parts.after).first(100));
  ASSERT_TRUE((*observer)->stop());
  EXPECT_EQ(test::replay(options, keyed_hash).accepted, 100U);
  expect_no_trace(folder);
}

}  // namespace
}  // namespace stillwatch::gateway
