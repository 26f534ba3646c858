#include "report/finding_rows.h"

#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>
#include <simdjson.h>

#include "base/event_time.h"
#include "base/files.h"
#include "base/limits.h"

namespace stillwatch::report {
namespace {

namespace dom = simdjson::dom;

class ParsedRow final : public Row {
 public:
  ParsedRow(std::string_view line, const dom::element& element) : line_(line), element_(element) {}
  std::string_view line() const override { return line_; }
  std::string_view text(std::string_view path) const override { return value<std::string_view>(path); }
  double number(std::string_view path) const override { return value<double>(path); }
  bool truth(std::string_view path) const override { return value<bool>(path); }
  std::vector<std::string> texts(std::string_view path) const override {
    std::vector<std::string> out;
    dom::array array;
    if (element_.at_pointer(path).get(array) != simdjson::SUCCESS) return out;
    for (const dom::element& item : array) {
      std::string_view text;
      if (item.get(text) == simdjson::SUCCESS) out.emplace_back(text);
    }
    return out;
  }
  std::vector<std::pair<std::string, double>> numbers(std::string_view path) const override {
    std::vector<std::pair<std::string, double>> out;
    dom::object object;
    if (element_.at_pointer(path).get(object) != simdjson::SUCCESS) return out;
    for (const auto field : object) {
      double number = 0;
      if (field.value.get(number) == simdjson::SUCCESS) out.emplace_back(field.key, number);
    }
    return out;
  }
  std::size_t length(std::string_view path) const override {
    dom::array array;
    return element_.at_pointer(path).get(array) == simdjson::SUCCESS ? array.size() : 0;
  }
  std::optional<std::int64_t> time(std::string_view path) const override { return base::parse_time(text(path)); }

 private:
  template <class T>
  T value(std::string_view path) const {
    T out{};
    return element_.at_pointer(path).get(out) == simdjson::SUCCESS ? out : T{};
  }
  std::string_view line_;
  const dom::element& element_;
};

tl::unexpected<base::Error> unreadable(const std::string& path) {
  return base::fail(base::Fault::environment,
                    fmt::format("cannot read {}: is it the folder that replay wrote, or a gateway's state?", path));
}

/// Parses line after line, and counts those that are no object.
class Lines {
 public:
  explicit Lines(const std::function<void(const Row&)>& visit) : parser_(base::limits::kLineBytesMax), visit_(visit) {}
  void take(std::string_view line) {
    if (line.ends_with('\n')) line.remove_suffix(1);
    if (line.empty()) return;
    dom::element element;
    const bool is_object = line.size() <= base::limits::kLineBytesMax &&
                           parser_.parse(line.data(), line.size()).get(element) == simdjson::SUCCESS &&
                           element.is_object();
    is_object ? visit_(ParsedRow(line, element)) : static_cast<void>(++passed_over_);
  }
  std::uint64_t passed_over() const { return passed_over_; }

 private:
  dom::parser parser_;
  const std::function<void(const Row&)>& visit_;
  std::uint64_t passed_over_ = 0;
};

}  // namespace

base::Result<std::uint64_t> for_each_row(const std::string& path, const std::function<void(const Row&)>& visit) {
  std::FILE* file = std::fopen(path.c_str(), "rbe");
  if (file == nullptr) return unreadable(path);
  Lines lines(visit);
  char* line = nullptr;
  std::size_t capacity = 0;
  for (ssize_t length; (length = ::getline(&line, &capacity, file)) >= 0;)
    lines.take({line, static_cast<std::size_t>(length)});
  const bool broken = std::ferror(file) != 0;
  std::free(line);
  std::fclose(file);
  if (broken) return unreadable(path);
  return lines.passed_over();
}

std::uint64_t for_each_row_of(std::string_view text, const std::function<void(const Row&)>& visit) {
  Lines lines(visit);
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::size_t length = end == std::string_view::npos ? text.size() : end + 1;
    lines.take(text.substr(0, length));
    text.remove_prefix(length);
  }
  return lines.passed_over();
}

base::Status read_object(const std::string& path, const std::function<void(const Row&)>& visit) {
  STILLWATCH_TRY(bytes, base::read_file(path, base::limits::kLineBytesMax));
  dom::parser parser;
  dom::element element;
  if (parser.parse(bytes).get(element) != simdjson::SUCCESS || !element.is_object())
    return base::fail(base::Fault::input, fmt::format("{} is no JSON object; write it anew with a replay", path));
  visit(ParsedRow(bytes, element));
  return {};
}

}  // namespace stillwatch::report
