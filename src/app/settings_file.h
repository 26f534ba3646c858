// Settings: defaults, then the TOML file of --config, checked key by key; and their hash, which every verdict carries.
//
// Invariant: an unknown key, a wrong type or a value out of range is an error that names file, line and key.
// Threads: pure functions. Reference: docs/reference/configuration.md lists every key (a test holds the two together).
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "engine/setting_keys.h"

namespace stillwatch::app {

/// Shared with the gateway, which reads the same keys from its own file.
using Settings = engine::RunSettings;

/// Defaults when the path is empty.
base::Result<Settings> read_settings(const std::string& path);

/// "sha256:..." of every value that can change a verdict, in canonical form.
std::string policy_hash(const Settings& settings);

/// Where the deployment secret is when nobody says: in $XDG_STATE_HOME/stillwatch, else in ~/.local/state/stillwatch.
std::string default_secret_path();

/// "section.key" of every setting, for the documentation check.
std::vector<std::string> setting_names();

}  // namespace stillwatch::app
