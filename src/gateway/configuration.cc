#include "gateway/configuration.h"

#include <algorithm>
#include <type_traits>

#include <fmt/format.h>

#include "base/files.h"
#include "crypto/digest.h"
#include "gateway/configuration_sections.h"

namespace stillwatch::gateway {

using namespace settings;

namespace {

using base::Fault;

constexpr std::size_t kProblemsShown = 50;  // what a person reads. Further ones are counted

// The sections that a replay has too, from the table that it reads them by.
void read_run(SettingReader& root, engine::RunSettings& run) {
  if (root.naming()) {  // docs/reference/configuration.md lists them
    for (const engine::SettingKey& key : engine::setting_keys()) root.skip(key.section);
    return;
  }
  std::vector<std::string> sections;
  for (const engine::SettingKey& key : engine::setting_keys()) {
    if (std::find(sections.begin(), sections.end(), key.section) == sections.end()) sections.push_back(key.section);
  }
  for (const std::string& section : sections) {
    root.table(section.c_str(), [&](SettingReader& reader) {
      for (const engine::SettingKey& key : engine::setting_keys()) {
        if (section != key.section) continue;
        if (key.boolean) {
          bool flag = key.get(run) != 0;
          reader.flag(key.name, flag);
          key.set(run, flag ? 1 : 0);
        } else {
          double number = key.get(run);
          const double before = number;
          reader.number(key.name, number, key.min, key.max);
          if (number != before) key.set(run, number);
        }
      }
    });
  }
}

void read_all(SettingReader& root, Configuration& to) {
  root.table("server", [&](SettingReader& reader) { read_server(reader, to.server); });
  root.tables("upstream", to.upstreams, kUpstreamsMax, read_upstream);
  root.table("identity", [&](SettingReader& reader) { read_identity(reader, to.identity); });
  root.named_tables("tiers", "NAME", to.tiers, kTiersMax, read_access);
  root.named_tables("keys", "ID", to.keys, kKeyRulesMax, read_access);
  root.table("remedies", [&](SettingReader& reader) { read_remedies(reader, to.remedies); });
  root.table("observer", [&](SettingReader& reader) { read_observer(reader, to.observer); });
  root.tables("tail", to.tails, kTailsMax, read_tail);
  root.table("query_log", [&](SettingReader& reader) { read_query_log(reader, to.query_log); });
  root.table("state", [&](SettingReader& reader) { read_state(reader, to.state); });
  root.table("ledger", [&](SettingReader& reader) { read_ledger(reader, to.ledger); });
  root.table("webhooks", [&](SettingReader& reader) { read_webhooks(reader, to.webhooks); });
  root.table("decisions", [&](SettingReader& reader) { read_decisions(reader, to.decisions); });
  root.table("metrics", [&](SettingReader& reader) { read_metrics(reader, to.metrics); });
  root.table("alarms", [&](SettingReader& reader) { read_alarms(reader, to.alarms); });
  root.table("log", [&](SettingReader& reader) { read_log(reader, to.log); });
  root.table("demo", [&](SettingReader& reader) { read_demo(reader, to.demo); });
  read_run(root, to.run);
}

}  // namespace

std::string_view settings::name(LimitScope scope) {
  constexpr std::array<std::string_view, kLimitScopes> kNames{"end_user", "key", "account", "organisation", "tier"};
  return kNames[static_cast<std::size_t>(scope)];
}

base::Result<Configuration> parse_configuration(std::string_view text, const std::string& path) {
  STILLWATCH_TRY(tree, parse_toml(text, path));
  Configuration configuration;
  Reading reading;
  SettingReader root(reading, &tree, "");
  read_all(root, configuration);
  root.finish();
  if (reading.problems.empty()) return configuration;
  std::stable_sort(reading.problems.begin(), reading.problems.end(),
                   [](const auto& left, const auto& right) { return left.line < right.line; });
  std::string message;
  for (std::size_t i = 0; i < std::min(reading.problems.size(), kProblemsShown); ++i) {
    message += fmt::format("{}:{}: {}\n", path, reading.problems[i].line, reading.problems[i].text);
  }
  if (reading.problems.size() > kProblemsShown) {
    message += fmt::format("and {} more\n", reading.problems.size() - kProblemsShown);
  }
  return base::fail(Fault::caller, message + "see docs/reference/gateway-configuration.md");
}

base::Result<Configuration> read_configuration(const std::string& path) {
  STILLWATCH_TRY(text, base::read_file(path, kTomlBytesMax));
  return parse_configuration(text, path);
}

std::string policy_hash(const Configuration& configuration) {
  return "sha256:" + crypto::sha256_hex(engine::canonical_settings(configuration.run));
}

std::vector<SettingName> setting_names() {
  std::vector<SettingName> names;
  Reading reading;
  reading.names = &names;
  Configuration defaults;
  SettingReader root(reading, nullptr, "");
  read_all(root, defaults);
  return names;
}

}  // namespace stillwatch::gateway
