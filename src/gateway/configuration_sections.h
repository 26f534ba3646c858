// How each section of the configuration is read: one function a section, each key with its range and unit.
//
// Invariant: every field of a section's struct is read by its function.
// Threads: pure functions but for the reader that they are given. Cost: see setting_reader.h.
#pragma once

#include "gateway/setting_reader.h"

namespace stillwatch::gateway {

inline constexpr std::size_t kUpstreamsMax = 64;      // each is a label of the metrics
inline constexpr std::size_t kTailsMax = 32;          // each has at least one of the 63 files open at a time
inline constexpr std::size_t kTiersMax = 1'000;       // price lists have < 20
inline constexpr std::size_t kKeyRulesMax = 100'000;  // keys with rules of their own; others follow their tier

void read_server(SettingReader& reader, settings::Server& to);
void read_upstream(SettingReader& reader, settings::Upstream& to);
void read_identity(SettingReader& reader, settings::Identity& to);
void read_access(SettingReader& reader, settings::Access& to);
void read_remedies(SettingReader& reader, settings::Remedies& to);
void read_observer(SettingReader& reader, settings::Observer& to);
void read_tail(SettingReader& reader, settings::Tail& to);
void read_query_log(SettingReader& reader, settings::QueryLog& to);
void read_state(SettingReader& reader, settings::State& to);
void read_ledger(SettingReader& reader, settings::Ledger& to);
void read_webhooks(SettingReader& reader, settings::Webhooks& to);
void read_decisions(SettingReader& reader, settings::Decisions& to);
void read_metrics(SettingReader& reader, settings::Metrics& to);
void read_alarms(SettingReader& reader, settings::Alarms& to);
void read_log(SettingReader& reader, settings::Log& to);
void read_demo(SettingReader& reader, settings::Demo& to);

}  // namespace stillwatch::gateway
