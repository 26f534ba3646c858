// Signed webhooks: tells other systems of changes, without ever holding up who has something to tell.
//
// Invariant: at least once, in order for each endpoint, under one id for all attempts of a delivery; what was accepted
// is delivered, or still in the journal, or counted as dropped: never lost silently. A full queue drops the new event.
// Threads: push from any; one own thread journals and sends. Cost: one lock and one string a push.
// Spec: Standard Webhooks 1.0.0 (symmetric signatures, "v1"): base64 HMAC-SHA256 over "id.timestamp.body".
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "gateway/configuration.h"

namespace stillwatch::gateway {

/// Types of events. Names on the wire: "verdict.changed", "alarm.raised", "observer.gap", "notice.due".
enum class WebhookType : std::uint8_t { verdict_changed, alarm_raised, observer_gap, notice_due };
inline constexpr std::size_t kWebhookTypes = 4;
std::string_view name(WebhookType type);

struct WebhookEndpoint {
  std::string url;
  std::vector<std::uint8_t> secret;
  std::uint32_t types = 0;  // bit i: wants WebhookType i
};

using WebhookFields = std::vector<std::pair<std::string, std::string>>;
/// Posts the body and gives the status of the answer; an error when there was none. Must end within its own timeout.
using WebhookSend =
    std::function<base::Result<int>(const std::string& url, const WebhookFields& fields, std::string_view body)>;

struct WebhookSettings {
  std::uint32_t queue_events_max = 10'000;  // of each endpoint, and of events not yet taken up
  std::uint32_t attempts_max = 12;          // then dropped, counted. With the defaults: after about 3 hours
  std::int64_t first_retry_ms = 1'000, retry_ms_max = 3'600'000;
  std::uint64_t journal_bytes_max = 64U << 20;  // beyond it new events are dropped
  std::string journal_path;                     // empty: undelivered events end with the process
  std::uint64_t jitter_seed = 0;
};

struct WebhookCounts {
  std::uint64_t accepted = 0, delivered = 0, failed_attempts = 0, dropped = 0, waiting = 0;
};

/// Bytes of "whsec_<base64>"; 24 to 64 of them. Caller error that does not repeat the secret.
base::Result<std::vector<std::uint8_t>> parse_webhook_secret(std::string_view text);
/// Reads the secret file and the names of events. Caller or environment error that names what is wrong.
base::Result<WebhookEndpoint> webhook_endpoint(const settings::Webhook& configured);
/// All but the path of the journal and the seed.
WebhookSettings webhook_settings(const settings::Webhooks& configured);
/// The three signed fields and the content type.
WebhookFields sign_webhook(std::span<const std::uint8_t> secret, const std::string& id, std::int64_t timestamp_s,
                           std::string_view body);
/// Milliseconds before attempt number `failures` + 1: doubled each time, 50-100 % of it by jitter, at most the limit.
std::int64_t webhook_delay_ms(const WebhookSettings& settings, std::uint32_t failures, std::uint64_t random);

class WebhookSender {
 public:
  /// Reads the journal and starts the thread. Environment error when the journal cannot be written.
  static base::Result<std::unique_ptr<WebhookSender>> start(WebhookSettings settings,
                                                            std::vector<WebhookEndpoint> endpoints, WebhookSend send);
  ~WebhookSender();  // as stop(0)
  WebhookSender(const WebhookSender&) = delete;
  WebhookSender& operator=(const WebhookSender&) = delete;

  /// `data` is one JSON value, `time_us` the event's time. False when it was dropped.
  bool push(WebhookType type, std::int64_t time_us, std::string_view data);
  /// Waits until all is delivered or the time is over, writes the journal, ends the thread.
  void stop(std::int64_t wait_ms);
  WebhookCounts counts() const;

 private:
  WebhookSender();
  class Worker;
  std::unique_ptr<Worker> worker_;
};

}  // namespace stillwatch::gateway
