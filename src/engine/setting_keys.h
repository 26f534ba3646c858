// Every setting that a TOML file gives the engine and its intake, as a table: what `replay` and `serve` share.
//
// Invariant: both commands read the same keys with the same ranges, units and defaults, so that a replay under the
// sections of a gateway's configuration judges as the gateway did; `canonical_settings` has each value that can change
// a verdict, and no other.
// Threads: pure functions over a constant table. Reference: docs/reference/configuration.md lists every key.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/event_time.h"
#include "engine/engine.h"

namespace stillwatch::engine {

/// The engine's settings and those of the reader in front of it.
struct RunSettings {
  Settings engine;
  std::int64_t lateness_us = 30 * base::kMinuteUs;
  std::uint64_t line_bytes_max = 8U << 20;
  double reject_share_max = 0.01;  // more bad lines than this fail a replay, with its outputs kept
  double snapshot_seconds = 30;    // between snapshots, of wall time; changes no output
};

/// One key: where it lives, its range, and the unit between the file and the struct.
struct SettingKey {
  const char* section;
  const char* name;
  double min, max;
  bool judges;                                    // can change a verdict: part of the policy hash
  std::function<double(const RunSettings&)> get;  // in the file's unit; 0 or 1 for a boolean
  std::function<void(RunSettings&, double)> set;
  bool boolean = false;
};

std::span<const SettingKey> setting_keys();
/// Nothing when there is no such key.
const SettingKey* find_setting_key(std::string_view section, std::string_view name);

/// The values that judge, one a line: what the policy hash is of.
std::string canonical_settings(const RunSettings& settings);

}  // namespace stillwatch::engine
