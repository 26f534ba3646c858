// For tests and fuzzers of this module only: a fixed secret, padded lines, queries compared field by field.
#pragma once

#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "crypto/keyed_hash_fixture.h"
#include "intake/line_parser.h"
#include "text/fingerprint_codec.h"

namespace stillwatch::intake::test {

using crypto::test::fixed_hash;

/// Every field of a query as bytes: equal queries give equal bytes, whatever the padding between fields.
inline std::string bytes_of(const event::Query& query) {
  std::string out;
  const auto put = [&](const auto& value) { out.append(reinterpret_cast<const char*>(&value), sizeof value); };
  put(query.time_us), put(query.ended_us), put(query.id), put(query.account), put(query.key), put(query.end_user);
  put(query.client), put(query.client_version), put(query.egress), put(query.address), put(query.model), put(query.asn);
  put(query.input_tokens), put(query.output_tokens), put(query.reasoning_tokens), put(query.line_bytes),
      put(query.status);
  put(query.flags), put(query.dialect);
  for (const std::uint8_t byte : text::encode(query.fingerprint)) put(byte);
  return out;
}

/// `behind`: what follows a line in a block may be anything.
inline ParsedLine parse(LineParser& parser, std::string_view line, char behind = '}') {
  std::string padded(line);
  padded.resize(line.size() + kJsonPadding, behind);
  ParsedLine out;
  parser.parse(std::string_view(padded).substr(0, line.size()), out);
  return out;
}

struct Lines {
  crypto::KeyedHash keyed_hash = fixed_hash();
  std::unique_ptr<LineParser> parser = make_query_parser(keyed_hash, nullptr);

  ParsedLine parse(std::string_view line) { return test::parse(*parser, line, '"'); }
};

}  // namespace stillwatch::intake::test
