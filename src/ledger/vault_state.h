// What a vault has open, and its steps; of the .cc files of vault.h only.
//
// Invariant: a row is written after its ciphertext, and that after its KEK. Threads: `mutex` guards the batch, the
// packs' writers and the keys at hand; rows and packs are read without it. Cost: see vault.h.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "ledger/pack_files.h"
#include "ledger/row_store.h"
#include "ledger/vault.h"
#include "ledger/vault_row.h"

namespace stillwatch::ledger {

/// What a record takes of random bytes: salt, key, two nonces. Drawn for many at once: a call to the system costs more.
inline constexpr std::size_t kDrawnBytes = 32 + 32 + 2 * crypto::kAeadNonceBytes;
inline constexpr std::size_t kDrawnAtOnce = 32;

struct Vault::State {
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  template <class Value>
  using ByName = std::unordered_map<std::string, Value, TextHash, std::equal_to<>>;

  std::string folder;
  KeyBook* book = nullptr;
  VaultOptions options;
  std::unique_ptr<RowStore> rows;
  std::unique_ptr<PackFiles> packs;

  mutable std::mutex mutex;
  std::map<KeyScope, ByName<KeyAnswer>> keys_at_hand;
  ByName<NameTag> tags_at_hand;
  std::size_t keys_held = 0;
  std::uint64_t book_generation = 0;
  crypto::SecretBytes<kDrawnBytes * kDrawnAtOnce> drawn;
  std::size_t drawn_left = 0;                 // records that `drawn` has bytes for
  std::uint64_t batch_bytes = 0;              // sealed since the last commit
  std::string packed;                         // reused between records
  std::vector<std::string> prefixes_removed;  // since the last compaction
  VaultCounts counts;

  base::Status must_write() const;
  tl::unexpected<base::Error> damaged(const RecordName& record, std::string_view what) const;

  /// The KEK of a tenant; the pointer holds until the next call.
  base::Result<const KeyAnswer*> key_of(const KeyScope& scope, std::string_view tenant);
  const NameTag& tag_of(std::string_view name);
  base::Status write_batch();
  std::span<std::uint8_t, kDrawnBytes> draw();

  /// A record's row, also when it was moved; `record.key` is then the key that it is under now.
  struct Located {
    RecordName record;
    VaultRow row;
  };
  base::Result<std::optional<Located>> locate(const RecordName& record) const;
  /// The key of a record, with its KEK.
  base::Result<crypto::AeadKey> unwrap(const Located& found, const Key32& kek) const;
  /// What became of a KEK whose scope is known by its day only.
  base::Result<KeyFate> fate_by_day(const KeyId& key, std::int64_t time_us) const;
  /// Opens and checks one record whose KEK is live. Fills payload, hashes and salt.
  base::Status open_live(const Located& found, const Key32& kek, Opened& out) const;
  /// Marks rows as being erased, overwrites, and takes the rows away.
  base::Status erase(const std::vector<Located>& found);
};

/// What a ciphertext is sealed to, and its place under a row's key.
std::string ciphertext_associated(const RecordId& id);

}  // namespace stillwatch::ledger
