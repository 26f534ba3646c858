#include "sim/simulated_world.h"

#include <gtest/gtest.h>
#include <simdjson.h>
#include <zstd.h>

#include <fstream>
#include <iterator>

#include "base/event_time.h"

namespace stillwatch::sim::test {

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string unpack(const std::string& packed) {
  std::string text(1 << 16, '\0'), all;
  ZSTD_DCtx* context = ZSTD_createDCtx();
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  while (in.pos < in.size) {
    ZSTD_outBuffer out{text.data(), text.size(), 0};
    const std::size_t state = ZSTD_decompressStream(context, &out, &in);
    EXPECT_FALSE(ZSTD_isError(state));
    if (ZSTD_isError(state)) break;
    all.append(text.data(), out.pos);
    while (out.pos == text.size()) {
      out.pos = 0;
      ZSTD_decompressStream(context, &out, &in);
      all.append(text.data(), out.pos);
    }
  }
  ZSTD_freeDCtx(context);
  return all;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

namespace {

std::string text_of(simdjson::dom::element element) {
  std::string_view text;
  return element.get_string().get(text) == simdjson::SUCCESS ? std::string(text) : std::string();
}

Record parse(simdjson::dom::parser& parser, const std::string& line) {
  Record record;
  simdjson::dom::element root;
  EXPECT_EQ(parser.parse(line).get(root), simdjson::SUCCESS) << line;
  EXPECT_EQ(std::int64_t(root["v"]), 1);
  record.id = text_of(root["id"]);
  record.account = text_of(root["account"]);
  record.dialect = text_of(root["dialect"]);
  if (simdjson::dom::element user; root["end_user"].get(user) == simdjson::SUCCESS) record.end_user = text_of(user);
  record.time_us = base::parse_time(text_of(root["time"])).value_or(-1);
  record.ended_us = base::parse_time(text_of(root["ended"])).value_or(-1);
  record.user_agent = text_of(root["client"]["user_agent"]);
  record.ip = text_of(root["client"]["ip"]);
  record.status = std::uint64_t(root["response"]["status"]);
  simdjson::dom::element usage;
  if (root["response"]["usage"]["output_tokens"].get(usage) == simdjson::SUCCESS)
    record.output_tokens = std::uint64_t(usage);
  simdjson::dom::element reply;
  if (root["response"]["body"]["choices"].at(0)["message"]["content"].get(reply) == simdjson::SUCCESS ||
      root["response"]["body"]["content"].at(0)["text"].get(reply) == simdjson::SUCCESS)
    record.reply = text_of(reply);
  const simdjson::dom::element request = root["request"];
  if (simdjson::dom::element user;
      request["user"].get(user) == simdjson::SUCCESS || request["metadata"]["user_id"].get(user) == simdjson::SUCCESS)
    record.end_user = text_of(user);
  record.model = text_of(request["model"]);
  simdjson::dom::element found;
  record.has_tools = request["tools"].get(found) == simdjson::SUCCESS;
  if (record.dialect == "text") {
    record.prompt = text_of(request["prompt"]);
    return record;
  }
  const char* const list = record.dialect == "openai.responses" ? "input" : "messages";
  for (const simdjson::dom::element message : simdjson::dom::array(request[list])) {
    const std::string role = text_of(message["role"]);
    if (role == "system") {
      record.system = text_of(message["content"]);
      continue;
    }
    record.messages.push_back(role + ":" + text_of(message["content"]));
    record.prompt = text_of(message["content"]);
  }
  return record;
}

}  // namespace

SimulateSummary simulate_into(const World& world, const std::string& out, std::size_t threads, std::uint64_t seed) {
  SimulateOptions options;
  options.world = world;
  options.seed = seed;
  options.out = out;
  options.threads = threads;
  const auto summary = simulate(options);
  EXPECT_TRUE(summary) << (summary ? "" : summary.error().message);
  return summary.value_or(SimulateSummary{});
}

Outcome run(const World& world) {
  const Folder folder;
  Outcome result;
  result.summary = simulate_into(world, folder.path());
  simdjson::dom::parser parser;
  for (const std::string& line : lines_of(unpack(read(folder / "queries.ndjson.zst"))))
    result.records.push_back(parse(parser, line));
  for (const std::string& line : lines_of(read(folder / "truth.ndjson"))) {
    const simdjson::dom::element root = parser.parse(line);
    (bool(root["hostile"]) ? result.campaign : result.stratum)[text_of(root["account"])] =
        text_of(bool(root["hostile"]) ? root["campaign"] : root["stratum"]);
  }
  for (const std::string& line : lines_of(read(folder / "queries_truth.ndjson")))
    result.hostile_ids.insert(text_of(parser.parse(line)["id"]));
  return result;
}

World world_from(const std::string& toml) {
  auto world = parse_world(toml, "test.toml");
  EXPECT_TRUE(world) << (world ? "" : world.error().message);
  return world ? *world : default_world();
}

World crowded_world() {
  std::string toml = "[world]\ndays = 2\ncalibration_days = 0.5\n";
  for (const std::string_view name : kStratumNames)
    toml += "[benign." + std::string(name) + "]\naccounts = 12\ngroups = 2\n";
  for (const std::string_view name : kFamilyNames) {
    toml += "[campaign." + std::string(name) + "]\nfamily = \"" + std::string(name) +
            "\"\naccounts = 10\nstart_day = 0.2\nattack_share = 0.7\n";
  }
  return world_from(toml);
}

}  // namespace stillwatch::sim::test
