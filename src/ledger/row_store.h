// Small rows in RocksDB: keys and values of bytes, written in batches.
//
// Invariant: a batch is written whole or not at all; exceptions and types of the library stop in the .cc file.
// Threads: put() and write() under one lock; everything else from any. Cost: about 2-3 µs a row, compaction included.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace stillwatch::ledger {

class RowStore {
 public:
  static base::Result<std::unique_ptr<RowStore>> open(const std::string& folder, bool read_only);
  ~RowStore();
  RowStore(const RowStore&) = delete;
  RowStore& operator=(const RowStore&) = delete;

  /// Into the batch.
  void put(std::string_view key, std::string_view value);
  void remove(std::string_view key);
  void remove_prefix(std::string_view prefix);
  bool has_batch() const;
  /// The batch, durable when `sync`. After an error it stays, and can be written again.
  base::Status write(bool sync);

  base::Result<std::optional<std::string>> get(std::string_view key) const;
  /// In order of the keys, until `visit` says no.
  base::Status each(std::string_view prefix,
                    const std::function<bool(std::string_view key, std::string_view value)>& visit) const;
  /// Rewrites the files that have keys with these prefixes, or all, so that nothing removed is in them any more.
  base::Status compact(const std::vector<std::string>& prefixes, bool all);
  /// The checksums of all files.
  base::Status verify() const;

 private:
  struct State;
  explicit RowStore(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace stillwatch::ledger
