#include "gateway/metric_families.h"

namespace stillwatch::gateway::metric {
namespace {

using layout::Family;
using Words = std::string_view;

constexpr Words kRequestDialect[] = {"openai.chat", "openai.responses", "openai.other", "anthropic.messages", "other"};
static_assert(std::size(kRequestDialect) == Family<RequestDialect>::kLabels);
constexpr Words kResponseCode[] = {"1xx", "2xx", "3xx", "4xx", "5xx"};
static_assert(std::size(kResponseCode) == Family<ResponseCode>::kLabels);
constexpr Words kRefusal[] = {
    "malformed",      "too_large",    "unreadable",    "timeout",       "unknown_key",     "expired_key",
    "network",        "mtls",         "model",         "parameter",     "region",          "verification",
    "limit_requests", "limit_tokens", "limit_streams", "remedy_verify", "remedy_throttle", "remedy_restrict",
    "remedy_suspend", "queue_full",   "log_failed",    "ledger_failed", "overload",        "upstream"};
static_assert(std::size(kRefusal) == Family<Refusal>::kLabels);
constexpr Words kBytes[] = {"request", "response"};
static_assert(std::size(kBytes) == Family<Bytes>::kLabels);
constexpr Words kTokens[] = {"input", "output", "reasoning", "cached"};
static_assert(std::size(kTokens) == Family<Tokens>::kLabels);
constexpr Words kExchange[] = {"observed", "shed_queue", "shed_late", "shed_unreadable", "unidentified"};
static_assert(std::size(kExchange) == Family<Exchange>::kLabels);
constexpr Words kConnection[] = {"accepted", "refused", "tls_failed", "closed_by_client"};
static_assert(std::size(kConnection) == Family<Connection>::kLabels);
constexpr Words kDecision[] = {"check", "auth", "guardrail"};
static_assert(std::size(kDecision) == Family<Decision>::kLabels);
constexpr Words kVerdictChange[] = {"clear", "observe", "notice", "verify", "throttle", "restrict", "suspend"};
static_assert(std::size(kVerdictChange) == Family<VerdictChange>::kLabels);
constexpr Words kWebhookResult[] = {"delivered", "failed", "dropped"};
static_assert(std::size(kWebhookResult) == Family<WebhookResult>::kLabels);
constexpr Words kReload[] = {"done", "refused"};
static_assert(std::size(kReload) == Family<Reload>::kLabels);
constexpr Words kGap[] = {"queue_full", "log_failed"};
static_assert(std::size(kGap) == Family<Gap>::kLabels);
constexpr Words kLogRecord[] = {"written", "failed"};
static_assert(std::size(kLogRecord) == Family<LogRecord>::kLabels);
constexpr Words kFedLine[] = {"tailed", "too_long", "refused", "repeated", "early"};
static_assert(std::size(kFedLine) == Family<FedLine>::kLabels);
constexpr Words kTailEvent[] = {"opened", "rotated", "truncated", "place_lost", "read_error", "wait"};
static_assert(std::size(kTailEvent) == Family<TailEvent>::kLabels);
constexpr Words kNameLookUp[] = {"asked", "failed", "late", "stale"};
static_assert(std::size(kNameLookUp) == Family<NameLookUp>::kLabels);
constexpr Words kLedgerEvent[] = {"record", "decision", "other",  "recalled", "lost",
                                  "failed", "payload",  "anchor", "quorum",   "stamp"};
static_assert(std::size(kLedgerEvent) == Family<LedgerEvent>::kLabels);

constexpr CounterFamily kCounters[] = {
    {"stillwatch_requests_total", "Requests that were read as far as their header", "dialect", kRequestDialect,
     Family<RequestDialect>::kFirst},
    {"stillwatch_responses_total", "Answers to clients, by the first digit of the status", "code", kResponseCode,
     Family<ResponseCode>::kFirst},
    {"stillwatch_refusals_total", "Requests that the gateway answered itself instead of an upstream", "reason",
     kRefusal, Family<Refusal>::kFirst},
    {"stillwatch_bytes_total", "Bytes of bodies, from and to clients", "direction", kBytes, Family<Bytes>::kFirst},
    {"stillwatch_tokens_total", "Tokens, as upstreams report them", "kind", kTokens, Family<Tokens>::kFirst},
    {"stillwatch_exchanges_total", "Finished requests, and what became of them on their way to the engine", "result",
     kExchange, Family<Exchange>::kFirst},
    {"stillwatch_connections_total", "Connections of clients", "result", kConnection, Family<Connection>::kFirst},
    {"stillwatch_decisions_total", "Questions that the decision API answered", "api", kDecision,
     Family<Decision>::kFirst},
    {"stillwatch_verdict_changes_total", "Verdicts, by the level after the change", "level", kVerdictChange,
     Family<VerdictChange>::kFirst},
    {"stillwatch_webhooks_total", "Deliveries of webhooks, by attempt", "result", kWebhookResult,
     Family<WebhookResult>::kFirst},
    {"stillwatch_reloads_total", "Reloads of the configuration", "result", kReload, Family<Reload>::kFirst},
    {"stillwatch_gaps_total", "Stretches of traffic that the engine did not see", "reason", kGap, Family<Gap>::kFirst},
    {"stillwatch_query_log_records_total", "Records for the query log", "result", kLogRecord,
     Family<LogRecord>::kFirst},
    {"stillwatch_fed_lines_total", "Lines of other logs: read from tailed files, and those that gave no usual record",
     "result", kFedLine, Family<FedLine>::kFirst},
    {"stillwatch_tail_events_total", "What happened with files that are followed", "event", kTailEvent,
     Family<TailEvent>::kFirst},
    {"stillwatch_name_look_ups_total", "Look-ups of host names, and connections that they were too slow for", "result",
     kNameLookUp, Family<NameLookUp>::kFirst},
    {"stillwatch_ledger_total", "What the audit log was given, and what became of it", "what", kLedgerEvent,
     Family<LedgerEvent>::kFirst},
};

constexpr PlainFamily kDurationFamilies[] = {
    {"stillwatch_overhead_seconds", "Time that the gateway itself took for a request"},
    {"stillwatch_first_byte_seconds", "From a request's arrival to the first byte of its answer"},
    {"stillwatch_request_seconds", "From a request's arrival to the last byte of its answer"},
    {"stillwatch_observer_wait_seconds", "From the end of a request to its step of the engine"},
};
static_assert(std::size(kDurationFamilies) == kDurations);

constexpr PlainFamily kHeldFamilies[] = {
    {"stillwatch_open_connections", "Connections of clients that are open"},
    {"stillwatch_requests_in_flight", "Requests that have not ended"},
    {"stillwatch_streams_in_flight", "Requests in flight whose answer is a stream of events"},
};
static_assert(std::size(kHeldFamilies) == kHelds);

constexpr PlainFamily kGaugeFamilies[] = {
    {"stillwatch_observer_lag_seconds", "How far the engine is behind the newest request"},
    {"stillwatch_observer_queue_exchanges", "Finished requests that wait for the observer"},
    {"stillwatch_observer_queue_bytes", "Their bytes"},
    {"stillwatch_verdict_table_subjects", "Subjects above level clear in the verdict table"},
    {"stillwatch_campaigns", "Campaigns that are open"},
    {"stillwatch_snapshot_age_seconds", "Since the last snapshot of the engine"},
    {"stillwatch_query_log_bytes", "Of the query log file that is open"},
    {"stillwatch_webhook_queue_events", "Events that wait for delivery"},
    {"stillwatch_run_log_dropped_lines", "Lines that the run log was too slow for"},
    {"stillwatch_overrides", "Subjects whose level a person has set"},
    {"stillwatch_dry_run", "1 while no remedy is done whatever the modes say"},
    {"stillwatch_certificate_expiry_seconds", "Until the first certificate of the server ends"},
    {"stillwatch_tail_files", "Followed files that are open"},
    {"stillwatch_tail_bytes_behind", "Of followed files, what is not read yet"},
    {"stillwatch_calibrating", "1 while the engine learns and says nothing yet"},
    {"stillwatch_secret_overlap", "1 while an engine under the secret before a rotation goes on"},
    {"stillwatch_ledger_waiting_leaves", "Leaves that wait for the audit log's writer"},
    {"stillwatch_ledger_behind_seconds", "How long the oldest of them has been waiting"},
    {"stillwatch_ledger_anchored_entries", "Entries of the anchor log"},
    {"stillwatch_ledger_cosigned_entries", "Of these, under a checkpoint that a quorum of witnesses has cosigned"},
    {"stillwatch_ledger_stamped_entries", "Of these, under a checkpoint with a time stamp"},
};
static_assert(std::size(kGaugeFamilies) == kGauges);

constexpr Words kUpstreamEventWords[] = {"request", "connect_failed", "timeout", "broken", "retried", "unhealthy"};
static_assert(std::size(kUpstreamEventWords) == kUpstreamEvents);
constexpr Words kAlarmWords[] = {"verdict_rate", "engine_behind", "calibration_drift", "query_log",   "snapshot",
                                 "ledger",       "ledger_behind", "ledger_quorum",     "ledger_fork", "ledger_stamp"};
static_assert(std::size(kAlarmWords) == kAlarmKinds);
constexpr Words kRemedyStates[] = {"done", "dry_run"};

}  // namespace

std::span<const CounterFamily> counter_families() { return kCounters; }
std::span<const PlainFamily> duration_families() { return kDurationFamilies; }
std::span<const PlainFamily> held_families() { return kHeldFamilies; }
std::span<const PlainFamily> gauge_families() { return kGaugeFamilies; }
std::span<const std::string_view> upstream_events() { return kUpstreamEventWords; }
std::span<const std::string_view> alarm_kinds() { return kAlarmWords; }
std::span<const std::string_view> remedy_states() { return kRemedyStates; }

}  // namespace stillwatch::gateway::metric
