#include "sim/world.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include <fmt/format.h>
#include <toml++/toml.h>

#include "base/event_time.h"
#include "base/files.h"
#include "sim/world_keys.h"

namespace stillwatch::sim {
namespace {

constexpr std::uint64_t kWorldFileBytesMax = 1U << 20;  // hand-written; the longest here has 4 KB
constexpr int kExtendsDepthMax = 8;                     // a chain longer than that is a loop
constexpr std::size_t kCampaignsMax = 1000;             // each is a file section; sweeps use many files
constexpr std::size_t kListMax = 32;                    // languages or models of a campaign

std::string place(const std::string& file, const toml::source_region& region) {
  return region.begin.line == 0 ? file : fmt::format("{}:{}", file, region.begin.line);
}

bool plain_word(std::string_view text) {
  if (text.empty() || text.size() > 64) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
}

// Takes the values of one TOML section; keys it did not ask for are left over and reported.
class SectionReader {
 public:
  SectionReader(const toml::table& table, std::string section, const std::string& file)
      : table_(table), section_(std::move(section)), file_(file) {}

  void integer(const char* key, std::int64_t& value, Range range) {
    const toml::node* node = take(key);
    if (node == nullptr) return;
    const auto found = node->value_exact<std::int64_t>();
    if (!found) return wrong(key, *node, "must be a whole number");
    if (static_cast<double>(*found) < range.min || static_cast<double>(*found) > range.max)
      return out_of_range(key, *node, range);
    value = *found;
  }
  void number(const char* key, double& value, Range range) {
    const toml::node* node = take(key);
    if (node == nullptr) return;
    if (!node->is_number()) return wrong(key, *node, "must be a number");
    const double found = *node->value<double>();
    if (!(found >= range.min && found <= range.max)) return out_of_range(key, *node, range);
    value = found;
  }
  void flag(const char* key, bool& value) {
    const toml::node* node = take(key);
    if (node == nullptr) return;
    const auto found = node->value_exact<bool>();
    if (!found) return wrong(key, *node, "must be true or false");
    value = *found;
  }
  void text(const char* key, std::string& value) {
    const toml::node* node = take(key);
    if (node == nullptr) return;
    const auto found = node->value_exact<std::string>();
    if (!found || found->empty() || found->size() > 4096) return wrong(key, *node, "must be a text of 1 to 4096 bytes");
    value = *found;
  }
  void time(const char* key, std::int64_t& value) {
    const toml::node* node = take(key);
    if (node == nullptr) return;
    const auto found = node->value_exact<std::string>();
    const auto parsed = found ? base::parse_time(*found) : std::nullopt;
    if (!parsed) return wrong(key, *node, "must be a time in quotes such as \"2026-03-01T00:00:00Z\"");
    value = *parsed;
  }
  template <class Enum, std::size_t kCount>
  void choice(const char* key, Enum& value, const std::array<std::string_view, kCount>& names) {
    const toml::node* node = take(key);
    if (node == nullptr) return;
    const auto found = node->value_exact<std::string>();
    const auto at = found ? std::find(names.begin(), names.end(), *found) : names.end();
    if (at == names.end()) return wrong(key, *node, fmt::format("must be one of {}", fmt::join(names, ", ")));
    value = static_cast<Enum>(at - names.begin());
  }
  void list(const char* key, std::vector<std::string>& value) {
    const toml::node* node = take(key);
    if (node == nullptr) return;
    const toml::array* array = node->as_array();
    std::vector<std::string> found;
    if (array != nullptr) {
      for (const toml::node& item : *array) {
        const auto word = item.value_exact<std::string>();
        if (word && plain_word(*word)) found.push_back(*word);
      }
    }
    if (array == nullptr || found.empty() || found.size() != array->size() || found.size() > kListMax) {
      return wrong(key, *node, "must be a list of 1 to 32 plain words");
    }
    value = std::move(found);
  }

  base::Status finish() {
    for (const auto& [key, node] : table_) {
      if (failure_) break;
      const std::string_view name = key.str();
      if (std::find(taken_.begin(), taken_.end(), name) == taken_.end()) {
        failure_ = base::Error{base::Fault::caller,
                               fmt::format("{}: unknown key '{}' in [{}]; docs/reference/worlds.md lists the keys",
                                           place(file_, node.source()), name, section_)};
      }
    }
    if (failure_) return base::fail(*failure_);
    return {};
  }

 private:
  const toml::node* take(const char* key) {
    taken_.emplace_back(key);
    return table_.get(key);
  }
  void wrong(const char* key, const toml::node& node, std::string_view what) {
    if (failure_) return;
    failure_ = base::Error{base::Fault::caller,
                           fmt::format("{}: '{}' in [{}] {}", place(file_, node.source()), key, section_, what)};
  }
  void out_of_range(const char* key, const toml::node& node, Range range) {
    wrong(key, node, fmt::format("must be between {} and {}", range.min, range.max));
  }

  const toml::table& table_;
  std::string section_;
  const std::string& file_;
  std::vector<std::string_view> taken_;
  std::optional<base::Error> failure_;
};

template <class Settings>
base::Status read_section(Settings& settings, const toml::node& node, const std::string& section,
                          const std::string& file) {
  const toml::table* table = node.as_table();
  if (table == nullptr)
    return base::fail(base::Fault::caller,
                      fmt::format("{}: [{}] must be a section", place(file, node.source()), section));
  SectionReader reader(*table, section, file);
  visit_keys(settings, reader);
  return reader.finish();
}

base::Status read_strata(World& world, const toml::node& node, const std::string& file) {
  const toml::table* table = node.as_table();
  if (table == nullptr)
    return base::fail(base::Fault::caller,
                      fmt::format("{}: [benign] must hold one section per stratum", place(file, node.source())));
  for (const auto& [key, section] : *table) {
    const auto at = std::find(kStratumNames.begin(), kStratumNames.end(), key.str());
    if (at == kStratumNames.end()) {
      return base::fail(base::Fault::caller,
                        fmt::format("{}: unknown stratum 'benign.{}'; the strata are {}", place(file, section.source()),
                                    key.str(), fmt::join(kStratumNames, ", ")));
    }
    auto& settings = world.strata[static_cast<std::size_t>(at - kStratumNames.begin())];
    STILLWATCH_CHECK(read_section(settings, section, fmt::format("benign.{}", key.str()), file));
  }
  return {};
}

base::Status read_campaigns(World& world, const toml::node& node, const std::string& file) {
  const toml::table* table = node.as_table();
  if (table == nullptr)
    return base::fail(base::Fault::caller,
                      fmt::format("{}: [campaign] must hold one section per campaign", place(file, node.source())));
  for (const auto& [key, section] : *table) {
    const std::string name(key.str());
    if (name == "*") {
      for (CampaignSettings& campaign : world.campaigns)
        STILLWATCH_CHECK(read_section(campaign, section, "campaign.*", file));
      continue;
    }
    if (!plain_word(name)) {
      return base::fail(base::Fault::caller,
                        fmt::format("{}: the campaign name '{}' may have letters, digits, '-', '_' and '.' only",
                                    place(file, section.source()), name));
    }
    auto at = std::find_if(world.campaigns.begin(), world.campaigns.end(),
                           [&](const CampaignSettings& c) { return c.name == name; });
    if (at == world.campaigns.end()) {
      if (world.campaigns.size() >= kCampaignsMax) {
        return base::fail(base::Fault::caller,
                          fmt::format("{}: more than {} campaigns", place(file, section.source()), kCampaignsMax));
      }
      CampaignSettings fresh;
      fresh.name = name;
      at = world.campaigns.insert(
          std::upper_bound(world.campaigns.begin(), world.campaigns.end(), name,
                           [](const std::string& a, const CampaignSettings& b) { return a < b.name; }),
          std::move(fresh));
    }
    STILLWATCH_CHECK(read_section(*at, section, "campaign." + name, file));
  }
  return {};
}

base::Result<toml::table> parse_toml(std::string_view text, const std::string& file) {
  try {
    return toml::parse(text, std::string_view(file));
  } catch (const toml::parse_error& error) {
    return base::fail(base::Fault::caller, fmt::format("{}: {}", place(file, error.source()), error.description()));
  } catch (const std::exception& error) {
    return base::fail(base::Fault::caller, fmt::format("{}: {}", file, error.what()));
  }
}

base::Status apply(World& world, const toml::table& table, const std::string& file) {
  for (const auto& [key, node] : table) {
    const std::string_view name = key.str();
    if (name == "extends") continue;
    if (name == "world") {
      STILLWATCH_CHECK(read_section(world.world, node, "world", file));
    } else if (name == "benign") {
      STILLWATCH_CHECK(read_strata(world, node, file));
    } else if (name == "campaign") {
      STILLWATCH_CHECK(read_campaigns(world, node, file));
    } else {
      return base::fail(base::Fault::caller,
                        fmt::format("{}: unknown section '{}'; the sections are world, benign.STRATUM, campaign.NAME",
                                    place(file, node.source()), name));
    }
  }
  return {};
}

base::Status apply_file(World& world, const std::string& path, int depth) {
  if (depth > kExtendsDepthMax) {
    return base::fail(base::Fault::caller,
                      fmt::format("{}: 'extends' goes more than {} files deep; is it a loop?", path, kExtendsDepthMax));
  }
  auto text = base::read_file(path, kWorldFileBytesMax);
  if (!text) return base::fail(base::Fault::caller, text.error().message);
  STILLWATCH_TRY(table, parse_toml(*text, path));
  if (const toml::node* extends = table.get("extends")) {
    const auto base_name = extends->value_exact<std::string>();
    if (!base_name)
      return base::fail(base::Fault::caller,
                        fmt::format("{}: 'extends' must be a file name in quotes", place(path, extends->source())));
    STILLWATCH_CHECK(apply_file(world, (std::filesystem::path(path).parent_path() / *base_name).string(), depth + 1));
  }
  return apply(world, table, path);
}

base::Status apply_override(World& world, const std::string& text) {
  const auto equals = text.find('=');
  const std::string source = fmt::format("--set={}", text);
  if (equals == std::string::npos) return base::fail(base::Fault::caller, source + ": write SECTION.KEY=VALUE");
  std::string path = text.substr(0, equals);
  const std::string value = text.substr(equals + 1);
  if (path.rfind("campaign.*.", 0) == 0) path = "campaign.\"*\"." + path.substr(11);
  auto table = parse_toml(fmt::format("{} = {}", path, value), source);
  if (!table) table = parse_toml(fmt::format("{} = \"{}\"", path, value), source);  // a bare word is a text
  if (!table) return base::fail(table.error());
  return apply(world, *table, source);
}

base::Status check_whole(const World& world, const std::string& file) {
  if (world.end_us() <= world.world.start_us)
    return base::fail(base::Fault::caller, file + ": the world ends before it starts");
  for (const CampaignSettings& campaign : world.campaigns) {
    if (campaign.end_day != 0 && campaign.end_day <= campaign.start_day) {
      return base::fail(base::Fault::caller,
                        fmt::format("{}: campaign.{}: end_day must be after start_day", file, campaign.name));
    }
  }
  return {};
}

void apply_scale(World& world) {
  const double scale = world.world.scale;
  const auto scaled = [scale](std::int64_t count) {
    return count == 0 ? 0 : std::max<std::int64_t>(1, std::llround(static_cast<double>(count) * scale));
  };
  // A small world keeps more of its variety: fewer members in each vendor or class, not only fewer of these.
  const double group_scale = scale < 1 ? std::sqrt(scale) : scale;
  for (StratumSettings& stratum : world.strata) {
    stratum.accounts = scaled(stratum.accounts);
    stratum.groups = std::max<std::int64_t>(1, std::llround(static_cast<double>(stratum.groups) * group_scale));
  }
  for (CampaignSettings& campaign : world.campaigns) {
    for (std::int64_t* count : {&campaign.accounts, &campaign.framed_accounts, &campaign.poison_accounts})
      *count = scaled(*count);
    campaign.hub_flood_per_day *= scale;
  }
}

}  // namespace

base::Result<World> parse_world(std::string_view toml, const std::string& name) {
  World world = default_world();
  STILLWATCH_TRY(table, parse_toml(toml, name));
  if (table.get("extends") != nullptr) return base::fail(base::Fault::caller, name + ": 'extends' needs a file");
  STILLWATCH_CHECK(apply(world, table, name));
  STILLWATCH_CHECK(check_whole(world, name));
  apply_scale(world);
  return world;
}

base::Result<World> load_world(const std::string& path, const std::vector<std::string>& overrides) {
  World world = default_world();
  STILLWATCH_CHECK(apply_file(world, path, 0));
  for (const std::string& text : overrides) STILLWATCH_CHECK(apply_override(world, text));
  STILLWATCH_CHECK(check_whole(world, path));
  apply_scale(world);
  return world;
}

}  // namespace stillwatch::sim
