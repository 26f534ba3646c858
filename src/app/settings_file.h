// Settings: defaults, then the TOML file of --config, checked key by key; and their hash, which every verdict carries.
//
// Invariant: an unknown key, a wrong type or a value out of range is an error that names file, line and key.
// Threads: pure functions. Reference: docs/reference/configuration.md lists every key (a test holds the two together).
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"

namespace stillwatch::app {

struct Settings {
  engine::Settings engine;
  std::int64_t lateness_us = 30 * base::kMinuteUs;
  std::uint64_t line_bytes_max = 8U << 20;
  double reject_share_max = 0.01;  // more bad lines than this fail the run, with its outputs kept
  double snapshot_seconds = 30;    // between snapshots, of wall time; changes no output
};

/// Defaults when the path is empty.
base::Result<Settings> read_settings(const std::string& path);

/// "sha256:..." of every value that can change a verdict, in canonical form.
std::string policy_hash(const Settings& settings);

/// "section.key" of every setting, for the documentation check.
std::vector<std::string> setting_names();

}  // namespace stillwatch::app
