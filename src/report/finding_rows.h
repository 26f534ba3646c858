// Rows of the files that a replay or a gateway leaves: one JSON object a line, read by path.
//
// Invariant: a line that is no JSON object is passed over and counted; a value of another type reads as absent.
// Threads: one user. Cost: one parse a line. A row is valid during its visit only. Spec: docs/reference/outputs.md.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace stillwatch::report {

class Row {
 public:
  virtual ~Row() = default;
  virtual std::string_view line() const = 0;
  /// `path` as in RFC 6901: "/subject/id". Empty, zero, false or none when it is not there.
  virtual std::string_view text(std::string_view path) const = 0;
  virtual double number(std::string_view path) const = 0;
  virtual bool truth(std::string_view path) const = 0;
  virtual std::vector<std::string> texts(std::string_view path) const = 0;
  virtual std::vector<std::pair<std::string, double>> numbers(std::string_view path) const = 0;
  virtual std::size_t length(std::string_view path) const = 0;
  virtual std::optional<std::int64_t> time(std::string_view path) const = 0;
  std::uint64_t count(std::string_view path) const {
    const double value = number(path);
    return value > 0 && value < 9e15 ? static_cast<std::uint64_t>(value) : 0;
  }
};

/// Gives the number of lines passed over. Environment error when the file cannot be read.
base::Result<std::uint64_t> for_each_row(const std::string& path, const std::function<void(const Row&)>& visit);
/// The same of lines in memory.
std::uint64_t for_each_row_of(std::string_view text, const std::function<void(const Row&)>& visit);
/// One object over several lines, such as summary.json.
base::Status read_object(const std::string& path, const std::function<void(const Row&)>& visit);

}  // namespace stillwatch::report
