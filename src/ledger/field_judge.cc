// Which lines of NDJSON files are a customer's.
#include <unordered_set>

#include <simdjson.h>

#include "base/event_time.h"
#include "ledger/file_eraser.h"
#include "ledger/retention.h"

namespace stillwatch::ledger {
namespace {

namespace dom = simdjson::dom;

struct Judge {
  explicit Judge(FieldJudge judge) : what(std::move(judge)), values(what.values.begin(), what.values.end()) {
    for (const std::string& field : what.fields) paths.push_back(split(field));
  }

  static std::vector<std::string> split(std::string_view path) {
    std::vector<std::string> keys;
    for (;;) {
      const std::size_t dot = path.find('.');
      keys.emplace_back(path.substr(0, dot));
      if (dot == std::string_view::npos) return keys;
      path.remove_prefix(dot + 1);
    }
  }

  static bool text_at(dom::element at, const std::vector<std::string>& path, std::string_view& text) {
    for (const std::string& key : path) {
      dom::element next;
      if (at.at_key(key).get(next) != simdjson::SUCCESS) return false;
      at = next;
    }
    return at.get(text) == simdjson::SUCCESS;
  }

  LineFate operator()(std::string_view line) {
    if (line.find_first_not_of(" \t") == std::string_view::npos) return LineFate::stays;
    padded.assign(line);
    padded.reserve(padded.size() + simdjson::SIMDJSON_PADDING);
    dom::element parsed;
    if (parser.parse(padded.data(), padded.size(), false).get(parsed) != simdjson::SUCCESS) return by_bytes(line);
    bool is_theirs = false;
    std::string_view text;
    for (const auto& path : paths) is_theirs |= text_at(parsed, path, text) && values.contains(std::string(text));
    if (!is_theirs) return LineFate::stays;
    if (!what.is_held) return LineFate::goes;
    const bool has_time = text_at(parsed, {what.time_field}, text);
    const auto time = has_time ? base::parse_time(text) : std::nullopt;
    // Without a time it may be of any day: a hold on any day keeps it.
    return what.is_held(time ? std::optional(day_of(*time)) : std::nullopt) ? LineFate::held : LineFate::goes;
  }

  // A line that is no JSON, such as one that a crash cut off: it goes when it holds one of the names at all, so that
  // nothing of a customer is left because it is broken.
  LineFate by_bytes(std::string_view line) const {
    for (const std::string& value : what.values) {
      if (line.find(value) == std::string_view::npos) continue;
      return what.is_held && what.is_held(std::nullopt) ? LineFate::held : LineFate::goes;
    }
    return LineFate::stays;
  }

  FieldJudge what;
  std::unordered_set<std::string> values;
  std::vector<std::vector<std::string>> paths;
  dom::parser parser;
  std::string padded;
};

}  // namespace

JudgeLine make_field_judge(FieldJudge judge) {
  return [shared = std::make_shared<Judge>(std::move(judge))](std::string_view line) { return (*shared)(line); };
}

}  // namespace stillwatch::ledger
