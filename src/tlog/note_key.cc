// Keys of notes as text: public (vkey) and private.
#include <cstring>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/base64.h"
#include "base/json_text.h"
#include "crypto/sha256.h"
#include "tlog/note.h"

namespace stillwatch::tlog {
namespace {

constexpr std::string_view kPrivatePrefix = "PRIVATE+KEY+";
constexpr std::size_t kIdDigits = 8;

// Unicode's White_Space, as Go's unicode.IsSpace has it; all are at most 3 bytes of UTF-8.
bool is_space(std::string_view character) {
  static constexpr std::string_view kSpaces[] = {"\t",     "\n",     "\v",     "\f",     "\r",     " ",      "\u0085",
                                                 "\u00A0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004",
                                                 "\u2005", "\u2006", "\u2007", "\u2008", "\u2009", "\u200A", "\u2028",
                                                 "\u2029", "\u202F", "\u205F", "\u3000"};
  for (const std::string_view space : kSpaces)
    if (character == space) return true;
  return false;
}

std::optional<std::uint32_t> parse_id(std::string_view digits) {
  std::uint32_t id = 0;
  for (const char digit : digits) {
    const int value = digit >= '0' && digit <= '9' ? digit - '0' : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
    if (value < 0) return std::nullopt;
    id = id << 4 | static_cast<std::uint32_t>(value);
  }
  return digits.size() == kIdDigits ? std::optional(id) : std::nullopt;
}

// name+id+base64, which is common to both kinds of key. The bytes include the type.
struct KeyText {
  std::string_view name;
  std::uint32_t id;
  std::vector<std::uint8_t> bytes;
};
std::optional<KeyText> split_key(std::string_view text) {
  const std::size_t first = text.find('+');
  if (first == std::string_view::npos) return std::nullopt;
  const std::size_t second = text.find('+', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  const auto id = parse_id(text.substr(first + 1, second - first - 1));
  const std::string_view encoded = text.substr(second + 1);
  if (!id || !is_key_name(text.substr(0, first)) || encoded.size() > (1 + kPublicKeyBytesMax) / 3 * 4 + 4) {
    return std::nullopt;
  }
  auto bytes = base::base64_decode(encoded);
  if (!bytes || bytes->size() < 2 || bytes->size() > 1 + kPublicKeyBytesMax) return std::nullopt;
  return KeyText{text.substr(0, first), *id, std::move(*bytes)};
}

std::string key_text(std::string_view name, std::uint32_t id, KeyType type, std::span<const std::uint8_t> bytes) {
  std::vector<std::uint8_t> typed{static_cast<std::uint8_t>(type)};
  typed.insert(typed.end(), bytes.begin(), bytes.end());
  std::string text = fmt::format("{}+{:08x}+{}", name, id, base::base64_encode(typed));
  crypto::wipe(typed);
  return text;
}

// Types whose id is the hash of name, type and key. An ECDSA id is of the key alone, and others may be anything.
bool has_usual_id(KeyType type) {
  return type == KeyType::ed25519 || type == KeyType::cosignature_v1 || type == KeyType::ml_dsa_44;
}

}  // namespace

bool is_key_name(std::string_view name) {
  if (name.empty() || name.size() > kKeyNameBytesMax) return false;
  while (!name.empty()) {
    const std::size_t length = base::utf8_length(name);
    if (length == 0) return false;
    const auto first = static_cast<unsigned char>(name.front());
    if (first < 0x20 || first == '+' || is_space(name.substr(0, length))) return false;
    name.remove_prefix(length);
  }
  return true;
}

std::uint32_t key_id(std::string_view name, KeyType type, std::string_view public_key) {
  crypto::Sha256 hash;
  const char type_byte = static_cast<char>(type);
  hash.update(name);
  hash.update("\n");
  hash.update({&type_byte, 1});
  hash.update(public_key);
  const crypto::Sha256Digest digest = hash.finish();
  return std::uint32_t{digest[0]} << 24 | std::uint32_t{digest[1]} << 16 | std::uint32_t{digest[2]} << 8 | digest[3];
}

VerifierKey VerifierKey::of(std::string name, KeyType type, const crypto::Ed25519PublicKey& key) {
  STILLWATCH_ASSERT(is_key_name(name));
  std::string bytes(key.begin(), key.end());
  const std::uint32_t id = key_id(name, type, bytes);
  return {std::move(name), id, type, std::move(bytes)};
}

base::Result<VerifierKey> VerifierKey::parse(std::string_view text) {
  const auto parts = split_key(text);
  if (!parts) {
    return base::fail(base::Fault::input, "this is no verifier key: it should be name+8 hex digits+base64 of the key");
  }
  VerifierKey key{std::string(parts->name), parts->id, static_cast<KeyType>(parts->bytes[0]),
                  std::string(parts->bytes.begin() + 1, parts->bytes.end())};
  if (key.is_checked() && key.public_key.size() != sizeof(crypto::Ed25519PublicKey)) {
    return base::fail(base::Fault::input, fmt::format("the verifier key of {} has not 32 bytes", key.name));
  }
  if (has_usual_id(key.type) && key.id != key_id(key.name, key.type, key.public_key)) {
    return base::fail(base::Fault::input,
                      fmt::format("the verifier key of {} does not belong to its id: copy it again", key.name));
  }
  return key;
}

std::string VerifierKey::text() const {
  return key_text(name, id, type, {reinterpret_cast<const std::uint8_t*>(public_key.data()), public_key.size()});
}

base::Result<Ed25519NoteSigner> Ed25519NoteSigner::parse(std::string_view private_text) {
  const auto fault = [] { return base::fail(base::Fault::input, "this is no Ed25519 private key of a note"); };
  if (!private_text.starts_with(kPrivatePrefix)) return fault();
  auto parts = split_key(private_text.substr(kPrivatePrefix.size()));
  if (!parts) return fault();
  if (parts->bytes.size() != 1 + crypto::kEd25519SeedBytes ||
      parts->bytes[0] != static_cast<std::uint8_t>(KeyType::ed25519)) {
    crypto::wipe(parts->bytes);
    return fault();
  }
  crypto::Ed25519Seed seed;
  std::memcpy(seed.writable().data(), parts->bytes.data() + 1, crypto::kEd25519SeedBytes);
  crypto::wipe(parts->bytes);
  Ed25519NoteSigner signer(std::string(parts->name), seed);
  if (signer.verifier_key().id != parts->id) return fault();
  return signer;
}

std::string private_key_text(std::string_view name, const crypto::Ed25519Seed& seed) {
  const VerifierKey key = VerifierKey::of(std::string(name), KeyType::ed25519, crypto::Ed25519Key(seed).public_key());
  return std::string(kPrivatePrefix) + key_text(name, key.id, KeyType::ed25519, seed.view());
}

}  // namespace stillwatch::tlog
