#include "ledger/log_chain.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <vector>

#include "base/event_time.h"
#include "base/files.h"
#include "crypto/random_bytes.h"
#include "ledger/chain_names.h"
#include "ledger/disk_file.h"
#include "ledger/log_files.h"
#include "ledger/log_keys.h"
#include "ledger/segment_tiles.h"
#include "tlog/bundle.h"
#include "tlog/checkpoint.h"

namespace stillwatch::ledger {
namespace {

using base::Fault;

// The last entries of a log, at most one bundle of them.
base::Result<std::vector<std::string>> last_entries(const LogStore& store) {
  const auto tile = tlog::tile_at(tlog::TileId::Kind::entries, 0, (store.size() - 1) / tlog::kTileWidth, store.size());
  if (store.size() == 0 || !tile) return std::vector<std::string>{};
  std::string bytes;
  STILLWATCH_CHECK(SegmentTiles(store.folder()).read(*tile, bytes));
  std::vector<std::string> entries;
  tlog::EntryReader reader(bytes);
  for (std::string_view entry; reader.next(entry);) entries.emplace_back(entry);
  return entries;
}

std::int64_t ledger_time(std::string_view entry) {
  const auto leaf = read_leaf(entry);
  if (!leaf || std::holds_alternative<QueryLeaf>(*leaf) || std::holds_alternative<DecisionLeaf>(*leaf)) return 0;
  return std::visit([](const auto& kind) { return kind.time_ms; }, *leaf);
}

}  // namespace

std::string month_of(std::int64_t time_ms) {
  return base::format_time(std::max<std::int64_t>(0, time_ms) * 1'000).substr(0, 7);
}

struct LogChain::Impl {
  LogChainOptions options;
  std::optional<LogStore> store;  // there as long as the chain is: an error leaves the one before
  LogName name;                   // of the present log
  std::int64_t last_ms = 0;
  Counters counters;

  std::string logs_folder() const { return options.folder + "/logs"; }
  std::string folder(const LogName& log) const {
    return fmt::format("{}/{}-{}", logs_folder(), options.folder_prefix, log.text());
  }
  std::string origin(const LogName& log) const { return fmt::format("{}/{}", options.origin_prefix, log.text()); }
  std::string seed_path(const LogName& log) const {
    return fmt::format("{}/keys/{}-{}.seed", options.folder, options.folder_prefix, log.text());
  }
  LogStoreOptions store_options(const LogName& log) const {
    if (options.signed_folder.empty()) return {};
    return {fmt::format("{}/{}-{}.signed", options.signed_folder, options.folder_prefix, log.text())};
  }

  std::int64_t leaf_time(std::int64_t now_ms) {
    if (now_ms < last_ms) ++counters.clock_backwards;
    return last_ms = std::max(last_ms, now_ms);
  }
  base::Result<std::vector<LogName>> logs() const { return log_names(logs_folder(), options.folder_prefix + "-", ""); }

  base::Status settle(std::int64_t now_ms);
  base::Status begin(const LogName& log, const LogName* previous, std::int64_t now_ms);
  base::Result<std::optional<Hash32>> end_of(const LogName& log) const;
  base::Result<KeySeed> seed_for(const LogName& log);
  base::Status rotate(std::int64_t now_ms, std::string_view why);
  base::Status close(std::span<const Leaf> leaves);
  base::Status destroy_other_seeds();
};

// Goes on from whatever a crash or an error left: each step leads to the next state of the list, and can be repeated.
base::Status LogChain::Impl::settle(std::int64_t now_ms) {
  STILLWATCH_CHECK(make_folder(logs_folder()));
  STILLWATCH_CHECK(make_folder(options.folder + "/keys", 0700));
  if (!options.signed_folder.empty()) STILLWATCH_CHECK(make_folder(options.signed_folder));
  STILLWATCH_TRY(names, logs());
  if (names.empty()) return begin({month_of(now_ms), 1}, nullptr, leaf_time(now_ms));
  const LogName newest = names.back();
  const LogName* previous = names.size() > 1 ? &names[names.size() - 2] : nullptr;
  if (!file_exists(LogFiles{folder(newest)}.state())) return begin(newest, previous, leaf_time(now_ms));
  if (store && store->folder() == folder(newest)) {
    STILLWATCH_CHECK(store->reopen());
  } else if (has_seed(seed_path(newest))) {
    STILLWATCH_TRY(seed, read_seed(seed_path(newest), origin(newest)));
    STILLWATCH_TRY(opened, LogStore::open(folder(newest), seed, store_options(newest)));
    store.emplace(std::move(opened));
  } else {
    // Only finish() leaves it like this: a new log follows it.
    const std::string path = LogFiles{folder(newest)}.state();
    STILLWATCH_TRY(state_text, base::read_file(path, kSmallFileMax));
    STILLWATCH_TRY(state, parse_state(state_text, path));
    if (!state.is_closed) {
      return base::fail(Fault::environment, fmt::format("{} is missing, and the log in {} is not closed; restore it",
                                                        seed_path(newest), folder(newest)));
    }
    return begin(newest.next(month_of(now_ms)), &newest, leaf_time(now_ms));
  }
  name = newest;
  if (store->size() == 0) return begin(newest, previous, leaf_time(now_ms));
  STILLWATCH_TRY(entries, last_entries(*store));
  for (const std::string& entry : entries) last_ms = std::max(last_ms, ledger_time(entry));
  if (!store->is_closed()) return destroy_other_seeds();

  STILLWATCH_CHECK(store->sign());
  LogName next = newest.next(month_of(now_ms));
  if (entries.size() > 1) {
    const auto before_last = read_leaf(entries[entries.size() - 2]);
    if (before_last && std::holds_alternative<KeyLeaf>(*before_last)) {
      const std::string& vkey = std::get<KeyLeaf>(*before_last).vkey;
      const auto named = LogName::parse(std::string_view(vkey).substr(0, vkey.find('+')), options.origin_prefix + "/");
      if (named) {
        next = *named;
        if (!has_seed(seed_path(next)) && !options.seed_of) {
          return base::fail(Fault::environment,
                            fmt::format("{} is missing, whose key the log before named; restore it", seed_path(next)));
        }
        STILLWATCH_TRY(seed, seed_for(next));
        if (vkey_of(origin(next), seed) != vkey) {
          return base::fail(Fault::environment,
                            fmt::format("{} is not the key that the log before named; restore it", seed_path(next)));
        }
      }
    }
  }
  return begin(next, &newest, leaf_time(now_ms));
}

base::Result<KeySeed> LogChain::Impl::seed_for(const LogName& log) {
  if (has_seed(seed_path(log))) return read_seed(seed_path(log), origin(log));
  KeySeed seed = options.seed_of ? options.seed_of(origin(log)) : crypto::random_secret<crypto::kEd25519SeedBytes>();
  STILLWATCH_CHECK(write_seed(seed_path(log), origin(log), seed));
  return seed;
}

base::Result<std::optional<Hash32>> LogChain::Impl::end_of(const LogName& log) const {
  STILLWATCH_TRY(note, read_if_there(LogFiles{folder(log)}.checkpoint(), kSmallFileMax));
  return note ? std::optional(checkpoint_text_hash(*note)) : std::nullopt;
}

// Makes the log if it is not there, and its `open` leaf.
base::Status LogChain::Impl::begin(const LogName& log, const LogName* previous, std::int64_t now_ms) {
  std::optional<std::string> previous_origin;
  std::optional<Hash32> previous_end;
  if (previous != nullptr) {
    previous_origin = origin(*previous);
    STILLWATCH_TRY(end, end_of(*previous));
    previous_end = end;
  }
  const LogName begun = log;  // `log` may be `name`
  STILLWATCH_TRY(seed, seed_for(begun));
  if (!(store && store->folder() == folder(begun))) {
    auto opened = file_exists(LogFiles{folder(begun)}.state())
                      ? LogStore::open(folder(begun), seed, store_options(begun))
                      : LogStore::create(folder(begun), origin(begun), seed, store_options(begun));
    if (!opened) return base::fail(std::move(opened).error());
    store.emplace(std::move(*opened));
  }
  name = begun;
  std::string leaf;
  STILLWATCH_CHECK(write_leaf(Leaf(OpenLeaf{now_ms, origin(begun), previous_origin, previous_end}), leaf));
  STILLWATCH_CHECK(store->append(std::vector<std::string_view>{leaf}));
  STILLWATCH_CHECK(store->sign());
  return destroy_other_seeds();
}

// Of the logs before, which are closed, and of next ones that never came to be.
base::Status LogChain::Impl::destroy_other_seeds() {
  STILLWATCH_TRY(seeds, log_names(options.folder + "/keys", options.folder_prefix + "-", ".seed"));
  for (const LogName& seed : seeds) {
    if (seed == name) continue;
    STILLWATCH_CHECK(destroy_seed(seed_path(seed)));
    ++counters.seeds_destroyed;
  }
  return {};
}

base::Status LogChain::Impl::close(std::span<const Leaf> leaves) {
  std::vector<std::string> bytes(leaves.size());
  for (std::size_t i = 0; i < leaves.size(); ++i) STILLWATCH_CHECK(write_leaf(leaves[i], bytes[i]));
  STILLWATCH_CHECK(store->append_and_close(std::vector<std::string_view>(bytes.begin(), bytes.end())));
  STILLWATCH_CHECK(store->sign());
  return {};
}

base::Status LogChain::Impl::rotate(std::int64_t now_ms, std::string_view why) {
  const std::int64_t time_ms = leaf_time(now_ms);
  const LogName before = name, next = name.next(month_of(time_ms));
  STILLWATCH_TRY(seed, seed_for(next));
  STILLWATCH_CHECK(close(std::vector<Leaf>{KeyLeaf{time_ms, vkey_of(origin(next), seed)},
                                           CloseLeaf{time_ms, store->size() + 1, std::string(why)}}));
  STILLWATCH_CHECK(begin(next, &before, time_ms));
  ++counters.rotations;
  return {};
}

LogChain::LogChain(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LogChain::LogChain(LogChain&&) noexcept = default;
LogChain& LogChain::operator=(LogChain&&) noexcept = default;
LogChain::~LogChain() = default;

base::Result<LogChain> LogChain::open(const LogChainOptions& options, std::int64_t now_ms) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789-";
  if (options.folder_prefix.empty() || options.folder_prefix.find_first_not_of(kAllowed) != std::string::npos)
    return base::fail(Fault::caller,
                      "a log's folder begins with small letters, digits and '-' only, such as shard-s00");
  auto impl = std::make_unique<Impl>();
  impl->options = options;
  STILLWATCH_CHECK(impl->settle(now_ms));
  return LogChain(std::move(impl));
}

base::Status LogChain::roll(std::int64_t now_ms) {
  const std::int64_t time_ms = leaf_time(now_ms);
  return month_of(time_ms) > impl_->name.month ? impl_->rotate(time_ms, "period") : base::Status{};
}

base::Result<std::uint64_t> LogChain::append(std::span<const std::string_view> leaves, std::int64_t now_ms) {
  STILLWATCH_CHECK(roll(now_ms));
  return log().append(leaves);
}

base::Status LogChain::rotate(std::int64_t now_ms, std::string_view why) { return impl_->rotate(now_ms, why); }
base::Status LogChain::reopen() { return impl_->settle(impl_->last_ms); }

base::Status LogChain::finish(std::int64_t now_ms, std::string_view why) {
  const std::int64_t time_ms = leaf_time(now_ms);
  STILLWATCH_CHECK(impl_->close(std::vector<Leaf>{CloseLeaf{time_ms, log().size(), std::string(why)}}));
  STILLWATCH_CHECK(destroy_seed(impl_->seed_path(impl_->name)));
  ++impl_->counters.seeds_destroyed;
  return {};
}

LogStore& LogChain::log() { return *impl_->store; }
const LogStore& LogChain::log() const { return *impl_->store; }
std::int64_t LogChain::leaf_time(std::int64_t now_ms) { return impl_->leaf_time(now_ms); }
std::int64_t LogChain::last_time() const { return impl_->last_ms; }
std::string LogChain::running_path() const {
  return fmt::format("{}/{}.running", impl_->logs_folder(), impl_->options.folder_prefix);
}
const LogChain::Counters& LogChain::counters() const { return impl_->counters; }

}  // namespace stillwatch::ledger
