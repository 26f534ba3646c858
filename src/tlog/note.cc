#include "tlog/note.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "base/base64.h"
#include "base/json_text.h"
#include "tlog/cosignature.h"
#include "tlog/lines.h"

namespace stillwatch::tlog {
namespace {

constexpr std::string_view kDash = "\u2014 ";
constexpr std::size_t kKeyIdBytes = 4;

tl::unexpected<base::Error> no_note(std::string_view what) {
  return base::fail(base::Fault::input, fmt::format("this is no signed note: {}", what));
}

std::uint32_t big_endian_32(std::string_view bytes) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < kKeyIdBytes; ++i) number = number << 8 | static_cast<std::uint8_t>(bytes[i]);
  return number;
}

// UTF-8 without control characters but the newline.
bool is_note_text(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto first = static_cast<unsigned char>(bytes.front());
    if (first < 0x20 && first != '\n') return false;
    const std::size_t length = base::utf8_length(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

base::Result<NoteSignature> parse_signature(std::string_view line) {
  if (!line.starts_with(kDash)) return no_note("a signature line does not begin with a dash");
  line.remove_prefix(kDash.size());
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return no_note("a signature line has no signature");
  const std::string_view name = line.substr(0, space), text = line.substr(space + 1);
  if (!is_key_name(name)) return no_note("a signature line has no name that a key can have");
  if (text.size() > (kSignatureBytesMax + kKeyIdBytes) / 3 * 4 + 4) return no_note("a signature is too long");
  const auto bytes = base::base64_decode(text);
  if (!bytes || bytes->size() <= kKeyIdBytes || bytes->size() > kKeyIdBytes + kSignatureBytesMax) {
    return no_note("a signature is not base64 of a key id and a signature");
  }
  const std::string_view blob(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  return NoteSignature{std::string(name), big_endian_32(blob), std::string(blob.substr(kKeyIdBytes))};
}

}  // namespace

base::Result<std::vector<NoteSignature>> parse_signature_lines(std::string_view lines) {
  if (lines.size() > kNoteBytesMax) return no_note("it is too long");
  if (lines.empty() || lines.back() != '\n') return no_note("the last signature line does not end");
  std::vector<NoteSignature> signatures;
  for (std::string_view line; take_line(lines, line);) {
    if (signatures.size() == kNoteSignaturesMax) return no_note("it has too many signatures");
    STILLWATCH_TRY(signature, parse_signature(line));
    signatures.push_back(std::move(signature));
  }
  return signatures;
}

base::Result<Note> parse_note(std::string_view bytes) {
  if (bytes.size() > kNoteBytesMax) return no_note("it is too long");
  if (!is_note_text(bytes)) return no_note("it is not UTF-8, or has control characters");
  const std::size_t split = bytes.rfind("\n\n");
  if (split == std::string_view::npos) return no_note("no empty line divides text and signatures");
  STILLWATCH_TRY(signatures, parse_signature_lines(bytes.substr(split + 2)));
  return Note{std::string(bytes.substr(0, split + 1)), std::move(signatures)};
}

std::string format_signature(const NoteSignature& signature) {
  std::vector<std::uint8_t> blob;
  blob.reserve(kKeyIdBytes + signature.bytes.size());
  for (int shift = 24; shift >= 0; shift -= 8) blob.push_back(static_cast<std::uint8_t>(signature.id >> shift));
  blob.insert(blob.end(), signature.bytes.begin(), signature.bytes.end());
  return fmt::format("{}{} {}\n", kDash, signature.name, base::base64_encode(blob));
}

std::string format_note(const Note& note) {
  std::string bytes = note.text + "\n";
  for (const NoteSignature& signature : note.signatures) bytes += format_signature(signature);
  return bytes;
}

bool verify_signature(const VerifierKey& key, std::string_view text, const NoteSignature& signature) {
  if (!signature.is_of(key)) return false;
  if (key.type == KeyType::cosignature_v1) return verify_cosignature(key, text, signature).has_value();
  crypto::Ed25519PublicKey public_key;
  crypto::Ed25519Signature bytes;
  if (key.type != KeyType::ed25519 || key.public_key.size() != public_key.size() ||
      signature.bytes.size() != bytes.size()) {
    return false;
  }
  std::memcpy(public_key.data(), key.public_key.data(), public_key.size());
  std::memcpy(bytes.data(), signature.bytes.data(), bytes.size());
  return crypto::ed25519_verify(public_key, text, bytes);
}

base::Result<Note> open_note(std::string_view bytes, std::span<const VerifierKey> known) {
  STILLWATCH_TRY(note, parse_note(bytes));
  std::vector<NoteSignature> good;
  for (NoteSignature& signature : note.signatures) {
    // Two keys can share name and id, which is short: the line must be of one of them.
    bool is_known = false, is_good = false;
    for (const VerifierKey& key : known) {
      if (!key.is_checked() || !signature.is_of(key)) continue;
      is_known = true;
      is_good = is_good || verify_signature(key, note.text, signature);
    }
    if (is_known && !is_good) {
      return base::fail(base::Fault::check,
                        fmt::format("the signature of {} is wrong: do not trust this note", signature.name));
    }
    if (is_good) good.push_back(std::move(signature));
  }
  if (good.empty()) return base::fail(base::Fault::check, "no known key signed this note: do not trust it");
  note.signatures = std::move(good);
  return note;
}

Ed25519NoteSigner::Ed25519NoteSigner(std::string name, const crypto::Ed25519Seed& seed)
    : key_(seed), verifier_key_(VerifierKey::of(std::move(name), KeyType::ed25519, key_.public_key())) {}

base::Result<NoteSignature> Ed25519NoteSigner::sign(std::string_view text) const {
  const crypto::Ed25519Signature bytes = key_.sign(text);
  return NoteSignature{verifier_key_.name, verifier_key_.id, std::string(bytes.begin(), bytes.end())};
}

}  // namespace stillwatch::tlog
