// Payloads of requests, encrypted: one random key a record, wrapped under the KEK of its tenant, day and class.
//
// Invariant: nothing readable is on disk; whoever destroys a KEK, or a record's wrapped key, destroys the content and
// no proof. What is opened is what was sealed under this record id, or an error. Nothing is acknowledged before it and
// its keys are written. Threads: any number. Cost: about 12 µs a record of 4 KiB: two hashes, encryption, a write, a
// row in RocksDB. Format: docs/reference/ledger-files.md.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ledger/key_book.h"

namespace stillwatch::ledger {

/// What one record may have: two lines of the query log at their limit, and headers. More is refused.
inline constexpr std::size_t kPayloadBytesMax = 32U << 20;

struct Payload {
  std::string prompt, response, headers;
};
/// The bytes that the commitment is of: for each of the three its length (four bytes, big-endian) and its bytes.
std::string payload_bytes(std::string_view prompt, std::string_view response, std::string_view headers);
/// Input error when these are not such bytes.
base::Result<Payload> parse_payload(std::string_view bytes);
/// `cp` of a leaf: SHA-256("aud1 payload\0" || salt || SHA-256(payload_bytes)).
Hash32 payload_commitment(const Hash32& salt, std::string_view payload);

/// Leaf id of the record: what its leaf and a customer call it.
using RecordId = Id16;

struct SealRequest {
  RecordId id{};
  std::string_view tenant, account;
  std::int64_t time_us = 0;  // of the record: gives the day
  RetentionClass retention = RetentionClass::content;
  std::string_view prompt, response, headers;
};

/// What the leaf says of a payload: `cp`, `ch`, `kp`.
struct Sealed {
  bool stored = false;  // false: the tenant's KEK of that day is destroyed, `fate` says when and why
  Hash32 commitment{};
  Hash32 ciphertext_hash{};  // SHA-256 of the ciphertext as it is stored
  KeyFate fate;              // of the KEK; fate.id is `kp`
};

/// Which record: both are in its leaf.
struct RecordName {
  RecordId id{};
  KeyId key{};  // `kp`
};

/// An opening, to be logged as an `access` leaf: also one that found nothing.
struct Access {
  RecordName record;
  std::int64_t time_us = 0;
  std::string who, why;
  std::optional<std::string> case_id;
  bool opened = false;
};

enum class Found : std::uint8_t { opened, absent, destroyed };

struct Opened {
  Found found = Found::absent;
  Payload payload;
  Hash32 commitment{}, ciphertext_hash{};  // recomputed from what was opened
  Hash32 salt{};
  KeyFate fate;  // of the KEK, or of the record where it was erased alone
  Access access;
};

struct OpenRequest {
  RecordName record;
  std::int64_t time_us = 0;   // of the leaf: where a destroyed key is looked for
  std::string_view who, why;  // not empty
  std::optional<std::string> case_id;
  /// From the leaf, where the caller has it: a difference is a check error.
  std::optional<Hash32> commitment, ciphertext_hash;
};

struct VaultOptions {
  bool read_only = false;
  bool compress = false;         // zstd before sealing: the length then tells a little of the content
  bool sync_each_commit = true;  // otherwise a power cut can take the last seconds, though their leaves are there
  std::uint64_t batch_bytes_max = 4U << 20;  // seal() commits by itself beyond it
};

struct VaultCounts {
  std::uint64_t records_sealed = 0, records_refused = 0, bytes_sealed = 0;
  std::uint64_t records_opened = 0, records_moved = 0, records_removed = 0;
  std::uint64_t overwrites_failed = 0;  // ciphertexts that could not be overwritten; their keys are gone all the same
};

class Vault {
 public:
  /// `book` must live longer.
  static base::Result<std::unique_ptr<Vault>> open(const std::string& folder, KeyBook& book, VaultOptions options);
  /// Commits what is left.
  ~Vault();
  Vault(const Vault&) = delete;
  Vault& operator=(const Vault&) = delete;

  /// Into the batch. Caller error for a payload over kPayloadBytesMax or a class without keys; environment error, and
  /// nothing kept, when the batch cannot be written and is full.
  base::Result<Sealed> seal(const SealRequest& request);
  /// The batch is in the vault, and its keys in the book, when it returns. After an error it can be called again.
  base::Status commit();

  /// A damaged record is an environment error; an absent or shredded one is an answer.
  base::Result<Opened> open_record(const OpenRequest& request);

  /// Moves a record to a class that is kept longer or shorter: its key is wrapped again, the ciphertext stays the same.
  /// It is still found under the `kp` of its leaf. Returns the new KEK's fate; absent when there is no such record.
  base::Result<KeyFate> move(const RecordName& record, std::string_view tenant, RetentionClass to);

  struct Place {
    KeyScope scope;
    RecordName record;  // with the key that it is under now
    NameTag account{};
    std::uint64_t bytes = 0;
  };
  /// Where a record is; nothing when it is not in the vault.
  base::Result<std::optional<Place>> find(const RecordName& record);
  /// Ids of all records under a KEK.
  base::Result<std::vector<RecordId>> records_under(const KeyId& key);

  /// Each of these can be done again after an error or a crash. Ciphertexts are overwritten; the wrapped keys are gone
  /// from all files after compact(). They return how many records went.
  base::Result<std::uint64_t> remove(const RecordName& record);
  base::Result<std::uint64_t> remove_under(const KeyId& key);
  /// All records of a scope whose keys are destroyed; its files are removed, not overwritten.
  base::Result<std::uint64_t> remove_scope(const KeyScope& scope, const std::vector<KeyId>& keys);
  base::Status compact();

  /// Checksums of all files, then every record opened. Names what is damaged; shredded records are no damage.
  base::Result<std::vector<std::string>> check();
  VaultCounts counts() const;

 private:
  struct State;
  explicit Vault(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace stillwatch::ledger
