#include "gateway/configuration_sections.h"

namespace stillwatch::gateway {

using namespace settings;

namespace {

constexpr double kMs = 1'000;  // milliseconds in a second
constexpr double kHourMs = 3'600'000, kMiB = 1U << 20;
constexpr double kDayS = 86'400;
constexpr double kCountMax = 1U << 30;

constexpr const char* kAnswers[] = {"pass", "refuse"};
constexpr const char* kModes[] = {"dry_run", "on"};
constexpr const char* kClientCertificates[] = {"off", "optional", "required"};
constexpr const char* kCertificateNames[] = {"off", "common_name", "dns", "uri"};
constexpr const char* kDialects[] = {"openai", "anthropic"};
constexpr const char* kSyncs[] = {"never", "second", "flush"};
constexpr const char* kContents[] = {"none", "full"};
constexpr const char* kTailBegins[] = {"start", "end"};
constexpr const char* kLogLevels[] = {"debug", "info", "warn", "error"};
constexpr const char* kVerifications[] = {"none", "email", "phone", "card", "id", "org"};

void read_server_tls(SettingReader& reader, ServerTls& to) {
  reader.text("certificate", to.certificate_file);
  reader.text("key", to.key_file);
  reader.text("client_ca", to.client_ca_file);
  reader.choice("client_certificates", to.client_certificates, kClientCertificates);
}

void read_limits(SettingReader& reader, Limits& to) {
  reader.number("requests_per_minute", to.requests_per_minute, 1, 1e9);
  reader.number("requests_per_day", to.requests_per_day, 1, 1e12);
  reader.number("tokens_per_minute", to.tokens_per_minute, 1, 1e12);
  reader.number("tokens_per_day", to.tokens_per_day, 1, 1e12);
  reader.number("streams_max", to.streams_max, 1, 1e6);
}

}  // namespace

void read_server(SettingReader& reader, Server& to) {
  reader.texts("listen", to.listen);
  reader.texts("decision_listen", to.decision_listen);
  reader.texts("admin_listen", to.admin_listen);
  reader.text("admin_token_file", to.admin_token_file);
  reader.number("threads", to.threads, 0, 256);
  reader.number("connections_max", to.connections_max, 1, 1e6);
  reader.number("streams_max", to.streams_max, 1, 1e6);
  reader.number("header_bytes_max", to.header_bytes_max, 1024, 1U << 20);
  reader.number("target_bytes_max", to.target_bytes_max, 256, 1U << 20);
  reader.number("headers_max", to.headers_max, 10, 1000);
  reader.number("body_mib_max", to.body_bytes_max, 0.01, 1024, kMiB);
  reader.number("handshake_seconds", to.handshake_ms, 0.1, 600, kMs);
  reader.number("header_seconds", to.header_ms, 0.1, 600, kMs);
  reader.number("body_idle_seconds", to.body_idle_ms, 0.1, 3600, kMs);
  reader.number("body_bytes_per_second_min", to.body_bytes_per_second_min, 0, 1U << 30);
  reader.number("write_stall_seconds", to.write_stall_ms, 0.1, 3600, kMs);
  reader.number("keep_alive_seconds", to.keep_alive_ms, 0.1, 3600, kMs);
  reader.number("drain_seconds", to.drain_ms, 0, 3600, kMs);
  reader.choice("unreadable_body", to.unreadable_body, kAnswers);
  reader.flag("overhead_header", to.overhead_header);
  reader.table("tls", [&](SettingReader& inner) { read_server_tls(inner, to.tls); });
}

void read_upstream(SettingReader& reader, Upstream& to) {
  reader.required_text("name", to.name);
  reader.texts("urls", to.urls);
  if (reader.node() != nullptr && to.urls.empty()) reader.problem(*reader.node(), "urls", "is missing");
  reader.texts("prefixes", to.prefixes);
  reader.choice("dialect", to.dialect, kDialects);
  reader.table("tls", [&](SettingReader& inner) {
    inner.text("ca", to.tls.ca_file);
    inner.text("certificate", to.tls.certificate_file);
    inner.text("key", to.tls.key_file);
    inner.text("server_name", to.tls.server_name);
    inner.flag("verify", to.tls.verify);
  });
  reader.number("connect_seconds", to.connect_ms, 0.01, 600, kMs);
  reader.number("first_byte_seconds", to.first_byte_ms, 0.01, 3600, kMs);
  reader.number("idle_seconds", to.idle_ms, 0.01, 3600, kMs);
  reader.number("total_seconds", to.total_ms, 0.01, kDayS, kMs);
  reader.number("connections_max", to.connections_max, 1, 1e6);
  reader.number("idle_connections_max", to.idle_connections_max, 0, 1e6);
  reader.number("keep_alive_seconds", to.keep_alive_ms, 0, 3600, kMs);
  reader.text("health_path", to.health_path);
  reader.number("health_seconds", to.health_interval_ms, 0.1, 3600, kMs);
  reader.number("health_failures_max", to.health_failures_max, 1, 100);
}

void read_identity(SettingReader& reader, Identity& to) {
  reader.text("keys_file", to.keys_file);
  reader.text("accounts_file", to.accounts_file);
  reader.number("accounts_seconds", to.accounts_ms, 0.1, 3600, kMs);
  reader.choice("unknown", to.unknown, kAnswers);
  reader.choice("certificate_name", to.certificate_name, kCertificateNames);
  reader.tables("front_proxy", to.front_proxies, 64, [](SettingReader& inner, FrontProxy& proxy) {
    inner.texts("networks", proxy.networks);
    if (inner.node() != nullptr && proxy.networks.empty()) inner.problem(*inner.node(), "networks", "is missing");
    inner.text("account_header", proxy.account_header);
    inner.text("key_header", proxy.key_header);
    inner.text("end_user_header", proxy.end_user_header);
    inner.text("address_header", proxy.address_header);
    inner.text("region_header", proxy.region_header);
  });
  reader.tables("certificate", to.certificates, 100'000, [](SettingReader& inner, CertificateAccount& certificate) {
    inner.required_text("sha256", certificate.sha256);
    inner.required_text("account", certificate.account);
    inner.text("key", certificate.key);
  });
}

void read_access(SettingReader& reader, Access& to) {
  reader.texts("networks", to.networks);
  reader.flag("mtls", to.mtls);
  reader.texts("models", to.models);
  reader.number("n_max", to.n_max, 1, 1000);
  reader.flag("logprobs", to.logprobs);
  reader.flag("batch", to.batch);
  reader.number("output_tokens_max", to.output_tokens_max, 1, 1e9);
  reader.flag("output_tokens_required", to.output_tokens_required);
  reader.texts("regions", to.regions);
  reader.choice("verification", to.verification, kVerifications);
  reader.table("limits", [&](SettingReader& inner) {
    if (inner.naming()) {
      Limits limits;
      inner.table("SCOPE", [&](SettingReader& scope) { read_limits(scope, limits); });
      return;
    }
    for (std::size_t i = 0; i < kLimitScopes; ++i) {
      const std::string scope_name(name(static_cast<LimitScope>(i)));
      inner.table(scope_name.c_str(), [&](SettingReader& scope) { read_limits(scope, to.limits[i]); });
    }
  });
}

void read_remedies(SettingReader& reader, Remedies& to) {
  reader.flag("dry_run", to.dry_run);
  reader.choice("notice", to.notice, kModes);
  reader.choice("verify", to.verify, kModes);
  reader.choice("throttle", to.throttle, kModes);
  reader.choice("restrict", to.restrict, kModes);
  reader.choice("suspend", to.suspend, kModes);
  reader.flag("notice_hook", to.notice_hook);
  reader.text("verify_address", to.verify_address);
  reader.text("appeal_address", to.appeal_address);
  reader.choice("verification_satisfies", to.verification_satisfies, kVerifications);
  reader.number("throttle_requests_per_minute", to.throttle_requests_per_minute, 0, 1e6);
  reader.number("throttle_requests_per_day", to.throttle_requests_per_day, 0, 1e9);
  reader.flag("restrict_logprobs", to.restrict_logprobs);
  reader.flag("restrict_n", to.restrict_n);
  reader.flag("restrict_reasoning", to.restrict_reasoning);
  reader.flag("show_dry_run", to.show_dry_run);
  reader.texts("allow_list", to.allow_list);
  reader.choice("on_unreadable", to.on_unreadable, kAnswers);
}

void read_observer(SettingReader& reader, Observer& to) {
  reader.number("queue_exchanges_max", to.queue_exchanges_max, 1, kCountMax);
  reader.number("queue_mib_max", to.queue_bytes_max, 1, 1U << 20, kMiB);
  reader.number("queue_shed_max", to.queue_shed_max, 1, kCountMax);
  reader.choice("on_full", to.on_full, kAnswers);
  reader.number("order_wait_seconds", to.order_wait_us, 0, kDayS, base::kSecondUs);
  reader.number("order_records_max", to.order_records_max, 1, kCountMax);
  reader.number("threads", to.threads, 1, 64);
  reader.number("body_copy_mib_max", to.body_copy_bytes_max, 0.01, 8, kMiB);
  reader.number("reply_kib_max", to.reply_bytes_max, 0, 4096, 1024);
  reader.choice("content", to.content, kContents);
}

void read_tail(SettingReader& reader, Tail& to) {
  reader.required_text("path", to.path);
  reader.text("format", to.format);
  reader.choice("begin", to.begin, kTailBegins);
}

void read_query_log(SettingReader& reader, QueryLog& to) {
  reader.required_text("folder", to.folder);
  reader.number("rotate_mib", to.rotate_bytes, 1, 1U << 20, kMiB);
  reader.number("rotate_hours", to.rotate_ms, 0.01, 24 * 31, kHourMs);
  reader.number("retention_days", to.retention_days, 0, 36'500);
  reader.number("retention_mib", to.retention_bytes, 0, 1U << 30, kMiB);
  reader.number("compression_level", to.compression_level, 1, 19);
  reader.choice("sync", to.sync, kSyncs);
  reader.choice("on_error", to.on_error, kAnswers);
}

void read_state(SettingReader& reader, State& to) {
  reader.required_text("folder", to.folder);
  reader.required_text("secret_file", to.secret_file);
}

void read_ledger(SettingReader& reader, Ledger& to) {
  reader.text("folder", to.folder);
  reader.text("host", to.host);
  reader.text("shard", to.shard);
  reader.text("signed_folder", to.signed_folder);
  reader.choice("on_overflow", to.on_overflow, kAnswers);
  reader.flag("leaf_header", to.leaf_header);
  reader.number("queue_records_max", to.queue_records_max, 1'000, 1e7);
  reader.number("queue_mib_max", to.queue_bytes_max, 1, 1U << 20, kMiB);
  reader.number("anchor_seconds", to.anchor_ms, 1, 3600, kMs);
  reader.text("witness_policy", to.witness_policy_file);
  reader.number("witness_seconds", to.witness_ms, 1, kDayS, kMs);
  reader.number("witness_alarm_seconds", to.witness_alarm_ms, 1, kDayS, kMs);
  reader.tables("stamp_authority", to.stamp_authorities, 8, [](SettingReader& inner, StampAuthority& authority) {
    inner.required_text("name", authority.name);
    inner.required_text("url", authority.url);
    inner.required_text("ca", authority.ca_file);
    inner.text("tls_ca", authority.tls_ca_file);
  });
  reader.number("stamp_seconds", to.stamp_ms, 1, kDayS, kMs);
  reader.number("stamp_alarm_seconds", to.stamp_alarm_ms, 1, 7 * kDayS, kMs);
  reader.number("behind_alarm_seconds", to.behind_alarm_ms, 1, kDayS, kMs);
  reader.texts("listen", to.listen);
  reader.texts("auditor_listen", to.auditor_listen);
  reader.text("master_key_file", to.master_key_file);
  reader.texts("unwrap_command", to.unwrap_command);
  reader.flag("vault", to.vault);
  reader.flag("vault_compress", to.vault_compress);
  reader.number("content_days", to.content_days, 1, 36'525);
  reader.number("evidence_days", to.evidence_days, 1, 36'525);
  reader.number("flagged_days", to.flagged_days, 1, 36'525);
  reader.number("entries_days", to.entries_days, 183, 36'525);
}

void read_webhooks(SettingReader& reader, Webhooks& to) {
  reader.number("queue_events_max", to.queue_events_max, 1, 1e7);
  reader.number("attempts_max", to.attempts_max, 1, 100);
  reader.number("first_retry_seconds", to.first_retry_ms, 0.01, 3600, kMs);
  reader.number("retry_seconds_max", to.retry_ms_max, 0.01, kDayS, kMs);
  reader.number("timeout_seconds", to.timeout_ms, 0.01, 600, kMs);
  reader.number("journal_mib_max", to.journal_bytes_max, 0.01, 1U << 20, kMiB);
  reader.tables("endpoint", to.endpoints, 64, [](SettingReader& inner, Webhook& endpoint) {
    inner.required_text("url", endpoint.url);
    inner.required_text("secret_file", endpoint.secret_file);
    inner.texts("events", endpoint.events);
  });
}

void read_decisions(SettingReader& reader, Decisions& to) {
  reader.number("stream_clients_max", to.stream_clients_max, 0, 1e5);
  reader.number("stream_events_max", to.stream_events_max, 1, 1e7);
}

void read_metrics(SettingReader& reader, Metrics& to) {
  reader.number("label_values_max", to.label_values_max, 1, kUpstreamsMax);
}

void read_alarms(SettingReader& reader, Alarms& to) {
  reader.number("engine_behind_seconds", to.engine_behind_ms, 0.1, kDayS, kMs);
}

void read_log(SettingReader& reader, Log& to) {
  reader.text("file", to.file);
  reader.choice("level", to.level, kLogLevels);
  reader.number("refusals_per_second_max", to.refusals_per_second_max, 0, 1e6);
}

void read_demo(SettingReader& reader, Demo& to) { reader.text("time_header", to.time_header); }

}  // namespace stillwatch::gateway
