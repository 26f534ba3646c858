// GET /v1/decisions: the levels in force, page by page.
//
// Invariant: each subject once, at the level that a request of it would meet. Levels of before a rotation of the secret
// come behind those of the engine. Threads: a network thread's. Cost: linear in a page.
#pragma once

#include "gateway/station.h"
#include "http/server.h"

namespace stillwatch::gateway {

http::Task<void> list_decisions(Desk& desk, http::Exchange& exchange);

}  // namespace stillwatch::gateway
