// `stillwatch bench load`: requests at given times over kept connections, and how long each took from that time on.
//
// Invariant: with a rate, a request's time counts from when it was to be sent, also while no connection was free for
// it, so a server that stalls is charged with everything that waited (no coordinated omission). Times to send are
// random with the given mean rate, and the same in every run.
// Threads: one. Cost: two to four system calls a request; it trusts the server that it measures.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace stillwatch::app {

struct LoadOptions {
  std::string address = "127.0.0.1:8080";
  std::string path = "/v1/chat/completions";
  std::string requests;              // file: a line is API_KEY SPACE BODY
  std::vector<std::string> headers;  // "name: value", of every request
  std::size_t connections = 64;
  double rate = 1'000;  // requests a second; 0: the next one as soon as the last has its answer
  double seconds = 5;
  double warm_up_seconds = 1;  // not measured
  bool hold = false;  // a stream on every connection, kept open after its first event until standard input ends
};

struct LoadResult {
  std::uint64_t requests = 0, failed = 0, unsent = 0;  // unsent: still waited for a connection at the end
  double seconds = 0;
  std::vector<std::int64_t> whole_ns, first_ns;  // sorted; to the end of the answer, to its first byte of body
};

base::Result<LoadResult> run_load(const LoadOptions& options);

/// The value that this share of the sorted values does not exceed; 0 for none.
std::int64_t quantile(const std::vector<std::int64_t>& sorted, double share);

}  // namespace stillwatch::app
