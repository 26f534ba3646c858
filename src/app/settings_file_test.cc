#include "app/settings_file.h"

#include <gtest/gtest.h>

#include <sstream>

#include "base/files.h"
#include "base/folder_fixture.h"

namespace stillwatch::app {
namespace {

class SettingsFile : public ::testing::Test {
 protected:
  base::Result<Settings> read(const std::string& text) { return read_settings(folder_.write("settings.toml", text)); }
  const base::test::Folder folder_;
};

TEST_F(SettingsFile, DefaultsWithoutAFile) {
  const auto settings = read_settings("");
  ASSERT_TRUE(settings);
  EXPECT_TRUE(settings->engine.policy.dry_run);
  EXPECT_EQ(settings->engine.detect.calibration_us, 7 * base::kDayUs);
}

TEST_F(SettingsFile, ReadsUnits) {
  const auto settings =
      read("[detect]\ncalibration_days = 2.5\n[policy]\ndry_run = false\n[intake]\nlateness_minutes = 5\n");
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->engine.detect.calibration_us, 60 * base::kHourUs);
  EXPECT_FALSE(settings->engine.policy.dry_run);
  EXPECT_EQ(settings->lateness_us, 5 * base::kMinuteUs);
}

TEST_F(SettingsFile, BadFilesNameFileLineAndKey) {
  const std::pair<const char*, const char*> bad[] = {
      {"[detect]\n\ncalibration_dayz = 3\n", "settings.toml:3: unknown setting detect.calibration_dayz"},
      {"[detect]\ncalibration_days = 0\n", "settings.toml:2: detect.calibration_days must be between"},
      {"[detect]\ncalibration_days = \"7\"\n", "settings.toml:2: detect.calibration_days must be a number"},
      {"[policy]\ndry_run = 1\n", "settings.toml:2: policy.dry_run must be true or false"},
      {"calibration_days = 7\n", "settings.toml:1: unknown setting calibration_days"},
      {"[detect\n", "settings.toml:1"},
  };
  for (const auto& [text, message] : bad) {
    const auto settings = read(text);
    ASSERT_FALSE(settings) << text;
    EXPECT_EQ(settings.error().fault, base::Fault::caller);
    EXPECT_NE(settings.error().message.find(message), std::string::npos) << settings.error().message;
  }
  EXPECT_EQ(read_settings(folder_ / "none.toml").error().fault, base::Fault::environment);
}

TEST_F(SettingsFile, HashFollowsWhatJudgesAndNothingElse) {
  const std::string plain = policy_hash(Settings{});
  EXPECT_EQ(plain.substr(0, 7), "sha256:");
  EXPECT_EQ(plain, policy_hash(*read("[engine]\nsnapshot_seconds = 5\n[intake]\nreject_share_max = 0.5\n")));
  EXPECT_NE(plain, policy_hash(*read("[detect]\ngroup_actors_min = 6\n")));
  EXPECT_NE(plain, policy_hash(*read("[policy]\ndry_run = false\n")));
}

TEST_F(SettingsFile, ReferenceListsEverySettingAndNoOther) {
  const auto page = base::read_file("docs/reference/configuration.md", 1 << 20);
  ASSERT_TRUE(page) << page.error().message;
  std::vector<std::string> documented;
  std::string section;
  std::istringstream lines(*page);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("## [", 0) == 0) section = line.substr(4, line.find(']') - 4);
    if (line.rfind("| `", 0) == 0) documented.push_back(section + "." + line.substr(3, line.find('`', 3) - 3));
  }
  std::vector<std::string> names = setting_names();
  std::sort(names.begin(), names.end());
  std::sort(documented.begin(), documented.end());
  EXPECT_EQ(documented, names);
}

}  // namespace
}  // namespace stillwatch::app
