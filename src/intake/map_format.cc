#include "intake/map_format.h"

#include <toml++/toml.h>

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/files.h"
#include "base/limits.h"
#include "intake/body_reader.h"

namespace stillwatch::intake {
namespace {

constexpr std::array<std::string_view, kMapFields> kFieldNames{"id",
                                                               "time",
                                                               "ended",
                                                               "account",
                                                               "key",
                                                               "end_user",
                                                               "client.ip",
                                                               "client.asn",
                                                               "client.user_agent",
                                                               "client.ja4",
                                                               "client.headers",
                                                               "dialect",
                                                               "request",
                                                               "request.model",
                                                               "request.messages",
                                                               "request.prompt",
                                                               "request.parameters",
                                                               "response.status",
                                                               "response.usage.input_tokens",
                                                               "response.usage.output_tokens",
                                                               "response.usage.reasoning_tokens",
                                                               "shed",
                                                               "fingerprint"};
constexpr std::array<std::string_view, 4> kTimeFormats{"rfc3339", "unix_s", "unix_ms", "unix_us"};

// A map file is written by hand: longer is a mistake.
constexpr std::uint64_t kMapFileBytesMax = 1U << 20;

struct Reader {
  const std::string& file_name;

  tl::unexpected<base::Error> fail_at(const toml::node& node, std::string_view what) const {
    return base::fail(base::Fault::caller, fmt::format("{}:{}: {}", file_name, node.source().begin.line, what));
  }
  tl::unexpected<base::Error> fail_at(const toml::key& key, std::string_view what) const {
    return base::fail(base::Fault::caller, fmt::format("{}:{}: {}", file_name, key.source().begin.line, what));
  }
};

std::optional<MapField> field_of(std::string_view name) {
  const auto found = std::find(kFieldNames.begin(), kFieldNames.end(), name);
  if (found == kFieldNames.end()) return std::nullopt;
  return static_cast<MapField>(found - kFieldNames.begin());
}

std::string list_of_fields() { return fmt::format("{}", fmt::join(kFieldNames, ", ")); }

}  // namespace

std::string_view name(MapField field) { return kFieldNames[static_cast<std::size_t>(field)]; }

base::Result<MapFormat> MapFormat::load(const std::string& path) {
  auto text = base::read_file(path, kMapFileBytesMax);
  if (!text) {
    return base::fail(base::Fault::caller, fmt::format("{}; --format=map:FILE names a map file", text.error().message));
  }
  return parse(*text, path);
}

base::Result<MapFormat> MapFormat::parse(std::string_view text, const std::string& file_name) {
  const Reader reader{file_name};
  toml::table file;
  try {
    file = toml::parse(text, std::string_view(file_name));
  } catch (const toml::parse_error& error) {
    return base::fail(base::Fault::caller,
                      fmt::format("{}:{}: {}", file_name, error.source().begin.line, error.description()));
  }
  MapFormat out;
  std::array<bool, kMapFields> given{};
  bool has_version = false;
  for (const auto& [key, node] : file) {
    const std::string_view section = key.str();
    if (section == "v") {
      if (node.value<std::int64_t>() != 1) return reader.fail_at(node, "v must be 1");
      has_version = true;
    } else if (section == "paths" || section == "constants") {
      const toml::table* table = node.as_table();
      if (table == nullptr) return reader.fail_at(node, fmt::format("{} must be a table", section));
      for (const auto& [name_key, value] : *table) {
        const auto field = field_of(name_key.str());
        if (!field) {
          return reader.fail_at(name_key,
                                fmt::format("there is no field \"{}\" (dotted names need quotes); fields are {}",
                                            name_key.str(), list_of_fields()));
        }
        if (given[static_cast<std::size_t>(*field)])
          return reader.fail_at(name_key, fmt::format("\"{}\" is given twice", name_key.str()));
        given[static_cast<std::size_t>(*field)] = true;
        const auto bytes = value.value<std::string>();
        if (section == "paths") {
          const auto steps = bytes ? parse_path(*bytes) : std::nullopt;
          if (!steps)
            return reader.fail_at(value, fmt::format("\"{}\" must be a path such as \"a.b[0].c\"", name_key.str()));
          add_path(out.root_, *steps, static_cast<std::size_t>(*field));
          if (*field == MapField::account &&
              std::none_of(steps->begin(), steps->end(), [](const PathStep& step) { return step.is_index; })) {
            for (const PathStep& step : *steps) out.account_path_.push_back(step.key);
          }
          continue;
        }
        if (*field == MapField::dialect) {
          out.dialect_ = bytes ? dialect_of(*bytes) : std::nullopt;
          if (!out.dialect_)
            return reader.fail_at(value, "dialect must be openai.chat, openai.responses, anthropic.messages or text");
          continue;
        }
        const bool allowed = *field == MapField::account || *field == MapField::key || *field == MapField::end_user ||
                             *field == MapField::client_user_agent || *field == MapField::request_model;
        if (!allowed || !bytes || bytes->empty()) {
          return reader.fail_at(
              value, fmt::format("\"{}\" cannot be a constant; account, key, end_user, dialect, client.user_agent and "
                                 "request.model can, as texts",
                                 name_key.str()));
        }
        out.constants_.emplace_back(*field, *bytes);
      }
    } else if (section == "times") {
      const toml::table* table = node.as_table();
      if (table == nullptr) return reader.fail_at(node, "times must be a table");
      for (const auto& [name_key, value] : *table) {
        const auto found = std::find(kTimeFormats.begin(), kTimeFormats.end(), value.value_or(std::string_view{}));
        if ((name_key.str() != "time" && name_key.str() != "ended") || found == kTimeFormats.end()) {
          return reader.fail_at(name_key, "times has time and ended, each rfc3339, unix_s, unix_ms or unix_us");
        }
        (name_key.str() == "time" ? out.time_format_ : out.ended_format_) =
            static_cast<TimeFormat>(found - kTimeFormats.begin());
      }
    } else if (section == "dialects") {
      const toml::table* table = node.as_table();
      if (table == nullptr) return reader.fail_at(node, "dialects must be a table");
      for (const auto& [name_key, value] : *table) {
        const auto dialect = dialect_of(value.value_or(std::string_view{}));
        if (!dialect)
          return reader.fail_at(value, "a dialect is openai.chat, openai.responses, anthropic.messages or text");
        out.dialect_names_.emplace_back(std::string(name_key.str()), *dialect);
      }
    } else {
      return reader.fail_at(
          key, fmt::format("there is no section \"{}\"; a map file has v, [paths], [constants], [times] and [dialects]",
                           section));
    }
  }
  const auto has = [&](MapField field) { return given[static_cast<std::size_t>(field)]; };
  std::string_view missing;
  if (!has_version) missing = "v = 1";
  if (!has(MapField::id)) missing = "id";
  if (!has(MapField::time)) missing = "time";
  if (!has(MapField::account)) missing = "account";
  if (!has(MapField::dialect)) missing = "dialect";
  if (!has(MapField::request) && !has(MapField::request_messages) && !has(MapField::request_prompt) &&
      !has(MapField::fingerprint)) {
    missing = "request (or request.messages, request.prompt, fingerprint)";
  }
  if (!missing.empty()) return base::fail(base::Fault::caller, fmt::format("{}:1: {} is missing", file_name, missing));
  return out;
}

}  // namespace stillwatch::intake
