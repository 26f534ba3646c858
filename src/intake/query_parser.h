// Query records (docs/reference/log-formats.md), and the yardstick for reading them.
//
// Invariant: as line_parser.h. Of a repeated key the last one counts, at every level.
// Threads: one object a thread. Cost: two simdjson passes over the request body, one over the rest.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "intake/line_parser.h"

namespace stillwatch::intake {

/// Reads the same fields of a query record with simdjson and does nothing with them: what parsing alone costs.
class FieldCounter {
 public:
  FieldCounter();
  ~FieldCounter();
  /// Bytes of the strings read plus the numbers read; 0 when the line is not JSON.
  std::uint64_t count_fields_only(std::string_view line);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace stillwatch::intake
