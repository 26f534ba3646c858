// One line of a log in, one event::Query or one refusal out, whatever the log's format.
//
// Invariant: any bytes are safe; a line's outcome depends on that line alone. Above this interface there
// is no raw text and no raw identity.
// Threads: one parser a thread. Cost: see bench/ and docs/benchmarks.md; no allocation in the steady state.
#pragma once

#include <memory>
#include <string_view>

#include "crypto/keyed_hash.h"
#include "intake/raw_record.h"
#include "intake/record_builder.h"

namespace stillwatch::intake {

class MapFormat;

class LineParser {
 public:
  virtual ~LineParser() = default;

  /// `line` without its newline, kJsonPadding readable bytes behind it.
  virtual void parse(std::string_view line, ParsedLine& out) = 0;
  /// A line that cannot be read (too long, cut): its account and time are searched in what there is of it.
  virtual void refuse(std::string_view beginning, std::uint64_t line_bytes, RejectReason reason, ParsedLine& out) = 0;

  /// From now on fills `raw` with the raw fields of each line; null: no more. False when this format cannot.
  virtual bool keep_raw(RawRecord* /*raw*/) { return false; }

  virtual NewIds& new_ids() = 0;
  virtual ParserCounters counters() const = 0;
};

/// Query records as in docs/reference/log-formats.md.
std::unique_ptr<LineParser> make_query_parser(const crypto::KeyedHash& keyed_hash, const Identities* identities);
/// LiteLLM's JSON log payload (litellm.cc).
std::unique_ptr<LineParser> make_litellm_parser(const crypto::KeyedHash& keyed_hash, const Identities* identities);
/// OTLP exports with GenAI conventions, one call a line (otlp_parser.cc).
std::unique_ptr<LineParser> make_otlp_parser(const crypto::KeyedHash& keyed_hash, const Identities* identities);
/// Envoy AI Gateway's JSON access log (envoy.cc): no content.
std::unique_ptr<LineParser> make_envoy_parser(const crypto::KeyedHash& keyed_hash, const Identities* identities);
/// A foreign JSON log, by a map file. `format` must outlive the parser.
std::unique_ptr<LineParser> make_map_parser(const MapFormat& format, const crypto::KeyedHash& keyed_hash,
                                            const Identities* identities);

}  // namespace stillwatch::intake
