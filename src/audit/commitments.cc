#include "audit/commitments.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include <fmt/format.h>

namespace stillwatch::audit {
namespace {

constexpr std::string_view kRequestPrefix = "req_";
constexpr std::string_view kHashPrefix = "sha256:";

std::string_view bytes_of(const crypto::Sha256Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

/// Kept apart from ids of records, which are derived from a line's hash too.
std::string with_label(std::string_view label, const crypto::Sha256Digest& digest) {
  std::string out(label);
  out += '\0';
  out += bytes_of(digest);
  return out;
}

int digit_of(char letter) {
  if (letter >= '0' && letter <= '9') return letter - '0';
  return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

base::Result<ledger::Hash32> hash_of_file(const char* path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path, "rb"), std::fclose);
  const auto failed = [path] {
    return base::fail(base::Fault::environment,
                      fmt::format("cannot read {}: {}; the audit log names the software by the hash of its file", path,
                                  std::strerror(errno)));
  };
  if (file == nullptr) return failed();
  crypto::Sha256 hash;
  std::string buffer(1U << 20, '\0');
  for (;;) {
    const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), file.get());
    hash.update(std::string_view(buffer).substr(0, count));
    if (count == buffer.size()) continue;
    if (std::ferror(file.get()) != 0) return failed();
    return hash.finish();
  }
}

}  // namespace

ledger::Hash32 record_commitment(const ledger::Pseudonyms& names, const crypto::Sha256Digest& line) {
  return names.record_commitment(bytes_of(line));
}

ledger::Hash32 verdict_commitment(const ledger::Pseudonyms& names, std::string_view verdict_line) {
  return names.verdict_commitment(bytes_of(crypto::sha256(verdict_line)));
}

std::optional<ledger::Id16> gateway_leaf_id(std::string_view record_id) {
  if (!record_id.starts_with(kRequestPrefix)) return std::nullopt;
  return ledger::read_base64url<16>(record_id.substr(kRequestPrefix.size()));
}

ledger::Id16 derived_leaf_id(const ledger::Pseudonyms& names, const crypto::Sha256Digest& line, bool is_refused) {
  return names.leaf_id(with_label(is_refused ? "refused" : "line", line));
}

ledger::Id16 decision_leaf_id(const ledger::Pseudonyms& names, std::string_view verdict_line) {
  return names.leaf_id(with_label("verdict", crypto::sha256(verdict_line)));
}

base::Result<ledger::Hash32> software_hash() {
  static const base::Result<ledger::Hash32> hash = hash_of_file("/proc/self/exe");
  return hash;
}

std::optional<ledger::Hash32> configuration_hash(std::string_view policy_hash) {
  ledger::Hash32 out{};
  if (!policy_hash.starts_with(kHashPrefix) || policy_hash.size() != kHashPrefix.size() + 2 * out.size())
    return std::nullopt;
  const std::string_view digits = policy_hash.substr(kHashPrefix.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    const int high = digit_of(digits[2 * i]), low = digit_of(digits[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return out;
}

ledger::Hash32 calibration_hash(std::string_view calibration_bytes) { return crypto::sha256(calibration_bytes); }

}  // namespace stillwatch::audit
