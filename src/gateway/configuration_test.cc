#include "gateway/configuration.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "base/files.h"
#include "gateway/setting_reader.h"

namespace stillwatch::gateway {
namespace {

using namespace settings;

base::Result<Configuration> parse(std::string_view text) { return parse_configuration(text, "gateway.toml"); }

TEST(Configuration, EmptyFileGivesTheDefaults) {
  const auto configuration = parse("");
  ASSERT_TRUE(configuration) << configuration.error().message;
  EXPECT_TRUE(configuration->remedies.dry_run);
  for (const Mode mode :
       {configuration->remedies.notice, configuration->remedies.verify, configuration->remedies.throttle,
        configuration->remedies.restrict, configuration->remedies.suspend}) {
    EXPECT_EQ(mode, Mode::dry_run);
  }
  EXPECT_TRUE(configuration->run.engine.policy.dry_run);
  EXPECT_EQ(configuration->demo.time_header, "");
  EXPECT_EQ(configuration->observer.on_full, Answer::pass);
  EXPECT_EQ(configuration->observer.content, Content::none);
}

TEST(Configuration, ReadsEverySection) {
  const auto configuration = parse(R"(
[server]
listen = ["0.0.0.0:8443", "unix:/run/stillwatch/gateway.sock"]
body_mib_max = 0.5
header_seconds = 0.29
[server.tls]
client_certificates = "optional"
[[upstream]]
name = "openai"
urls = ["https://api.example.com"]
total_seconds = 90
[upstream.tls]
verify = false
[[upstream]]
name = "anthropic"
urls = ["http://127.0.0.1:9000", "http://127.0.0.1:9001"]
prefixes = ["/v1/messages"]
dialect = "anthropic"
[[identity.front_proxy]]
networks = ["10.0.0.0/8"]
account_header = "x-account"
[tiers.default]
n_max = 4
logprobs = false
models = ["m-*"]
[tiers.default.limits.account]
requests_per_minute = 60
[keys.key_19]
verification = "card"
[keys.key_19.limits.key]
tokens_per_day = 1_000_000_000_000
[remedies]
restrict = "on"
[observer]
order_wait_seconds = 2.5
[[webhooks.endpoint]]
url = "https://hooks.example.com"
secret_file = "hook.secret"
[detect]
calibration_days = 2.5
)");
  ASSERT_TRUE(configuration) << configuration.error().message;
  EXPECT_EQ(configuration->server.listen.size(), 2U);
  EXPECT_EQ(configuration->server.body_bytes_max, 512U << 10);
  EXPECT_EQ(configuration->server.header_ms, 290);
  EXPECT_EQ(configuration->server.tls.client_certificates, ClientCertificates::optional);
  ASSERT_EQ(configuration->upstreams.size(), 2U);
  EXPECT_EQ(configuration->upstreams[0].total_ms, 90'000);
  EXPECT_FALSE(configuration->upstreams[0].tls.verify);
  EXPECT_EQ(configuration->upstreams[0].prefixes, std::vector<std::string>{"/"});
  EXPECT_EQ(configuration->upstreams[1].dialect, ErrorDialect::anthropic);
  EXPECT_EQ(configuration->upstreams[1].urls.size(), 2U);
  EXPECT_EQ(configuration->identity.front_proxies.at(0).account_header, "x-account");
  const Access& tier = configuration->tiers.at("default");
  EXPECT_EQ(tier.n_max, 4U);
  EXPECT_EQ(tier.logprobs, false);
  EXPECT_FALSE(tier.batch);
  EXPECT_FALSE(tier.networks);
  EXPECT_EQ(tier.limits[static_cast<std::size_t>(LimitScope::account)].requests_per_minute, 60U);
  EXPECT_FALSE(tier.limits[static_cast<std::size_t>(LimitScope::key)].requests_per_minute);
  const Access& key = configuration->keys.at("key_19");
  EXPECT_EQ(key.verification, event::Verification::card);
  EXPECT_EQ(key.limits[static_cast<std::size_t>(LimitScope::key)].tokens_per_day, 1'000'000'000'000U);
  EXPECT_EQ(configuration->remedies.restrict, Mode::on);
  EXPECT_EQ(configuration->remedies.suspend, Mode::dry_run);
  EXPECT_EQ(configuration->observer.order_wait_us, 2'500'000);
  EXPECT_EQ(configuration->webhooks.endpoints.at(0).events.size(), 3U);
  EXPECT_EQ(configuration->run.engine.detect.calibration_us, 60 * base::kHourUs);
}

TEST(Configuration, ToldAllAtOnceWithFileLineKeyAndTheNearestOne) {
  const auto configuration = parse(R"([server]
thread = 4
connections_max = "many"
threads = 1.5

[obsever]
on_full = "drop"
[observer]
on_full = "drop"
[tiers.free]
n_maxx = 3
[tiers.free.limits.user]
streams_max = 1
[[upstream]]
prefixes = ["/"]
[policy]
dry_run = 1
[detect]
calibration_dayz = 3
)");
  ASSERT_FALSE(configuration);
  EXPECT_EQ(configuration.error().fault, base::Fault::caller);
  EXPECT_EQ(configuration.error().message,
            "gateway.toml:2: unknown setting server.thread; did you mean server.threads?\n"
            "gateway.toml:3: server.connections_max must be a whole number\n"
            "gateway.toml:4: server.threads must be a whole number\n"
            "gateway.toml:6: unknown setting obsever; did you mean observer?\n"
            "gateway.toml:9: observer.on_full must be one of: pass, refuse\n"
            "gateway.toml:11: unknown setting tiers.free.n_maxx; did you mean tiers.free.n_max?\n"
            "gateway.toml:12: unknown setting tiers.free.limits.user; did you mean tiers.free.limits.end_user?\n"
            "gateway.toml:14: upstream.name is missing\n"
            "gateway.toml:14: upstream.urls is missing\n"
            "gateway.toml:17: policy.dry_run must be true or false\n"
            "gateway.toml:19: unknown setting detect.calibration_dayz; did you mean detect.calibration_days?\n"
            "see docs/reference/gateway-configuration.md");
}

TEST(Configuration, RefusesWrongShapes) {
  for (const char* text :
       {"server = 1", "upstream = {}", "upstream = [1]", "tiers = []", "tiers.free = 1", "keys = \"a\"",
        "[server]\nlisten = \"a:1\"", "[server]\nlisten = [1]", "[server]\nlisten = [\"\"]", "[server]\ntls = true",
        "[log]\nfile = \"a\\nb\"", "[log]\nlevel = 1", "[remedies]\ndry_run = \"no\"", "[server]\nheader_seconds = nan",
        "[observer]\nbody_copy_mib_max = 9", "[state]\nfolder = \"\"", "[server", "a = 1", "[server]\nthreads = -1"}) {
    const auto configuration = parse(text);
    ASSERT_FALSE(configuration) << text;
    EXPECT_NE(configuration.error().message.find("gateway.toml:"), std::string::npos) << configuration.error().message;
  }
  EXPECT_EQ(read_configuration("no such file").error().fault, base::Fault::environment);
  std::string deep = "[a";
  for (int i = 0; i < 200'000; ++i) deep += ".a";
  EXPECT_FALSE(parse(deep + "]\n"));
}

TEST(Configuration, NoSuggestionWhenNothingIsNear) {
  const std::vector<std::string> known{"threads", "listen", "header_seconds"};
  EXPECT_EQ(nearest_name("thraeds", known), "threads");
  EXPECT_EQ(nearest_name("header", known), "header_seconds");
  EXPECT_EQ(nearest_name("zzzzzzz", known), "");
  EXPECT_EQ(nearest_name("", known), "");
  EXPECT_EQ(nearest_name(std::string(100'000, 'a'), known), "");
}

TEST(Configuration, PolicyHashIsThatOfTheSettingsThatJudge) {
  const auto plain = parse("");
  EXPECT_EQ(policy_hash(*plain), policy_hash(*parse("[server]\nthreads = 3\n[engine]\nsnapshot_seconds = 5\n")));
  EXPECT_NE(policy_hash(*plain), policy_hash(*parse("[detect]\ngroup_actors_min = 6\n")));
}

// "## [server]" and rows "| `threads` | `0` | meaning |"; a title with several sections counts for each.
std::map<std::string, std::string> documented_settings(const std::string& page) {
  std::map<std::string, std::string> settings;
  std::vector<std::string> sections;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("## ")) {
      sections.clear();
      for (std::size_t at = line.find('['); at != std::string::npos; at = line.find('[', at + 1)) {
        const std::size_t begin = line[at + 1] == '[' ? ++at + 1 : at + 1;
        sections.push_back(line.substr(begin, line.find(']', begin) - begin));
      }
    }
    if (!line.starts_with("| `")) continue;
    const std::size_t end = line.find('`', 3);
    const std::size_t value = line.find("| ", end) + 2;
    std::string shown = line.substr(value, line.find(" |", value) - value);
    shown.erase(std::remove(shown.begin(), shown.end(), '`'), shown.end());
    for (const std::string& section : sections) settings[section + "." + line.substr(3, end - 3)] = shown;
  }
  return settings;
}

TEST(Configuration, ReferenceListsEverySettingWithItsDefaultAndNoOther) {
  const auto page = base::read_file("docs/reference/gateway-configuration.md", 1 << 20);
  ASSERT_TRUE(page) << page.error().message;
  std::map<std::string, std::string> known;
  for (const SettingName& setting : setting_names()) known[setting.name] = setting.default_value;
  EXPECT_EQ(documented_settings(*page), known);
}

// The sample has every setting: those that differ from the defaults, and the others after a #, as `#name = value`.
TEST(Configuration, SampleHasEverySettingAndParsesWithAllOfThem) {
  const auto sample = base::read_file("deploy/gateway.toml", 1 << 20);
  ASSERT_TRUE(sample) << sample.error().message;
  const auto as_is = parse_configuration(*sample, "deploy/gateway.toml");
  ASSERT_TRUE(as_is) << as_is.error().message;
  EXPECT_TRUE(as_is->remedies.dry_run);

  std::string all;
  std::set<std::string> shown;
  std::string section;
  std::istringstream lines(*sample);
  for (std::string line; std::getline(lines, line);) {
    if (line.size() > 1 && line[0] == '#' && line[1] != ' ') line.erase(0, 1);
    all += line + "\n";
    if (line.starts_with("[")) {
      const std::size_t begin = line.find_first_not_of('[');
      section = line.substr(begin, line.find(']') - begin);
      if (section.starts_with("tiers."))
        section = "tiers.NAME" +
                  section.substr(section.find('.', 6) == std::string::npos ? section.size() : section.find('.', 6));
      if (section.starts_with("keys."))
        section = "keys.ID" +
                  section.substr(section.find('.', 5) == std::string::npos ? section.size() : section.find('.', 5));
      if (const std::size_t limits = section.find(".limits."); limits != std::string::npos)
        section = section.substr(0, limits) + ".limits.SCOPE";
    } else if (const std::size_t equals = line.find(" = "); equals != std::string::npos && !line.starts_with("# ")) {
      shown.insert(section + "." + line.substr(0, equals));
    }
  }
  const auto with_all = parse_configuration(all, "deploy/gateway.toml");
  ASSERT_TRUE(with_all) << with_all.error().message;
  for (const SettingName& setting : setting_names()) {
    if (setting.name.starts_with("keys.")) continue;  // the same as for a tier
    EXPECT_TRUE(shown.contains(setting.name)) << setting.name << " is not in the sample";
  }
}

}  // namespace
}  // namespace stillwatch::gateway
