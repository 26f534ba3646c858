// The rows of the vault: where a record's ciphertext is, and its key, wrapped.
//
// Invariant: a changed bit of a live row is found when its key is unwrapped; a row says by its first byte what it is.
// Threads: pure functions. Cost: one encryption of 32 bytes. Format: docs/reference/ledger-files.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "crypto/aead.h"
#include "ledger/pack_files.h"
#include "ledger/vault.h"

namespace stillwatch::ledger {

inline constexpr std::size_t kRowHeadBytes = 40;
inline constexpr std::size_t kRowBytes = kRowHeadBytes + 32 + crypto::kAeadOverheadBytes;

enum class RowState : std::uint8_t { live = 1, erasing = 3 };

struct VaultRow {
  RowState state = RowState::live;
  PackPlace place;
  NameTag account{};
  std::string wrapped;  // of a live row: nonce || ciphertext || tag of the record's key
};

std::string row_prefix(const KeyId& key);
std::string row_key(const RecordName& record);
/// Nothing when it is no row's key.
std::optional<RecordName> record_of_row(std::string_view key);
/// Where a record went that is under another key than its leaf says.
std::string moved_key(const RecordId& id);

std::string write_row_head(const VaultRow& row);
/// What a record's key is sealed to: the record and the head of its row.
std::string row_associated(const RecordName& record, std::string_view head);
/// Input error when it is no row.
base::Result<VaultRow> parse_row(std::string_view value);

/// The KEK that a moved record is under.
std::string write_moved(const KeyId& key);
base::Result<KeyId> parse_moved(std::string_view value);

}  // namespace stillwatch::ledger
