#include <algorithm>

#include <fmt/format.h>

#include "base/base64.h"
#include "base/files.h"
#include "base/random.h"
#include "crypto/hmac.h"
#include "gateway/webhooks.h"

namespace stillwatch::gateway {

using namespace settings;

namespace {

using base::Fault;

constexpr std::string_view kSecretPrefix = "whsec_";
constexpr std::size_t kSecretBytesMin = 24, kSecretBytesMax = 64;  // Standard Webhooks, "Signature scheme"

}  // namespace

std::string_view name(WebhookType type) {
  constexpr std::array<std::string_view, kWebhookTypes> kNames{"verdict.changed", "alarm.raised", "observer.gap",
                                                               "notice.due"};
  return kNames[static_cast<std::size_t>(type)];
}

base::Result<std::vector<std::uint8_t>> parse_webhook_secret(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  if (text.starts_with(kSecretPrefix)) {
    if (auto bytes = base::base64_decode(text.substr(kSecretPrefix.size()));
        bytes && bytes->size() >= kSecretBytesMin && bytes->size() <= kSecretBytesMax) {
      return std::move(*bytes);
    }
  }
  return base::fail(Fault::caller, "not a secret of webhooks: whsec_ and the base64 of 24 to 64 bytes");
}

base::Result<WebhookEndpoint> webhook_endpoint(const Webhook& configured) {
  WebhookEndpoint endpoint;
  endpoint.url = configured.url;
  for (const std::string& event : configured.events) {
    std::size_t type = 0;
    while (type < kWebhookTypes && name(static_cast<WebhookType>(type)) != event) ++type;
    if (type == kWebhookTypes) {
      return base::fail(Fault::caller, fmt::format("{} is no event; there are verdict.changed, alarm.raised, "
                                                   "observer.gap and notice.due",
                                                   event));
    }
    endpoint.types |= 1U << type;
  }
  STILLWATCH_TRY(text, base::read_file(configured.secret_file, 4096));
  auto secret = parse_webhook_secret(text);
  if (!secret) return base::fail(Fault::caller, fmt::format("{}: {}", configured.secret_file, secret.error().message));
  endpoint.secret = std::move(*secret);
  return endpoint;
}

WebhookSettings webhook_settings(const Webhooks& configured) {
  WebhookSettings settings;
  settings.queue_events_max = configured.queue_events_max;
  settings.attempts_max = configured.attempts_max;
  settings.first_retry_ms = configured.first_retry_ms;
  settings.retry_ms_max = configured.retry_ms_max;
  settings.journal_bytes_max = configured.journal_bytes_max;
  return settings;
}

WebhookFields sign_webhook(std::span<const std::uint8_t> secret, const std::string& id, std::int64_t timestamp_s,
                           std::string_view body) {
  const std::string timestamp = fmt::format("{}", timestamp_s);
  const crypto::HmacTag tag = crypto::hmac_sha256(secret, {id, ".", timestamp, ".", body});
  return {{"content-type", "application/json"},
          {"webhook-id", id},
          {"webhook-timestamp", timestamp},
          {"webhook-signature", "v1," + base::base64_encode(tag)}};
}

std::int64_t webhook_delay_ms(const WebhookSettings& settings, std::uint32_t failures, std::uint64_t random) {
  std::int64_t delay = std::max<std::int64_t>(settings.first_retry_ms, 1);
  for (std::uint32_t i = 1; i < failures && delay < settings.retry_ms_max; ++i) delay *= 2;
  delay = std::min(delay, std::max<std::int64_t>(settings.retry_ms_max, 1));
  return delay - static_cast<std::int64_t>(base::Random(random).below(static_cast<std::uint64_t>(delay) / 2 + 1));
}

}  // namespace stillwatch::gateway
