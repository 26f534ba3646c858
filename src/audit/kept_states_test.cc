#include "audit/kept_states.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <atomic>
#include <fstream>

#include "audit/erasure_leaves.h"
#include "audit/feed_fixture.h"
#include "crypto/digest.h"
#include "ledger/durable_files.h"

namespace stillwatch::audit {
namespace {

using namespace test;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kNames = "token of acct_secretive_1";

KeptState state_number(int number) {
  KeptState state;
  state.first_us = kStartUs;
  state.time_us = kStartUs + number * 1'000'000;
  state.secret_id = 77;
  state.account_updates = 12;
  state.policy_hash = "sha256:" + std::string(64, 'a');
  state.log_file = "queries-20261122T000000-0001.ndjson.zst";
  state.waiting.resize(3);
  state.waiting[1].time_us = kStartUs;
  state.waiting[2].fingerprint.prompt = 42;
  state.engine = std::string(10'000, static_cast<char>(number));
  return state;
}

struct Ledger {
  Folder folder;
  std::unique_ptr<ledger::KeyWrapper> master = master_of(folder.path);
  std::unique_ptr<ledger::KeyBook> keys;
  KeptStates states{folder.path};

  Ledger() {
    ledger::KeyBookOptions options;
    options.now_us = [] { return kStartUs; };
    auto book = ledger::KeyBook::open(key_book_folder(folder.path), *master, std::move(options));
    if (!book) throw std::runtime_error(book.error().message);
    keys = std::move(*book);
  }
  ledger::Hash32 keep(int number) const {
    const auto hash = states.keep(state_number(number), kNames, *keys);
    if (!hash) throw std::runtime_error(hash.error().message);
    return *hash;
  }
};

std::string bytes_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(KeptStates, ComeBackAsTheyWereUnderTheNameOfTheirBytes) {
  const Ledger ledger;
  const ledger::Hash32 hash = ledger.keep(1);
  const std::string path = ledger.states.path_of(hash);
  EXPECT_EQ(std::filesystem::path(path).filename().string(), crypto::sha256_hex(bytes_of(path)));
  const auto state = ledger.states.read(hash);
  ASSERT_TRUE(state) << state.error().message;
  EXPECT_EQ(write_state(*state), write_state(state_number(1)));
  EXPECT_EQ(state->waiting[2].fingerprint, state_number(1).waiting[2].fingerprint);
  EXPECT_EQ(*ledger.states.read_names(hash, *ledger.keys), kNames);
  EXPECT_EQ(ledger.keep(1), hash);
  const ledger::Hash32 later = ledger.keep(2), earlier = ledger.keep(0);
  const auto list = ledger.states.list();
  ASSERT_TRUE(list);
  ASSERT_EQ(list->size(), 3U);
  EXPECT_EQ((*list)[0].hash, earlier);
  EXPECT_EQ((*list)[2].hash, later);
  EXPECT_EQ((*list)[1].time_us, state_number(1).time_us);
  EXPECT_EQ((*list)[1].first_us, kStartUs);
  EXPECT_EQ(state_of_path((*list)[1].path), hash);
  EXPECT_FALSE(state_of_path((*list)[1].names_path));
  EXPECT_FALSE(state_of_path("reports/" + std::filesystem::path(path).filename().string()));
}

TEST(KeptStates, NoRawIdIsReadableAndNobodyElseReadsThem) {
  const Ledger ledger;
  const ledger::Hash32 hash = ledger.keep(1);
  for (const std::string& path : {ledger.states.path_of(hash), ledger.states.names_path_of(hash)}) {
    EXPECT_THAT(bytes_of(path), Not(HasSubstr("secretive")));
    struct stat facts {};
    ASSERT_EQ(::stat(path.c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 0777U, 0600U);
  }
  // Names belong to one state.
  const ledger::Hash32 other = ledger.keep(2);
  std::filesystem::copy_file(ledger.states.names_path_of(hash), ledger.states.names_path_of(other),
                             std::filesystem::copy_options::overwrite_existing);
  const auto names = ledger.states.read_names(other, *ledger.keys);
  ASSERT_FALSE(names);
  EXPECT_EQ(names.error().fault, base::Fault::check);
}

TEST(KeptStates, ADamagedOneIsNeverGiven) {
  const Ledger ledger;
  const ledger::Hash32 hash = ledger.keep(1);
  const std::string path = ledger.states.path_of(hash), good = bytes_of(path);
  for (const std::size_t at : {std::size_t{0}, good.size() / 2, good.size() - 1}) {
    std::string bytes = good;
    bytes[at] ^= 1;
    std::ofstream(path, std::ios::binary) << bytes;
    const auto state = ledger.states.read(hash);
    ASSERT_FALSE(state) << at;
    EXPECT_EQ(state.error().fault, base::Fault::check);
  }
  // Bytes that are no state are told apart from damage, whatever their name.
  EXPECT_FALSE(read_state(""));
  EXPECT_FALSE(read_state(std::string_view(good).substr(0, good.size() - 1)));
  EXPECT_FALSE(read_state(good + "x"));
}

/// Ends the process before its step of this number.
std::atomic<int> kill_at{0};
int count_steps(std::string_view, const std::string&) {
  if (--kill_at == 0) ::_exit(9);
  return 0;
}

TEST(KeptStates, KilledAtAnyStepLeavesOneWholeOrNone) {
  int whole = 0, none = 0;
  for (int step = 1; step < 100; ++step) {
    const Ledger ledger;
    const ledger::Hash32 hash = crypto::sha256(write_state(state_number(1)));
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      kill_at = step;
      ledger::watch_disk(count_steps);
      (void)ledger.keep(1);
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    if (ledger.states.has(hash)) {
      ++whole;
      EXPECT_TRUE(ledger.states.read(hash)) << step;
      EXPECT_EQ(*ledger.states.read_names(hash, *ledger.keys), kNames) << step;
    } else {
      ++none;
      EXPECT_TRUE(ledger.states.list()->empty());
    }
    // The next start keeps it all the same, and nothing else is left.
    EXPECT_EQ(ledger.keep(1), hash);
    const std::filesystem::directory_iterator files(states_folder(ledger.folder.path));
    EXPECT_EQ(std::distance(begin(files), end(files)), 2) << step;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) break;
  }
  EXPECT_GT(none, 3);
  EXPECT_GT(whole, 0);
}

TEST(KeptStates, ACheckTellsMissingFromErasedAndFromUnused) {
  const Folder folder;
  std::vector<ledger::Hash32> hashes;
  {
    auto feed = open_feed(options_in(folder.path));
    const KeptStates states(folder.path);
    feed->give(Given(record_number(0)));
    for (int number = 1; number <= 4; ++number) {
      hashes.push_back(*states.keep(state_number(number), kNames, feed->keys()));
      if (number == 4) break;  // no decision rests on the last
      feed->give(Given(Base{kStartUs + number, hashes.back()}));
      feed->give(Given(record_number(number)));
      feed->give(Given(decision_number(number)));
    }
    ASSERT_TRUE(feed->settle(10'000));
    const auto good = check_kept_states(folder.path);
    ASSERT_TRUE(good) << good.error().message;
    EXPECT_TRUE(good->findings.empty());
    EXPECT_EQ(good->states, 4U);
    EXPECT_EQ(good->unused, 1U);
    EXPECT_EQ(good->erased, 0U);

    // One is erased and told, one is only gone, one is damaged.
    ledger::ErasureResult result;
    result.removed = {states.path_of(hashes[0]), states.names_path_of(hashes[0])};
    const auto leaves = erasure_leaves(result, kStartUs / 1'000);
    ASSERT_EQ(leaves.size(), 2U);
    EXPECT_EQ(leaves[1].why, "states: request");
    EXPECT_EQ(leaves[1].keys, std::vector{ledger::name_of(hashes[0])});
    for (const ledger::EraseLeaf& leaf : leaves) {
      std::string bytes;
      ASSERT_TRUE(ledger::write_leaf(ledger::Leaf(leaf), bytes));
      ASSERT_TRUE(feed->log().append(bytes));
    }
    for (const std::size_t gone : {0U, 1U}) {
      std::filesystem::remove(states.path_of(hashes[gone]));
      std::filesystem::remove(states.names_path_of(hashes[gone]));
    }
    std::ofstream(states.path_of(hashes[2]), std::ios::binary) << "other bytes";
    ASSERT_TRUE(feed->stop());
  }
  EXPECT_TRUE(erased_names(folder.path)->contains(ledger::name_of(hashes[0])));
  const auto check = check_kept_states(folder.path);
  ASSERT_TRUE(check);
  EXPECT_EQ(check->erased, 1U);
  ASSERT_EQ(check->findings.size(), 2U);
  EXPECT_THAT(check->findings[0].what, HasSubstr("damaged"));
  EXPECT_THAT(check->findings[1].what, HasSubstr("is missing, and 1 decisions rest on it"));
}

TEST(ErasureLeaves, EveryKeyAndEveryStateIsInOneLeafOfAtMostSoMany) {
  ledger::ErasureResult result;
  result.kind = ledger::OrderKind::retention;
  result.who = "gateway";
  result.records = 7;
  for (std::uint8_t i = 0; i < 200; ++i) {
    result.keys.push_back({i});
    result.removed.push_back("/l/states/" + crypto::sha256_hex(std::string(1, static_cast<char>(i))));
  }
  result.removed.push_back("/l/report.html");
  const auto leaves = erasure_leaves(result, 5);
  ASSERT_EQ(leaves.size(), 4U);
  EXPECT_EQ(leaves[0].keys.size() + leaves[1].keys.size(), 200U);
  EXPECT_EQ(leaves[2].keys.size() + leaves[3].keys.size(), 200U);
  std::uint64_t records = 0;
  for (const ledger::EraseLeaf& leaf : leaves) {
    records += leaf.records;
    EXPECT_EQ(leaf.why, &leaf < &leaves[2] ? "retention" : "states: retention");
  }
  EXPECT_EQ(records, 7U);
  EXPECT_EQ(erasure_leaves({}, 5).size(), 1U);
}

}  // namespace
}  // namespace stillwatch::audit
