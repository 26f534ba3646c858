// Any bytes as the configuration: read or refused with a message, and never an unknown state.
#include <cstdlib>

#include "base/assert.h"
#include "gateway/configuration.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  namespace gateway = stillwatch::gateway;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const auto configuration = gateway::parse_configuration(text, "gateway.toml");
  if (!configuration) {
    STILLWATCH_ASSERT(!configuration.error().message.empty());
    STILLWATCH_ASSERT(configuration.error().fault == stillwatch::base::Fault::caller);
    return 0;
  }
  STILLWATCH_ASSERT(configuration->server.body_bytes_max > 0);
  STILLWATCH_ASSERT(configuration->observer.queue_exchanges_max > 0);
  for (const auto& upstream : configuration->upstreams) STILLWATCH_ASSERT(!upstream.urls.empty());
  STILLWATCH_ASSERT(gateway::policy_hash(*configuration).size() == 7 + 64);
  return 0;
}
