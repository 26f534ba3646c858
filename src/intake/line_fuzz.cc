// Any bytes as a line of each query format. Property: no crash, a refused line carries no content, and an
// account comes with a line only when its token is that of a text found in the line.
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "intake/map_format.h"
#include "intake/parser_fixture.h"
#include "intake/query_parser.h"

namespace {

using namespace stillwatch::intake;

const stillwatch::crypto::KeyedHash& hash() {
  static const stillwatch::crypto::KeyedHash value = test::fixed_hash();
  return value;
}
const MapFormat& map_format() {
  static const MapFormat value = *MapFormat::parse(R"(v = 1
[paths]
id = "id"
time = "time"
account = "account"
dialect = "dialect"
request = "request"
"request.messages" = "request.messages"
"client.ip" = "client.ip"
"client.headers" = "client.headers[1]"
"response.status" = "response.status"
fingerprint = "fingerprint.b"
)",
                                                   "fuzz");
  return value;
}

void check(LineParser& parser, std::string_view line) {
  ParsedLine parsed;
  parser.parse(line, parsed);
  if (parsed.is_blank) return;
  const auto& ids = parser.new_ids();
  STILLWATCH_ASSERT(parsed.accepted || parsed.query.fingerprint.prompt == 0);
  STILLWATCH_ASSERT(parsed.accepted || (parsed.query.flags & stillwatch::event::kFlagRejected) != 0);
  STILLWATCH_ASSERT(!parsed.accepted || (parsed.query.account != 0 && parsed.query.id != 0 && parsed.has_time));
  STILLWATCH_ASSERT((parsed.query.account != 0) == !ids.ids.empty());
  for (const NewIds::Id& id : ids.ids) {
    using stillwatch::crypto::Domain;
    constexpr Domain kDomains[kIdKinds] = {Domain::account, Domain::model, Domain::end_user, Domain::client_version,
                                           Domain::tier};
    const Domain domain = kDomains[static_cast<std::size_t>(id.kind)];
    STILLWATCH_ASSERT(hash()(domain, std::string_view(ids.text).substr(id.at, id.size)) == id.token);
  }
  parser.new_ids().clear();
  parser.refuse(line, line.size(), RejectReason::truncated, parsed);
  parser.new_ids().clear();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const auto native = make_query_parser(hash(), nullptr);
  static const auto litellm = make_litellm_parser(hash(), nullptr);
  static const auto map = make_map_parser(map_format(), hash(), nullptr);
  static FieldCounter counter;
  std::string padded(reinterpret_cast<const char*>(bytes), size);
  padded.append(kJsonPadding, '\0');
  const std::string_view line = std::string_view(padded).substr(0, size);
  check(*native, line);
  check(*litellm, line);
  check(*map, line);
  (void)counter.count_fields_only(line);
  return 0;
}
