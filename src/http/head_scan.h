// Strict scan of the head of a request or response: bytes in, RequestHead or ResponseHead out, or why not.
//
// Invariant: what is accepted has exactly one reading: CRLF ends every line, no line is folded, no name is followed by
// a space, at most one framing field, exactly one host in HTTP/1.1. Everything else is refused, also where RFC 9112
// would let a server repair it, because the next server may repair it otherwise (request smuggling).
// Threads: pure functions. Cost: one pass and two allocations (BM_head_scan). Specification: RFC 9112 sections 2-6, 11.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/message.h"

namespace stillwatch::http {

struct HeadLimits {
  std::size_t head_bytes_max = 32U << 10;
  std::size_t target_bytes_max = 8U << 10;
  std::size_t fields_max = 100;
};

/// Why a head was refused: the status to answer with and a reason without any of the sender's bytes. Status 0: fine.
struct Refusal {
  int status = 0;
  const char* reason = "";
  explicit operator bool() const { return status != 0; }
};

/// Finds the end of a head piece by piece, and refuses early what can never become one.
class HeadEnd {
 public:
  /// Size of the head with its empty line when it is complete, else 0. `bytes` starts at the head's first byte and
  /// only grows between calls.
  std::size_t find(std::string_view bytes, const HeadLimits& limits, Refusal& refusal);
  void reset() { *this = HeadEnd(); }

 private:
  std::size_t scanned_ = 0, line_at_ = 0;
};

class HeadScan {
 public:
  /// `block` is a head as found by HeadEnd, with its empty line.
  static Refusal request(std::string_view block, const HeadLimits& limits, RequestHead& head);
  static Refusal response(std::string_view block, const HeadLimits& limits, ResponseHead& head);

 private:
  struct Framing;
  static Refusal fields(std::string_view lines, std::size_t offset, const HeadLimits& limits, Fields& out,
                        Framing& framing);
  static Refusal one_field(std::string_view name, std::string_view value, Framing& framing);
};

}  // namespace stillwatch::http
