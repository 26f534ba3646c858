// Payloads of requests, encrypted: one random key a record, wrapped under the KEK of its tenant, day and class.
//
// Invariant: nothing readable is on disk; whoever destroys a KEK, or a record's wrapped key, destroys the content and
// no proof. What is opened is what was sealed under this record id, or an error. Nothing is acknowledged before it and
// its keys are written. Threads: seal() and commit() from one thread; everything else from any. Cost: about 10 µs a
// record of 4 KiB, most of it encryption, two hashes and RocksDB's log. Format: docs/reference/ledger-files.md.
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

struct Payload {
  std::string prompt, response, headers;
};

/// Leaf id of the record: what its leaf and a customer call it.
using RecordId = Id16;

struct SealRequest {
  RecordId id{};
  std::string_view tenant, account;
  std::int64_t time_us = 0;  // of the record: gives day and month
  RetentionClass retention = RetentionClass::content;
  std::string_view prompt, response, headers;
};

/// What the leaf says of a payload: `cp`, `ch`, `kp`.
struct Sealed {
  bool stored = false;       // false: the tenant's KEK of that day is destroyed, `fate` says when and why
  Hash32 commitment{};       // SHA-256("aud1 payload\0" || salt || SHA-256(plaintext))
  Hash32 ciphertext_hash{};  // SHA-256(ciphertext)
  KeyFate fate;              // of the KEK; fate.id is `kp`
};

/// An opening, to be logged as an `access` leaf: also one that found nothing.
struct Access {
  RecordId id{};
  KeyId key{};
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
  KeyFate fate;  // of the KEK
  Access access;
};

struct OpenRequest {
  RecordId id{};
  std::string_view who, why;  // not empty
  std::optional<std::string> case_id;
  /// From the leaf, where the caller has it: a difference is a check error.
  std::optional<Hash32> commitment, ciphertext_hash;
};

struct VaultOptions {
  bool read_only = false;
  bool compress = false;  // zstd before sealing: the length then tells a little of the content
  bool sync_each_commit =
      false;  // fdatasync of RocksDB's log a commit; otherwise a power cut can lose the last seconds
  std::uint64_t batch_bytes_max = 4U << 20;  // seal() commits by itself beyond it
};

struct VaultCounts {
  std::uint64_t records_sealed = 0, records_opened = 0, records_erased = 0, bytes_sealed = 0, opens_refused = 0;
};

class Vault {
 public:
  static base::Result<std::unique_ptr<Vault>> open(const std::string& folder, KeyBook& book, VaultOptions options);
  ~Vault();
  Vault(const Vault&) = delete;
  Vault& operator=(const Vault&) = delete;

  /// Into the batch. Caller error for a payload over limits::kPayloadBytesMax or a class without keys.
  base::Result<Sealed> seal(const SealRequest& request);
  /// The batch is in the vault, and its keys in the book, when it returns. After an error it can be called again.
  base::Status commit();

  /// A damaged record is an environment error; an absent or shredded one is an answer.
  base::Result<Opened> open_record(const OpenRequest& request);

  /// Moves a record to a class that is kept longer or shorter: its key is wrapped again, the ciphertext stays, and `kp`
  /// of its leaf is no longer its key. Returns the id of the new KEK.
  base::Result<KeyFate> move(const RecordId& id, std::string_view tenant, RetentionClass to);

  struct Place {
    KeyScope scope;
    KeyId key{};
    NameTag tenant{}, account{};
    std::uint64_t bytes = 0;
  };
  /// Where a record is; nothing when it is not in the vault.
  base::Result<std::optional<Place>> find(const RecordId& id);
  /// Ids of all records under a KEK.
  base::Result<std::vector<RecordId>> records_under(const KeyId& key);

  /// Removes a record, or all records under a KEK. The bytes are gone from the files after compact().
  base::Result<bool> remove(const RecordId& id);
  base::Result<std::uint64_t> remove_under(const KeyId& key);
  /// Rewrites the files without what was removed.
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
