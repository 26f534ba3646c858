#include "intake/path_walker.h"

#include <algorithm>
#include <charconv>

#include "base/assert.h"
#include "base/event_time.h"
#include "intake/json_value.h"

namespace stillwatch::intake {
namespace {

constexpr std::size_t kPathStepsMax = 16;  // of a path in a map file: records nest less
constexpr std::size_t kIndexMax = 10'000;

std::string_view trimmed(std::string_view json) {
  while (!json.empty() && (json.back() == ' ' || json.back() == '\t' || json.back() == '\n' || json.back() == '\r'))
    json.remove_suffix(1);
  return json;
}

/// Decimal text times 10^exponent as an integer, digits below one cut off; nothing for anything else.
std::optional<std::int64_t> scaled(std::string_view digits, int exponent) {
  std::int64_t value = 0;
  bool fraction = false, any = false;
  for (const char letter : digits) {
    if (letter == '.' && !fraction) {
      fraction = true;
      continue;
    }
    if (letter < '0' || letter > '9') return std::nullopt;
    any = true;
    if (fraction && exponent == 0) continue;
    if (value > INT64_MAX / 10 - 1) return std::nullopt;
    value = value * 10 + (letter - '0');
    if (fraction) --exponent;
  }
  for (; exponent > 0; --exponent) {
    if (value > INT64_MAX / 10 - 1) return std::nullopt;
    value *= 10;
  }
  return any ? std::optional(value) : std::nullopt;
}

std::optional<double> number_of(std::string_view digits) {
  double number = 0;
  const auto [rest, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || rest != digits.data() + digits.size() || !(number >= 0)) return std::nullopt;
  return number;
}

// The last moment that RFC 3339 texts may name too (year 2261).
constexpr std::int64_t kTimeMaxUs = 9'214'646'400'000'000;

}  // namespace

std::optional<std::vector<PathStep>> parse_path(std::string_view text) {
  std::vector<PathStep> steps;
  std::size_t at = 0;
  bool is_key_next = true;
  while (at < text.size() || is_key_next) {
    if (steps.size() >= kPathStepsMax) return std::nullopt;
    if (is_key_next) {
      std::string key;
      if (at < text.size() && text[at] == '"') {
        const std::size_t close = text.find('"', at + 1);
        if (close == std::string_view::npos) return std::nullopt;
        key = text.substr(at + 1, close - at - 1);
        at = close + 1;
      } else {
        const std::size_t end = std::min(text.find_first_of(".[", at), text.size());
        key = text.substr(std::min(at, text.size()), end - at);
        at = end;
      }
      if (key.empty()) return std::nullopt;
      steps.push_back({std::move(key), 0, false});
      is_key_next = false;
    } else if (text[at] == '.') {
      ++at;
      is_key_next = true;
    } else if (text[at] == '[') {
      std::size_t index = 0, digits = 0;
      for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, ++digits) {
        index = std::min(index * 10 + static_cast<std::size_t>(text[at] - '0'), kIndexMax + 1);
      }
      if (digits == 0 || at >= text.size() || text[at] != ']' || index > kIndexMax) return std::nullopt;
      ++at;
      steps.push_back({{}, index, true});
    } else {
      return std::nullopt;
    }
  }
  return steps;
}

void add_path(PathNode& root, const std::vector<PathStep>& steps, std::size_t slot) {
  PathNode* node = &root;
  for (const PathStep& step : steps) {
    const auto found = std::find_if(node->children.begin(), node->children.end(),
                                    [&](const PathNode& child) { return child.step == step; });
    if (found != node->children.end()) {
      node = &*found;
    } else {
      node->children.push_back({step, {}, {}});
      node = &node->children.back();
    }
  }
  node->slots.push_back(slot);
}

PathNode tree_of(std::span<const std::string_view> paths) {
  PathNode root;
  for (std::size_t slot = 0; slot < paths.size(); ++slot) {
    const auto steps = parse_path(paths[slot]);
    STILLWATCH_ASSERT(steps.has_value());
    add_path(root, *steps, slot);
  }
  return root;
}

struct PathWalker::State {
  JsonReader json{kLineNotJson};
  std::span<RawValue> out;

  MaybeRefusal visit(od::value value, const PathNode& node) {
    od::json_type type;
    if (value.type().get(type)) return kLineNotJson;
    std::string_view raw;
    if (type == od::json_type::object) {
      od::object object;
      bool ignored = false;
      if (value.get_object().get(object)) return kLineNotJson;
      if (!node.slots.empty() && (object.raw_json().get(raw) || object.reset().get(ignored))) return kLineNotJson;
      keep(node, raw);
      return node.children.empty() ? MaybeRefusal{} : visit_fields(object, node);
    }
    if (type == od::json_type::array) {
      od::array array;
      bool ignored = false;
      if (value.get_array().get(array)) return kLineNotJson;
      if (!node.slots.empty() && (array.raw_json().get(raw) || array.reset().get(ignored))) return kLineNotJson;
      keep(node, raw);
      return node.children.empty() ? MaybeRefusal{} : visit_elements(array, node);
    }
    keep(node, trimmed(value.raw_json_token()));
    return {};
  }

  void keep(const PathNode& node, std::string_view raw) {
    for (const std::size_t slot : node.slots) out[slot].json = raw;
  }

  MaybeRefusal visit_fields(od::object& object, const PathNode& node) {
    return json.each_field(object, [&](std::string_view key, od::value value) {
      const auto child = std::find_if(node.children.begin(), node.children.end(), [&](const PathNode& other) {
        return !other.step.is_index && other.step.key == key;
      });
      return child == node.children.end() ? MaybeRefusal{} : visit(value, *child);
    });
  }

  MaybeRefusal visit_elements(od::array& array, const PathNode& node) {
    std::size_t index = 0;
    for (auto result : array) {
      od::value element;
      if (std::move(result).get(element)) return kLineNotJson;
      const auto child = std::find_if(node.children.begin(), node.children.end(), [&](const PathNode& other) {
        return other.step.is_index && other.step.index == index;
      });
      ++index;
      if (child == node.children.end()) continue;
      if (auto refusal = visit(element, *child)) return refusal;
    }
    return {};
  }
};

PathWalker::PathWalker() : state_(std::make_unique<State>()) {}
PathWalker::~PathWalker() = default;

std::optional<Refusal> PathWalker::walk(std::string_view line, const PathNode& root, std::span<RawValue> out) {
  State& state = *state_;
  std::fill(out.begin(), out.end(), RawValue{});
  state.out = out;
  return state.json.read_line(line, [&](od::object& record) { return state.visit_fields(record, root); });
}

std::optional<std::string_view> text_of(RawValue value, JsonText& text) {
  if (value.is_text()) return text.unescape(value.json.substr(1));
  if (value.json.empty() || value.json[0] < '-' || value.json[0] > '9') return std::nullopt;
  return value.json;
}

std::optional<std::uint32_t> count_of(RawValue value, JsonText& text) {
  const auto digits = text_of(value, text);
  const auto number = digits ? number_of(*digits) : std::nullopt;
  return number ? std::optional(static_cast<std::uint32_t>(std::min(*number, 4294967295.0))) : std::nullopt;
}

std::optional<std::int64_t> time_of(RawValue value, TimeFormat format, JsonText& text) {
  const auto bytes = text_of(value, text);
  constexpr std::size_t kTimeBytesMax = 48;
  if (!bytes || bytes->size() > kTimeBytesMax) return std::nullopt;
  std::optional<std::int64_t> time_us;
  if (format == TimeFormat::rfc3339) {
    if (time_us = base::parse_time(*bytes); time_us) return time_us;
    // As some libraries write it: more than six digits of a second, or no zone.
    char mended[kTimeBytesMax + 1];
    std::size_t size = 0, fraction = 0;
    bool is_fraction = false, has_zone = false;
    for (std::size_t at = 0; at < bytes->size(); ++at) {
      const char letter = (*bytes)[at];
      if (is_fraction && letter >= '0' && letter <= '9' && ++fraction > 6) continue;
      if (letter == '.') is_fraction = true;
      if (at > 10 && (letter == 'Z' || letter == 'z' || letter == '+' || letter == '-'))
        has_zone = true, is_fraction = false;
      mended[size++] = letter;
    }
    if (!has_zone) mended[size++] = 'Z';
    return base::parse_time(std::string_view(mended, size));
  }
  const int exponent = format == TimeFormat::unix_s ? 6 : format == TimeFormat::unix_ms ? 3 : 0;
  time_us = scaled(*bytes, exponent);
  if (!time_us) {
    const auto number = number_of(*bytes);
    const double scale = format == TimeFormat::unix_s ? 1e6 : format == TimeFormat::unix_ms ? 1e3 : 1;
    if (!number || *number * scale > static_cast<double>(kTimeMaxUs)) return std::nullopt;
    time_us = static_cast<std::int64_t>(*number * scale);
  }
  return *time_us <= kTimeMaxUs ? time_us : std::nullopt;
}

}  // namespace stillwatch::intake
