// What a witness keeps on the disk: its key, and the newest cosigned checkpoint of each log.
//
// Invariant: a checkpoint is replaced only when the file still holds the one that it was checked against; when
// replace() has returned well, a crash finds the new one. One process a folder (a lock).
// Files: `key` (mode 0600, a Go note private key), `logs/<hexadecimal SHA-256 of the origin>` (the cosigned note).
// Threads: one user at a time. Cost: two fsyncs a replacement. Spec: C2SP tlog-witness, add-checkpoint.
#pragma once

#include <string>
#include <string_view>

#include "base/folder_lock.h"
#include "base/result.h"
#include "ledger/witness.h"

namespace stillwatch::audit {

class WitnessFolder final : public ledger::WitnessStore {
 public:
  /// Makes the folder and a key when there is none. Environment error when another process has it, or the key cannot
  /// be read; caller error when the key has another name.
  static base::Result<std::unique_ptr<WitnessFolder>> open(const std::string& folder, const std::string& name);

  /// For the first caller only.
  std::unique_ptr<tlog::Cosigner> take_cosigner() { return std::move(cosigner_); }

  base::Result<std::string> load(const std::string& origin) override;
  base::Status replace(const std::string& origin, std::string_view expected, std::string_view note) override;

 private:
  WitnessFolder(std::string folder, base::FolderLock lock, std::unique_ptr<tlog::Cosigner> cosigner)
      : folder_(std::move(folder)), lock_(std::move(lock)), cosigner_(std::move(cosigner)) {}

  std::string folder_;
  base::FolderLock lock_;
  std::unique_ptr<tlog::Cosigner> cosigner_;
};

}  // namespace stillwatch::audit
