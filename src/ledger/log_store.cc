#include "ledger/log_store.h"

#include <fmt/format.h>

#include "base/files.h"
#include "crypto/sha256.h"
#include "ledger/disk_file.h"
#include "ledger/log_files.h"
#include "ledger/log_keys.h"
#include "ledger/log_store_impl.h"
#include "tlog/bundle.h"
#include "tlog/checkpoint.h"

namespace stillwatch::ledger {

using base::Fault;

base::Status LogStore::Impl::ready() const {
  if (!is_broken) return {};
  return base::fail(Fault::environment, fmt::format("the log in {} failed before; reopen it first", files.folder),
                    true);
}

base::Status LogStore::Impl::sync(DiskFile& file) {
  ++counters.syncs;
  return file.sync();
}

base::Status LogStore::Impl::replace(const std::string& path, std::string_view bytes, bool durable_name) {
  counters.syncs += durable_name ? 2 : 1;
  return put_file(path, bytes, durable_name);
}

base::Result<std::uint64_t> LogStore::Impl::append(std::span<const std::string_view> entries, bool close) {
  STILLWATCH_CHECK(ready());
  if (state.is_closed) return base::fail(Fault::caller, fmt::format("the log in {} is closed", files.folder));
  std::uint64_t bytes = 0;
  for (const std::string_view entry : entries) {
    if (entry.size() > kEntryBytesMax) {
      return base::fail(Fault::caller,
                        fmt::format("an entry has {} bytes; at most {} fit into a log", entry.size(), kEntryBytesMax));
    }
    bytes += entry.size();
  }
  const std::uint64_t first = state.size();
  if (entries.empty() && !close) return first;

  is_broken = true;  // unless all of the following works
  LogState next = state;
  next.is_closed = close;
  for (std::size_t at = 0; at < entries.size();) {
    const std::size_t count = std::min<std::uint64_t>(entries.size() - at, kSegmentEntries - next.in_segment());
    STILLWATCH_CHECK(write_part(entries.subspan(at, count), next));
    at += count;
  }
  if (close) STILLWATCH_CHECK(sync_segment());
  STILLWATCH_CHECK(commit(next));
  is_broken = false;
  counters.entries += entries.size();
  counters.entry_bytes += bytes;
  ++counters.batches;
  return first;
}

// Entries of one segment, behind what `next` has; `next` then has them too.
base::Status LogStore::Impl::write_part(std::span<const std::string_view> entries, LogState& next) {
  const std::uint64_t old_size = next.size(), in_segment = next.in_segment();
  STILLWATCH_CHECK(open_segment(next.segment()));
  entry_bytes_.clear();
  index_bytes_.clear();
  for (std::string& bytes : level_bytes_) bytes.clear();
  std::uint64_t count = in_segment;
  for (const std::string_view entry : entries) {
    if (!tlog::append_entry(entry_bytes_, entry)) return base::fail(Fault::ours, "an entry over the bound");
    next.edge.append_subtree(0, tlog::leaf_hash(entry), [this](unsigned level, const tlog::Hash& hash) {
      if (level % tlog::kTileHeight == 0) level_bytes_[level / tlog::kTileHeight] += tlog::hash_bytes(hash);
    });
    if (++count % tlog::kTileWidth == 0) append_end(index_bytes_, next.segment_bytes + entry_bytes_.size());
  }
  // Only the entries must be on the disk before the state: all else is made again from them.
  STILLWATCH_CHECK(entries_.write_at(next.segment_bytes, entry_bytes_));
  STILLWATCH_CHECK(sync(entries_));
  STILLWATCH_CHECK(hashes_.write_at(in_segment * tlog::kHashBytes, level_bytes_[0]));
  STILLWATCH_CHECK(index_.write_at(in_segment / tlog::kTileWidth * kIndexBytes, index_bytes_));
  for (unsigned level = 1; level < tlog::kTileLevels; ++level) {
    if (level_bytes_[level].empty()) continue;
    if (!levels_[level].is_open()) {
      STILLWATCH_TRY(file, DiskFile::open(files.level(level), DiskFile::Use::write));
      levels_[level] = std::move(file);
    }
    STILLWATCH_CHECK(
        levels_[level].write_at(tlog::hashes_at_level(level, old_size) * tlog::kHashBytes, level_bytes_[level]));
  }
  next.segment_bytes += entry_bytes_.size();
  if (next.in_segment() != 0) return {};
  // A full segment is not read at a start: it is whole before the state says so.
  STILLWATCH_CHECK(sync_segment());
  close_segment();
  next.segment_bytes = 0;
  return {};
}

base::Status LogStore::Impl::open_segment(std::uint64_t segment) {
  if (open_segment_ == segment) return {};
  close_segment();
  for (const auto& [file, path] : {std::pair{&entries_, files.entries(segment)},
                                   {&hashes_, files.hashes(segment)},
                                   {&index_, files.index(segment)}}) {
    STILLWATCH_TRY(opened, DiskFile::open(path, DiskFile::Use::write));
    *file = std::move(opened);
  }
  open_segment_ = segment;
  return {};
}

base::Status LogStore::Impl::sync_segment() {
  for (DiskFile* file : {&hashes_, &index_}) {
    if (file->is_open()) STILLWATCH_CHECK(sync(*file));
  }
  for (DiskFile& file : levels_) {
    if (file.is_open()) STILLWATCH_CHECK(sync(file));
  }
  return {};
}

void LogStore::Impl::close_segment() {
  entries_ = {};
  hashes_ = {};
  index_ = {};
  for (DiskFile& file : levels_) file = {};
  open_segment_.reset();
}

base::Status LogStore::Impl::commit(const LogState& next) {
  STILLWATCH_CHECK(replace(files.state(), format_state(next)));
  state = next;
  return {};
}

base::Result<std::string> LogStore::Impl::sign() {
  STILLWATCH_CHECK(ready());
  if (!signed_note.empty() && signed_size == state.size()) return signed_note;
  const tlog::Checkpoint checkpoint{origin, state.size(), state.edge.root(), ""};
  STILLWATCH_TRY(note, tlog::sign_checkpoint(checkpoint, signer));
  // Compare and swap: what was signed last must be what this object knows of.
  STILLWATCH_TRY(last, read_if_there(signed_path, kSmallFileMax));
  if (last.value_or("") != signed_note) {
    is_broken = true;
    return base::fail(
        Fault::environment,
        fmt::format("{} is not what this writer signed last; another writer has the log's key", signed_path));
  }
  is_broken = true;
  STILLWATCH_CHECK(replace(signed_path, note));
  signed_note = note;
  signed_size = state.size();
  STILLWATCH_CHECK(replace(files.checkpoint(), note, false));
  is_broken = false;
  ++counters.checkpoints;
  return note;
}

base::Result<std::uint64_t> LogStore::Impl::prune(std::uint64_t wanted) {
  STILLWATCH_CHECK(ready());
  std::uint64_t next = std::min(wanted, signed_size);
  if (!(state.is_closed && next == state.size())) next = next / kSegmentEntries * kSegmentEntries;
  if (next <= index_min) return index_min;
  is_broken = true;
  STILLWATCH_CHECK(replace(files.pruned(), format_pruned(next)));
  index_min = next;
  STILLWATCH_CHECK(remove_beyond());
  is_broken = false;
  return index_min;
}

LogStore::LogStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LogStore::LogStore(LogStore&&) noexcept = default;
LogStore& LogStore::operator=(LogStore&&) noexcept = default;
LogStore::~LogStore() = default;

namespace {

base::Error has_log(const std::string& folder, std::string_view what) {
  return {Fault::caller, fmt::format("{} holds {}; choose another folder, or open it", folder, what)};
}

}  // namespace

base::Result<LogStore> LogStore::create(const std::string& folder, std::string_view origin, const KeySeed& seed,
                                        const LogStoreOptions& options) {
  if (!tlog::is_key_name(origin)) {
    return base::fail(Fault::caller,
                      "the log's origin must be a name such as audit.example.org/audit/s00/2026-11: "
                      "no white space, no '+', at most 255 bytes");
  }
  STILLWATCH_CHECK(make_folder(folder));
  STILLWATCH_TRY(lock, base::FolderLock::take(folder));
  auto impl =
      std::make_unique<Impl>(LogFiles{folder}, std::move(lock), tlog::Ed25519NoteSigner(std::string(origin), seed));
  const LogFiles& files = impl->files;
  impl->signed_path = options.signed_path.empty() ? files.signed_default() : options.signed_path;
  if (file_exists(files.state())) return base::fail(has_log(folder, "a log already"));
  for (const std::string& path : {files.checkpoint(), impl->signed_path}) {
    if (file_exists(path)) return base::fail(has_log(folder, "a signed log whose state is gone (" + path + ")"));
  }
  impl->origin = origin;
  impl->vkey = impl->signer.verifier_key().text();
  STILLWATCH_CHECK(put_file(files.key(), impl->vkey + "\n"));
  STILLWATCH_CHECK(impl->commit(LogState{}));
  STILLWATCH_CHECK(impl->recover());
  return LogStore(std::move(impl));
}

base::Result<LogStore> LogStore::open(const std::string& folder, const KeySeed& seed, const LogStoreOptions& options) {
  const LogFiles files{folder};
  STILLWATCH_TRY(key_text, base::read_file(files.key(), kSmallFileMax));
  STILLWATCH_TRY(key, tlog::VerifierKey::parse(std::string_view(key_text).substr(0, key_text.find('\n'))));
  if (key.text() + "\n" != key_text)
    return base::fail(Fault::environment, fmt::format("{} is damaged; run `ledger fsck`", files.key()));
  STILLWATCH_TRY(lock, base::FolderLock::take(folder));
  auto impl = std::make_unique<Impl>(files, std::move(lock), tlog::Ed25519NoteSigner(key.name, seed));
  if (impl->signer.verifier_key() != key)
    return base::fail(Fault::caller, fmt::format("the key given is not the one of {}", files.key()));
  impl->signed_path = options.signed_path.empty() ? files.signed_default() : options.signed_path;
  impl->origin = key.name;
  impl->vkey = key.text();
  STILLWATCH_CHECK(impl->recover());
  return LogStore(std::move(impl));
}

base::Result<std::uint64_t> LogStore::append(std::span<const std::string_view> entries) {
  auto first = impl_->append(entries, false);
  if (!first && impl_->is_broken) ++impl_->counters.failures;
  return first;
}
base::Result<std::uint64_t> LogStore::append_and_close(std::span<const std::string_view> entries) {
  auto first = impl_->append(entries, true);
  if (!first && impl_->is_broken) ++impl_->counters.failures;
  return first;
}
base::Result<std::string> LogStore::sign() {
  auto note = impl_->sign();
  if (!note) ++impl_->counters.failures;
  return note;
}
base::Status LogStore::reopen() {
  ++impl_->counters.reopened;
  return impl_->recover();
}
base::Result<std::uint64_t> LogStore::prune(std::uint64_t index_min) { return impl_->prune(index_min); }

const std::string& LogStore::folder() const { return impl_->files.folder; }
const std::string& LogStore::origin() const { return impl_->origin; }
const std::string& LogStore::vkey() const { return impl_->vkey; }
std::uint64_t LogStore::size() const { return impl_->state.size(); }
std::uint64_t LogStore::signed_size() const { return impl_->signed_size; }
Hash32 LogStore::root() const { return impl_->state.edge.root(); }
bool LogStore::is_closed() const { return impl_->state.is_closed; }
bool LogStore::is_broken() const { return impl_->is_broken; }
const LogStore::Counters& LogStore::counters() const { return impl_->counters; }

Hash32 checkpoint_text_hash(std::string_view note) {
  // The text ends before the last empty line (C2SP signed-note).
  const std::size_t end = note.rfind("\n\n");
  return crypto::sha256(end == std::string_view::npos ? note : note.substr(0, end + 1));
}

}  // namespace stillwatch::ledger
