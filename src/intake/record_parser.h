// What the parsers of logs with one JSON object a line have in common.
//
// Internal to this module. Invariant and threads: as LineParser's. Cost: one virtual call a line.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "intake/body_reader.h"
#include "intake/json_scan.h"
#include "intake/line_parser.h"

namespace stillwatch::intake {

class RecordParser : public LineParser {
 public:
  void parse(std::string_view line, ParsedLine& out) final {
    builder_.begin(line.size(), out);
    if (is_blank(line)) {
      out.is_blank = true;
      return;
    }
    if (const auto refusal = read(line, out)) builder_.refuse(*refusal);
  }

  void refuse(std::string_view beginning, std::uint64_t line_bytes, RejectReason reason, ParsedLine& out) final {
    builder_.begin(static_cast<std::size_t>(line_bytes), out);
    scan(beginning);
    builder_.refuse({reason, ""});
  }

  bool keep_raw(RawRecord* raw) final {
    builder_.keep_raw(raw);
    return true;
  }
  NewIds& new_ids() final { return builder_.new_ids(); }
  ParserCounters counters() const final {
    ParserCounters counters = builder_.counters();
    counters.turns_ignored = body_.turns_ignored();
    return counters;
  }

 protected:
  RecordParser(const crypto::KeyedHash& keyed_hash, const Identities* identities)
      : builder_(keyed_hash, identities), body_(keyed_hash) {}

  /// The whole record, with builder_.finish(). Sets out.is_blank for a line that is neither a record nor a fault.
  virtual std::optional<Refusal> read(std::string_view line, ParsedLine& out) = 0;
  /// What can still be read of a line that is no JSON, or not whole.
  virtual void scan(std::string_view line) = 0;
  /// For scan(): an account at this path. False when there is none; `absent` is what stands for none in this log.
  bool find_account(std::string_view line, std::span<const std::string_view> path, std::string_view absent = "") {
    const auto account = find_string(line, path, text_);
    if (!account || account->empty() || *account == absent || !is_utf8(*account)) return false;
    (void)builder_.set_account(*account);
    return true;
  }

  RecordBuilder builder_;
  BodyReader body_;
  JsonText text_;
};

}  // namespace stillwatch::intake
