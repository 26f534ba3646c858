// Checkpoints: the size and root of a log, signed.
//
// Invariant: one checkpoint has one text. What open_checkpoint returns was signed by the log's key.
// Threads: pure functions. Cost: one signature or verification. Spec: C2SP tlog-checkpoint.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "tlog/hash.h"
#include "tlog/note.h"

namespace stillwatch::tlog {

struct Checkpoint {
  std::string origin;  // the log's name: URL without scheme. A key name too
  std::uint64_t size = 0;
  Hash root = empty_root();
  std::string extensions;  // further lines, each with its '\n'; not recommended
  bool operator==(const Checkpoint&) const = default;
};

/// "origin\nsize\nroot\n" and extension lines: what is signed.
std::string checkpoint_text(const Checkpoint& checkpoint);
/// Size without sign or leading zeros below 2^63, root canonical, extension lines not empty. Whether the root is the
/// tree's, also for size 0, is for proofs to show.
base::Result<Checkpoint> parse_checkpoint_text(std::string_view text);

/// The whole note with the log's signature.
base::Result<std::string> sign_checkpoint(const Checkpoint& checkpoint, const NoteSigner& signer);
/// Checks the signature of the log's key, and that its name is the origin. Cosignatures are not looked at.
base::Result<Checkpoint> open_checkpoint(std::string_view note, const VerifierKey& log_key);
/// The checkpoint of a note without checking a signature, for looking up which log it is of.
base::Result<Checkpoint> read_checkpoint_unchecked(std::string_view note);

/// The note with further signature lines at its end. A line of the same name and key id is replaced.
base::Result<std::string> add_signatures(std::string_view note, std::span<const NoteSignature> signatures);

}  // namespace stillwatch::tlog
