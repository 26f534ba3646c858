// Reads and parses blocks of lines of several logs ahead of the one who wants them in order.
//
// Invariant: take() gives the blocks of a log in their order, whatever thread parsed them.
// Threads: one taker; `threads` workers (none when 1: the taker works itself). Cost: one lock a block.
// Bounds: two blocks a worker in flight for a log that is being taken, one for a log that waits.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "intake/line_parser.h"
#include "intake/line_source.h"
#include "intake/time_order.h"

namespace stillwatch::intake {

struct ParsedBlock {
  std::vector<Entry> entries;  // the first `count` are this block's
  std::size_t count = 0;
  NewIds ids;
  LinePosition next;
  bool is_end = false;
  base::Error error;  // of the source; message empty when there is none
};

class BlockPool {
 public:
  using MakeParser = std::function<std::unique_ptr<LineParser>()>;
  BlockPool(std::vector<LineSource> sources, unsigned threads, MakeParser make_parser, bool has_digests = false);
  ~BlockPool();

  /// The next block of a log; give it back when done.
  std::unique_ptr<ParsedBlock> take(std::size_t file);
  void give_back(std::unique_ptr<ParsedBlock> block);

  /// Before the first take() only, or after its last block.
  LineSource& source(std::size_t file);
  std::string beginning(std::size_t file) const;
  std::uint64_t bytes_read() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace stillwatch::intake
