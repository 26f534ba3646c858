// An evidence bundle: what a case rests on, with proofs that programs check which we did not write.
//
// Invariant: the same input gives the same bytes; manifest.json has the SHA-256 of every file but itself and those
// under export/, and the `export` leaf under export/ has the SHA-256 of manifest.json, under the log's signature. So no
// byte can be changed without a command of VERIFY.md failing. Nothing is in it that the input does not hold. Threads:
// pure functions. Cost: one SHA-256 and one copy of all bytes. Layout: docs/reference/audit-log.md, "Evidence bundle".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "crypto/sha256.h"

namespace stillwatch::report {

inline constexpr std::size_t kEvidenceEntriesMax = 100'000;  // a file and a proof each. More: caller error
inline constexpr std::uint64_t kEvidenceBytesMax = std::uint64_t{4} << 30;  // held in memory. More: caller error

struct EvidenceFile {
  std::string path;  // relative, of [A-Za-z0-9._/-]
  std::string bytes;
};

/// A log that entries come from.
struct EvidenceLog {
  std::string name;  // of its folder: "shard-s00-2026-11", "anchor-2026"
  std::string origin, vkey;
  std::string checkpoint;    // the signed note that the proofs lead to; of an anchor log with cosignatures
  bool is_anchor = false;    // it holds anchor leaves
  bool is_anchored = false;  // the checkpoint stands in one of the manifests
};

struct EvidenceEntry {
  std::string log;  // EvidenceLog::name
  std::uint64_t index = 0;
  std::string bytes;  // the leaf
  std::string proof;  // text of the .tlog-proof
};

/// What an anchor leaf commits to: checkpoints of logs. The leaf itself is an entry.
struct EvidenceManifest {
  std::string anchor;  // EvidenceLog::name
  std::uint64_t index = 0;
  std::string text, salt;
  std::vector<std::string> logs;  // names of those whose checkpoint stands in it
};

/// An RFC 3161 time stamp of a checkpoint of an anchor log.
struct EvidenceStamp {
  std::string name;    // of the authority
  std::string anchor;  // EvidenceLog::name
  std::uint64_t index = 0;
  std::string stamped;  // the note that was stamped
  std::string proof;    // of the anchor leaf at `index` in that note
  std::string reply;    // DER
  std::string ca_pem;   // the authorities that its signer leads to
};

/// What somebody asked for in clear, with what proves that it is what the leaf commits to.
struct EvidencePayload {
  std::string log;  // of the query leaf
  std::uint64_t index = 0;
  std::string plaintext;  // the bytes that the commitment is over
  std::string salt;       // 32 bytes
};

/// One line of custody.jsonl.
struct CustodyStep {
  std::int64_t time_ms = 0;
  std::string who, what, source;
  std::string before, after;  // SHA-256 in hexadecimal of what was read and what came of it; empty: none
};

struct EvidenceInput {
  std::string case_id, operator_name, reason;
  std::int64_t time_ms = 0;
  std::string tool_version, tool_sha256;
  std::vector<EvidenceLog> logs;
  std::string export_origin;  // of the log that the export leaf goes to; its key is in `policy`
  std::vector<EvidenceEntry> entries;
  std::vector<EvidenceManifest> manifests;
  std::vector<EvidenceStamp> stamps;
  std::vector<EvidencePayload> payloads;
  std::vector<CustodyStep> custody;
  std::vector<std::string> gaps;          // what of this case is missing: sentences
  std::string policy;                     // tlog-policy: the logs' keys, the witnesses, the quorum
  std::string case_page;                  // case.html
  std::string checker_source;             // Go source of the checker; empty: VERIFY.md says where to get it
  std::vector<EvidenceFile> attachments;  // further files of the case: its campaign's and members' lines
};

struct EvidenceBundle {
  std::vector<EvidenceFile> files;         // sorted by path
  crypto::Sha256Digest manifest_sha256{};  // what the `export` leaf says
};

/// Everything but the files under export/.
base::Result<EvidenceBundle> make_evidence(const EvidenceInput& input);
/// Adds the export leaf and its proof, which are made when the bundle's hash is known.
base::Status add_export(EvidenceBundle& bundle, const EvidenceEntry& entry);

/// A folder that must not exist yet, complete or absent.
base::Status write_evidence_folder(const EvidenceBundle& bundle, const std::string& path);
/// One POSIX ustar archive below a folder `name`; every time in it is `time_ms`.
base::Result<std::string> evidence_tar(const EvidenceBundle& bundle, std::string_view name, std::int64_t time_ms);

}  // namespace stillwatch::report
