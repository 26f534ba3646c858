#include "ledger/key_book_state.h"

#include <filesystem>

#include <fmt/format.h>

#include "base/files.h"
#include "crypto/hmac.h"
#include "crypto/random_bytes.h"

namespace stillwatch::ledger {
namespace {

using base::Fault;

// Scopes whose keys are kept in memory: today's and yesterday's of each class, months, and some that an erasure walks
// over. More are read again from disk.
constexpr std::size_t kScopesLoadedMax = 24;

tl::unexpected<base::Error> damaged(const std::string& path, std::string_view what) {
  return base::fail(Fault::environment,
                    fmt::format("{} cannot be used: {}; restore it from its backup (nothing was changed)", path, what));
}

bool is_zero(std::string_view bytes) { return bytes.find_first_not_of('\0') == std::string_view::npos; }

}  // namespace

base::Status KeyBook::State::open(KeyWrapper& master) {
  if (!options.now_us) return base::fail(Fault::caller, "a key book needs the ledger's clock");
  if (!options.read_only) {
    STILLWATCH_CHECK(base::make_writable_folder(folder));
    STILLWATCH_TRY(taken, base::FolderLock::take(folder));
    lock.emplace(std::move(taken));
    STILLWATCH_TRY(failures, finish_replacements(folder));
    counts.overwrites_failed += failures;
  }
  STILLWATCH_CHECK(open_root(master));
  record_key = derive("keys");
  tag_key = derive("names");
  STILLWATCH_CHECK(open_index());
  if (options.read_only) return {};
  return finish_interrupted();
}

Key32 KeyBook::State::derive(std::string_view purpose) const {
  auto bytes = crypto::hmac_sha256(root.view(), {std::string_view("aud1 key\0", 9), purpose});
  Key32 out{std::span<const std::uint8_t, 32>(bytes)};
  crypto::wipe(bytes);
  return out;
}

base::Status KeyBook::State::open_root(KeyWrapper& master) {
  const std::string path = book_path();
  if (!exists(path)) {
    if (options.read_only)
      return base::fail(Fault::environment, fmt::format("{} is not there; is it the right folder?", path));
    if (exists(index_path())) return damaged(path, "it is missing, and the index beside it is not");
    const auto fresh = crypto::random_secret<32>();
    RootFile made;
    STILLWATCH_TRY(wrapped, master.wrap(fresh.view()));
    made.wrapped = std::move(wrapped);
    made.check = root_check(fresh);
    STILLWATCH_CHECK(replace_file(path, write_root(made)));
  }
  STILLWATCH_TRY(text, base::read_file(path, kRootFileBytesMax));
  const auto parsed = parse_root(text);
  if (!parsed) return damaged(path, parsed.error().message);
  STILLWATCH_TRY(key, master.unwrap(parsed->wrapped));
  if (key.size() == 32) root = Key32(std::span<const std::uint8_t, 32>(key.data(), 32));
  crypto::wipe(key);
  if (key.size() != 32 || root_check(root) != parsed->check) {
    return base::fail(
        Fault::environment,
        fmt::format("the master key gives another root key than {} was made with; name the right one", path));
  }
  return {};
}

base::Status KeyBook::State::open_index() {
  if (!exists(index_path())) {
    for (const auto& file : std::filesystem::directory_iterator(folder)) {
      if (scope_named(file.path().filename().string())) {
        return damaged(index_path(), "it is missing, and files of keys are there");
      }
    }
    if (options.read_only) return {};
    STILLWATCH_CHECK(replace_file(index_path(), write_index({}, record_key)));
  }
  STILLWATCH_TRY(bytes, base::read_file(index_path(), kIndexBytesMax));
  auto entries = parse_index(bytes, record_key);
  if (!entries) return damaged(index_path(), entries.error().message);
  for (IndexEntry& entry : *entries) {
    last_us = std::max(last_us, entry.destroyed_us);
    const KeyScope scope = entry.scope;
    if (!entry.destroyed && !exists(path_of(scope))) return damaged(path_of(scope), "it is missing");
    index.insert_or_assign(scope, std::move(entry));
  }
  return {};
}

base::Status KeyBook::State::finish_interrupted() {
  std::vector<KeyScope> unknown;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    const auto scope = scope_named(file.path().filename().string());
    if (!scope) continue;
    const auto known = index.find(*scope);
    if (known == index.end()) unknown.push_back(*scope);
    // Destroyed in the index, which is the moment that counts; the file did not go yet.
    if (known != index.end() && known->second.destroyed) {
      STILLWATCH_TRY(overwritten, overwrite_and_remove(file.path().string()));
      counts.overwrites_failed += overwritten ? 0 : 1;
    }
  }
  for (const KeyScope& scope : unknown) {
    STILLWATCH_TRY(bytes, base::read_file(path_of(scope), kKeyFileBytesMax));
    const auto head = parse_head(bytes, record_key);
    // A file without keys that was cut off while it was made; with keys, the index is older than the file.
    if (!head && bytes.size() <= kKeyHeadBytes) {
      STILLWATCH_CHECK(overwrite_and_remove(path_of(scope)));
      continue;
    }
    if (!head || head->scope != scope)
      return damaged(path_of(scope), head ? "it is of another period" : head.error().message);
    IndexEntry entry;
    entry.scope = scope;
    entry.file = head->file;
    STILLWATCH_CHECK(write_index_with(entry));
  }
  return {};
}

base::Status KeyBook::State::must_write() const {
  if (!options.read_only) return {};
  return base::fail(Fault::caller, fmt::format("{} was opened for reading only", folder));
}

std::int64_t KeyBook::State::now_us() {
  const std::int64_t now = options.now_us();
  if (now < last_us) ++counts.clock_steps_back;
  return last_us = std::max(last_us, now);
}

base::Result<ScopeKeys*> KeyBook::State::load(const KeyScope& scope, bool make) {
  auto found = loaded.find(scope);
  if (found == loaded.end()) {
    if (!index.contains(scope)) {
      if (!make || options.read_only) return nullptr;
      STILLWATCH_CHECK(make_scope(scope));
    }
    STILLWATCH_TRY(keys, read(scope, index.at(scope)));
    let_go_of_oldest();
    found = loaded.emplace(scope, std::move(keys)).first;
  }
  found->second.used = ++uses;
  return &found->second;
}

void KeyBook::State::let_go_of_oldest() {
  while (loaded.size() >= kScopesLoadedMax) {
    auto oldest = loaded.end();
    for (auto it = loaded.begin(); it != loaded.end(); ++it) {
      if (!it->second.unsynced && (oldest == loaded.end() || it->second.used < oldest->second.used)) oldest = it;
    }
    if (oldest == loaded.end()) return;
    loaded.erase(oldest);
  }
}

base::Status KeyBook::State::make_scope(const KeyScope& scope) {
  if (scope_named(file_name_of(scope)) != scope) {
    return base::fail(Fault::caller, "a key is asked for a time outside 1970-2260, or for a class without keys");
  }
  KeyFileHead head{scope, crypto::random_array<16>()};
  STILLWATCH_CHECK(replace_file(path_of(scope), write_head(head, record_key)));
  IndexEntry entry;
  entry.scope = scope;
  entry.file = head.file;
  return write_index_with(entry);
}

base::Status KeyBook::State::write_index_with(const IndexEntry& changed) {
  std::vector<IndexEntry> entries;
  for (const auto& [scope, entry] : index) {
    if (scope != changed.scope) entries.push_back(entry);
  }
  entries.push_back(changed);
  for (IndexEntry& entry : entries) {
    const auto found = loaded.find(entry.scope);
    if (found != loaded.end() && !found->second.unsynced) {
      entry.records_min = static_cast<std::uint32_t>(found->second.records.size());
    }
  }
  STILLWATCH_TRY(overwritten, replace_file(index_path(), write_index(entries, record_key)));
  counts.overwrites_failed += overwritten ? 0 : 1;
  for (IndexEntry& entry : entries) index.insert_or_assign(entry.scope, entry);
  return {};
}

base::Result<ScopeKeys> KeyBook::State::read(const KeyScope& scope, const IndexEntry& entry) {
  const std::string path = path_of(scope);
  STILLWATCH_TRY(bytes, base::read_file(path, kKeyFileBytesMax));
  const auto head = parse_head(bytes, record_key);
  if (!head) return damaged(path, head.error().message);
  if (head->scope != scope || head->file != entry.file) return damaged(path, "it is another file than the index names");
  ScopeKeys keys;
  keys.head = *head;
  std::size_t offset = kKeyHeadBytes;
  for (; offset + kKeyRecordBytes <= bytes.size(); offset += kKeyRecordBytes) {
    const std::string_view record_bytes = std::string_view(bytes).substr(offset, kKeyRecordBytes);
    auto record = parse_record(record_bytes, keys.head, record_key);
    if (!record) {
      // Space that a crash left unfilled at the end: nothing was stored under a key before its bytes were synced.
      if (keys.records.size() >= entry.records_min && is_zero(std::string_view(bytes).substr(offset))) break;
      return damaged(path, fmt::format("at byte {} {}", offset, record.error().message));
    }
    if (!keys.by_tenant.emplace(record->tenant, keys.records.size()).second) {
      return damaged(path, fmt::format("at byte {} it has a second key of one tenant", offset));
    }
    last_us = std::max({last_us, record->fate.created_us, record->fate.destroyed_us});
    keys.records.push_back(std::move(*record));
  }
  if (keys.records.size() < entry.records_min) {
    return damaged(
        path, fmt::format("it has {} keys where {} were; its end is missing", keys.records.size(), entry.records_min));
  }
  if (options.read_only) return keys;
  STILLWATCH_TRY(file, AppendFile::open(path, 0600));
  if (offset != bytes.size()) {
    STILLWATCH_CHECK(file.truncate(offset));
    ++counts.tails_cut;
  }
  keys.file.emplace(std::move(file));
  return keys;
}

const IndexEntry* KeyBook::State::gone(const KeyScope& scope) const {
  const auto found = index.find(scope);
  return found != index.end() && found->second.destroyed ? &found->second : nullptr;
}

KeyFate KeyBook::State::fate_of(const IndexEntry& entry) const {
  KeyFate fate;
  fate.state = KeyState::destroyed;
  fate.destroyed_us = entry.destroyed_us;
  fate.reason = entry.reason;
  fate.with_period = true;
  return fate;
}

KeyAnswer KeyBook::State::answer_of(const KeyRecord& record) const {
  KeyAnswer out;
  out.fate = record.fate;
  if (record.fate.state == KeyState::live) out.key = record.key.copy();
  return out;
}

base::Result<KeyAnswer> KeyBook::State::answer(const KeyScope& scope, const NameTag& tenant, bool make) {
  if (const IndexEntry* entry = gone(scope)) {
    KeyAnswer out;
    out.fate = fate_of(*entry);
    return out;
  }
  STILLWATCH_TRY(keys, load(scope, make));
  if (keys == nullptr) return KeyAnswer{};
  const auto found = keys->by_tenant.find(tenant);
  if (found != keys->by_tenant.end()) return answer_of(keys->records[found->second]);
  if (!make) return KeyAnswer{};
  KeyRecord record;
  record.tenant = tenant;
  record.fate.state = KeyState::live;
  record.fate.id = crypto::random_array<12>();
  record.fate.created_us = now_us();
  record.key = crypto::random_secret<32>();
  std::string bytes;
  append_record(bytes, keys->head, record, record_key);
  STILLWATCH_CHECK(keys->file->append(bytes));
  keys->unsynced = true;
  has_unsynced.store(true, std::memory_order_release);
  keys->by_tenant.emplace(tenant, keys->records.size());
  keys->records.push_back(std::move(record));
  ++counts.keys_made;
  return answer_of(keys->records.back());
}

base::Status KeyBook::State::sync() {
  for (auto& [scope, keys] : loaded) {
    if (!keys.unsynced) continue;
    STILLWATCH_CHECK(keys.file->sync());
    keys.unsynced = false;
  }
  has_unsynced.store(false, std::memory_order_release);
  return {};
}

base::Status KeyBook::State::bury(ScopeKeys& keys, std::string_view reason,
                                  const std::function<bool(const KeyRecord&)>& goes, const NameTag* absent) {
  STILLWATCH_CHECK(sync());
  const std::int64_t time_us = now_us();
  const std::string cut = cut_reason(reason);
  const auto tombstone_of = [&](const NameTag& tenant, const KeyFate& before) {
    KeyRecord stone;
    stone.tenant = tenant;
    stone.fate = before;
    stone.fate.state = KeyState::destroyed;
    stone.fate.destroyed_us = time_us;
    stone.fate.reason = cut;
    return stone;
  };
  std::string bytes = write_head(keys.head, record_key);
  bytes.reserve(bytes.size() + (keys.records.size() + 1) * kKeyRecordBytes);
  std::vector<std::pair<std::size_t, KeyRecord>> stones;
  for (std::size_t i = 0; i < keys.records.size(); ++i) {
    const KeyRecord& record = keys.records[i];
    if (record.fate.state == KeyState::live && goes(record)) {
      stones.emplace_back(i, tombstone_of(record.tenant, record.fate));
      append_record(bytes, keys.head, stones.back().second, record_key);
    } else {
      append_record(bytes, keys.head, record, record_key);
    }
  }
  if (absent != nullptr) {
    stones.emplace_back(keys.records.size(), tombstone_of(*absent, KeyFate{}));
    append_record(bytes, keys.head, stones.back().second, record_key);
  }
  const KeyScope scope = keys.head.scope;
  const auto overwritten = replace_file(path_of(scope), bytes);
  auto file = overwritten ? AppendFile::open(path_of(scope), 0600) : base::fail(overwritten.error());
  generation.fetch_add(1, std::memory_order_acq_rel);
  if (!file) {  // which of the two files is there is read from the disk next time
    loaded.erase(scope);
    return base::fail(std::move(file).error());
  }
  keys.file.emplace(std::move(*file));
  counts.overwrites_failed += *overwritten ? 0 : 1;
  for (auto& [at, stone] : stones) {
    const bool is_new = at == keys.records.size();
    counts.keys_destroyed += is_new ? 0 : 1;
    if (is_new) {
      keys.by_tenant.emplace(stone.tenant, at);
      keys.records.push_back(std::move(stone));
    } else {
      keys.records[at] = std::move(stone);
    }
  }
  // A cut of the file would lose tombstones, so the index knows how many records there are.
  return write_index_with(index.at(scope));
}

base::Status KeyBook::State::bury_scope(const KeyScope& scope, std::string_view reason) {
  IndexEntry entry;
  if (const auto found = index.find(scope); found != index.end()) entry = found->second;
  entry.scope = scope;
  entry.destroyed = true;
  entry.destroyed_us = now_us();
  entry.reason = cut_reason(reason);
  loaded.erase(scope);
  generation.fetch_add(1, std::memory_order_acq_rel);
  STILLWATCH_CHECK(write_index_with(entry));
  return remove_buried(scope);
}

base::Status KeyBook::State::remove_buried(const KeyScope& scope) {
  STILLWATCH_TRY(overwritten, overwrite_and_remove(path_of(scope)));
  counts.overwrites_failed += overwritten ? 0 : 1;
  return {};
}

base::Result<std::vector<std::string>> KeyBook::State::check() {
  std::vector<std::string> damages;
  STILLWATCH_TRY(bytes, base::read_file(index_path(), kIndexBytesMax));
  if (const auto parsed = parse_index(bytes, record_key); !parsed) {
    damages.push_back(fmt::format("{}: {}", index_path(), parsed.error().message));
  }
  STILLWATCH_TRY(root_bytes, base::read_file(book_path(), kRootFileBytesMax));
  if (const auto parsed = parse_root(root_bytes); !parsed || root_check(root) != parsed->check) {
    damages.push_back(fmt::format("{}: {}", book_path(), parsed ? "it is another one" : parsed.error().message));
  }
  for (const auto& [scope, entry] : index) {
    if (entry.destroyed) continue;
    const bool was_read_only = std::exchange(options.read_only, true);  // a check changes nothing
    const auto keys = read(scope, entry);
    options.read_only = was_read_only;
    if (!keys) damages.push_back(keys.error().message);
  }
  return damages;
}

}  // namespace stillwatch::ledger
