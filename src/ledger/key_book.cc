#include "ledger/key_book.h"

#include <fmt/format.h>

#include "base/event_time.h"
#include "crypto/hmac.h"
#include "ledger/key_book_state.h"

namespace stillwatch::ledger {

std::string sentence_of(const KeyFate& fate) {
  if (fate.state == KeyState::live) return "the key is there";
  if (fate.state == KeyState::absent) return "there never was such a key";
  return fmt::format("{} destroyed on {}: {}", fate.with_period ? "all keys of the period were" : "the key was",
                     base::format_time(fate.destroyed_us), fate.reason);
}

KeyBook::KeyBook(std::unique_ptr<State> state) : state_(std::move(state)) {}
KeyBook::~KeyBook() = default;

base::Result<std::unique_ptr<KeyBook>> KeyBook::open(const std::string& folder, KeyWrapper& master,
                                                     KeyBookOptions options) {
  auto state = std::make_unique<State>();
  state->folder = folder;
  state->options = std::move(options);
  STILLWATCH_CHECK(state->open(master));
  return std::unique_ptr<KeyBook>(new KeyBook(std::move(state)));
}

base::Result<KeyAnswer> KeyBook::obtain(const KeyScope& scope, std::string_view tenant) {
  const NameTag tag = tag_of(tenant);
  const std::lock_guard lock(state_->mutex);
  return state_->answer(scope, tag, !state_->options.read_only);
}

base::Result<KeyAnswer> KeyBook::look_up(const KeyScope& scope, std::string_view tenant) {
  const NameTag tag = tag_of(tenant);
  const std::lock_guard lock(state_->mutex);
  return state_->answer(scope, tag, false);
}

base::Result<KeyAnswer> KeyBook::look_up(const KeyScope& scope, const KeyId& id) {
  const std::lock_guard lock(state_->mutex);
  KeyAnswer out;
  if (const IndexEntry* entry = state_->gone(scope)) {
    out.fate = state_->fate_of(*entry);
    return out;
  }
  STILLWATCH_TRY(keys, state_->load(scope, false));
  if (keys == nullptr) return out;
  for (const KeyRecord& record : keys->records) {
    if (record.fate.id == id) return state_->answer_of(record);
  }
  return out;
}

base::Status KeyBook::sync() {
  if (!state_->has_unsynced.load(std::memory_order_acquire)) return {};
  const std::lock_guard lock(state_->mutex);
  return state_->sync();
}

base::Result<KeyFate> KeyBook::destroy(const KeyScope& scope, std::string_view tenant, std::string_view reason,
                                       bool also_absent) {
  const NameTag tag = tag_of(tenant);
  const std::lock_guard lock(state_->mutex);
  STILLWATCH_CHECK(state_->must_write());
  if (const IndexEntry* entry = state_->gone(scope)) return state_->fate_of(*entry);
  STILLWATCH_TRY(keys, state_->load(scope, also_absent));
  if (keys == nullptr) return KeyFate{};
  const auto found = keys->by_tenant.find(tag);
  if (found == keys->by_tenant.end() && !also_absent) return KeyFate{};
  if (found != keys->by_tenant.end()) {
    const KeyFate& fate = keys->records[found->second].fate;
    if (fate.state == KeyState::destroyed) return fate;
  }
  STILLWATCH_CHECK(state_->bury(
      *keys, reason, [&](const KeyRecord& record) { return record.tenant == tag; },
      found == keys->by_tenant.end() ? &tag : nullptr));
  return keys->records[keys->by_tenant.at(tag)].fate;
}

base::Result<std::vector<KeyId>> KeyBook::destroy_scope(const KeyScope& scope, std::string_view reason,
                                                        const std::vector<NameTag>& but) {
  const std::lock_guard lock(state_->mutex);
  STILLWATCH_CHECK(state_->must_write());
  std::vector<KeyId> ids;
  if (state_->gone(scope) != nullptr) {
    STILLWATCH_CHECK(state_->remove_buried(scope));  // an earlier try may have failed there
    return ids;
  }
  STILLWATCH_TRY(keys, state_->load(scope, false));
  if (keys == nullptr) {
    if (but.empty()) STILLWATCH_CHECK(state_->bury_scope(scope, reason));
    return ids;
  }
  const auto goes = [&](const KeyRecord& record) {
    return record.fate.state == KeyState::live && std::find(but.begin(), but.end(), record.tenant) == but.end();
  };
  for (const KeyRecord& record : keys->records) {
    if (goes(record)) ids.push_back(record.fate.id);
  }
  if (but.empty()) {
    STILLWATCH_CHECK(state_->bury_scope(scope, reason));
    state_->counts.keys_destroyed += ids.size();
  } else if (!ids.empty()) {
    STILLWATCH_CHECK(state_->bury(*keys, reason, goes, nullptr));
  }
  return ids;
}

std::vector<KeyScope> KeyBook::scopes() const {
  const std::lock_guard lock(state_->mutex);
  std::vector<KeyScope> out;
  for (const auto& [scope, entry] : state_->index) {
    if (!entry.destroyed) out.push_back(scope);
  }
  return out;
}

base::Result<std::vector<KeyBook::Entry>> KeyBook::entries(const KeyScope& scope) {
  const std::lock_guard lock(state_->mutex);
  std::vector<Entry> out;
  if (state_->gone(scope) != nullptr) return out;
  STILLWATCH_TRY(keys, state_->load(scope, false));
  if (keys == nullptr) return out;
  for (const KeyRecord& record : keys->records) out.push_back({record.tenant, record.fate});
  return out;
}

base::Result<std::vector<std::string>> KeyBook::check() {
  const std::lock_guard lock(state_->mutex);
  STILLWATCH_CHECK(state_->sync());
  return state_->check();
}

NameTag KeyBook::tag_of(std::string_view name) const {
  const auto tag = crypto::hmac_sha256(state_->tag_key.view(), {name});
  NameTag out;
  std::copy_n(tag.begin(), out.size(), out.begin());
  return out;
}

Key32 KeyBook::key_for(std::string_view purpose) const { return state_->derive(purpose); }

std::uint64_t KeyBook::generation() const { return state_->generation.load(std::memory_order_acquire); }

std::int64_t KeyBook::now_us() {
  const std::lock_guard lock(state_->mutex);
  return state_->now_us();
}

KeyBookCounts KeyBook::counts() const {
  const std::lock_guard lock(state_->mutex);
  return state_->counts;
}

}  // namespace stillwatch::ledger
