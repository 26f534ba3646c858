// Several HTTP requests at once, on the calling thread.
//
// Invariant: ends within the longest timeout of its requests. Threads: any. Cost: one connection a request.
#pragma once

#include <vector>

#include "http/client.h"

namespace stillwatch::audit {

/// One answer for each request, in their order.
std::vector<base::Result<http::FetchAnswer>> fetch_all(std::vector<http::FetchRequest> requests);

}  // namespace stillwatch::audit
