// Cosignatures: what a witness signs when it has seen a checkpoint, with the time.
//
// Invariant: a cosignature covers the whole text of the checkpoint and the time; a witness signs none that is
// inconsistent with one that it signed before (its keeper sees to that, not this file).
// Threads: const use from any number. Cost: one signature or verification. Spec: C2SP tlog-cosignature, version 1
// (Ed25519). The newer ML-DSA-44 type is ignored, as the specification has it for unknown keys.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "tlog/note.h"

namespace stillwatch::tlog {

/// "cosignature/v1\ntime <seconds>\n" and the text: what is signed.
std::string cosigned_message(std::string_view checkpoint_text, std::uint64_t unix_s);

/// Seconds since 1970 in a cosignature, not checked; nothing when it is none.
std::optional<std::uint64_t> cosignature_time(const NoteSignature& signature);
/// The time, when it is this witness's cosignature of the text.
std::optional<std::uint64_t> verify_cosignature(const VerifierKey& witness, std::string_view checkpoint_text,
                                                const NoteSignature& signature);

/// Makes cosignatures with one witness's key, wherever its secret half is.
class Cosigner {
 public:
  virtual ~Cosigner() = default;
  virtual const VerifierKey& verifier_key() const = 0;
  virtual base::Result<NoteSignature> cosign(std::string_view checkpoint_text, std::uint64_t unix_s) const = 0;
};

/// A key of type cosignature_v1 in memory.
class Ed25519Cosigner final : public Cosigner {
 public:
  Ed25519Cosigner(std::string name, const crypto::Ed25519Seed& seed);
  const VerifierKey& verifier_key() const override { return verifier_key_; }
  base::Result<NoteSignature> cosign(std::string_view checkpoint_text, std::uint64_t unix_s) const override;

 private:
  crypto::Ed25519Key key_;
  VerifierKey verifier_key_;
};

}  // namespace stillwatch::tlog
