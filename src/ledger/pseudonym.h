// Names of tenants and accounts in leaves, and commitments to record lines: keyed by the tenant's key of the month, so
// that destroying the key unlinks them for good.
//
// Invariant: the same name in the same month gives the same text while the key lives; without the key nobody can link
// or check anything. Threads: any number. Cost: about 1 µs a value (HMAC-SHA256); the key is looked up once a tenant
// and month. Spec: docs/reference/ledger-files.md, section Pseudonyms.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "ledger/key_book.h"

namespace stillwatch::ledger {

/// The names of one tenant in one month. Whoever keeps one lets go of it when KeyBook::generation() has grown. When the
/// tenant's key was destroyed, or there is none to look up, every value is drawn at random: a leaf can still be
/// written, and nobody can link or check it.
class Pseudonyms {
 public:
  /// A key is made when there is none yet: call KeyBook::sync() before a leaf with these names is appended.
  static base::Result<Pseudonyms> obtain(KeyBook& book, std::string_view tenant, std::int64_t time_us);
  /// For checking: as obtain(), but never makes a key.
  static base::Result<Pseudonyms> look_up(KeyBook& book, std::string_view tenant, std::int64_t time_us);

  /// False: the values are random, and fate() says why.
  bool are_live() const { return key_.is_live(); }
  const KeyFate& fate() const { return key_.fate; }

  /// `tn` and `ak` of a leaf.
  const Id16& tenant() const { return tenant_; }
  Id16 account(std::string_view account) const;
  /// `rc`: the commitment to the record's line in the query log, without its newline.
  Hash32 record_commitment(std::string_view line) const;
  /// `vh` of a decision leaf: the same for a verdict line.
  Hash32 verdict_commitment(std::string_view line) const;
  /// The id of a leaf made by a replay: the same for the same record. Gone with the key, like the rest.
  Id16 leaf_id(std::string_view record_id) const;

 private:
  Pseudonyms(KeyAnswer key, std::string_view tenant);
  Id16 name(std::string_view domain, std::string_view text) const;
  Hash32 commitment(std::string_view domain, std::string_view line) const;
  KeyAnswer key_;
  Id16 tenant_;
};

}  // namespace stillwatch::ledger
