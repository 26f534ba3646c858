// Any bytes as an exchange: the first bytes say how the rest is divided into its texts and its body. Properties: one
// line without a newline, that intake reads without complaint about its form; with the exchange's own time and account,
// whatever the body holds; the same outcome with and without content; a record that is given is the one that is read.
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "gateway/record_line.h"
#include "intake/json_scan.h"
#include "intake/parser_fixture.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace stillwatch;
  using gateway::Content;
  static const auto hash = intake::test::fixed_hash();
  static gateway::RecordLine print_line(hash, Content::fingerprint), full_line(hash, Content::full);
  static intake::test::Lines lines;
  std::string_view rest(reinterpret_cast<const char*>(bytes), size);
  const auto take = [&rest](std::size_t count) {
    const std::string_view out = rest.substr(0, count);
    rest.remove_prefix(out.size());
    return std::string(out);
  };
  const std::string sizes = take(8);
  const auto size_of = [&](std::size_t at) { return at < sizes.size() ? static_cast<unsigned char>(sizes[at]) : 0U; };
  gateway::Exchange exchange;
  exchange.id = "req_1";
  exchange.account = take(size_of(0) % 140);
  exchange.key = take(size_of(1));
  exchange.end_user = take(size_of(2));
  exchange.address = take(size_of(3) % 50);
  exchange.user_agent = take(size_of(4));
  exchange.headers = take(size_of(5));
  exchange.stop = take(size_of(6) % 80);
  if (size_of(0) % 2 == 0) exchange.reply = std::string(rest.substr(0, 4'000));
  exchange.reply_is_body = size_of(6) % 2 == 1;
  exchange.dialect = static_cast<event::Dialect>(size_of(7) % 4);
  exchange.arrived_us = 1'776'845'730'123'456;
  exchange.body = std::string(rest);
  intake::ParsedLine found[2];
  gateway::Exchange copy = exchange;
  std::string line;
  intake::ParsedLine given;
  const bool is_given = print_line.write(exchange, false, line, &given);
  print_line.new_ids().clear();
  STILLWATCH_ASSERT(line.find('\n') == std::string::npos);
  found[0] = lines.parse(line);
  if (is_given) {
    STILLWATCH_ASSERT(found[0].accepted && given.accepted);
    STILLWATCH_ASSERT(intake::test::bytes_of(given.query) == intake::test::bytes_of(found[0].query));
  }
  STILLWATCH_ASSERT(exchange.body == copy.body);
  if (copy.reply.empty()) {
    gateway::Exchange ahead = copy;
    ahead.early = std::make_shared<gateway::EarlyBody>();
    ahead.early->dialect = ahead.dialect;
    ahead.early->body = std::exchange(ahead.body, "");
    std::string same;
    print_line.write(ahead, false, same);
    print_line.new_ids().clear();
    STILLWATCH_ASSERT(same == line);
  }
  full_line.write(copy, false, line);
  STILLWATCH_ASSERT(line.find('\n') == std::string::npos);
  found[1] = lines.parse(line);
  const bool has_account =
      !exchange.account.empty() && exchange.account.size() <= 128 && intake::is_utf8(exchange.account);
  for (const intake::ParsedLine& parsed : found) {
    STILLWATCH_ASSERT(parsed.has_time && parsed.query.time_us == exchange.arrived_us);
    if (has_account) STILLWATCH_ASSERT(parsed.query.account == hash(crypto::Domain::account, exchange.account));
  }
  // Within a line a body nests one deeper, which alone may make a difference.
  const bool is_deep = found[1].refusal.reason == intake::RejectReason::too_deep && !found[1].accepted;
  STILLWATCH_ASSERT(found[0].accepted == found[1].accepted || is_deep);
  if (found[0].accepted && found[1].accepted) {
    STILLWATCH_ASSERT(found[0].query.end_user == found[1].query.end_user);
    STILLWATCH_ASSERT(found[0].query.fingerprint == found[1].query.fingerprint);
  }
  return 0;
}
