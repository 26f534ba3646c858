#include "ledger/pseudonym.h"

#include "crypto/hmac.h"
#include "crypto/random_bytes.h"
#include "ledger/retention.h"

namespace stillwatch::ledger {
namespace {

using namespace std::string_view_literals;

// What a value is of: part of what is hashed, so that a tenant and an account of the same name never meet.
constexpr std::string_view kTenant = "aud1 tenant\0"sv;
constexpr std::string_view kAccount = "aud1 account\0"sv;
constexpr std::string_view kRecord = "aud1 record\0"sv;
constexpr std::string_view kVerdict = "aud1 verdict\0"sv;
constexpr std::string_view kLeafId = "aud1 id\0"sv;

Id16 first_half(const crypto::HmacTag& tag) {
  Id16 out;
  std::copy_n(tag.begin(), out.size(), out.begin());
  return out;
}

KeyScope scope_at(std::int64_t time_us) { return KeyScope::pseudonym(month_of_day(day_of(time_us))); }

}  // namespace

Pseudonyms::Pseudonyms(KeyAnswer key, std::string_view tenant) : key_(std::move(key)), tenant_(name(kTenant, tenant)) {}

base::Result<Pseudonyms> Pseudonyms::obtain(KeyBook& book, std::string_view tenant, std::int64_t time_us) {
  STILLWATCH_TRY(key, book.obtain(scope_at(time_us), tenant));
  return Pseudonyms(std::move(key), tenant);
}

base::Result<Pseudonyms> Pseudonyms::look_up(KeyBook& book, std::string_view tenant, std::int64_t time_us) {
  STILLWATCH_TRY(key, book.look_up(scope_at(time_us), tenant));
  return Pseudonyms(std::move(key), tenant);
}

Id16 Pseudonyms::name(std::string_view domain, std::string_view text) const {
  return are_live() ? first_half(crypto::hmac_sha256(key_.key.view(), {domain, text})) : crypto::random_array<16>();
}

Hash32 Pseudonyms::commitment(std::string_view domain, std::string_view line) const {
  return are_live() ? crypto::hmac_sha256(key_.key.view(), {domain, line}) : crypto::random_array<32>();
}

Id16 Pseudonyms::account(std::string_view account) const { return name(kAccount, account); }
Hash32 Pseudonyms::record_commitment(std::string_view line) const { return commitment(kRecord, line); }
Hash32 Pseudonyms::verdict_commitment(std::string_view line) const { return commitment(kVerdict, line); }
Id16 Pseudonyms::leaf_id(std::string_view record_id) const { return name(kLeafId, record_id); }

}  // namespace stillwatch::ledger
