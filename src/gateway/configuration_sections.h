// How each section of the configuration is read: one function a section, each key with its range and unit.
//
// Invariant: every field of a section's struct is read by its function.
// Threads: pure functions but for the reader that they are given. Cost: see setting_reader.h.
#pragma once

#include "gateway/setting_reader.h"

namespace stillwatch::gateway::config {

inline constexpr std::size_t kUpstreamsMax = 64;      // each is a label of the metrics
inline constexpr std::size_t kTiersMax = 1'000;       // price lists have < 20
inline constexpr std::size_t kKeyRulesMax = 100'000;  // keys with rules of their own; others follow their tier

void read_server(SettingReader& reader, Server& to);
void read_upstream(SettingReader& reader, Upstream& to);
void read_identity(SettingReader& reader, Identity& to);
void read_access(SettingReader& reader, Access& to);
void read_remedies(SettingReader& reader, Remedies& to);
void read_observer(SettingReader& reader, Observer& to);
void read_query_log(SettingReader& reader, QueryLog& to);
void read_state(SettingReader& reader, State& to);
void read_webhooks(SettingReader& reader, Webhooks& to);
void read_decisions(SettingReader& reader, Decisions& to);
void read_metrics(SettingReader& reader, MetricsSettings& to);
void read_alarms(SettingReader& reader, Alarms& to);
void read_log(SettingReader& reader, Log& to);
void read_demo(SettingReader& reader, Demo& to);

}  // namespace stillwatch::gateway::config
