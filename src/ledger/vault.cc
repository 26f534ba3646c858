#include "ledger/vault.h"

#include <fmt/format.h>

#include "base/files.h"
#include "crypto/random_bytes.h"
#include "crypto/sha256.h"
#include "ledger/payload.h"
#include "ledger/vault_state.h"

namespace stillwatch::ledger {
namespace {

using base::Fault;

constexpr std::size_t kKeysAtHandMax = 200'000;  // ~150 B each. Beyond: all are let go, and asked for again
constexpr std::size_t kTagsAtHandMax = 200'000;
constexpr std::uint64_t kBatchOverflow = 4;  // times batch_bytes_max that wait at most while the disk is full

std::string_view text_of(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

std::string ciphertext_associated(const RecordId& id) { return std::string("aud1 record ").append(text_of(id)); }

Vault::Vault(std::unique_ptr<State> state) : state_(std::move(state)) {}

Vault::~Vault() {
  if (!state_->options.read_only) (void)commit();
}

base::Result<std::unique_ptr<Vault>> Vault::open(const std::string& folder, KeyBook& book, VaultOptions options) {
  auto state = std::make_unique<State>();
  state->folder = folder;
  state->book = &book;
  state->options = options;
  state->book_generation = book.generation();
  if (!options.read_only) {
    for (const char* part : {"/rows", "/packs"}) STILLWATCH_CHECK(base::make_writable_folder(folder + part));
  }
  STILLWATCH_TRY(rows, RowStore::open(folder + "/rows", options.read_only));
  state->rows = std::move(rows);
  state->packs = std::make_unique<PackFiles>(folder + "/packs");
  return std::unique_ptr<Vault>(new Vault(std::move(state)));
}

base::Status Vault::State::must_write() const {
  if (!options.read_only) return {};
  return base::fail(Fault::caller, fmt::format("{} was opened for reading only", folder));
}

tl::unexpected<base::Error> Vault::State::damaged(const RecordName& record, std::string_view what) const {
  return base::fail(Fault::environment, fmt::format("the record {} in {} is damaged: {}; restore the folder from its "
                                                    "backup",
                                                    base64url(record.id), folder, what));
}

base::Result<const KeyAnswer*> Vault::State::key_of(const KeyScope& scope, std::string_view tenant) {
  const std::uint64_t generation = book->generation();
  if (generation != book_generation || keys_held >= kKeysAtHandMax) {
    keys_at_hand.clear();
    keys_held = 0;
    book_generation = generation;
  }
  auto& keys = keys_at_hand[scope];
  if (const auto found = keys.find(tenant); found != keys.end()) return &found->second;
  STILLWATCH_TRY(answer, book->obtain(scope, tenant));
  ++keys_held;
  return &keys.emplace(tenant, std::move(answer)).first->second;
}

const NameTag& Vault::State::tag_of(std::string_view name) {
  if (const auto found = tags_at_hand.find(name); found != tags_at_hand.end()) return found->second;
  if (tags_at_hand.size() >= kTagsAtHandMax) tags_at_hand.clear();
  return tags_at_hand.emplace(name, book->tag_of(name)).first->second;
}

base::Result<Sealed> Vault::seal(const SealRequest& request) {
  const std::lock_guard lock(state_->mutex);
  State& state = *state_;
  STILLWATCH_CHECK(state.must_write());
  const std::uint64_t waiting = state.packs->bytes_waiting();
  if (waiting > kBatchOverflow * state.options.batch_bytes_max) STILLWATCH_CHECK(state.write_batch());
  const std::uint64_t bytes = request.prompt.size() + request.response.size() + request.headers.size();
  if (!is_payload(request.retention) || bytes + 12 > kPayloadBytesMax) {
    ++state.counts.records_refused;
    return base::fail(Fault::caller, fmt::format("a payload of {} bytes in the class {} cannot be sealed; at most {} "
                                                 "bytes, in the classes content, evidence and flagged",
                                                 bytes, name_of(request.retention), kPayloadBytesMax));
  }
  const KeyScope scope = KeyScope::payload(request.retention, day_of(request.time_us));
  STILLWATCH_TRY(kek, state.key_of(scope, request.tenant));
  Sealed out;
  out.fate = kek->fate;
  if (!kek->is_live()) {
    ++state.counts.records_refused;
    return out;
  }
  const auto drawn = state.draw();
  Hash32 salt;
  std::copy_n(drawn.begin(), 32, salt.begin());
  const crypto::AeadKey key(std::span<const std::uint8_t, 32>(drawn.subspan<32, 32>()));
  crypto::AeadNonce nonce_of_record, nonce_of_key;
  std::copy_n(drawn.begin() + 64, nonce_of_record.size(), nonce_of_record.begin());
  std::copy_n(drawn.begin() + 64 + crypto::kAeadNonceBytes, nonce_of_key.size(), nonce_of_key.begin());
  crypto::wipe(drawn);

  pack_parts(salt, request.prompt, request.response, request.headers, state.packed);
  out.commitment = payload_commitment(salt, payload_in(state.packed));
  if (state.options.compress) compress_packed(state.packed);
  STILLWATCH_TRY(tail, state.packs->tail(scope));
  const std::size_t begin = tail->size();
  *tail += text_of(nonce_of_record);
  crypto::aead_seal(key, nonce_of_record, state.packed, ciphertext_associated(request.id), *tail);
  const std::string_view ciphertext = std::string_view(*tail).substr(begin);
  out.ciphertext_hash = crypto::sha256(ciphertext);
  state.counts.bytes_sealed += ciphertext.size();
  state.batch_bytes += ciphertext.size();

  VaultRow row;
  row.place = state.packs->place(scope, begin);
  row.account = state.tag_of(request.account);
  const RecordName record{request.id, kek->fate.id};
  std::string value = write_row_head(row);
  const std::string associated = row_associated(record, value);
  value += text_of(nonce_of_key);
  crypto::aead_seal(kek->key, nonce_of_key, text_of(key.view()), associated, value);
  state.rows->put(row_key(record), value);
  out.stored = true;
  ++state.counts.records_sealed;
  // A batch that cannot be written yet stays, and the error comes with the commit that the caller asks for.
  (void)state.packs->write_portion(scope);
  if (state.batch_bytes > state.options.batch_bytes_max) (void)state.write_batch();
  return out;
}

base::Status Vault::commit() {
  const std::lock_guard lock(state_->mutex);
  STILLWATCH_CHECK(state_->must_write());
  return state_->write_batch();
}

base::Status Vault::State::write_batch() {
  if (!rows->has_batch()) return {};
  STILLWATCH_CHECK(book->sync());
  STILLWATCH_CHECK(packs->write());
  if (options.sync_each_commit) STILLWATCH_CHECK(packs->sync());
  STILLWATCH_CHECK(rows->write(options.sync_each_commit));
  batch_bytes = 0;
  return {};
}

std::span<std::uint8_t, kDrawnBytes> Vault::State::draw() {
  if (drawn_left == 0) {
    crypto::fill_random(drawn.writable());
    drawn_left = kDrawnAtOnce;
  }
  --drawn_left;
  return drawn.writable().subspan(drawn_left * kDrawnBytes).first<kDrawnBytes>();
}

VaultCounts Vault::counts() const {
  const std::lock_guard lock(state_->mutex);
  return state_->counts;
}

}  // namespace stillwatch::ledger
