// Any bytes as a log file, plain or compressed. Property: no crash, lines in order and within the bounds, and
// the same bytes in blocks of another size give the same lines.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/assert.h"
#include "intake/line_source.h"

namespace {

using namespace stillwatch::intake;
constexpr std::size_t kLineBytesMax = 300;

std::vector<std::string> lines_of(const std::string& path, std::size_t block_bytes) {
  auto source = LineSource::open(path, {kLineBytesMax, block_bytes});
  STILLWATCH_ASSERT(source.has_value());
  std::vector<std::string> out;
  LineBlock block;
  LinePosition last{0, 0};
  std::size_t bytes = 0;
  for (;;) {
    const auto more = source->next(block);
    STILLWATCH_ASSERT(more.has_value());
    if (!*more) break;
    for (const auto& line : block.lines) {
      STILLWATCH_ASSERT(line.position.line == last.line + 1 && line.position.offset >= last.offset);
      last = line.position;
      bytes += line.size;
      out.push_back(std::to_string(static_cast<int>(line.kind)) + ":" + std::to_string(line.position.offset) + ":" +
                    std::to_string(line.full_bytes) +
                    (line.kind == LineBlock::Kind::whole ? ":" + std::string(block.text(line)) : ""));
    }
    // A bomb within the allowed ratio is only slow: do not spend the fuzzer's time on it.
    if (bytes > (1U << 20)) break;
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const int file = ::memfd_create("log", 0);
  STILLWATCH_ASSERT(file >= 0 && ::write(file, bytes, size) == static_cast<ssize_t>(size));
  const std::string path = "/proc/self/fd/" + std::to_string(file);
  const auto small = lines_of(path, 64), large = lines_of(path, 1 << 16);
  for (std::size_t i = 0; i < std::min(small.size(), large.size()); ++i) STILLWATCH_ASSERT(small[i] == large[i]);
  ::close(file);
  return 0;
}
