#include "crypto/keyed_hash.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

#include "base/assert.h"
#include "crypto/key_set.h"

namespace stillwatch::crypto {
namespace {

std::uint64_t siphash(const std::uint8_t* key, std::string_view bytes) {
  std::uint8_t out[crypto_shorthash_BYTES];
  crypto_shorthash(out, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(), key);
  std::uint64_t value;
  std::memcpy(&value, out, sizeof value);
  return value;
}

}  // namespace

KeyedHash::KeyedHash(std::span<const std::uint8_t, kSecretBytes> secret) {
  STILLWATCH_ASSERT(sodium_init() >= 0);
  static_assert(kSecretBytes == crypto_kdf_KEYBYTES);
  for (std::size_t domain = 0; domain < kDomains; ++domain) {
    crypto_kdf_derive_from_key(keys_[domain].data(), keys_[domain].size(), domain + 1, "swtokens", secret.data());
  }
  std::array<std::uint8_t, 16> name;
  crypto_kdf_derive_from_key(name.data(), name.size(), 0, "swsecret", secret.data());
  std::memcpy(&secret_id_, name.data(), sizeof secret_id_);
}

base::Token KeyedHash::operator()(Domain domain, std::string_view bytes) const {
  const std::uint64_t value = siphash(keys_[static_cast<std::size_t>(domain)].data(), bytes);
  return value == 0 ? 1 : value;
}

base::Result<Secret> load_or_create_secret(const std::string& path) {
  STILLWATCH_ASSERT(sodium_init() >= 0);
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) {
    STILLWATCH_TRY(keys, load_key_set(path));
    return keys.current;
  }
  const auto parent = std::filesystem::path(path).parent_path();
  std::error_code code;
  if (!parent.empty()) std::filesystem::create_directories(parent, code);
  Secret secret;
  randombytes_buf(secret.data(), secret.size());
  char hex[2 * KeyedHash::kSecretBytes + 2];
  sodium_bin2hex(hex, sizeof hex, secret.data(), secret.size());
  hex[2 * KeyedHash::kSecretBytes] = '\n';
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  const std::size_t length = 2 * KeyedHash::kSecretBytes + 1;
  if (file < 0 || ::write(file, hex, length) != static_cast<ssize_t>(length) || ::fsync(file) != 0) {
    const int reason = errno;
    if (file >= 0) ::close(file);
    return base::fail(base::Fault::environment,
                      fmt::format("cannot create the deployment secret {}: {}; name a writable place with --secret",
                                  path, std::strerror(reason)));
  }
  ::close(file);
  return secret;
}

}  // namespace stillwatch::crypto
