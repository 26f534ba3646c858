// Any bytes as an OTLP export and as a line of Envoy's log. Properties: a record is one line of well-formed JSON; the
// parsers keep the promises of line_parser.h.
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "intake/json_cursor.h"
#include "intake/otlp.h"
#include "intake/parser_fixture.h"

namespace {

using namespace stillwatch::intake;

const stillwatch::crypto::KeyedHash& hash() {
  static const stillwatch::crypto::KeyedHash value = test::fixed_hash();
  return value;
}

void check(LineParser& parser, std::string_view line) {
  ParsedLine parsed;
  parser.parse(line, parsed);
  if (!parsed.is_blank) {
    STILLWATCH_ASSERT(parsed.accepted || parsed.query.fingerprint.prompt == 0);
    STILLWATCH_ASSERT(parsed.accepted || (parsed.query.flags & stillwatch::event::kFlagRejected) != 0);
    STILLWATCH_ASSERT(!parsed.accepted || (parsed.query.account != 0 && parsed.query.id != 0 && parsed.has_time));
  }
  parser.new_ids().clear();
  parser.refuse(line, line.size(), RejectReason::truncated, parsed);
  parser.new_ids().clear();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const auto otlp = make_otlp_parser(hash(), nullptr);
  static const auto envoy = make_envoy_parser(hash(), nullptr);
  static OtlpReader reader;
  std::string padded(reinterpret_cast<const char*>(bytes), size);
  padded.append(kJsonPadding, '\0');
  const std::string_view line = std::string_view(padded).substr(0, size);
  (void)reader.read(line, [](std::string_view record) {
    JsonCursor cursor(record);
    STILLWATCH_ASSERT(cursor.skip() && cursor.at_end());
    STILLWATCH_ASSERT(record.find_first_of("\r\n") == std::string_view::npos);
  });
  check(*otlp, line);
  check(*envoy, line);
  return 0;
}
