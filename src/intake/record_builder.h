// Fields of a query record, whatever log they came from, into an event::Query: the one place where raw
// identity becomes tokens.
//
// Invariant: the order of the calls makes no difference; a later call of the same setter replaces the
// earlier one. A refused record keeps its account, time and size where they could be read.
// Threads: one a thread; the steady state does not allocate. Cost: about ten keyed hashes of short texts.
// Spec: docs/reference/log-formats.md, "Query record".
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/limits.h"
#include "crypto/keyed_hash.h"
#include "event/query.h"
#include "intake/body_reader.h"
#include "intake/identities.h"
#include "intake/raw_record.h"
#include "intake/reject.h"

namespace stillwatch::intake {

/// What became of one line. A refused line whose account could be read still has a query with kFlagRejected.
struct ParsedLine {
  bool accepted = false;
  bool has_time = false;
  bool is_blank = false;  // nothing but white space: neither a record nor a refusal
  Refusal refusal;
  event::Query query;
};

struct ParserCounters {
  std::uint64_t unknown_fields = 0;        // of the record; a body's own extra fields are not counted
  std::uint64_t unreadable_addresses = 0;  // client.ip that is not an address: treated as absent
  std::uint64_t turns_ignored = 0;

  ParserCounters& operator+=(const ParserCounters& other) {
    unknown_fields += other.unknown_fields;
    unreadable_addresses += other.unreadable_addresses;
    turns_ignored += other.turns_ignored;
    return *this;
  }
};

class RecordBuilder {
 public:
  /// `identities` may be null: then every id is new.
  RecordBuilder(const crypto::KeyedHash& keyed_hash, const Identities* identities);

  /// From now on keeps each record's raw fields in `raw`; null: no more.
  void keep_raw(RawRecord* raw) { raw_ = raw; }

  void begin(std::size_t line_bytes, ParsedLine& out);
  std::optional<Refusal> set_id(std::string_view raw);
  std::optional<Refusal> set_account(std::string_view raw);
  std::optional<Refusal> set_time(std::string_view rfc3339);
  std::optional<Refusal> set_ended(std::string_view rfc3339);
  void set_time_us(std::int64_t time_us);
  void set_ended_us(std::int64_t time_us) { out_->query.ended_us = time_us; }
  void set_key(std::string_view raw);
  void set_end_user(std::string_view raw);
  void set_address(std::string_view raw);
  void set_asn(std::uint32_t asn) { out_->query.asn = asn; }
  void set_user_agent(std::string_view raw) { user_agent_.assign(raw); }
  void set_ja4(std::string_view raw) { ja4_.assign(raw); }
  void clear_headers() { headers_.clear(); }
  void add_header(std::string_view name);
  void set_status(std::uint16_t status) { out_->query.status = status; }
  void set_input_tokens(std::uint32_t count) { out_->query.input_tokens = count; }
  void set_output_tokens(std::uint32_t count) { out_->query.output_tokens = count; }
  void set_reasoning_tokens(std::uint32_t count) { out_->query.reasoning_tokens = count; }
  void clear_usage() { out_->query.input_tokens = out_->query.output_tokens = out_->query.reasoning_tokens = 0; }
  void set_shed(bool shed) { shed_ = shed; }
  void set_dialect(event::Dialect dialect);
  void set_body(const Body& body);
  /// {"b": base64}: replaces a body that is not there.
  std::optional<Refusal> set_fingerprint(std::string_view base64);
  /// The same, of one that text::encode() takes.
  void set_fingerprint(const event::Fingerprint& given) {
    given_fingerprint_ = given;
    has_fingerprint_ = true;
  }
  /// What a body would have said beside its fingerprint; not used when there is one.
  void set_given_model(std::string_view raw) { given_model_.assign(raw); }
  void set_given_sampled_many(bool sampled_many) { given_sampled_many_ = sampled_many; }

  /// Checks what is required and completes the query.
  std::optional<Refusal> finish();
  /// Instead of finish(): keeps account, time and size.
  void refuse(Refusal refusal);

  bool has_account() const { return out_->query.account != 0; }
  bool has_time() const { return out_->has_time; }
  NewIds& new_ids() { return new_ids_; }
  ParserCounters& counters() { return counters_; }
  const ParserCounters& counters() const { return counters_; }

 private:
  void note_new(IdKind kind, event::Token token, std::string_view raw);
  void finish_client();

  const crypto::KeyedHash& keyed_hash_;
  const Identities* identities_;
  ParsedLine* out_ = nullptr;
  RawRecord* raw_ = nullptr;
  std::string user_agent_, headers_, ja4_, family_, account_, model_, given_model_, end_user_name_, body_end_user_name_;
  event::Token end_user_ = 0, body_end_user_ = 0;
  bool shed_ = false, has_body_ = false, has_fingerprint_ = false, has_dialect_ = false;
  bool sampled_many_ = false, given_sampled_many_ = false;
  event::Fingerprint given_fingerprint_;
  NewIds new_ids_;
  ParserCounters counters_;
};

/// "2026-..." or a number of seconds, as some logs write times; fractions below a microsecond are cut.
std::optional<std::int64_t> parse_time_text(std::string_view text);

/// True and nothing else for white space (blank lines are skipped).
bool is_blank(std::string_view line);

}  // namespace stillwatch::intake
