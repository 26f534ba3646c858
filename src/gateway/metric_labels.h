// The label values of the gateway's counters: one enumeration a family, so that a label can only be one of a list. In a
// namespace of their own, since the things that they count have the same names.
//
// Invariant: slot gives every (family, label) a place of its own below kSlots; names are in
// metric_families.cc, in the order of the enumerations.
// Threads: constants. Cost: folded at compile time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "event/verdict.h"

namespace stillwatch::gateway::metric {

/// stillwatch_requests_total{dialect}
enum class RequestDialect : std::uint8_t { openai_chat, openai_responses, openai_other, anthropic_messages, other };
/// stillwatch_responses_total{code}: by the first digit of the status, 1xx to 5xx
enum class ResponseCode : std::uint8_t { c1xx, c2xx, c3xx, c4xx, c5xx };
/// stillwatch_refusals_total{reason}: answers of the gateway itself that are not the upstream's
enum class Refusal : std::uint8_t {
  malformed,
  too_large,
  unreadable,
  timeout,
  unknown_key,
  expired_key,
  network,
  mtls,
  model,
  parameter,
  region,
  verification,
  limit_requests,
  limit_tokens,
  limit_streams,
  remedy_verify,
  remedy_throttle,
  remedy_restrict,
  remedy_suspend,
  queue_full,
  log_failed,
  ledger_failed,
  overload,
  upstream,
};
/// stillwatch_bytes_total{direction}
enum class Bytes : std::uint8_t { request, response };
/// stillwatch_tokens_total{kind}: as the upstream reports them
enum class Tokens : std::uint8_t { input, output, reasoning, cached };
/// stillwatch_exchanges_total{result}: what became of finished requests on their way to the engine
enum class Exchange : std::uint8_t { observed, shed_queue, shed_late, shed_unreadable, unidentified };
/// stillwatch_connections_total{result}
enum class Connection : std::uint8_t { accepted, refused, tls_failed, closed_by_client };
/// stillwatch_decisions_total{api}
enum class Decision : std::uint8_t { check, auth, guardrail };
/// stillwatch_verdict_changes_total{level}: the level after the change
enum class VerdictChange : std::uint8_t { clear, observe, notice, verify, throttle, restrict, suspend };
/// stillwatch_webhooks_total{result}
enum class WebhookResult : std::uint8_t { delivered, failed, dropped };
/// stillwatch_reloads_total{result}
enum class Reload : std::uint8_t { done, refused };
/// stillwatch_gaps_total{reason}: stretches of traffic that the engine did not see
enum class Gap : std::uint8_t { queue_full, log_failed };
/// stillwatch_query_log_total{result}: records
enum class LogRecord : std::uint8_t { written, failed };
/// stillwatch_fed_lines_total{result}: lines of other logs
enum class FedLine : std::uint8_t { tailed, too_long, refused, repeated, early };
/// stillwatch_tail_events_total{event}
enum class TailEvent : std::uint8_t { opened, rotated, truncated, place_lost, read_error, wait };
/// stillwatch_name_look_ups_total{result}: of the names of model servers and other hosts
enum class NameLookUp : std::uint8_t {
  asked,
  failed,  // found nothing
  late,    // connections that were not made, or to an old address, because one did not end in time
  stale,   // connections to an address older than five minutes
};

/// stillwatch_ledger_total{what}: of the audit log
enum class LedgerEvent : std::uint8_t {
  record,
  decision,
  other,     // leaves of policies, calibrations and gaps
  recalled,  // were in the log already, after a start
  lost,      // found no room; a gap leaf says so
  failed,    // attempts to write, tried again
  payload,   // sealed into the vault
  anchor,
  quorum,  // anchor checkpoints with enough cosignatures
  stamp,
};

/// stillwatch_remedies_total{remedy,state}
enum class RemedyState : std::uint8_t { done, dry_run };
/// stillwatch_upstream_events_total{upstream,event}
enum class UpstreamEvent : std::uint8_t { request, connect_failed, timeout, broken, retried, unhealthy };
inline constexpr std::size_t kUpstreamEvents = 6;

/// Histograms, in seconds.
enum class Duration : std::uint8_t { overhead, first_byte, request, observer_wait };
inline constexpr std::size_t kDurations = 4;
inline constexpr std::size_t kDurationBuckets = 20;  // powers of two from 16 µs to 8 s, and beyond: +Inf

/// Gauges that are sums over threads.
enum class Held : std::uint8_t { connections, requests, streams };
inline constexpr std::size_t kHelds = 3;
/// Gauges with one writer each.
enum class Gauge : std::uint8_t {
  observer_lag_seconds,  // arrival of the newest request minus that of the newest one given to the engine
  observer_queue_exchanges,
  observer_queue_bytes,
  verdict_table_subjects,
  campaigns,
  snapshot_age_seconds,
  query_log_bytes,  // of the open file
  webhook_queue_events,
  run_log_dropped_lines,
  overrides,
  dry_run,                     // 1: no remedy is done whatever the modes say
  certificate_expiry_seconds,  // until the first of the server's certificates ends
  tail_files,                  // that are open
  tail_bytes_behind,           // of them, not read yet
  calibrating,                 // 1: the engine learns and says nothing yet
  secret_overlap,              // 1: an engine under the secret before a rotation goes on
  ledger_waiting_leaves,
  ledger_behind_seconds,    // how long the oldest of them has been waiting
  ledger_anchored_entries,  // of the anchor log
  ledger_cosigned_entries,  // of these, under a checkpoint with a quorum
  ledger_stamped_entries,   // of these, under a checkpoint with a time stamp
};
inline constexpr std::size_t kGauges = 21;
/// stillwatch_alarm_active{alarm}
enum class AlarmKind : std::uint8_t {
  verdict_rate,
  engine_behind,
  calibration_drift,
  query_log,
  snapshot,
  ledger,  // cannot be written
  ledger_behind,
  ledger_quorum,  // too few witnesses for too long
  ledger_fork,    // a witness knows another tree under our name
  ledger_stamp,
};
inline constexpr std::size_t kAlarmKinds = 10;
inline constexpr std::size_t kLevels = 7;

namespace layout {
/// First slot and number of labels, by family.
template <class Label>
struct Family;
#define STILLWATCH_METRIC_FAMILY(type, first, labels)                  \
  template <>                                                          \
  struct Family<type> {                                                \
    static constexpr std::size_t kFirst = (first), kLabels = (labels); \
  }
#define STILLWATCH_AFTER(type) Family<type>::kFirst + Family<type>::kLabels
STILLWATCH_METRIC_FAMILY(RequestDialect, 0, 5);
STILLWATCH_METRIC_FAMILY(ResponseCode, STILLWATCH_AFTER(RequestDialect), 5);
STILLWATCH_METRIC_FAMILY(Refusal, STILLWATCH_AFTER(ResponseCode), 24);
STILLWATCH_METRIC_FAMILY(Bytes, STILLWATCH_AFTER(Refusal), 2);
STILLWATCH_METRIC_FAMILY(Tokens, STILLWATCH_AFTER(Bytes), 4);
STILLWATCH_METRIC_FAMILY(Exchange, STILLWATCH_AFTER(Tokens), 5);
STILLWATCH_METRIC_FAMILY(Connection, STILLWATCH_AFTER(Exchange), 4);
STILLWATCH_METRIC_FAMILY(Decision, STILLWATCH_AFTER(Connection), 3);
STILLWATCH_METRIC_FAMILY(VerdictChange, STILLWATCH_AFTER(Decision), 7);
STILLWATCH_METRIC_FAMILY(WebhookResult, STILLWATCH_AFTER(VerdictChange), 3);
STILLWATCH_METRIC_FAMILY(Reload, STILLWATCH_AFTER(WebhookResult), 2);
STILLWATCH_METRIC_FAMILY(Gap, STILLWATCH_AFTER(Reload), 2);
STILLWATCH_METRIC_FAMILY(LogRecord, STILLWATCH_AFTER(Gap), 2);
STILLWATCH_METRIC_FAMILY(FedLine, STILLWATCH_AFTER(LogRecord), 5);
STILLWATCH_METRIC_FAMILY(TailEvent, STILLWATCH_AFTER(FedLine), 6);
STILLWATCH_METRIC_FAMILY(NameLookUp, STILLWATCH_AFTER(TailEvent), 4);
STILLWATCH_METRIC_FAMILY(LedgerEvent, STILLWATCH_AFTER(NameLookUp), 10);
STILLWATCH_METRIC_FAMILY(RemedyState, STILLWATCH_AFTER(LedgerEvent), 2 * kLevels);
inline constexpr std::size_t kSlots = STILLWATCH_AFTER(RemedyState);
#undef STILLWATCH_AFTER
#undef STILLWATCH_METRIC_FAMILY
}  // namespace layout

inline constexpr std::size_t kSlots = layout::kSlots;

template <class Label>
constexpr std::size_t slot(Label label) {
  static_assert(!std::is_same_v<Label, RemedyState>, "a remedy has two labels: count_remedy");
  return layout::Family<Label>::kFirst + static_cast<std::size_t>(label);
}
constexpr std::size_t slot(RemedyState state, event::Level remedy) {
  return layout::Family<RemedyState>::kFirst + static_cast<std::size_t>(state) * kLevels +
         static_cast<std::size_t>(remedy);
}

}  // namespace stillwatch::gateway::metric
