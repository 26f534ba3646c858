// An exchange as one line of the native query-record format, with the fingerprint in place of the content.
//
// Invariant: any bytes in an exchange give one line of valid JSON without a newline, and nothing of a body can reach
// another field of it. A body that intake refuses gives a line that intake refuses for the same reason, and that still
// counts for its account ("refused" in `fingerprint`). What is cut here is cut before the line is made: the line is the
// truth, live and in a replay. A record that is given with a line is the one that the parser makes of that line, bit by
// bit; where that is not certain without reading the line, none is given.
// Threads: one user. Cost: reading the body (intake) and about 1 us for the rest. Spec: docs/reference/log-formats.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "crypto/keyed_hash.h"
#include "gateway/exchange.h"
#include "intake/raw_record.h"
#include "intake/record_builder.h"

namespace stillwatch::gateway {

enum class Content : std::uint8_t {
  fingerprint,  // nothing of the text is kept
  full,         // the body as it came, where it can be read
};

/// Records that could not be written, or were never known in full: one line that a replay passes over.
struct Gap {
  std::string_view id;
  std::int64_t time_us = 0;  // when it ended
  std::int64_t since_us = 0;
  std::uint64_t records = 0;
  std::string_view reason;  // "queue_full", "log_failed"
};

class RecordLine {
 public:
  /// `identities`: those that the parser of the lines would have.
  RecordLine(const crypto::KeyedHash& keyed_hash, Content content, const intake::Identities* identities = nullptr);
  ~RecordLine();

  /// Replaces `out`; kJsonPadding zero bytes are reserved behind the text. `shed`: mark it so, whatever the exchange
  /// says. The body may be changed (padding). True: `record` is what intake's parser makes of the line, and new_ids()
  /// what it notes; false: the line must be parsed.
  bool write(Exchange& exchange, bool shed, std::string& out, intake::ParsedLine* record = nullptr);
  /// Reads a body that came ahead of its exchange, and forgets it. write() of the exchange then gives the line that it
  /// would have given with the body in it. Not with Content::full.
  void read(EarlyBody& body);
  /// A record of another log, with its raw fields kept by intake. Never with content.
  void write(const intake::RawRecord& raw, const event::Query& query, bool shed, std::string& out);
  void write(const Gap& gap, std::string& out);

  struct Counters {
    std::uint64_t written = 0, bodies_refused = 0, bodies_absent = 0, bodies_too_large = 0, texts_cut = 0;
  };
  const Counters& counters() const { return counters_; }
  intake::NewIds& new_ids();

 private:
  struct State;
  std::unique_ptr<State> state_;
  Counters counters_;
};

}  // namespace stillwatch::gateway
