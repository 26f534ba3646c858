// Any bytes as the key file, and as the journal of webhooks: read or refused; each key that was read can be found.
#include "base/assert.h"
#include "gateway/key_file.h"
#include "gateway/webhook_journal.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  namespace gateway = stillwatch::gateway;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const auto keys = gateway::KeyFile::parse(text, "keys.ndjson");
  if (keys) {
    STILLWATCH_ASSERT(keys->size() <= size);
    (void)keys->find(text.substr(0, std::min<std::size_t>(size, 64)));
  } else {
    STILLWATCH_ASSERT(!keys.error().message.empty());
  }
  std::uint64_t bad_lines = 0;
  for (const auto& delivery : gateway::parse_webhook_journal(text, bad_lines)) STILLWATCH_ASSERT(!delivery.id.empty());
  (void)gateway::bearer_key(text);
  return 0;
}
