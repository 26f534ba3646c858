// The proxy: one request from the client to a model server and its answer back, with everything that is decided
// between.
//
// Order: who asks -> access protocol -> remedy -> limits -> forward, streaming both ways -> settle -> hand over to the
// observer. Invariant: every request of a known account that was read ends in exactly one exchange for the observer,
// whatever became of it; no byte of an answer is held back but what a restriction must see whole.
// Threads: one network thread's coroutines. Cost: docs/benchmarks.md, `bench/gateway`.
#pragma once

#include "gateway/station.h"
#include "http/server.h"

namespace stillwatch::gateway {

/// Serves one request. `desk` is that of the thread it runs on.
http::Task<void> serve_proxy(Desk& desk, http::Exchange& exchange);

}  // namespace stillwatch::gateway
