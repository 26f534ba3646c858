#include "audit/audit_log.h"

#include <fmt/format.h>

#include "audit/audit_log_state.h"
#include "audit/cosigned_store.h"
#include "audit/durable_file.h"
#include "base/files.h"
#include "tlog/checkpoint.h"

namespace stillwatch::audit {
namespace {

constexpr unsigned kAnchorFailuresMax = 3;  // in a row: then an alarm

Published published(const std::string& note) {
  const auto checkpoint = tlog::read_checkpoint_unchecked(note);
  return checkpoint ? Published{checkpoint->origin, checkpoint->size, note} : Published{};
}

}  // namespace

base::Status AuditLog::State::open_shard(std::size_t index) {
  const std::string& name = settings.shards[index];
  ledger::LogChainOptions options;
  options.folder = settings.folder;
  options.folder_prefix = "shard-" + name;
  options.origin_prefix = origin_prefix(index);
  options.signed_folder = settings.signed_folder;
  if (!settings.derivation_key.empty()) options.seed_of = derived_seeds(settings.derivation_key);
  STILLWATCH_TRY(chain, ledger::LogChain::open(options, settings.clock()));
  STILLWATCH_CHECK(notes.take_up(index, settings.folder, name, options.origin_prefix));
  STILLWATCH_TRY(note, chain.sign());
  notes.put(index, chain.log().origin(), note);
  ledger::SequencerOptions writer = settings.sequencer;
  writer.on_sequenced = [this, index](const std::string& origin, std::span<const ledger::Sequenced> sequenced) {
    if (settings.on_sequenced) settings.on_sequenced(index, origin, sequenced);
  };
  writer.on_checkpoint = [this, index](const std::string& origin, const std::string& its_note) {
    take_note(index, origin, its_note);
  };
  writer.on_alarm = [this, index](const base::Error* error) {
    const std::string& shard = settings.shards[index];
    if (error == nullptr) return alarms.end(AlarmKind::shard_failed, shard);
    alarms.raise(AlarmKind::shard_failed, shard, fmt::format("shard {}: {}", shard, error->message), settings.clock());
  };
  shards.push_back(std::make_unique<ledger::Sequencer>(std::move(chain), std::move(writer), settings.clock));
  return {};
}

void AuditLog::State::take_note(std::size_t index, const std::string& origin, const std::string& note) {
  // A log that has ended since was signed for the last time on the way: its final checkpoint is on the disk.
  if (notes.newest(index).origin != origin) {
    const auto taken = notes.take_up(index, settings.folder, settings.shards[index], origin_prefix(index));
    if (!taken) ++counters.anchor_failures;
  }
  notes.put(index, origin, note);
}

base::Status AuditLog::State::open_anchor() {
  AnchorWriterOptions options{settings.folder, settings.host, settings.signed_folder, settings.derivation_key};
  STILLWATCH_TRY(opened, AnchorWriter::open(std::move(options), settings.clock() / 1'000));
  anchor = std::move(opened);
  anchor_name = anchor->log_name();
  anchor_published = published(anchor->note());
  anchor_time_ms = anchor->last_time_s() * 1'000;
  counters.newest_anchor_size = anchor_published.size;
  STILLWATCH_TRY(cosigned, CosignedStore(cosigned_folder(anchor_name)).newest());
  cosigned_published = published(cosigned);
  counters.newest_cosigned_size = cosigned_published.size;
  const StampStore store(settings.folder + "/stamps");
  STILLWATCH_TRY(token, store.newest_token_hash());
  newest_token = token;
  STILLWATCH_TRY(witness_asker, WitnessAsker::create(settings.witnesses, counters, alarms));
  witnesses.emplace(std::move(witness_asker));
  STILLWATCH_TRY(stamp_asker, StampAsker::create(settings.stamps, store, counters, alarms));
  stamps.emplace(std::move(stamp_asker));
  return {};
}

base::Status AuditLog::State::anchor_once(std::int64_t t_ms) {
  const std::lock_guard lock(anchor_mutex);
  // A shard that cannot write has its alarm, and is anchored as far as it got: the anchor log goes on.
  for (const auto& shard : shards) (void)shard->flush();
  ledger::Hash32 token;
  {
    const std::lock_guard published_lock(published_mutex);
    token = newest_token;
  }
  const std::int64_t t_s = t_ms / 1'000;
  if (t_s < anchor->last_time_s()) ++counters.clock_backwards;
  auto logs = notes.all();
  base::Status appended = logs ? anchor->append(t_s, *logs, token) : base::Status(base::fail(std::move(logs).error()));
  if (!appended) {
    ++counters.anchor_failures;
    if (++anchor_failures_in_a_row >= kAnchorFailuresMax) {
      alarms.raise(AlarmKind::anchor_failed, anchor->log_name(), appended.error().message, settings.clock());
    }
    return appended;
  }
  ++counters.anchors;
  anchor_failures_in_a_row = 0;
  alarms.end(AlarmKind::anchor_failed, anchor->log_name());
  notes.anchored(*logs);
  const std::lock_guard published_lock(published_mutex);
  if (anchor_name != anchor->log_name()) cosigned_published = {};
  anchor_name = anchor->log_name();
  anchor_time_ms = anchor->last_time_s() * 1'000;
  anchor_published = published(anchor->note());
  counters.newest_anchor_size = anchor_published.size;
  return {};
}

base::Result<std::unique_ptr<AuditLog>> AuditLog::open(Settings settings) {
  STILLWATCH_CHECK(check(settings));
  STILLWATCH_CHECK(base::make_writable_folder(settings.folder));
  for (const char* name : {"/logs", "/keys"}) STILLWATCH_CHECK(make_folder_durably(settings.folder + name));
  auto state = std::make_unique<State>();
  state->settings = std::move(settings);
  for (std::size_t i = 0; i < state->settings.shards.size(); ++i) STILLWATCH_CHECK(state->open_shard(i));
  STILLWATCH_CHECK(state->open_anchor());
  for (const PagesSettings& pages : state->settings.pages) {
    STILLWATCH_TRY(started, LogPages::start(state->settings.folder, state->settings.host, pages, state->counters));
    state->pages.push_back(std::move(started));
  }
  if (!state->settings.by_hand) state->start_threads();
  return std::unique_ptr<AuditLog>(new AuditLog(std::move(state)));
}

AuditLog::AuditLog(std::unique_ptr<State> state) : state_(std::move(state)) {}
AuditLog::~AuditLog() = default;

bool AuditLog::try_append(std::string_view leaf, std::uint64_t cookie, std::int64_t time_ms, std::size_t shard) {
  return state_->shards[shard]->try_append(leaf, cookie, time_ms);
}

bool AuditLog::append(std::string_view leaf, std::uint64_t cookie, std::int64_t time_ms, std::size_t shard) {
  return state_->shards[shard]->append(leaf, cookie, time_ms);
}

ledger::Sequencer& AuditLog::shard(std::size_t shard) { return *state_->shards[shard]; }

base::Status AuditLog::flush() {
  for (const auto& shard : state_->shards) STILLWATCH_CHECK(shard->flush());
  return {};
}

Published AuditLog::checkpoint(std::size_t shard) const { return published(state_->notes.newest(shard).note); }

Published AuditLog::anchor_checkpoint() const {
  const std::lock_guard lock(state_->published_mutex);
  return state_->anchor_published;
}

Published AuditLog::cosigned_checkpoint() const {
  const std::lock_guard lock(state_->published_mutex);
  return state_->cosigned_published;
}

base::Status AuditLog::anchor_now(std::int64_t t_ms) { return state_->anchor_once(t_ms); }
base::Status AuditLog::ask_witnesses_now() { return state_->ask_witnesses(); }
base::Status AuditLog::stamp_now() { return state_->ask_for_stamps(); }
const Counters& AuditLog::counters() const { return state_->counters; }
std::vector<Alarm> AuditLog::alarms() const { return state_->alarms.list(); }
std::uint16_t AuditLog::pages_port(std::size_t index) const { return state_->pages[index]->port(); }

std::string AuditLog::not_ready() const {
  for (const std::string& shard : state_->settings.shards) {
    if (state_->alarms.is_on(AlarmKind::shard_failed, shard)) {
      return fmt::format("the audit log of shard {} cannot be written", shard);
    }
  }
  return {};
}

base::Status AuditLog::stop() {
  State& state = *state_;
  state.end_threads();
  base::Status status;
  if (!state.settings.by_hand) status = state.anchor_once(state.settings.clock());
  for (const auto& shard : state.shards) {
    if (base::Status stopped = shard->stop(); !stopped) status = std::move(stopped);
  }
  for (const auto& pages : state.pages) pages->stop();
  return status;
}

}  // namespace stillwatch::audit
