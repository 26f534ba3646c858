// The private half of anchors: the manifest and the salt behind each anchor leaf, in files beside the anchor log.
//
// Invariant: a manifest is on the disk before its leaf is. What is read for a leaf hashes to that leaf's m.
// Files `manifests-<n>` in <ledger>/manifests/<anchor log>/, kManifestsAFile indexes each, are records in order:
// big-endian u32 length of what follows, big-endian u64 index, 32 bytes salt, the manifest's bytes; no bytes: the same
// as in the record before. A leaf that was not written after its manifest leaves a record that nothing points to.
// Threads: one writer; readers anywhere. Cost: one fdatasync an anchor; 44 bytes when no shard has moved.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "ledger/anchor.h"

namespace stillwatch::audit {

inline constexpr std::uint64_t kManifestsAFile = 8'640;  // a day of anchors of 10 s

struct Manifest {
  ledger::Hash32 salt{};
  std::string text;
};

class ManifestStore {
 public:
  explicit ManifestStore(std::string folder) : folder_(std::move(folder)) {}
  ManifestStore(ManifestStore&& other) noexcept;
  ManifestStore& operator=(ManifestStore&& other) noexcept;
  ~ManifestStore() { close(); }

  /// Durable when it returns. A half record that a crash left at the end of the file is cut off first.
  base::Status append(std::uint64_t index, const Manifest& manifest);

 private:
  base::Status open_file(std::uint64_t number);
  void close();

  std::string folder_;
  int file_ = -1;
  std::uint64_t number_ = 0, end_ = 0;
  std::string last_;  // manifest of the last record; empty: none in this file
};

/// All whole records in the bytes of one file, until visit returns false. Gives the bytes that they take.
std::size_t scan_manifest_file(std::string_view bytes,
                               const std::function<bool(std::uint64_t index, const Manifest&)>& visit);
/// The manifest of the leaf at `index` with this m. Check error when there is none that hashes to it.
base::Result<Manifest> find_manifest(const std::string& folder, std::uint64_t index, const ledger::Hash32& m);
/// All records from `index` on, in order, until visit returns false. Stops at a half record.
base::Status scan_manifests(const std::string& folder, std::uint64_t index,
                            const std::function<bool(std::uint64_t index, const Manifest&)>& visit);

}  // namespace stillwatch::audit
