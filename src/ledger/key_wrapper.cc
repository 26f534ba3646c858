#include "ledger/key_wrapper.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "base/files.h"
#include "crypto/aead.h"
#include "crypto/random_bytes.h"
#include "ledger/durable_files.h"
#include "ledger/piped_command.h"

namespace stillwatch::ledger {
namespace {

using base::Fault;

constexpr std::string_view kAssociated = "stillwatch root key";
constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kWrappedBytesMax = 4'096;  // a KMS adds its own names; AWS and Vault stay below 1 KiB

char hex_digit(unsigned value) { return static_cast<char>(value < 10 ? '0' + value : 'a' + value - 10); }

int value_of(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  return -1;
}

bool read_hex(std::string_view text, std::span<std::uint8_t> out) {
  if (text.size() != 2 * out.size()) return false;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const int high = value_of(text[2 * i]), low = value_of(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return true;
}

std::string_view as_text(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void wipe_text(std::string& text) { crypto::wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()}); }

class FileWrapper final : public KeyWrapper {
 public:
  FileWrapper(std::string path, crypto::AeadKey key) : path_(std::move(path)), key_(std::move(key)) {}

  base::Result<std::string> wrap(std::span<const std::uint8_t> key) override {
    std::string out;
    crypto::aead_seal(key_, as_text(key), kAssociated, out);
    return out;
  }
  base::Result<std::vector<std::uint8_t>> unwrap(std::string_view bytes) override {
    std::string key;
    if (!crypto::aead_open(key_, bytes, kAssociated, key)) {
      return base::fail(
          Fault::environment,
          fmt::format("{} is not the master key that the key book was made with; name the right file", path_));
    }
    std::vector<std::uint8_t> out(key.begin(), key.end());
    wipe_text(key);
    return out;
  }

 private:
  std::string path_;
  crypto::AeadKey key_;
};

class CommandWrapper final : public KeyWrapper {
 public:
  explicit CommandWrapper(WrapCommand command) : command_(std::move(command)) {}

  base::Result<std::string> wrap(std::span<const std::uint8_t> key) override {
    STILLWATCH_TRY(wrapped, run("wrap", as_text(key)));
    if (wrapped.empty()) return wrong("wrap", "gave nothing");
    // A command that hands the key back as it is would leave it readable on the disk.
    if (wrapped.find(as_text(key)) != std::string::npos) return wrong("wrap", "gave the key back unwrapped");
    return wrapped;
  }
  base::Result<std::vector<std::uint8_t>> unwrap(std::string_view bytes) override {
    STILLWATCH_TRY(key, run("unwrap", bytes));
    if (key.size() != kKeyBytes) {
      auto error = wrong("unwrap", fmt::format("gave {} bytes and not the {} of a key", key.size(), kKeyBytes));
      wipe_text(key);
      return error;
    }
    std::vector<std::uint8_t> out(key.begin(), key.end());
    wipe_text(key);
    return out;
  }

 private:
  base::Result<std::string> run(std::string_view verb, std::string_view input) const {
    PipedCommand command;
    if (command_.words.empty()) return base::fail(Fault::caller, "the command for the master key is empty; name one");
    command.words = command_.words;
    command.words.emplace_back(verb);
    command.timeout_ms = command_.timeout_ms;
    command.output_bytes_max = kWrappedBytesMax;
    return run_piped(command, input);
  }
  tl::unexpected<base::Error> wrong(std::string_view verb, std::string_view what) const {
    return base::fail(Fault::environment, fmt::format("the master key's command {} {} {}; try it by hand",
                                                      command_.words.front(), verb, what));
  }

  WrapCommand command_;
};

base::Status make_master_key(const std::string& path) {
  const auto key = crypto::random_secret<kKeyBytes>();
  std::string text;
  for (const std::uint8_t byte : key.view()) {
    text += hex_digit(byte >> 4);
    text += hex_digit(byte & 15U);
  }
  text += '\n';
  const auto done = replace_file(path, text);
  wipe_text(text);
  if (!done) return base::fail(done.error());
  return {};
}

}  // namespace

base::Result<std::unique_ptr<KeyWrapper>> open_master_key_file(const std::string& path, bool create) {
  if (create && !exists(path)) STILLWATCH_CHECK(make_master_key(path));
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    return base::fail(Fault::environment, fmt::format("cannot read the master key {}: {}; check the path, or restore "
                                                      "it from its backup",
                                                      path, std::strerror(errno)));
  }
  if ((status.st_mode & 077U) != 0) {
    return base::fail(Fault::environment,
                      fmt::format("{} can be read by other users: whoever has the master key can read what the vault "
                                  "holds; run chmod 600 on it",
                                  path));
  }
  STILLWATCH_TRY(text, base::read_file(path, 4'096));
  std::string_view digits = text;
  while (digits.ends_with('\n') || digits.ends_with('\r')) digits.remove_suffix(1);
  crypto::AeadKey key;
  const bool is_key = read_hex(digits, key.writable());
  wipe_text(text);
  if (!is_key) {
    return base::fail(Fault::environment,
                      fmt::format("{} does not hold a master key (64 hexadecimal digits, lower case); restore it from "
                                  "its backup",
                                  path));
  }
  return std::unique_ptr<KeyWrapper>(std::make_unique<FileWrapper>(path, std::move(key)));
}

std::unique_ptr<KeyWrapper> make_command_wrapper(WrapCommand command) {
  return std::make_unique<CommandWrapper>(std::move(command));
}

}  // namespace stillwatch::ledger
