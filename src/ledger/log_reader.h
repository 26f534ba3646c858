// A log on disk, read: what a client may ask for by C2SP path, entries, and proofs.
//
// Invariant: nothing beyond the published checkpoint is given; every proof is checked against its root before it is
// given, so damage on the disk becomes an error and never a wrong proof. entry(), scan() and find() give what lies on
// the disk; what a judgement rests on is read by proven_entry() and scan_proven(), which hash it. The writer may run in
// another process.
// Threads: refresh() by one; all const members by any number at the same time, but not beside refresh().
// Cost: a tile is one read of a slice; a proof reads at most 2 slices a tile level and hashes them: 0.14 ms of
// processor time in a log of 100 million. An entry is a read of its bundle. Spec: C2SP tlog-tiles, RFC 6962
// section 2.1.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ledger/leaf.h"

namespace stillwatch::ledger {

/// An entry with its inclusion proof: the one belongs to the other.
struct ProvenEntry {
  std::string bytes;
  std::vector<Hash32> proof;
};

class LogReader {
 public:
  /// Environment error when there is no log or no checkpoint, or its signature does not hold.
  static base::Result<LogReader> open(const std::string& folder);
  LogReader(LogReader&&) noexcept;
  LogReader& operator=(LogReader&&) noexcept;
  ~LogReader();

  /// Takes the newest checkpoint.
  base::Status refresh();

  const std::string& folder() const;
  const std::string& origin() const;
  const std::string& vkey() const;
  const std::string& checkpoint() const;  // the signed note
  std::uint64_t size() const;             // that it covers
  Hash32 root() const;
  std::uint64_t index_min() const;  // entries before it are pruned; their hashes are not

  /// Bytes of "checkpoint", "tile/<L>/<N>[.p/<W>]" or "tile/entries/<N>[.p/<W>]". Input error for a path that is not
  /// of this form or names what the checkpoint does not cover or what is pruned; environment error for the disk.
  base::Result<std::string> resource(std::string_view path) const;
  base::Result<std::string> entry(std::uint64_t index) const;
  /// Calls visit(index, entry) for entries [from, to) until it returns false.
  base::Status scan(std::uint64_t from, std::uint64_t to,
                    const std::function<bool(std::uint64_t, std::string_view)>& visit) const;
  /// As scan(), with a hash an entry: environment error at the end when the entries visited are not those that the
  /// checkpoint covers, and then nothing that was seen counts. Also when visit returned false: the rest is hashed only.
  base::Status scan_proven(std::uint64_t from, std::uint64_t to,
                           const std::function<bool(std::uint64_t, std::string_view)>& visit) const;
  /// Index of the query or decision leaf with this id; searched from the newest on, through all bundles. Empty: not
  /// there.
  base::Result<std::optional<std::uint64_t>> find(const Id16& id) const;

  /// In the tree of `tree_size` <= size(); 0 means size().
  base::Result<std::vector<Hash32>> inclusion_proof(std::uint64_t index, std::uint64_t tree_size = 0) const;
  /// The same with the entry, whose hash must be the one that is proven.
  base::Result<ProvenEntry> proven_entry(std::uint64_t index, std::uint64_t tree_size = 0) const;
  base::Result<std::vector<Hash32>> consistency_proof(std::uint64_t old_size, std::uint64_t tree_size = 0) const;
  /// Of the first `tree_size` entries, which the checkpoint's tree continues.
  base::Result<Hash32> root_at(std::uint64_t tree_size) const;

 private:
  struct Impl;
  explicit LogReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

struct PublishCounts {
  std::uint64_t files_written = 0, bytes_written = 0;
};
/// Writes what is new as static files in the C2SP layout (checkpoint last), for any web server. Partial tiles of older
/// checkpoints stay until the full one is there.
base::Result<PublishCounts> publish(const LogReader& reader, const std::string& folder);

}  // namespace stillwatch::ledger
