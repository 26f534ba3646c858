// Opening, finding, moving and removing records of the vault, and checking all of them.
#include <fmt/format.h>

#include "base/event_time.h"
#include "crypto/random_bytes.h"
#include "crypto/sha256.h"
#include "ledger/payload.h"
#include "ledger/vault.h"
#include "ledger/vault_leaves.h"
#include "ledger/vault_state.h"

namespace stillwatch::ledger {
namespace {

using base::Fault;

constexpr std::size_t kPrefixesOneByOneMax = 256;  // more keys at once: the whole vault is compacted instead
constexpr std::size_t kErasedAtOnceMax = 50'000;   // records, ~200 B each in memory

std::string_view text_of(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

base::Result<std::optional<Vault::State::Located>> Vault::State::locate(const RecordName& record) const {
  Located out;
  out.record = record;
  STILLWATCH_TRY(value, rows->get(row_key(record)));
  if (!value) {
    STILLWATCH_TRY(moved, rows->get(moved_key(record.id)));
    if (!moved) return std::nullopt;
    const auto key = parse_moved(*moved);
    if (!key) return damaged(record, key.error().message);
    out.record.key = *key;
    STILLWATCH_TRY(again, rows->get(row_key(out.record)));
    if (!again) return std::nullopt;
    value = std::move(again);
  }
  auto row = parse_row(*value);
  if (!row) return damaged(record, row.error().message);
  out.row = std::move(*row);
  return out;
}

base::Result<KeyFate> Vault::State::fate_by_day(const KeyId& key, std::int64_t time_us) const {
  KeyFate out;
  for (std::size_t i = 0; i < kPayloadClasses; ++i) {
    const KeyScope scope = KeyScope::payload(static_cast<RetentionClass>(i), day_of(time_us));
    STILLWATCH_TRY(answer, book->look_up(scope, key));
    if (answer.fate.state == KeyState::absent) continue;
    out = answer.fate;
    if (!out.with_period) break;  // this very key: better than a period that it may have been in
  }
  return out;
}

base::Result<crypto::AeadKey> Vault::State::unwrap(const Located& found, const Key32& kek) const {
  std::string plain;
  plain.reserve(crypto::kAeadKeyBytes);
  const std::string associated = row_associated(found.record, write_row_head(found.row));
  if (!crypto::aead_open(kek, found.row.wrapped, associated, plain) || plain.size() != crypto::kAeadKeyBytes) {
    return damaged(found.record, "its row was changed");
  }
  crypto::AeadKey key(std::span<const std::uint8_t, 32>(reinterpret_cast<const std::uint8_t*>(plain.data()), 32));
  crypto::wipe({reinterpret_cast<std::uint8_t*>(plain.data()), plain.size()});
  return key;
}

base::Status Vault::State::open_live(const Located& found, const Key32& kek, Opened& out) const {
  STILLWATCH_TRY(key, unwrap(found, kek));
  STILLWATCH_TRY(ciphertext, packs->read(found.row.place));
  out.ciphertext_hash = crypto::sha256(ciphertext);
  std::string plain;
  if (!crypto::aead_open(key, ciphertext, ciphertext_associated(found.record.id), plain)) {
    return damaged(found.record, "its ciphertext was changed, or a power cut took it");
  }
  auto unpacked = unpack_payload(plain);
  if (!unpacked) return damaged(found.record, unpacked.error().message);
  auto payload = parse_payload(unpacked->payload);
  if (!payload) return damaged(found.record, payload.error().message);
  out.salt = unpacked->salt;
  out.commitment = payload_commitment(unpacked->salt, unpacked->payload);
  out.payload = std::move(*payload);
  return {};
}

base::Result<Opened> Vault::open_record(const OpenRequest& request) {
  if (!is_leaf_text(request.who) || !is_leaf_text(request.why)) {
    return base::fail(Fault::caller,
                      "a record is opened only with a name and a reason of at most 256 bytes; give both");
  }
  STILLWATCH_CHECK(state_->options.read_only ? base::Status() : commit());
  Opened out;
  out.access.record = request.record;
  out.access.who = request.who;
  out.access.why = request.why;
  out.access.case_id = request.case_id;
  out.access.time_us = state_->book->now_us();
  STILLWATCH_TRY(found, state_->locate(request.record));
  if (!found) {
    STILLWATCH_TRY(fate, state_->fate_by_day(request.record.key, request.time_us));
    out.fate = std::move(fate);
    out.found = out.fate.state == KeyState::destroyed ? Found::destroyed : Found::absent;
    return out;
  }
  STILLWATCH_TRY(kek, state_->book->look_up(found->row.place.scope, found->record.key));
  out.fate = kek.fate;
  if (kek.fate.state == KeyState::destroyed || found->row.state == RowState::erasing) {
    out.found = Found::destroyed;
    if (kek.is_live()) out.fate.reason = "the record is being erased";
    return out;
  }
  if (!kek.is_live()) return state_->damaged(request.record, "the key book does not have its key");
  STILLWATCH_CHECK(state_->open_live(*found, kek.key, out));
  if ((request.commitment && *request.commitment != out.commitment) ||
      (request.ciphertext_hash && *request.ciphertext_hash != out.ciphertext_hash)) {
    return base::fail(Fault::check,
                      fmt::format("the record {} is not what its leaf committed to", base64url(request.record.id)));
  }
  out.found = Found::opened;
  out.access.opened = true;
  const std::lock_guard lock(state_->mutex);
  ++state_->counts.records_opened;
  return out;
}

base::Result<KeyFate> Vault::move(const RecordName& record, std::string_view tenant, RetentionClass to) {
  const std::lock_guard lock(state_->mutex);
  State& state = *state_;
  STILLWATCH_CHECK(state.must_write());
  if (!is_payload(to)) return base::fail(Fault::caller, fmt::format("payloads have no class {}", name_of(to)));
  STILLWATCH_CHECK(state.write_batch());
  STILLWATCH_TRY(found, state.locate(record));
  if (!found || found->row.state == RowState::erasing) return KeyFate{};
  STILLWATCH_TRY(kek, state.book->look_up(found->row.place.scope, found->record.key));
  const KeyScope scope = KeyScope::payload(to, found->row.place.scope.period);
  if (!kek.is_live() || scope == found->row.place.scope) return kek.fate;
  STILLWATCH_TRY(key, state.unwrap(*found, kek.key));
  STILLWATCH_TRY(ciphertext, state.packs->read(found->row.place));
  STILLWATCH_TRY(new_kek, state.key_of(scope, tenant));
  if (!new_kek->is_live()) return new_kek->fate;
  STILLWATCH_TRY(tail, state.packs->tail(scope));
  const std::size_t begin = tail->size();
  *tail += ciphertext;
  VaultRow row = found->row;
  row.place = state.packs->place(scope, begin);
  const RecordName moved{record.id, new_kek->fate.id};
  std::string value = write_row_head(row);
  const std::string associated = row_associated(moved, value);
  crypto::aead_seal(new_kek->key, text_of(key.view()), associated, value);
  state.rows->put(row_key(moved), value);
  state.rows->put(moved_key(record.id), write_moved(moved.key));
  const KeyFate fate = new_kek->fate;
  STILLWATCH_CHECK(state.write_batch());
  ++state.counts.records_moved;
  STILLWATCH_CHECK(state.erase({*found}));
  return fate;
}

base::Result<std::optional<Vault::Place>> Vault::find(const RecordName& record) {
  STILLWATCH_CHECK(state_->options.read_only ? base::Status() : commit());
  STILLWATCH_TRY(found, state_->locate(record));
  if (!found) return std::nullopt;
  return Place{found->row.place.scope, found->record, found->row.account, found->row.place.bytes};
}

base::Result<std::vector<RecordId>> Vault::records_under(const KeyId& key) {
  STILLWATCH_CHECK(state_->options.read_only ? base::Status() : commit());
  std::vector<RecordId> ids;
  STILLWATCH_CHECK(state_->rows->each(row_prefix(key), [&](std::string_view row, std::string_view) {
    if (const auto record = record_of_row(row)) ids.push_back(record->id);
    return true;
  }));
  return ids;
}

base::Status Vault::State::erase(const std::vector<Located>& found) {
  std::vector<PackPlace> places;
  for (const Located& each : found) {
    VaultRow row = each.row;
    row.state = RowState::erasing;
    rows->put(row_key(each.record), write_row_head(row));
    places.push_back(row.place);
  }
  STILLWATCH_CHECK(rows->write(true));
  STILLWATCH_TRY(failures, packs->overwrite(std::move(places)));
  counts.overwrites_failed += failures;
  for (const Located& each : found) {
    rows->remove(row_key(each.record));
    prefixes_removed.push_back(row_key(each.record));
    STILLWATCH_TRY(moved, rows->get(moved_key(each.record.id)));
    const auto key = moved ? parse_moved(*moved) : each.record.key;
    // A record that moved away keeps the row that says where it is.
    if (moved && key && *key == each.record.key) rows->remove(moved_key(each.record.id));
  }
  return rows->write(true);
}

base::Result<std::uint64_t> Vault::remove(const RecordName& record) {
  const std::lock_guard lock(state_->mutex);
  STILLWATCH_CHECK(state_->must_write());
  STILLWATCH_CHECK(state_->write_batch());
  STILLWATCH_TRY(found, state_->locate(record));
  if (!found) return 0;
  STILLWATCH_CHECK(state_->erase({*found}));
  ++state_->counts.records_removed;
  return 1;
}

base::Result<std::uint64_t> Vault::remove_under(const KeyId& key) {
  const std::lock_guard lock(state_->mutex);
  STILLWATCH_CHECK(state_->must_write());
  STILLWATCH_CHECK(state_->write_batch());
  std::uint64_t removed = 0;
  for (;;) {
    std::vector<State::Located> found;
    std::string unreadable;
    STILLWATCH_CHECK(state_->rows->each(row_prefix(key), [&](std::string_view row, std::string_view value) {
      const auto record = record_of_row(row);
      auto parsed = parse_row(value);
      if (record && parsed) found.push_back({*record, std::move(*parsed)});
      if (record && !parsed) unreadable = base64url(record->id);
      return found.size() < kErasedAtOnceMax;
    }));
    if (found.empty()) {
      // A row that cannot be read says not where its ciphertext is; with its KEK destroyed, that is noise.
      if (!unreadable.empty()) state_->rows->remove_prefix(row_prefix(key));
      STILLWATCH_CHECK(state_->rows->write(true));
      state_->prefixes_removed.push_back(row_prefix(key));
      return removed;
    }
    STILLWATCH_CHECK(state_->erase(found));
    removed += found.size();
    state_->counts.records_removed += found.size();
  }
}

base::Result<std::uint64_t> Vault::remove_scope(const KeyScope& scope, const std::vector<KeyId>& keys) {
  const std::lock_guard lock(state_->mutex);
  STILLWATCH_CHECK(state_->must_write());
  STILLWATCH_CHECK(state_->write_batch());
  std::uint64_t removed = 0;
  for (const KeyId& key : keys) {
    STILLWATCH_CHECK(state_->rows->each(row_prefix(key), [&](std::string_view row, std::string_view) {
      const auto record = record_of_row(row);
      // The row of where a record moved to goes only with the place that it names.
      const auto moved = record ? state_->rows->get(moved_key(record->id)) : std::nullopt;
      const auto to = moved && *moved ? parse_moved(**moved) : base::fail(Fault::input, "");
      if (to && *to == key) state_->rows->remove(moved_key(record->id));
      ++removed;
      return true;
    }));
    state_->rows->remove_prefix(row_prefix(key));
    state_->prefixes_removed.push_back(row_prefix(key));
    STILLWATCH_CHECK(state_->rows->write(true));
  }
  STILLWATCH_CHECK(state_->packs->remove(scope));
  state_->counts.records_removed += removed;
  return removed;
}

base::Status Vault::compact() {
  const std::lock_guard lock(state_->mutex);
  STILLWATCH_CHECK(state_->must_write());
  const bool all = state_->prefixes_removed.size() > kPrefixesOneByOneMax;
  STILLWATCH_CHECK(state_->rows->compact(state_->prefixes_removed, all));
  state_->prefixes_removed.clear();
  return {};
}

base::Result<std::vector<std::string>> Vault::check() {
  if (!state_->options.read_only) STILLWATCH_CHECK(commit());
  std::vector<std::string> damages;
  if (const auto verified = state_->rows->verify(); !verified) damages.push_back(verified.error().message);
  KeyId key{};
  std::optional<KeyScope> scope;
  KeyAnswer kek;
  const auto walked = state_->rows->each("r", [&](std::string_view row_key_bytes, std::string_view value) {
    const auto record = record_of_row(row_key_bytes);
    auto row = parse_row(value);
    if (!record || !row) {
      damages.push_back(fmt::format("{}/rows: a row cannot be read", state_->folder));
      return true;
    }
    if (row->state == RowState::erasing) return true;
    if (!scope || *scope != row->place.scope || key != record->key) {
      auto answer = state_->book->look_up(row->place.scope, record->key);
      if (!answer) {
        damages.push_back(answer.error().message);
        return true;
      }
      scope = row->place.scope;
      key = record->key;
      kek = std::move(*answer);
    }
    if (kek.fate.state == KeyState::destroyed) return true;
    Opened opened;
    const auto status = kek.is_live() ? state_->open_live({*record, std::move(*row)}, kek.key, opened)
                                      : base::Status(state_->damaged(*record, "the key book does not have its key"));
    if (!status) damages.push_back(status.error().message);
    return true;
  });
  if (!walked) damages.push_back(walked.error().message);
  return damages;
}

}  // namespace stillwatch::ledger
