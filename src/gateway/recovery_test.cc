// What remains after the end of the process, however it comes: levels, verdict lines, the log.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "gateway/observer_fixture.h"

namespace stillwatch::gateway {
namespace {

using test::Folder;
using test::send;

std::unique_ptr<Observer> started(const ObserverOptions& options, const crypto::KeyedHash& keyed_hash,
                                  ObserverPorts ports = {}) {
  auto observer = Observer::start(options, keyed_hash, std::move(ports));
  if (!observer) throw std::runtime_error(observer.error().message);
  return std::move(*observer);
}

std::size_t logged(const ObserverOptions& options, const crypto::KeyedHash& keyed_hash) {
  return std::filesystem::is_empty(options.log.folder) ? 0 : test::replay(options, keyed_hash).accepted;
}

std::string levels_of(const Observer& observer) {
  std::string out;
  for (const engine::ListedLevel& level : observer.verdicts().list(100'000)) {
    out += std::to_string(level.account) + " " + std::string(event::name(level.level)) + " " + level.rule + " " +
           std::to_string(level.campaign) + " " + std::to_string(level.expires_us) + "\n";
  }
  return out;
}

TEST(Recovery, KillNineAtAnyPointLosesNoLevelAndRepeatsNoLine) {
  const Folder folder, uninterrupted;
  const crypto::KeyedHash keyed_hash = test::fixed_hash();
  const std::vector<Exchange> world = test::make_world();
  ObserverOptions options = test::options_in(folder);
  options.snapshot_seconds = 0.05;
  options.accounts_file = folder.path + "/accounts.ndjson";
  folder.write("accounts.ndjson", test::accounts_of({}));
  base::Random random(9);
  int kills = 0;
  for (bool is_done = false; !is_done; ++kills) {
    // What the log holds was served; the rest comes after the restart.
    std::filesystem::create_directories(options.log.folder);
    // A half frame at the end is no matter: the next start cuts it off.
    { const auto mended = QueryLog::open(options.log); }
    const std::size_t served = logged(options, keyed_hash);
    const auto serve = [&, rest = std::span(world).subspan(served)](const auto& is_ready) {
      const crypto::KeyedHash hash_of_child = test::fixed_hash();
      auto observer = started(options, hash_of_child);
      is_ready();
      send(*observer, rest);
      return observer->stop();
    };
    is_done = test::run_and_kill(50 + static_cast<std::int64_t>(random.below(400)), serve);
    ASSERT_LT(kills, 60);
  }
  EXPECT_GT(kills, 3) << "killed too seldom to show anything";
  std::uint64_t told = 0, again = 0;
  ObserverPorts ports;
  ports.on_verdict = [&](const event::Verdict&, std::string_view, bool is_again) { ++(is_again ? again : told); };
  auto recovered = started(options, keyed_hash, ports);
  EXPECT_EQ(told, 0U);
  EXPECT_EQ(recovered->counters().journal_diverged, 0U);
  const std::string live = folder.read("state/verdicts.ndjson");
  EXPECT_EQ(live, test::replay(options, keyed_hash).verdicts);
  EXPECT_GT(test::line_count(live), 20U);

  ObserverOptions other = test::options_in(uninterrupted);
  other.accounts_file = options.accounts_file;
  auto whole = started(other, keyed_hash);
  send(*whole, world);
  ASSERT_TRUE(whole->stop());
  EXPECT_EQ(live, uninterrupted.read("state/verdicts.ndjson"));
  EXPECT_EQ(levels_of(*recovered), levels_of(*whole));
  EXPECT_FALSE(levels_of(*whole).empty());
}

TEST(Recovery, WithoutItsSnapshotAllComesOutOfTheLog) {
  const Folder folder;
  const crypto::KeyedHash keyed_hash = test::fixed_hash();
  ObserverOptions options = test::options_in(folder);
  const std::vector<Exchange> world = test::make_world();
  auto observer = started(options, keyed_hash);
  send(*observer, world);
  ASSERT_TRUE(observer->stop());
  const std::string live = folder.read("state/verdicts.ndjson"), levels = levels_of(*observer);
  observer.reset();

  std::filesystem::remove(folder.path + "/state/observer.snapshot");
  folder.write("state/verdicts.ndjson", live.substr(0, live.size() * 2 / 3));  // and half a line less
  observer = started(options, keyed_hash);
  EXPECT_EQ(folder.read("state/verdicts.ndjson"), live);
  EXPECT_EQ(levels_of(*observer), levels);
  EXPECT_EQ(observer->counters().recovered_records, world.size());
  observer.reset();

  // Other settings, other verdicts: the lines of before are kept aside, and the levels are never out of force.
  options.policy_hash = "sha256:other";
  options.engine.policy.dry_run = !options.engine.policy.dry_run;
  std::uint64_t told = 0;
  ObserverPorts ports;
  ports.on_verdict = [&](const event::Verdict&, std::string_view, bool) { ++told; };
  observer = started(options, keyed_hash, ports);
  EXPECT_EQ(folder.read("state/verdicts.ndjson.1"), live);
  EXPECT_EQ(told, test::line_count(live));
  EXPECT_EQ(folder.read("state/verdicts.ndjson"), test::replay(options, keyed_hash).verdicts);
  observer.reset();

  std::string snapshot = folder.read("state/observer.snapshot");
  snapshot[snapshot.size() / 2] = static_cast<char>(snapshot[snapshot.size() / 2] ^ 1);
  folder.write("state/observer.snapshot", snapshot);
  EXPECT_FALSE(Observer::start(options, keyed_hash, {})) << "damage is never guessed over";
}

TEST(Recovery, WhileTheLogCannotBeWrittenNothingIsSeenAndAGapTellsOfIt) {
  const Folder folder;
  const ObserverOptions options = test::options_in(folder);
  const std::vector<Exchange> world = test::make_world({100, 6, 0});
  const std::span<const Exchange> all(world);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const crypto::KeyedHash keyed_hash = test::fixed_hash();
    std::atomic<int> problems{0};
    ObserverPorts ports;
    ports.on_problem = [&](std::string_view text) { problems += text.empty() ? 0 : 1; };
    auto observer = Observer::start(options, keyed_hash, ports);
    if (!observer) ::_exit(3);
    const auto wait_for = [&](const auto& holds) {
      while (!holds((*observer)->counters())) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    };
    send(**observer, all.first(500));
    wait_for([](const ObserverCounters& counters) { return counters.records == 500; });
    rlimit limit{100, RLIM_INFINITY};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(5);
    send(**observer, all.subspan(500, 300));
    wait_for([](const ObserverCounters& counters) { return counters.lost == 300 && counters.log_failing; });
    if (problems.load() == 0) ::_exit(6);
    limit.rlim_cur = RLIM_INFINITY;
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(5);
    send(**observer, all.subspan(800, 400));
    wait_for([](const ObserverCounters& counters) { return counters.records >= 900; });
    const bool stopped = (*observer)->stop().has_value();
    const ObserverCounters counters = (*observer)->counters();
    ::_exit(!stopped ? 7 : counters.gaps != 1 || counters.lost != 300 || counters.log_failing ? 8 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  const test::Replayed replayed = test::replay(options, test::fixed_hash());
  EXPECT_EQ(replayed.accepted, 900U + 1);
  EXPECT_EQ(replayed.shed, 1U) << "the gap";
  EXPECT_TRUE(replayed.problems.empty());
}

}  // namespace
}  // namespace stillwatch::gateway
