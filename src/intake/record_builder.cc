#include "intake/record_builder.h"

#include <algorithm>

#include "base/assert.h"
#include "base/base64.h"
#include "base/event_time.h"
#include "intake/client.h"
#include "text/fingerprint_codec.h"

namespace stillwatch::intake {
namespace {

using crypto::Domain;
using MaybeRefusal = std::optional<Refusal>;

// RFC 3339 text is at most this long; longer text is no time.
constexpr std::size_t kTimeTextBytesMax = 40;

}  // namespace

RecordBuilder::RecordBuilder(const crypto::KeyedHash& keyed_hash, const Identities* identities)
    : keyed_hash_(keyed_hash), identities_(identities) {}

void RecordBuilder::begin(std::size_t line_bytes, ParsedLine& out) {
  out = ParsedLine{};
  out_ = &out;
  out.query.line_bytes = static_cast<std::uint32_t>(std::min<std::size_t>(line_bytes, UINT32_MAX));
  user_agent_.clear();
  headers_.clear();
  ja4_.clear();
  account_.clear();
  model_.clear();
  given_model_.clear();
  end_user_name_.clear();
  end_user_ = body_end_user_ = 0;
  shed_ = has_body_ = has_fingerprint_ = has_dialect_ = sampled_many_ = given_sampled_many_ = false;
  if (raw_ != nullptr) raw_->clear();
}

MaybeRefusal RecordBuilder::set_id(std::string_view raw) {
  if (raw.empty()) return Refusal{RejectReason::missing_field, "id"};
  if (raw.size() > base::limits::kIdBytesMax) return Refusal{RejectReason::id_too_long, "id"};
  out_->query.id = keyed_hash_(Domain::query_id, raw);
  if (raw_ != nullptr) raw_->id.assign(raw);
  return {};
}

MaybeRefusal RecordBuilder::set_account(std::string_view raw) {
  if (raw.empty()) return Refusal{RejectReason::missing_field, "account"};
  if (raw.size() > base::limits::kIdBytesMax) return Refusal{RejectReason::id_too_long, "account"};
  account_.assign(raw);
  out_->query.account = keyed_hash_(Domain::account, raw);
  return {};
}

MaybeRefusal RecordBuilder::set_time(std::string_view rfc3339) {
  const auto time_us = rfc3339.size() > kTimeTextBytesMax ? std::nullopt : base::parse_time(rfc3339);
  if (!time_us) return Refusal{RejectReason::bad_time, "time"};
  set_time_us(*time_us);
  return {};
}

MaybeRefusal RecordBuilder::set_ended(std::string_view rfc3339) {
  const auto time_us = rfc3339.size() > kTimeTextBytesMax ? std::nullopt : base::parse_time(rfc3339);
  if (!time_us) return Refusal{RejectReason::bad_time, "ended"};
  set_ended_us(*time_us);
  return {};
}

void RecordBuilder::set_time_us(std::int64_t time_us) {
  out_->query.time_us = time_us;
  out_->has_time = true;
}

void RecordBuilder::set_key(std::string_view raw) {
  out_->query.key = raw.empty() ? 0 : keyed_hash_(Domain::key, raw);
  if (raw_ != nullptr) raw_->key.assign(raw);
}
void RecordBuilder::set_end_user(std::string_view raw) {
  end_user_ = raw.empty() ? 0 : keyed_hash_(Domain::end_user, raw);
  if (end_user_ != 0) end_user_name_.assign(raw);
}

void RecordBuilder::set_address(std::string_view raw) {
  if (raw_ != nullptr) raw_->address.assign(raw);
  out_->query.address = out_->query.egress = 0;
  if (raw.empty()) return;
  const auto address = parse_address(raw);
  if (!address) {
    ++counters_.unreadable_addresses;
    return;
  }
  out_->query.address = keyed_hash_(Domain::address, address->whole());
  out_->query.egress = keyed_hash_(Domain::egress, address->bucket());
}

void RecordBuilder::add_header(std::string_view name) {
  for (const char letter : name)
    headers_.push_back(letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32) : letter);
  headers_.push_back(',');
}

void RecordBuilder::set_dialect(event::Dialect dialect) {
  out_->query.dialect = dialect;
  has_dialect_ = true;
}

void RecordBuilder::set_body(const Body& body) {
  out_->query.model = body.model;
  out_->query.fingerprint = body.fingerprint;
  model_.assign(body.model_name);
  body_end_user_ = body.end_user;
  body_end_user_name_.assign(body.end_user_name);
  sampled_many_ = body.sampled_many;
  has_body_ = true;
}

MaybeRefusal RecordBuilder::set_fingerprint(std::string_view base64) {
  const auto bytes = base::base64_decode(base64);
  if (!bytes) return Refusal{RejectReason::bad_fingerprint, "fingerprint.b"};
  auto decoded = text::decode(*bytes);
  if (!decoded) return Refusal{RejectReason::bad_fingerprint, "fingerprint.b"};
  given_fingerprint_ = *decoded;
  has_fingerprint_ = true;
  return {};
}

void RecordBuilder::finish_client() {
  if (!user_agent_.empty()) out_->query.client_version = keyed_hash_(Domain::client_version, user_agent_);
  if (user_agent_.empty() && headers_.empty() && ja4_.empty()) return;
  // Unit separators keep ("a", "b") and ("ab", "") apart.
  family_.clear();
  append_without_versions(user_agent_, family_);
  family_.push_back('\x1f');
  family_.append(headers_);
  family_.push_back('\x1f');
  family_.append(ja4_);
  out_->query.client = keyed_hash_(Domain::client, family_);
}

void RecordBuilder::note_new(IdKind kind, event::Token token, std::string_view raw) {
  if (identities_ == nullptr || !identities_->contains(token)) new_ids_.add(kind, token, raw);
}

MaybeRefusal RecordBuilder::finish() {
  STILLWATCH_ASSERT(out_ != nullptr);
  event::Query& query = out_->query;
  if (query.id == 0) return Refusal{RejectReason::missing_field, "id"};
  if (!out_->has_time) return Refusal{RejectReason::missing_field, "time"};
  if (query.account == 0) return Refusal{RejectReason::missing_field, "account"};
  if (!has_dialect_) return Refusal{RejectReason::missing_field, "dialect"};
  if (!has_body_ && !has_fingerprint_) return Refusal{RejectReason::missing_field, "request"};
  if (!has_body_) {
    query.fingerprint = given_fingerprint_;
    sampled_many_ = given_sampled_many_;
    model_ = given_model_;
    if (!model_.empty()) query.model = keyed_hash_(Domain::model, model_);
  }
  query.end_user = end_user_ != 0 ? end_user_ : body_end_user_;
  query.flags =
      static_cast<std::uint8_t>((shed_ ? event::kFlagShed : 0) | (sampled_many_ ? event::kFlagSampledMany : 0) |
                                (query.status == 429 || query.status >= 500 ? event::kFlagFailed : 0));
  finish_client();
  note_new(IdKind::account, query.account, account_);
  if (query.model != 0) note_new(IdKind::model, query.model, model_);
  if (query.end_user != 0)
    note_new(IdKind::end_user, query.end_user, end_user_ != 0 ? end_user_name_ : body_end_user_name_);
  if (query.client_version != 0) note_new(IdKind::client_version, query.client_version, user_agent_);
  out_->accepted = true;
  if (raw_ == nullptr) return {};
  raw_->account = account_;
  raw_->model = model_;
  raw_->end_user = end_user_ != 0 ? end_user_name_ : body_end_user_name_;
  raw_->user_agent = user_agent_;
  raw_->ja4 = ja4_;
  raw_->headers = headers_;
  return {};
}

void RecordBuilder::refuse(Refusal refusal) {
  event::Query kept;
  kept.time_us = out_->query.time_us;
  kept.account = out_->query.account;
  kept.line_bytes = out_->query.line_bytes;
  kept.flags = static_cast<std::uint8_t>(event::kFlagRejected | (shed_ ? event::kFlagShed : 0));
  out_->query = kept;
  out_->accepted = false;
  out_->refusal = refusal;
  if (kept.account != 0) note_new(IdKind::account, kept.account, account_);
  if (raw_ != nullptr) raw_->account = kept.account != 0 ? account_ : std::string();
}

std::optional<std::int64_t> parse_time_text(std::string_view text) {
  if (text.size() > kTimeTextBytesMax) return std::nullopt;
  return base::parse_time(text);
}

bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r\n") == std::string_view::npos; }

}  // namespace stillwatch::intake
