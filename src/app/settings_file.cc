#include "app/settings_file.h"

#include <cstdlib>

#include <fmt/format.h>
#include <toml++/toml.h>

#include "base/files.h"
#include "crypto/digest.h"

namespace stillwatch::app {
namespace {

using base::Fault;

tl::unexpected<base::Error> bad_key(const std::string& path, const toml::node& node, const std::string& what) {
  return base::fail(Fault::caller, fmt::format("{}:{}: {}; see docs/reference/configuration.md", path,
                                               node.source().begin.line, what));
}

base::Status apply_key(Settings& settings, const std::string& path, const std::string& section, const std::string& name,
                       const toml::node& node) {
  const engine::SettingKey* key = engine::find_setting_key(section, name);
  const std::string full = section + "." + name;
  if (key == nullptr) return bad_key(path, node, "unknown setting " + full);
  double value = 0;
  if (key->boolean) {
    const auto flag = node.value_exact<bool>();
    if (!flag) return bad_key(path, node, full + " must be true or false");
    value = *flag ? 1 : 0;
  } else {
    if (!node.is_number()) return bad_key(path, node, full + " must be a number");
    value = node.value<double>().value_or(0);
    if (!(value >= key->min && value <= key->max)) {
      return bad_key(path, node, fmt::format("{} must be between {} and {}", full, key->min, key->max));
    }
  }
  key->set(settings, value);
  return {};
}

}  // namespace

base::Result<Settings> read_settings(const std::string& path) {
  Settings settings;
  if (path.empty()) return settings;
  STILLWATCH_TRY(text, base::read_file(path, 1 << 20));
  toml::table table;
  try {
    table = toml::parse(text, path);
  } catch (const toml::parse_error& error) {
    return base::fail(Fault::caller, fmt::format("{}:{}: {}", path, error.source().begin.line, error.description()));
  }
  for (const auto& [section, node] : table) {
    const toml::table* entries = node.as_table();
    if (entries == nullptr) return bad_key(path, node, fmt::format("unknown setting {}", section.str()));
    for (const auto& [name, value] : *entries) {
      STILLWATCH_CHECK(apply_key(settings, path, std::string(section.str()), std::string(name.str()), value));
    }
  }
  return settings;
}

std::string policy_hash(const Settings& settings) {
  return "sha256:" + crypto::sha256_hex(engine::canonical_settings(settings));
}

std::string default_secret_path() {
  if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state != '\0')
    return std::string(state) + "/stillwatch/secret";
  const char* home = std::getenv("HOME");
  return std::string(home != nullptr && *home != '\0' ? home : ".") + "/.local/state/stillwatch/secret";
}

std::vector<std::string> setting_names() {
  std::vector<std::string> names;
  for (const engine::SettingKey& key : engine::setting_keys()) {
    names.push_back(fmt::format("{}.{}", key.section, key.name));
  }
  return names;
}

}  // namespace stillwatch::app
