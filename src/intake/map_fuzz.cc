// Any bytes as a map file, and then as a line of that format. Property: no crash; a mistake names its place.
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "intake/map_format.h"
#include "intake/parser_fixture.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace stillwatch::intake;
  static const auto hash = test::fixed_hash();
  const std::string text(reinterpret_cast<const char*>(bytes), size);
  const auto format = MapFormat::parse(text, "map.toml");
  if (!format) {
    STILLWATCH_ASSERT(format.error().message.starts_with("map.toml:"));
    return 0;
  }
  const auto parser = make_map_parser(*format, hash, nullptr);
  std::string line = R"({"id":"i","time":1776845730,"account":"a","a":{"b":[{"c":"x"}]},"body":{"messages":[]}})";
  const std::size_t line_size = line.size();
  line.append(kJsonPadding, '\0');
  ParsedLine parsed;
  parser->parse(std::string_view(line).substr(0, line_size), parsed);
  return 0;
}
