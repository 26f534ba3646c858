// Any bytes as lines of a findings file: every line is visited or counted, and every kind of value can be asked for.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "report/finding_rows.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace stillwatch;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::uint64_t visited = 0;
  const std::uint64_t passed_over = report::for_each_row_of(text, [&](const report::Row& row) {
    ++visited;
    STILLWATCH_ASSERT(!row.line().empty() && row.line().find('\n') == std::string_view::npos);
    for (const char* path :
         {"/subject/id", "/strength/log10_e", "/reasons", "/reasons/0/numbers", "/models", "/time"}) {
      (void)row.text(path);
      (void)row.number(path);
      (void)row.truth(path);
      (void)row.texts(path);
      (void)row.numbers(path);
      (void)row.time(path);
      STILLWATCH_ASSERT(row.length(path) <= row.line().size());
      STILLWATCH_ASSERT(row.count(path) < 9'000'000'000'000'000);
    }
  });
  std::uint64_t lines = 0;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    lines += line.empty() ? 0 : 1;
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  STILLWATCH_ASSERT(visited + passed_over == lines);
  return 0;
}
