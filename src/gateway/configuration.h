// The configuration of `stillwatch serve`: one TOML file as plain structs, every setting with its default.
//
// Invariant: what was read is complete and in range; an unknown key, a wrong type or a value out of range is an error
// that names file, line, key and the nearest known key, and all errors of a file are told at once.
// Threads: plain values; pure functions. Reference: docs/reference/gateway-configuration.md, sample:
// deploy/gateway.toml (a test holds both together with this). Not read here: whether files and addresses work; see
// configuration_check.h.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/setting_keys.h"
#include "event/account.h"
#include "event/verdict.h"

namespace stillwatch::gateway {

/// The sections. In a namespace of their own: the parts that they configure have the same names.
namespace settings {

/// What happens to a request that cannot be handled as usual.
enum class Answer : std::uint8_t { pass, refuse };
/// How far a remedy goes: shown in headers, metrics and logs only, or done.
enum class Mode : std::uint8_t { dry_run, on };
enum class ClientCertificates : std::uint8_t { off, optional, required };
/// Where in a client certificate the account's name is.
enum class CertificateName : std::uint8_t { off, common_name, dns, uri };
/// The API whose refusals a path gets when the path itself does not tell.
enum class ErrorDialect : std::uint8_t { openai, anthropic };
/// When the query log is on the disk: when the system likes, once a second, or before the engine sees a record.
enum class Sync : std::uint8_t { never, second, flush };
enum class Content : std::uint8_t { none, full };
/// Where a log that is followed for the first time is read from.
enum class TailBegin : std::uint8_t { start, end };
enum class LogLevel : std::uint8_t { debug, info, warn, error };

/// PEM files of a TLS listener; no TLS when `certificate_file` is empty.
struct ServerTls {
  std::string certificate_file, key_file, client_ca_file;
  ClientCertificates client_certificates = ClientCertificates::off;
};

/// Addresses are "host:port", "[v6]:port" or "unix:PATH".
struct Server {
  std::vector<std::string> listen{"127.0.0.1:8080"};
  std::vector<std::string> decision_listen;                 // empty: the decision API is on admin_listen
  std::vector<std::string> admin_listen{"127.0.0.1:9464"};  // metrics, health, overrides, dry run
  std::string admin_token_file;                             // needed when admin_listen is not of this machine alone
  std::uint32_t threads = 0;                                // 0: one a core
  std::uint32_t connections_max = 20'000;
  std::uint32_t streams_max = 10'000;  // requests in flight
  std::uint32_t header_bytes_max = 32'768, target_bytes_max = 8'192, headers_max = 100;
  std::uint64_t body_bytes_max = 32U << 20;
  std::int64_t handshake_ms = 10'000;
  std::int64_t header_ms = 10'000;  // from the first byte to the end of the header (slow-loris)
  std::int64_t body_idle_ms = 30'000, write_stall_ms = 30'000, keep_alive_ms = 75'000;
  std::uint32_t body_bytes_per_second_min = 256;  // averaged, after body_idle_ms
  std::int64_t drain_ms = 30'000;                 // streams have that long to end after SIGTERM
  Answer unreadable_body = Answer::pass;          // no JSON of its API, where no rule of access needs to read it
  bool overhead_header = false;                   // stillwatch-overhead-us on every answer
  ServerTls tls;
};

struct UpstreamTls {
  std::string ca_file;  // empty: the system's
  std::string certificate_file, key_file;
  std::string server_name;  // empty: the host of the url
  bool verify = true;
};

struct Upstream {
  std::string name;
  std::vector<std::string> urls;           // http://host:port, https://host:port or http://unix:PATH
  std::vector<std::string> prefixes{"/"};  // the longest that matches wins, over all upstreams
  ErrorDialect dialect = ErrorDialect::openai;
  UpstreamTls tls;
  std::int64_t connect_ms = 5'000, first_byte_ms = 600'000, idle_ms = 120'000, total_ms = 3'600'000;
  std::uint32_t connections_max = 4'096, idle_connections_max = 4'096;  // to each url, of each network thread
  std::int64_t keep_alive_ms = 50'000;  // idle pooled connections; shorter than the upstream's own
  std::string health_path;              // empty: a url is down only after failed connections
  std::int64_t health_interval_ms = 5'000;
  std::uint32_t health_failures_max = 3;
};

/// A proxy in front that may say who asks. Empty header name: it does not tell that.
struct FrontProxy {
  std::vector<std::string> networks;  // CIDRs, or "unix" for unix sockets
  std::string account_header, key_header, end_user_header, address_header, region_header;
};

/// A client certificate, by its SHA-256 fingerprint (64 hex digits), and whose it is.
struct CertificateAccount {
  std::string sha256, account, key;
};

struct Identity {
  std::string keys_file;             // gateway/key_file.h
  std::string accounts_file;         // accounts.ndjson; read again when it changes
  std::int64_t accounts_ms = 5'000;  // between looks at it
  Answer unknown = Answer::refuse;   // a request without a known account: 401, or passed and not judged
  CertificateName certificate_name = CertificateName::off;
  std::vector<FrontProxy> front_proxies;
  std::vector<CertificateAccount> certificates;
};

enum class LimitScope : std::uint8_t { end_user, key, account, organisation, tier };
inline constexpr std::size_t kLimitScopes = 5;
std::string_view name(LimitScope scope);

/// Absent: no limit.
struct Limits {
  std::optional<std::uint64_t> requests_per_minute, requests_per_day, tokens_per_minute, tokens_per_day;
  std::optional<std::uint32_t> streams_max;
};

/// What a tier or a key may do. Absent: not restricted here. A request must be allowed by its tier and by its key.
struct Access {
  std::optional<std::vector<std::string>> networks;  // CIDRs
  std::optional<bool> mtls;                          // a verified client certificate is required
  std::optional<std::vector<std::string>> models;    // names; a * stands for any text
  std::optional<std::uint32_t> n_max;
  std::optional<bool> logprobs, batch;  // false: refused
  std::optional<std::uint32_t> output_tokens_max;
  std::optional<bool> output_tokens_required;       // true: a request must say its limit
  std::optional<std::vector<std::string>> regions;  // as the front proxy's region header names them
  std::optional<event::Verification> verification;  // at least
  std::array<Limits, kLimitScopes> limits{};        // by LimitScope
};

struct Remedies {
  bool dry_run = true;  // over all of them: true, and nothing is done to any request whatever the modes say
  Mode notice = Mode::dry_run, verify = Mode::dry_run, throttle = Mode::dry_run, restrict = Mode::dry_run,
       suspend = Mode::dry_run;
  bool notice_hook = false;    // a notice.due event to the webhooks, for a mail to the customer
  std::string verify_address;  // where a customer can verify
  std::string appeal_address;  // named in every answer that a remedy changed
  event::Verification verification_satisfies = event::Verification::id;           // who is so is not asked again
  std::uint32_t throttle_requests_per_minute = 2, throttle_requests_per_day = 0;  // 0: no such limit
  bool restrict_logprobs = true, restrict_n = true, restrict_reasoning = true;    // true: taken out, or n set to 1
  bool show_dry_run = false;            // headers tell clients what would be done
  std::vector<std::string> allow_list;  // accounts to which nothing is ever done
  Answer on_unreadable = Answer::pass;  // a body that cannot be read, of a restricted subject
};

struct Observer {
  std::uint32_t queue_exchanges_max = 65'536, queue_shed_max = 262'144;
  std::uint64_t queue_bytes_max = 256U << 20;
  Answer on_full = Answer::pass;  // refuse: 503
  std::int64_t order_wait_us = 120 * base::kSecondUs;
  std::uint32_t order_records_max = 500'000;     // that wait for their turn
  std::uint32_t threads = 1;                     // of the engine
  std::uint64_t body_copy_bytes_max = 4U << 20;  // of each body; of a longer one no fingerprint is made, counted
  std::uint64_t reply_bytes_max = 0;             // of each answer's text, for passages that a prompt may quote; 0: none
  Content content = Content::none;
};

/// A log of another program that is followed for content.
struct Tail {
  std::string path;               // a file, or a pattern in its last component
  std::string format = "native";  // as `replay --format`
  TailBegin begin = TailBegin::start;
  bool operator==(const Tail&) const = default;
};

struct QueryLog {
  std::string folder = "log";
  std::uint64_t rotate_bytes = 256U << 20;  // on the disk
  std::int64_t rotate_ms = 86'400'000;      // of event time
  std::uint32_t retention_days = 0;         // 0: kept for ever
  std::uint64_t retention_bytes = 0;        // older files beyond are removed; 0: none
  std::uint32_t compression_level = 1;      // zstd
  Sync sync = Sync::second;
  Answer on_error = Answer::pass;  // the log cannot be written: pass, count and alarm, or 503
};

struct StampAuthority {
  std::string name, url, ca_file, tls_ca_file;
  bool operator==(const StampAuthority&) const = default;
};

/// The audit log (module audit). Off while `folder` is empty.
struct Ledger {
  std::string folder;
  std::string host;                   // beginning of its logs' names, such as "audit.provider.example"
  std::string shard = "s00";          // of this gateway's log; another one for each gateway
  std::string signed_folder;          // of the last signed checkpoints; better on other storage. Empty: beside the logs
  Answer on_overflow = Answer::pass;  // it cannot be written or its queue is full: pass with a gap leaf, or 503
  bool leaf_header = true;            // stillwatch-leaf on answers: the id of the request's leaf
  std::uint32_t queue_records_max = 65'536;
  std::uint64_t queue_bytes_max = 128U << 20;
  std::int64_t anchor_ms = 10'000;
  std::string witness_policy_file;  // C2SP tlog-policy: witnesses and quorum. Empty: nobody is asked
  std::int64_t witness_ms = 60'000, witness_alarm_ms = 600'000;
  std::vector<StampAuthority> stamp_authorities;
  std::int64_t stamp_ms = 600'000, stamp_alarm_ms = 3'600'000;
  std::int64_t behind_alarm_ms = 10'000;
  std::vector<std::string> listen, auditor_listen;  // pages of the anchor log; of all logs
  std::string master_key_file;                      // empty: keys/master in the folder
  std::vector<std::string> unwrap_command;          // instead of the file: a program that wraps and unwraps
  bool vault = false;                               // bodies of requests are kept, encrypted
  bool vault_compress = false;
  std::int32_t content_days = 30, evidence_days = 396, flagged_days = 731, entries_days = 396;
  bool operator==(const Ledger&) const = default;
};

struct State {
  std::string folder = "state";
  std::string secret_file = "stillwatch.secret";
};

struct Webhook {
  std::string url;
  std::string secret_file;  // one line: whsec_ and base64
  std::vector<std::string> events{"verdict.changed", "alarm.raised", "observer.gap"};
};

struct Webhooks {
  std::uint32_t queue_events_max = 10'000;
  std::uint32_t attempts_max = 12;
  std::int64_t first_retry_ms = 1'000, retry_ms_max = 3'600'000, timeout_ms = 10'000;
  std::uint64_t journal_bytes_max = 64U << 20;
  std::vector<Webhook> endpoints;
};

struct Decisions {
  std::uint32_t stream_clients_max = 64;
  std::uint32_t stream_events_max = 10'000;  // kept for clients that come back
};

struct Metrics {
  std::uint32_t label_values_max = 64;  // of one label; further ones are "other"
};

struct Alarms {
  std::int64_t engine_behind_ms = 60'000;
};

struct Log {
  std::string file;  // empty: standard error
  LogLevel level = LogLevel::info;
  std::uint32_t refusals_per_second_max = 10;
};

struct Demo {
  std::string time_header;  // event time from this header. Whoever can send it rewrites history: never in production
};

}  // namespace settings

struct Configuration {
  settings::Server server;
  std::vector<settings::Upstream> upstreams;
  settings::Identity identity;
  std::map<std::string, settings::Access, std::less<>> tiers;  // "default" is for accounts and keys that have none
  std::map<std::string, settings::Access, std::less<>> keys;   // by the key's id
  settings::Remedies remedies;
  settings::Observer observer;
  std::vector<settings::Tail> tails;
  settings::QueryLog query_log;
  settings::State state;
  settings::Ledger ledger;
  settings::Webhooks webhooks;
  settings::Decisions decisions;
  settings::Metrics metrics;
  settings::Alarms alarms;
  settings::Log log;
  settings::Demo demo;
  engine::RunSettings run;  // [intake], [detect], [policy], [engine]: as in docs/reference/configuration.md
};

/// Caller error with one line a problem; environment error when the file cannot be read.
base::Result<Configuration> read_configuration(const std::string& path);
/// The same of a text; `path` is for messages only.
base::Result<Configuration> parse_configuration(std::string_view text, const std::string& path);

/// "sha256:..." of what can change a verdict: the same as that of a replay with the same settings.
std::string policy_hash(const Configuration& configuration);

/// A setting as the reference lists it: "server.threads", "tiers.NAME.n_max", "upstream.urls"; and its default as it
/// would stand in the file ("" when there is none).
struct SettingName {
  std::string name, default_value;
};
std::vector<SettingName> setting_names();

}  // namespace stillwatch::gateway
