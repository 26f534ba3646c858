// A foreign JSON log by a map file (TOML): for each field of a query record, where it stands in the
// foreign record, or a constant.
//
// Invariant: a map file is right or refused as a whole, with the line of the mistake.
// Threads: read-only after load(). Cost: none a record; the walk is in map_parser.cc.
// Spec: docs/reference/log-formats.md, "Any other JSON log".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "event/query.h"
#include "intake/path_walker.h"

namespace stillwatch::intake {

/// Fields of a query record that a map can fill.
enum class MapField : std::uint8_t {
  id,
  time,
  ended,
  account,
  key,
  end_user,
  client_ip,
  client_asn,
  client_user_agent,
  client_ja4,
  client_headers,
  dialect,
  request,
  request_model,
  request_messages,
  request_prompt,
  request_parameters,
  status,
  input_tokens,
  output_tokens,
  reasoning_tokens,
  shed,
  fingerprint,
};
inline constexpr std::size_t kMapFields = 23;
std::string_view name(MapField field);

class MapFormat {
 public:
  /// Reads a map file. Caller error naming file and line for anything unknown or missing in it.
  static base::Result<MapFormat> load(const std::string& path);
  static base::Result<MapFormat> parse(std::string_view toml, const std::string& file_name);

  const PathNode& root() const { return root_; }
  TimeFormat time_format(MapField field) const { return field == MapField::ended ? ended_format_ : time_format_; }
  /// Constants, in the order of the fields.
  const std::vector<std::pair<MapField, std::string>>& constants() const { return constants_; }
  std::optional<event::Dialect> dialect() const { return dialect_; }
  /// Dialect names of the log -> dialects.
  const std::vector<std::pair<std::string, event::Dialect>>& dialect_names() const { return dialect_names_; }
  /// Path to the account for lines that are not JSON; empty when it goes through arrays.
  const std::vector<std::string>& account_path() const { return account_path_; }

 private:
  PathNode root_;
  TimeFormat time_format_ = TimeFormat::rfc3339, ended_format_ = TimeFormat::rfc3339;
  std::vector<std::pair<MapField, std::string>> constants_;
  std::optional<event::Dialect> dialect_;
  std::vector<std::pair<std::string, event::Dialect>> dialect_names_;
  std::vector<std::string> account_path_;
};

}  // namespace stillwatch::intake
