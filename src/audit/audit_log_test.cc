// The service as a whole: from a leaf to a cosigned anchor, on time, through restarts, and saying nothing of the
// traffic.
#include "audit/audit_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "audit/cosigned_store.h"
#include "audit/manifest_store.h"
#include "audit/stamp_fixture.h"
#include "audit/stamp_store.h"
#include "audit/witness_fixture.h"
#include "base/event_time.h"
#include "http/socket_fixture.h"
#include "ledger/log_reader.h"
#include "tlog/checkpoint.h"
#include "tlog/proof.h"

namespace stillwatch::audit {
namespace {

using ::testing::HasSubstr;

class audit_log : public ::testing::Test {
 protected:
  std::string ledger() const { return folder_ / "ledger"; }
  std::unique_ptr<AuditLog> open(Settings settings) {
    auto opened = AuditLog::open(std::move(settings));
    EXPECT_TRUE(opened) << opened.error().message;
    return opened ? std::move(*opened) : nullptr;
  }
  std::unique_ptr<AuditLog> open() { return open(test_settings(ledger(), clock_)); }
  void append(AuditLog& log, int leaves, std::size_t shard = 0) {
    for (; leaves > 0; --leaves) ASSERT_TRUE(log.try_append(test_leaf(++number_), 0, 0, shard));
  }
  ledger::LogReader reader(const std::string& name) const {
    auto opened = ledger::LogReader::open(ledger() + "/logs/" + name);
    EXPECT_TRUE(opened) << opened.error().message;
    return std::move(*opened);
  }
  std::vector<ledger::ManifestLog> manifest(std::uint64_t index, const std::string& name = "anchor-2026") const {
    const auto leaf = ledger::read_anchor_leaf(reader(name).entry(index).value());
    return ledger::read_manifest(find_manifest(ledger() + "/manifests/" + name, index, leaf->manifest)->text).value();
  }

  static http::Task<void> answer_by(const OpensslAuthority& authority, http::Exchange& exchange) {
    const auto query = co_await exchange.read_all(1U << 20);
    if (!query) co_return;
    const std::string reply = authority.answer(*query);
    (void)co_await exchange.respond(http::ResponseHead(200), reply);
  }

  ScratchFolder folder_;
  TestClock clock_;
  std::uint64_t number_ = 0;
};

// As a stranger who has a leaf, two proofs, a manifest with its salt, and the witnesses' keys.
TEST_F(audit_log, a_leaf_is_covered_by_a_cosigned_anchor_all_the_way) {
  auto log = open();
  ASSERT_NE(log, nullptr);
  append(*log, 300);
  ASSERT_TRUE(log->anchor_now(clock_.now()));
  const ledger::LogReader anchors = reader("anchor-2026");
  const auto witness =
      start_witness(folder_ / "w", "w.example", "log " + anchors.vkey() + "\nquorum none\n", clock_.clock());
  ASSERT_TRUE(
      base::write_file(folder_ / "policy", "witness w " + witness->vkey() + " " + url_of(*witness) + "\nquorum w\n"));
  ASSERT_TRUE(log->stop());
  Settings settings = test_settings(ledger(), clock_);
  settings.witnesses.policy_file = folder_ / "policy";
  log.reset();  // and with it the locks of its folders
  log = open(settings);
  append(*log, 5);
  ASSERT_TRUE(log->anchor_now(clock_.now()));
  const auto asked = log->ask_witnesses_now();
  ASSERT_TRUE(asked) << asked.error().message;

  // The quorum on the anchor.
  auto policy = tlog::Policy::parse(base::read_file(folder_ / "policy", 1U << 20).value());
  policy->logs.push_back({*tlog::VerifierKey::parse(anchors.vkey()), ""});
  const auto witnessed = tlog::open_witnessed(*policy, log->cosigned_checkpoint().note);
  ASSERT_TRUE(witnessed && witnessed->quorum_met);
  EXPECT_EQ(witnessed->checkpoint.size, 2U);
  // The anchor leaf in it, and the manifest behind the leaf.
  const ledger::LogReader now = reader("anchor-2026");
  const std::string anchor_leaf = now.entry(1).value();
  ASSERT_TRUE(tlog::verify_inclusion(1, 2, tlog::leaf_hash(anchor_leaf), now.inclusion_proof(1, 2).value(),
                                     witnessed->checkpoint.root));
  const auto logs = manifest(1);
  ASSERT_EQ(logs.size(), 1U);
  EXPECT_EQ(logs[0].origin, "audit.example/audit/s00/2026-11");
  // The shard's checkpoint, and a leaf in it.
  const ledger::LogReader shard = reader("shard-s00-2026-11");
  EXPECT_TRUE(tlog::open_checkpoint(logs[0].note, *tlog::VerifierKey::parse(shard.vkey())));
  EXPECT_EQ(logs[0].note, log->checkpoint().note);
  EXPECT_EQ(logs[0].size, 306U);  // 305 and the `open` leaf
  const std::string leaf = shard.entry(305).value();
  EXPECT_EQ(leaf, test_leaf(305));
  EXPECT_TRUE(tlog::verify_inclusion(305, logs[0].size, tlog::leaf_hash(leaf),
                                     shard.inclusion_proof(305, logs[0].size).value(), logs[0].root));
}

TEST_F(audit_log, number_and_size_of_anchor_leaves_do_not_depend_on_traffic) {
  std::vector<std::vector<std::size_t>> sizes;
  for (const int leaves : {0, 1, 2'000}) {
    const ScratchFolder folder;
    auto log = open(test_settings(folder.path(), clock_));
    for (int tick = 0; tick < 6; ++tick) {
      append(*log, tick % 2 == 0 ? leaves : 0);
      ASSERT_TRUE(log->anchor_now(kStartMs + tick * 10'000));
    }
    ASSERT_TRUE(log->stop());
    const auto anchors = ledger::LogReader::open(folder / "logs/anchor-2026");
    std::vector<std::size_t> each;
    std::vector<std::string> distinct;
    for (std::uint64_t i = 0; i < anchors->size(); ++i) {
      each.push_back(anchors->entry(i)->size());
      distinct.push_back(anchors->entry(i).value());
      EXPECT_EQ(ledger::read_anchor_leaf(distinct.back())->time_s,
                kStartMs / 1'000 + static_cast<std::int64_t>(i) * 10);
    }
    // Not even that nothing has happened can be seen: every m differs.
    std::sort(distinct.begin(), distinct.end());
    EXPECT_EQ(std::unique(distinct.begin(), distinct.end()), distinct.end());
    sizes.push_back(each);
  }
  EXPECT_EQ(sizes[0], std::vector<std::size_t>(6, 160));
  EXPECT_EQ(sizes[0], sizes[1]);
  EXPECT_EQ(sizes[0], sizes[2]);
}

TEST_F(audit_log, the_end_of_a_month_is_anchored_with_the_month_that_follows) {
  auto log = open();
  append(*log, 10);
  ASSERT_TRUE(log->flush());
  const std::int64_t december_ms = 1'796'083'200'000;  // 2026-12-01T00:00:00Z
  clock_.set(december_ms + 1'000);
  append(*log, 3);
  ASSERT_TRUE(log->anchor_now(clock_.now()));
  const auto logs = manifest(0);
  ASSERT_EQ(logs.size(), 2U);
  EXPECT_EQ(logs[0].origin, "audit.example/audit/s00/2026-11");
  EXPECT_EQ(logs[0].note, reader("shard-s00-2026-11").checkpoint());
  EXPECT_EQ(logs[1].origin, "audit.example/audit/s00/2026-12");
  ASSERT_TRUE(log->anchor_now(clock_.now() + 10'000));
  EXPECT_EQ(manifest(1).size(), 1U);
  // After a restart the month before is named once more: nobody remembers that it was anchored.
  ASSERT_TRUE(log->stop());
  log.reset();  // and with it the locks of its folders
  log = open();
  ASSERT_TRUE(log->anchor_now(clock_.now() + 20'000));
  EXPECT_EQ(manifest(2).size(), 2U);
}

TEST_F(audit_log, shards_are_logs_of_their_own_under_one_anchor) {
  Settings settings = test_settings(ledger(), clock_);
  settings.shards = {"s00", "s01", "s0"};
  std::vector<std::size_t> announced(3);
  std::mutex mutex;
  settings.on_sequenced = [&](std::size_t shard, const std::string& origin, std::span<const ledger::Sequenced> done) {
    const std::lock_guard lock(mutex);
    announced[shard] += done.size();
    EXPECT_THAT(origin, HasSubstr("/audit/s0"));
  };
  auto log = open(settings);
  append(*log, 4, 0);
  append(*log, 2, 1);
  ASSERT_TRUE(log->try_append(test_leaf(1), 77, 0, 2));
  ASSERT_TRUE(log->anchor_now(clock_.now()));
  const auto logs = manifest(0);
  ASSERT_EQ(logs.size(), 3U);
  EXPECT_EQ(logs[0].origin, "audit.example/audit/s0/2026-11");
  EXPECT_EQ(logs[0].size, 2U);
  EXPECT_EQ(logs[1].size, 5U);
  EXPECT_EQ(logs[2].size, 3U);
  ASSERT_TRUE(log->stop());
  EXPECT_EQ(announced, (std::vector<std::size_t>{0, 0, 1}));
  // Names that begin alike are not taken for each other.
  log.reset();  // and with it the locks of its folders
  log = open(settings);
  EXPECT_EQ(log->checkpoint(2).origin, "audit.example/audit/s0/2026-11");
  EXPECT_EQ(log->checkpoint(0).size, 5U);
}

TEST_F(audit_log, anchors_by_itself_once_an_interval_and_counts_what_it_missed) {
  Settings settings = test_settings(ledger(), clock_);
  settings.by_hand = false;
  clock_.set(kStartMs + 1);
  auto log = open(settings);
  for (std::uint64_t tick = 1; tick <= 3; ++tick) {
    clock_.advance(10'000);
    ASSERT_TRUE(http::eventually([&] { return log->counters().anchors == tick; }));
  }
  clock_.advance(35'000);  // three ticks at once, or the process was stopped
  ASSERT_TRUE(http::eventually([&] { return log->counters().anchors == 4; }));
  EXPECT_EQ(log->counters().anchors_missed, 2U);
  // Set back: it goes on at the clock's ticks, the time of the leaves stands still.
  clock_.advance(-1'000'000);
  for (int i = 0; i < 200 && log->counters().anchors < 5; ++i) {
    clock_.advance(1'000);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_EQ(log->counters().anchors, 5U);
  EXPECT_GE(log->counters().clock_backwards, 1U);
  ASSERT_TRUE(log->stop());
  const ledger::LogReader anchors = reader("anchor-2026");
  std::int64_t last_s = 0;
  for (std::uint64_t i = 0; i < anchors.size(); ++i) {
    const auto leaf = ledger::read_anchor_leaf(anchors.entry(i).value());
    if (i < 4) {
      EXPECT_EQ(leaf->time_s % 10, 0);
    }
    EXPECT_GE(leaf->time_s, last_s);
    last_s = leaf->time_s;
  }
}

TEST_F(audit_log, asks_witnesses_by_itself_and_serves_what_they_cosigned) {
  std::atomic<int> asked{0};
  PlayedWitness played([&](const std::string& body) -> PlayedWitness::Answer {
    ++asked;
    return {200, played.cosign(body)};
  });
  ASSERT_TRUE(base::write_file(folder_ / "policy", "witness w " + played.vkey() + " " + played.url() + "\nquorum w\n"));
  Settings settings = test_settings(ledger(), clock_);
  settings.by_hand = false;
  settings.witnesses.policy_file = folder_ / "policy";
  settings.witnesses.interval_ms = 60'000;
  auto log = open(settings);
  for (std::uint64_t tick = 1; tick <= 13; ++tick) {
    clock_.advance(10'000);
    ASSERT_TRUE(http::eventually([&] { return log->counters().anchors == tick; }));
    const std::uint64_t quorums = 1 + (tick - 1) / 6;
    ASSERT_TRUE(http::eventually([&] { return log->counters().quorums_met >= quorums; })) << tick;
  }
  ASSERT_TRUE(http::eventually([&] { return log->cosigned_checkpoint().size == 13; }));
  EXPECT_EQ(asked, 3);  // anchors 1, 7 and 13
  ASSERT_TRUE(log->stop());
  const CosignedStore store(ledger() + "/cosigned/anchor-2026");
  EXPECT_THAT(store.at(7).value(), HasSubstr("played.example"));
  EXPECT_EQ(store.at(8).value(), "");
  EXPECT_EQ(store.newest().value(), store.at(13).value());
  log.reset();  // and with it the locks of its folders
  log = open(settings);
  EXPECT_EQ(log->cosigned_checkpoint().size, 13U);
}

TEST_F(audit_log, the_last_checkpoint_of_a_year_gets_its_quorum_in_the_next) {
  bool is_up = false;
  PlayedWitness played([&](const std::string& body) -> PlayedWitness::Answer {
    return is_up ? PlayedWitness::Answer{200, played.cosign(body)} : PlayedWitness::Answer{503, ""};
  });
  ASSERT_TRUE(base::write_file(folder_ / "policy", "witness w " + played.vkey() + " " + played.url() + "\nquorum w\n"));
  Settings settings = test_settings(ledger(), clock_);
  settings.witnesses.policy_file = folder_ / "policy";
  auto log = open(settings);
  const std::int64_t new_year_ms = 1'798'761'600'000;
  ASSERT_TRUE(log->anchor_now(new_year_ms - 10'000));
  EXPECT_FALSE(log->ask_witnesses_now());
  ASSERT_TRUE(log->anchor_now(new_year_ms));
  EXPECT_EQ(log->cosigned_checkpoint().size, 0U);
  is_up = true;
  ASSERT_TRUE(log->ask_witnesses_now());
  EXPECT_EQ(log->cosigned_checkpoint().origin, "audit.example/anchor/2027");
  EXPECT_NE(CosignedStore(ledger() + "/cosigned/anchor-2026").newest().value(), "");
}

TEST_F(audit_log, the_next_anchor_names_the_newest_stamp_also_after_a_restart) {
  const OpensslAuthority authority;
  ASSERT_TRUE(authority.ready());
  const auto server =
      http::serve(http::loopback_options(), [&](http::Exchange& exchange) { return answer_by(authority, exchange); });
  Settings settings = test_settings(ledger(), clock_);
  clock_.set(wall_clock_ms());  // the authority has a clock of its own
  settings.stamps.authorities = {
      {"tsa", "http://127.0.0.1:" + std::to_string(server->port()) + "/", authority.ca_file(), ""}};
  auto log = open(settings);
  EXPECT_FALSE(log->stamp_now());  // nothing to stamp yet
  ASSERT_TRUE(log->anchor_now(clock_.now()));
  const auto stamped = log->stamp_now();
  ASSERT_TRUE(stamped) << stamped.error().message;
  EXPECT_EQ(log->counters().newest_stamped_size, 1U);
  ASSERT_TRUE(log->anchor_now(clock_.now()));
  ASSERT_TRUE(log->stop());
  log.reset();
  log = open(settings);
  ASSERT_TRUE(log->anchor_now(clock_.now()));

  const std::string name = "anchor-" + base::format_time(clock_.now() * 1'000).substr(0, 4);
  const auto kept = StampStore(ledger() + "/stamps").list(name).value();
  ASSERT_EQ(kept.size(), 1U);
  const auto token = read_stamp_reply(base::read_file(kept[0].reply_path, 1U << 20).value())->token_hash;
  const ledger::LogReader anchors = reader(name);
  EXPECT_EQ(base::read_file(kept[0].note_path, 1U << 20)->substr(0, 50).find(anchors.origin()), 0U);
  EXPECT_EQ(ledger::read_anchor_leaf(anchors.entry(0).value())->stamp, ledger::Hash32{});
  EXPECT_EQ(ledger::read_anchor_leaf(anchors.entry(1).value())->stamp, token);
  EXPECT_EQ(ledger::read_anchor_leaf(anchors.entry(2).value())->stamp, token);
}

TEST_F(audit_log, takes_leaves_from_many_threads_while_it_anchors) {
  Settings settings = test_settings(ledger(), clock_);
  settings.by_hand = false;
  auto log = open(settings);
  std::atomic<std::uint64_t> taken{0};
  std::vector<std::thread> threads;
  for (std::uint64_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (std::uint64_t i = 0; i < 500; ++i) taken += log->try_append(test_leaf(thread * 500 + i)) ? 1 : 0;
    });
  }
  for (std::uint64_t tick = 1; tick <= 3; ++tick) {
    clock_.advance(10'000);
    ASSERT_TRUE(http::eventually([&] { return log->counters().anchors == tick; }));
    (void)log->checkpoint();
    (void)log->alarms();
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(log->stop());
  EXPECT_EQ(taken, 2'000U);
  EXPECT_EQ(log->checkpoint().size, 2'001U);
  EXPECT_EQ(manifest(3)[0].size, 2'001U);  // the last anchor, at the stop
}

TEST_F(audit_log, goes_on_after_an_end_without_stop) {
  {
    const auto log = open();
    append(*log, 100);
    ASSERT_TRUE(log->flush());
    ASSERT_TRUE(log->anchor_now(clock_.now()));
  }
  auto log = open();
  EXPECT_EQ(log->ask_witnesses_now().error().fault, base::Fault::caller);  // none are configured
  EXPECT_EQ(log->anchor_checkpoint().size, 1U);
  EXPECT_EQ(log->checkpoint().size, 101U);
  append(*log, 1);
  ASSERT_TRUE(log->anchor_now(clock_.now()));
  EXPECT_EQ(manifest(1)[0].size, 102U);
}

TEST_F(audit_log, a_replay_with_a_derivation_key_gives_the_same_logs_again) {
  std::vector<std::string> notes;
  for (int round = 0; round < 2; ++round) {
    const ScratchFolder folder;
    Settings settings = test_settings(folder.path(), clock_);
    settings.derivation_key = std::string(32, 'k');
    settings.sequencer.batch_entries_max = round == 0 ? 7 : 4'096;  // however it is cut
    auto log = open(settings);
    for (int tick = 0; tick < 3; ++tick) {
      for (std::uint64_t i = 0; i < 100; ++i) ASSERT_TRUE(log->append(test_leaf(i)));
      ASSERT_TRUE(log->anchor_now(kStartMs + tick * 10'000));
    }
    notes.push_back(log->checkpoint().note + log->anchor_checkpoint().note);
    ASSERT_TRUE(log->stop());
  }
  EXPECT_EQ(notes[0], notes[1]);
}

TEST_F(audit_log, a_second_one_on_the_same_folder_is_refused) {
  const auto log = open();
  EXPECT_FALSE(AuditLog::open(test_settings(ledger(), clock_)));
}

TEST_F(audit_log, an_anchor_that_cannot_be_written_is_counted_and_becomes_an_alarm) {
  auto log = open();
  ASSERT_TRUE(base::write_file(ledger() + "/manifests", "in the way"));
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(log->anchor_now(clock_.now()));
  EXPECT_EQ(log->counters().anchor_failures, 3U);
  ASSERT_EQ(log->alarms().size(), 1U);
  EXPECT_EQ(log->alarms()[0].kind, AlarmKind::anchor_failed);
  std::filesystem::remove(ledger() + "/manifests");
  ASSERT_TRUE(log->anchor_now(clock_.now()));
  EXPECT_FALSE(log->alarms()[0].active);
  EXPECT_EQ(log->not_ready(), "");
}

}  // namespace
}  // namespace stillwatch::audit
