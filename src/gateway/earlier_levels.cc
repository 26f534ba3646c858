#include "gateway/earlier_levels.h"

#include "base/byte_stream.h"
#include "base/limits.h"
#include "crypto/digest.h"

namespace stillwatch::gateway {
namespace {

constexpr std::string_view kMagic = "stillwatch levels 1\n";
constexpr std::size_t kDigestBytes = 64;

}  // namespace

std::string to_bytes(const std::vector<EarlierLevel>& levels) {
  base::ByteWriter out;
  out.put<std::uint64_t>(levels.size());
  for (const EarlierLevel& one : levels) {
    out.put_bytes(one.account), out.put_bytes(one.end_user), out.put_bytes(one.level.rule);
    out.put(one.level.level), out.put(one.level.class_);
    out.put<std::uint8_t>(one.level.dry_run ? 1 : 0);
    out.put(one.level.campaign);
    out.put(one.level.since_us), out.put(one.level.expires_us);
  }
  return std::string(kMagic) + crypto::sha256_hex(out.bytes()) + out.bytes();
}

std::optional<std::vector<EarlierLevel>> read_earlier_levels(std::string_view bytes) {
  if (!bytes.starts_with(kMagic) || bytes.size() < kMagic.size() + kDigestBytes) return std::nullopt;
  const std::string_view covered = bytes.substr(kMagic.size() + kDigestBytes);
  if (bytes.substr(kMagic.size(), kDigestBytes) != crypto::sha256_hex(covered)) return std::nullopt;
  base::ByteReader in(covered);
  std::vector<EarlierLevel> levels;
  for (auto count = in.get<std::uint64_t>(); count > 0 && in.ok(); --count) {
    EarlierLevel one;
    one.account = in.get_bytes(), one.end_user = in.get_bytes(), one.level.rule = in.get_bytes();
    const auto level = in.get<std::uint8_t>(), class_ = in.get<std::uint8_t>(), dry_run = in.get<std::uint8_t>();
    one.level.campaign = in.get<std::uint32_t>();
    one.level.since_us = in.get<std::int64_t>(), one.level.expires_us = in.get<std::int64_t>();
    if (!in.ok() || level > static_cast<std::uint8_t>(event::Level::suspend) ||
        class_ > static_cast<std::uint8_t>(event::Class::distiller) || dry_run > 1 || one.account.empty() ||
        one.account.size() > base::limits::kIdBytesMax || one.end_user.size() > base::limits::kIdBytesMax)
      return std::nullopt;
    one.level.kind = one.end_user.empty() ? event::SubjectKind::account : event::SubjectKind::end_user;
    one.level.level = static_cast<event::Level>(level);
    one.level.class_ = static_cast<event::Class>(class_);
    one.level.dry_run = dry_run == 1;
    levels.push_back(std::move(one));
  }
  if (!in.ok() || !in.at_end()) return std::nullopt;
  return levels;
}

EarlierLevels::EarlierLevels(const std::vector<EarlierLevel>& levels, const crypto::KeyedHash& keyed_hash) {
  for (const EarlierLevel& one : levels) {
    event::Verdict verdict;
    const base::Token account = keyed_hash(crypto::Domain::account, one.account);
    names_[account] = one.account;
    verdict.kind = one.level.kind;
    verdict.account = verdict.subject = account;
    if (!one.end_user.empty()) {
      verdict.subject = keyed_hash(crypto::Domain::end_user, one.end_user);
      names_[verdict.subject] = one.end_user;
    }
    verdict.time_us = one.level.since_us;
    verdict.level = one.level.level;
    verdict.class_ = one.level.class_;
    verdict.campaign = one.level.campaign;
    verdict.rule = one.level.rule;
    verdict.dry_run = one.level.dry_run;
    verdict.expires_us = one.level.expires_us;
    table_.apply(verdict);
  }
}

std::string EarlierLevels::open(base::Token token) const {
  const auto found = names_.find(token);
  return found == names_.end() ? std::string() : found->second;
}

}  // namespace stillwatch::gateway
