// Erasure of a record, of a customer, and of what is past its time: keys first, then bytes, then files outside the
// vault. Gives back what must be logged as an `erase` leaf.
//
// Invariant: an order is on disk, sealed, before anything is destroyed, and stays until its leaf is logged; so an
// erasure that a crash or a full disk stopped is found and finished, and is never called complete before it is. What a
// hold keeps is not touched, and the result says so. Every proof of the log stays valid. Threads: one user.
// Cost: a rewrite of each key file concerned, of each file with lines to go, and a compaction of the vault.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ledger/file_eraser.h"
#include "ledger/hold_book.h"
#include "ledger/key_book.h"
#include "ledger/retention.h"
#include "ledger/vault.h"

namespace stillwatch::ledger {

enum class OrderKind : std::uint8_t { record, customer, retention };

/// How a file outside the vault is erased from.
enum class FileRule : std::uint8_t {
  lines,   // NDJSON, plain or zstd: the customer's lines go
  remove,  // the whole file or folder: engine snapshots, HTML reports; they are made again from what is left
};

struct ErasureFile {
  std::string path;
  FileRule rule = FileRule::lines;
  RetentionClass retention = RetentionClass::query_log;
  std::int64_t first_day = 0, last_day = 0;  // of the records in it: what holds and retention are compared with
};

/// A key that an order destroys, with the records that were under it when it was planned.
struct PlannedKey {
  KeyScope scope;
  KeyId id{};
  std::uint64_t records = 0;
};

struct ErasureOrder {
  std::string id;  // 22 characters of base64url; drawn by the eraser when it is empty
  OrderKind kind = OrderKind::customer;
  RecordName record;               // of OrderKind::record
  std::string line_id;             // of OrderKind::record: `id` of its line in query logs; empty: no line is looked for
  std::string tenant;              // of record and customer, as vault and pseudonyms name it
  std::vector<std::string> names;  // of customer: its accounts as they stand in files; `tenant` is one of them anyway
  RetentionProfile profile;        // of retention
  std::string who, why;            // `why` is written into tombstones, cut to 55 bytes: no names in it
  std::int64_t placed_us = 0;      // given by the eraser
  std::vector<ErasureFile> files;
  std::vector<PlannedKey> plan;  // kept by the eraser, so that a result tells of all keys also after a crash
};

struct ErasureResult {
  std::string order;
  OrderKind kind = OrderKind::customer;
  std::int64_t time_us = 0;
  std::string who, why;
  bool complete = false;    // nothing was held back
  std::vector<KeyId> keys;  // destroyed by this order, now or in an earlier try; sorted
  std::uint64_t records = 0;
  std::uint64_t lines = 0;  // by this try: an earlier one that a crash ended is not counted
  std::uint64_t files_rewritten = 0, files_removed = 0;
  std::vector<std::string> removed;  // paths, by this order, now or in an earlier try; as the order names them
  std::vector<std::string> held_by;  // names of the holds that kept something; sorted
  std::uint64_t keys_held = 0, records_held = 0, lines_held = 0, files_held = 0;
  std::uint64_t overwrites_failed = 0;  // old bytes let go without being overwritten
  std::vector<std::string> remains;     // sentences: what is still there, for people
};

/// How an eraser goes about it beside a writer of the same files. What is not given is done as if there were none.
struct ErasureRoads {
  /// Runs the part that reads holds and changes keys, vault and orders; nothing else may write them meanwhile.
  std::function<base::Status(const std::function<base::Status()>&)> with_keys;
  /// In place of erase_lines().
  std::function<base::Result<FileErasure>(const std::string& path, const JudgeLine&)> rewrite;
};

class Eraser {
 public:
  /// `vault` may be null: then there are no payloads. Orders lie in `orders_folder`. All must live longer.
  static base::Result<Eraser> open(const std::string& orders_folder, KeyBook& book, Vault* vault, const HoldBook& holds,
                                   ErasureRoads roads = {});

  /// Writes the order, carries it out. After an error the order stays, and resume() goes on with it.
  base::Result<ErasureResult> erase(ErasureOrder order);
  /// Writes the order only, and returns it with its id: another run, which has the vault, carries it out.
  base::Result<ErasureOrder> place(ErasureOrder order);
  /// Orders that were not acknowledged, oldest first. A damaged one is an error that names its file.
  base::Result<std::vector<ErasureOrder>> open_orders() const;
  base::Result<ErasureResult> resume(ErasureOrder order);
  /// The `erase` leaf of this order is durable: its file goes. Also when holds kept something: the order is placed
  /// again when they are released.
  base::Status acknowledge(const std::string& order_id);

  /// Destroys what is past its time: whole scopes of keys with their records, tenant by tenant where a hold keeps some;
  /// and of `files` those whose last day is due. An order, as above.
  base::Result<ErasureResult> apply_retention(const RetentionProfile& profile, std::vector<ErasureFile> files,
                                              std::string who);

 private:
  Eraser(std::string folder, KeyBook& book, Vault* vault, const HoldBook& holds, ErasureRoads roads)
      : folder_(std::move(folder)), book_(&book), vault_(vault), holds_(&holds), roads_(std::move(roads)) {}
  struct Run;
  base::Status write(const ErasureOrder& order) const;
  std::string path_of(const std::string& order_id) const { return folder_ + "/" + order_id + ".order"; }
  base::Status plan_customer(Run& run) const;
  base::Status plan_retention(Run& run) const;
  base::Status destroy(Run& run) const;
  base::Status destroy_planned(Run& run) const;
  base::Status remove_records(Run& run) const;
  base::Status erase_record(Run& run) const;
  base::Status erase_files(Run& run) const;
  base::Result<std::map<KeyScope, std::vector<PlannedKey>>> destroyed_of(const Run& run) const;

  std::string folder_;
  KeyBook* book_;
  Vault* vault_;
  const HoldBook* holds_;
  ErasureRoads roads_;
};

/// What stays readable after a customer is erased; the same list in docs/operate/retention.md. What remains in an
/// engine is for its owner to add.
std::vector<std::string> what_remains();

/// The bytes of an order file and back. `key` is KeyBook::key_for(kOrderPurpose).
inline constexpr std::string_view kOrderPurpose = "erasure orders";
std::string seal_order(const ErasureOrder& order, const Key32& key);
/// What is inside the seal; input error when it is no order.
base::Result<ErasureOrder> parse_order(std::string_view plain);
base::Result<ErasureOrder> open_order(std::string_view bytes, const Key32& key);

}  // namespace stillwatch::ledger
