// Any bytes as a file that a customer's lines are to leave. Property: no crash; after it no line is judged to go; lines
// that stay are there byte by byte; an error leaves the file as it was.
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/assert.h"
#include "ledger/file_eraser.h"
#include "ledger/vault_fixture.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace stillwatch::ledger;
  static const test::Folder folder;
  const std::string path = folder / "lines";
  const std::string before(reinterpret_cast<const char*>(bytes), size);
  test::put_file(path, before);
  const JudgeLine judge = make_field_judge({{"account", "subject.id"}, {"acme"}, "time", {}});
  const auto erased = erase_lines(path, judge);
  const std::string after = test::bytes_of_file(path);
  if (!erased || !erased->rewritten) {
    STILLWATCH_ASSERT(after == before);
    return 0;
  }
  STILLWATCH_ASSERT(erase_lines(path, judge)->lines_erased == 0);
  if (before.starts_with("\x28\xB5\x2F\xFD")) return 0;
  std::string kept;
  for (std::size_t at = 0; at < before.size();) {
    const std::size_t end = std::min(before.find('\n', at), before.size() - 1) + 1;
    std::string_view line = std::string_view(before).substr(at, end - at);
    if (line.ends_with('\n')) line.remove_suffix(1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (judge(line) != LineFate::goes) kept += before.substr(at, end - at);
    at = end;
  }
  STILLWATCH_ASSERT(after == kept);
  return 0;
}
