#include "ledger/log_keys.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include "base/base64.h"
#include "base/files.h"
#include "crypto/secret_bytes.h"
#include "ledger/disk_file.h"
#include "tlog/note.h"

namespace stillwatch::ledger {
namespace {

constexpr std::uint64_t kSeedFileBytesMax = 1'024;

// A text with a secret in it, wiped at its end.
struct SecretText {
  std::string text;
  ~SecretText() { crypto::wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()}); }
};

base::Status wrong(const std::string& path, std::string_view why) {
  return base::fail(base::Fault::environment, fmt::format("{} {}", path, why));
}

}  // namespace

base::Status write_seed(const std::string& path, std::string_view origin, const KeySeed& seed) {
  if (has_seed(path)) return base::fail(base::Fault::caller, fmt::format("{} is there already", path));
  SecretText secret{tlog::private_key_text(origin, seed)};
  secret.text.reserve(secret.text.size() + 1);  // no copy of it left behind
  secret.text += '\n';
  return put_file(path, secret.text, true, 0600);
}

base::Result<KeySeed> read_seed(const std::string& path, std::string_view origin) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return base::fail(call_error("read", path, errno));
  if ((facts.st_mode & 077U) != 0) {
    STILLWATCH_CHECK(wrong(path, "can be read by others; set its mode to 0600, and think of the key as known"));
  }
  STILLWATCH_TRY(text, base::read_file(path, kSeedFileBytesMax));
  SecretText secret{std::move(text)};
  const std::size_t plus = secret.text.rfind('+');
  if (!secret.text.ends_with('\n') || plus == std::string::npos) STILLWATCH_CHECK(wrong(path, "is no key of a log"));
  // Base64 has '+' too: the last field begins where its 44 characters do.
  constexpr std::size_t kFieldBytes = 44;
  KeySeed seed;
  const std::size_t end = secret.text.size() - 1;
  auto bytes = end < kFieldBytes
                   ? std::nullopt
                   : base::base64_decode(std::string_view(secret.text).substr(end - kFieldBytes, kFieldBytes));
  if (!bytes || bytes->size() != crypto::kEd25519SeedBytes + 1) STILLWATCH_CHECK(wrong(path, "is no key of a log"));
  std::copy(bytes->begin() + 1, bytes->end(), seed.writable().begin());
  crypto::wipe(*bytes);
  SecretText again{tlog::private_key_text(origin, seed) + "\n"};
  if (again.text != secret.text) STILLWATCH_CHECK(wrong(path, "is not the key of " + std::string(origin)));
  return seed;
}

base::Status destroy_seed(const std::string& path) {
  if (!has_seed(path)) return {};
  {
    STILLWATCH_TRY(file, DiskFile::open(path, DiskFile::Use::write));
    STILLWATCH_TRY(size, file.size());
    STILLWATCH_CHECK(file.write_at(0, std::string(std::min(size, kSeedFileBytesMax), '\0')));
    STILLWATCH_CHECK(file.sync());
  }
  STILLWATCH_CHECK(remove_file(path));
  return sync_folder(folder_of(path));
}

bool has_seed(const std::string& path) { return file_exists(path); }

std::string vkey_of(std::string_view origin, const KeySeed& seed) {
  return tlog::Ed25519NoteSigner(std::string(origin), seed).verifier_key().text();
}

}  // namespace stillwatch::ledger
