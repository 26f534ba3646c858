// Ciphertexts on disk, one after another in files by class and day.
//
// Invariant: a file only grows, except where a ciphertext is overwritten with zeros; a place that was given out stays
// valid until then. Threads: one writer; read() and overwrite() from any. Cost: a copy into memory, one write a file
// and batch. Format: docs/reference/ledger-files.md.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ledger/durable_files.h"
#include "ledger/key_book.h"

namespace stillwatch::ledger {

struct PackPlace {
  KeyScope scope;
  std::uint32_t number = 0;
  std::uint64_t offset = 0;
  std::uint32_t bytes = 0;
};

class PackFiles {
 public:
  explicit PackFiles(std::string folder) : folder_(std::move(folder)) {}

  /// Bytes that wait to be written to the scope's last file: a ciphertext is appended to them. The reference holds
  /// until the next call.
  base::Result<std::string*> tail(const KeyScope& scope);
  /// Where what was appended to the tail since it had `size_before` bytes will be.
  PackPlace place(const KeyScope& scope, std::size_t size_before) const;
  std::uint64_t bytes_waiting() const;
  /// Writes what waits for a scope once it is a good portion: small enough to be in the processor's cache still.
  base::Status write_portion(const KeyScope& scope);
  /// After an error it can be called again; what was given out stays right.
  base::Status write();
  base::Status sync();

  base::Result<std::string> read(const PackPlace& place) const;
  /// Zeros in place of the ciphertexts, synced, and their blocks given back where the file system can. How many could
  /// not be overwritten.
  base::Result<std::uint64_t> overwrite(std::vector<PackPlace> places) const;
  /// Removes all files of a scope.
  base::Status remove(const KeyScope& scope);
  std::string path_of(const KeyScope& scope, std::uint32_t number) const;

 private:
  struct Writer {
    AppendFile file;
    std::uint32_t number;
    std::string waiting;
    bool unsynced;
    std::uint64_t used;
    base::Status write();
  };
  base::Result<Writer> open_writer(const KeyScope& scope) const;
  std::vector<std::uint32_t> numbers_of(const KeyScope& scope) const;

  std::string folder_;
  std::map<KeyScope, Writer> writers_;
  std::uint64_t uses_ = 0;
};

}  // namespace stillwatch::ledger
