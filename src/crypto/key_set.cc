#include "crypto/key_set.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/event_time.h"
#include "base/files.h"

namespace stillwatch::crypto {
namespace {

using base::Fault;

constexpr std::string_view kPrevious = "previous ";
constexpr std::size_t kHexDigits = 2 * KeyedHash::kSecretBytes;

tl::unexpected<base::Error> malformed(const std::string& path) {
  return base::fail(Fault::environment,
                    fmt::format("{} does not hold a deployment secret (64 hexadecimal digits, and after a rotation a "
                                "line with the previous one); restore it from a backup",
                                path));
}

bool read_hex(std::string_view text, Secret& out) {
  std::size_t length = 0;
  return text.size() == kHexDigits &&
         sodium_hex2bin(out.data(), out.size(), text.data(), text.size(), nullptr, &length, nullptr) == 0 &&
         length == out.size();
}

std::string hex_of(const Secret& secret) {
  char hex[kHexDigits + 1];
  sodium_bin2hex(hex, sizeof hex, secret.data(), secret.size());
  std::string text(hex, kHexDigits);
  sodium_memzero(hex, sizeof hex);
  return text;
}

// The lines of the file without their ends; at most two.
bool split(std::string_view text, std::string_view& first, std::string_view& second) {
  const auto cut = [&](std::string_view& line) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  };
  cut(first);
  cut(second);
  return text.find_first_not_of("\r\n") == std::string_view::npos;
}

base::Status write_key_set(const std::string& path, const KeySet& keys) {
  std::string text = hex_of(keys.current) + "\n";
  if (keys.previous) {
    text += fmt::format("{}{} {}\n", kPrevious, hex_of(*keys.previous), base::format_time(keys.rotated_us));
  }
  STILLWATCH_TRY(file, base::AtomicFile::create(path, 0600));
  STILLWATCH_CHECK(file.write(text));
  sodium_memzero(text.data(), text.size());
  return file.commit();
}

}  // namespace

base::Result<KeySet> load_key_set(const std::string& path) {
  STILLWATCH_ASSERT(sodium_init() >= 0);
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    return base::fail(Fault::environment,
                      fmt::format("cannot read the deployment secret {}: {}", path, std::strerror(errno)));
  }
  if ((status.st_mode & 077) != 0) {
    return base::fail(Fault::environment,
                      fmt::format("{} can be read by other users: whoever has the deployment secret can forge tokens; "
                                  "run chmod 600 on it",
                                  path));
  }
  STILLWATCH_TRY(text, base::read_file(path, 4096));
  std::string_view first, second;
  KeySet keys;
  if (!split(text, first, second) || !read_hex(first, keys.current)) return malformed(path);
  if (second.empty()) return keys;
  if (!second.starts_with(kPrevious)) return malformed(path);
  second.remove_prefix(kPrevious.size());
  keys.previous.emplace();
  if (second.size() < kHexDigits + 1 || second[kHexDigits] != ' ' ||
      !read_hex(second.substr(0, kHexDigits), *keys.previous) || *keys.previous == keys.current) {
    return malformed(path);
  }
  const auto time = base::parse_time(second.substr(kHexDigits + 1));
  if (!time) return malformed(path);
  keys.rotated_us = *time;
  return keys;
}

base::Result<KeySet> rotate_secret(const std::string& path, std::int64_t now_us) {
  STILLWATCH_TRY(keys, load_key_set(path));
  if (keys.previous) {
    return base::fail(Fault::caller,
                      fmt::format("{} was rotated at {} and still holds the secret before that; end that overlap first",
                                  path, base::format_time(keys.rotated_us)));
  }
  keys.previous = keys.current;
  randombytes_buf(keys.current.data(), keys.current.size());
  keys.rotated_us = now_us;
  STILLWATCH_CHECK(write_key_set(path, keys));
  return load_key_set(path);
}

base::Status end_overlap(const std::string& path) {
  STILLWATCH_TRY(keys, load_key_set(path));
  if (!keys.previous) {
    return base::fail(Fault::caller, fmt::format("{} holds no secret before the current one; nothing to end", path));
  }
  keys.previous.reset();
  return write_key_set(path, keys);
}

base::Status backup_secret(const std::string& path, const std::string& target) {
  STILLWATCH_TRY(keys, load_key_set(path));
  STILLWATCH_TRY(text, base::read_file(path, 4096));
  const int file = ::open(target.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0 && errno == EEXIST) {
    return base::fail(Fault::caller, fmt::format("{} exists already; name a new file for the backup", target));
  }
  const auto failed = [&] {
    return base::fail(Fault::environment, fmt::format("cannot write the backup {}: {}", target, std::strerror(errno)));
  };
  if (file < 0) return failed();
  const bool written =
      ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(file) == 0;
  sodium_memzero(text.data(), text.size());
  if (!written) {
    auto error = failed();
    ::close(file);
    ::unlink(target.c_str());
    return error;
  }
  ::close(file);
  STILLWATCH_TRY(copy, load_key_set(target));
  if (copy.current != keys.current || copy.previous != keys.previous) {
    return base::fail(Fault::environment, fmt::format("{} does not read back as it was written", target));
  }
  return {};
}

}  // namespace stillwatch::crypto
