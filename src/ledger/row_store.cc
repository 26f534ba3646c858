#include "ledger/row_store.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <numeric>
#include <set>
#include <thread>

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include "ledger/durable_files.h"

namespace stillwatch::ledger {
namespace {

constexpr std::chrono::milliseconds kDeletionStep{5}, kDeletionMax{10'000};  // usually none is waited for

rocksdb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
std::string_view view(const rocksdb::Slice& bytes) { return {bytes.data(), bytes.size()}; }

// The first key after all that have the prefix; empty when there is none.
std::string after_prefix(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xFF) end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

rocksdb::Options make_options() {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.paranoid_checks = true;
  options.compression = rocksdb::kNoCompression;  // rows are keys and ciphertext
  options.write_buffer_size = 32U << 20;
  options.max_background_jobs = 2;
  options.max_open_files = 512;
  options.keep_log_file_num = 2;
  options.info_log_level = rocksdb::ERROR_LEVEL;
  // A log that a crash cut off loses what was not acknowledged; a damaged one is an error, not a shorter log.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  rocksdb::BlockBasedTableOptions table;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.verify_compression = false;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

}  // namespace

struct RowStore::State {
  std::string folder;
  std::unique_ptr<rocksdb::DB> db;
  rocksdb::WriteBatch batch;
  // What was put since the last removal. It enters the batch in the order of its keys: where the next row goes in the
  // skip list is then found from the row before it, which is half of the cost of a row.
  struct Put {
    std::size_t begin, value;  // where the key begins, and the value
  };
  std::string put_bytes;
  std::vector<Put> puts;

  std::string_view key_of(const Put& put) const {
    return std::string_view(put_bytes).substr(put.begin, put.value - put.begin);
  }
  void settle_puts() {
    std::vector<std::uint32_t> order(puts.size());
    std::iota(order.begin(), order.end(), 0U);
    // Stable: of two values of one key the later one wins.
    std::stable_sort(order.begin(), order.end(),
                     [&](std::uint32_t a, std::uint32_t b) { return key_of(puts[a]) < key_of(puts[b]); });
    for (const std::uint32_t at : order) {
      const std::size_t end = at + 1 < puts.size() ? puts[at + 1].begin : put_bytes.size();
      const std::string_view value = std::string_view(put_bytes).substr(puts[at].value, end - puts[at].value);
      (void)batch.Put(slice(key_of(puts[at])), slice(value));
    }
    puts.clear();
    put_bytes.clear();
  }

  base::Status status(const rocksdb::Status& of, std::string_view what) const {
    if (of.ok()) return {};
    const bool full = of.IsNoSpace();
    return base::fail(base::Fault::environment,
                      fmt::format("cannot {} the rows of the vault in {}: {}; {}", what, folder, of.ToString(),
                                  full                ? "free some space and try again"
                                  : of.IsCorruption() ? "restore the folder from its backup"
                                                      : "mend the cause and try again"),
                      full || of.IsIOError());
  }

  /// A table or log that holds what was removed; empty: none.
  std::string old_file() const {
    std::set<std::string> current;
    std::vector<rocksdb::LiveFileMetaData> tables;
    db->GetLiveFilesMetaData(&tables);
    for (const rocksdb::LiveFileMetaData& table : tables) current.insert(table.name.substr(table.name.rfind('/') + 1));
    std::unique_ptr<rocksdb::LogFile> log;
    if (db->GetCurrentWalFile(&log).ok()) current.insert(log->PathName().substr(log->PathName().rfind('/') + 1));
    std::error_code failed;
    for (const auto& file : std::filesystem::directory_iterator(folder, failed)) {
      const auto kind = file.path().extension();
      const bool is_old = (kind == ".sst" || kind == ".log") && !current.contains(file.path().filename());
      // A log without a byte may stay after a crash.
      if (is_old && file.file_size(failed) > 0) return file.path().string();
    }
    return failed ? folder : "";
  }

  /// The library deletes files behind a compaction's back: removed is removed only when they are gone.
  base::Status await_deletions() const {
    STILLWATCH_CHECK(status(db->DisableFileDeletions(), "compact"));
    STILLWATCH_CHECK(status(db->EnableFileDeletions(true), "compact"));
    auto waited = std::chrono::milliseconds(0);
    for (std::string file = old_file(); !file.empty(); file = old_file(), waited += kDeletionStep) {
      if (waited >= kDeletionMax) {
        return base::fail(base::Fault::environment,
                          fmt::format("{}, which holds removed rows of the vault, is still there; try again", file),
                          true);
      }
      std::this_thread::sleep_for(kDeletionStep);
    }
    return {};
  }
};

RowStore::RowStore(std::unique_ptr<State> state) : state_(std::move(state)) {}

RowStore::~RowStore() {
  // So that the next start reads no log: rows in files have checksums by block, and a damaged one is named.
  if (state_->db != nullptr) (void)state_->db->Flush(rocksdb::FlushOptions());
}

base::Result<std::unique_ptr<RowStore>> RowStore::open(const std::string& folder, bool read_only) {
  auto state = std::make_unique<State>();
  state->folder = folder;
  rocksdb::DB* db = nullptr;
  const rocksdb::Options options = make_options();
  try {
    const auto opened =
        read_only ? rocksdb::DB::OpenForReadOnly(options, folder, &db) : rocksdb::DB::Open(options, folder, &db);
    state->db.reset(db);
    STILLWATCH_CHECK(state->status(opened, "open"));
  } catch (const std::exception& error) {
    return base::fail(base::Fault::environment,
                      fmt::format("cannot open the rows of the vault in {}: {}", folder, error.what()));
  }
  return std::unique_ptr<RowStore>(new RowStore(std::move(state)));
}

void RowStore::put(std::string_view key, std::string_view value) {
  const std::size_t begin = state_->put_bytes.size();
  state_->puts.push_back({begin, begin + key.size()});
  state_->put_bytes.append(key).append(value);
}
void RowStore::remove(std::string_view key) {
  state_->settle_puts();
  (void)state_->batch.Delete(slice(key));
}
void RowStore::remove_prefix(std::string_view prefix) {
  state_->settle_puts();
  (void)state_->batch.DeleteRange(slice(prefix), slice(after_prefix(prefix)));
}
bool RowStore::has_batch() const { return !state_->puts.empty() || state_->batch.Count() > 0; }

base::Status RowStore::write(bool sync) {
  if (!has_batch()) return {};
  STILLWATCH_CHECK(ask_watcher("write rows", state_->folder));
  state_->settle_puts();
  rocksdb::WriteOptions options;
  options.sync = sync;
  auto written = state_->db->Write(options, &state_->batch);
  // After a full disk RocksDB refuses to write until it is told to go on.
  if (!written.ok() && state_->db->Resume().ok()) written = state_->db->Write(options, &state_->batch);
  STILLWATCH_CHECK(state_->status(written, "write"));
  state_->batch.Clear();
  return {};
}

base::Result<std::optional<std::string>> RowStore::get(std::string_view key) const {
  std::string value;
  const auto read = state_->db->Get(rocksdb::ReadOptions(), slice(key), &value);
  if (read.IsNotFound()) return std::nullopt;
  STILLWATCH_CHECK(state_->status(read, "read"));
  return value;
}

base::Status RowStore::each(std::string_view prefix,
                            const std::function<bool(std::string_view, std::string_view)>& visit) const {
  const std::unique_ptr<rocksdb::Iterator> rows(state_->db->NewIterator(rocksdb::ReadOptions()));
  for (rows->Seek(slice(prefix)); rows->Valid() && view(rows->key()).starts_with(prefix); rows->Next()) {
    if (!visit(view(rows->key()), view(rows->value()))) break;
  }
  return state_->status(rows->status(), "read");
}

base::Status RowStore::compact(const std::vector<std::string>& prefixes, bool all) {
  STILLWATCH_CHECK(ask_watcher("compact", state_->folder));
  // What is still in memory and in the log first: the log of a flushed memtable is deleted.
  STILLWATCH_CHECK(state_->status(state_->db->Flush(rocksdb::FlushOptions()), "write"));
  rocksdb::CompactRangeOptions options;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
  if (all) {
    STILLWATCH_CHECK(state_->status(state_->db->CompactRange(options, nullptr, nullptr), "compact"));
  } else {
    for (const std::string& prefix : prefixes) {
      const std::string end = after_prefix(prefix);
      const rocksdb::Slice from = slice(prefix), to = slice(end);
      STILLWATCH_CHECK(state_->status(state_->db->CompactRange(options, &from, &to), "compact"));
    }
  }
  return state_->await_deletions();
}

base::Status RowStore::verify() const { return state_->status(state_->db->VerifyChecksum(), "verify"); }

}  // namespace stillwatch::ledger
