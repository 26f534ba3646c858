// Signed notes: a text and signature lines below it, and the keys that make and check them.
//
// Invariant: what open_note returns was signed by at least one key given, and by every key given that has a line in it.
// Lines of unknown keys are kept and ignored. No key material is in an error message.
// Threads: const use from any number. Cost: as many verifications as lines of known keys.
// Spec: C2SP signed-note; key text: golang.org/x/mod/sumdb/note.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "crypto/ed25519.h"

namespace stillwatch::tlog {

inline constexpr std::size_t kNoteBytesMax = 1'000'000;   // as Go's reader. Longer: refused
inline constexpr std::size_t kNoteSignaturesMax = 128;    // the specification wants 16 or more. Further: refused
inline constexpr std::size_t kKeyNameBytesMax = 255;      // longer than any host and path in use. Longer: refused
inline constexpr std::size_t kSignatureBytesMax = 4'096;  // ML-DSA-44 has 2,420. Longer: refused
inline constexpr std::size_t kPublicKeyBytesMax = 2'048;  // ML-DSA-44 has 1,312. Longer: refused

/// The byte that says what a key is. Others exist, and are ignored as unknown keys are.
enum class KeyType : std::uint8_t {
  ed25519 = 0x01,
  ecdsa = 0x02,
  cosignature_v1 = 0x04,  // Ed25519 with a time stamp
  ct_tree_head = 0x05,
  ml_dsa_44 = 0x06,
  other = 0xff,
};

/// Not empty, no Unicode space, no control byte, no '+', valid UTF-8, at most kKeyNameBytesMax.
bool is_key_name(std::string_view name);
/// First 4 bytes, big-endian, of SHA-256(name || 0x0A || type || public key).
std::uint32_t key_id(std::string_view name, KeyType type, std::string_view public_key);

/// A public key with its name: `name+hex8(id)+base64(type || key)`.
struct VerifierKey {
  std::string name;
  std::uint32_t id = 0;
  KeyType type = KeyType::ed25519;
  std::string public_key;

  static VerifierKey of(std::string name, KeyType type, const crypto::Ed25519PublicKey& key);
  /// Types without a verifier here are read too; they verify nothing.
  static base::Result<VerifierKey> parse(std::string_view text);
  std::string text() const;
  /// Whether its signatures can be checked here: ed25519 and cosignature_v1.
  bool is_checked() const { return type == KeyType::ed25519 || type == KeyType::cosignature_v1; }
  bool operator==(const VerifierKey&) const = default;
};

/// One signature line.
struct NoteSignature {
  std::string name;
  std::uint32_t id = 0;
  std::string bytes;  // after the key id
  bool is_of(const VerifierKey& key) const { return id == key.id && name == key.name; }
  bool operator==(const NoteSignature&) const = default;
};

struct Note {
  std::string text;  // ends in '\n'
  std::vector<NoteSignature> signatures;
};

/// Splits a note; checks its form and no signature.
base::Result<Note> parse_note(std::string_view bytes);
std::string format_note(const Note& note);
/// "— name base64\n".
std::string format_signature(const NoteSignature& signature);
/// One or more lines and nothing else, as a witness answers.
base::Result<std::vector<NoteSignature>> parse_signature_lines(std::string_view lines);

/// Whether this is the key's signature of the text. A cosignature is one whatever its time; cosignature.h reads that.
bool verify_signature(const VerifierKey& key, std::string_view text, const NoteSignature& signature);
/// The note, with `signatures` reduced to the good ones of known keys, in their order. Fault::check when none is there
/// or one is wrong; Fault::input when it is no note.
base::Result<Note> open_note(std::string_view bytes, std::span<const VerifierKey> known);

/// Makes the signature lines of one key, wherever its secret half is.
class NoteSigner {
 public:
  virtual ~NoteSigner() = default;
  virtual const VerifierKey& verifier_key() const = 0;
  /// Environment error when the place of the key does not answer.
  virtual base::Result<NoteSignature> sign(std::string_view text) const = 0;
};

/// A key of type ed25519 in memory.
class Ed25519NoteSigner final : public NoteSigner {
 public:
  Ed25519NoteSigner(std::string name, const crypto::Ed25519Seed& seed);
  /// `PRIVATE+KEY+name+hex8(id)+base64(0x01 || seed)`.
  static base::Result<Ed25519NoteSigner> parse(std::string_view private_text);
  const VerifierKey& verifier_key() const override { return verifier_key_; }
  base::Result<NoteSignature> sign(std::string_view text) const override;

 private:
  crypto::Ed25519Key key_;
  VerifierKey verifier_key_;
};
/// The text that Ed25519NoteSigner::parse reads. It holds the secret.
std::string private_key_text(std::string_view name, const crypto::Ed25519Seed& seed);

}  // namespace stillwatch::tlog
