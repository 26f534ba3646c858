// A call of a running gateway's admin API, for commands.
//
// Invariant: an answer other than 2xx is an error with the gateway's own sentence. Threads: blocks the caller.
// Cost: a connection.
#pragma once

#include <string>

#include "base/result.h"
#include "gateway/configuration.h"

namespace stillwatch::app {

struct AdminAddress {
  std::string listen;      // HOST:PORT or unix:PATH
  std::string token_file;  // empty: none
};
/// Of a gateway with this configuration. Caller error when it has no admin address.
base::Result<AdminAddress> admin_address(const gateway::Configuration& configuration);

/// The answer's body. `body` empty: none is sent.
base::Result<std::string> call_admin(const AdminAddress& address, const std::string& method, const std::string& target,
                                     const std::string& body);

}  // namespace stillwatch::app
