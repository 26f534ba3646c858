#include "gateway/setting_reader.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace stillwatch::gateway {
namespace {

constexpr std::size_t kNameBytesMax = 64;    // the longest setting has < 30. Longer ones get no suggestion
constexpr std::size_t kTextBytesMax = 4096;  // PATH_MAX. Longer texts are refused
constexpr std::size_t kTextsMax = 10'000;    // networks of a large customer

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0U);
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t above = row[j + 1];
      row[j + 1] = std::min({above + 1, row[j] + 1, diagonal + (a[i] == b[j] ? 0U : 1U)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

std::string quoted(std::string_view text) { return fmt::format("\"{}\"", text); }

}  // namespace

std::string nearest_name(std::string_view name, std::span<const std::string> known) {
  if (name.size() > kNameBytesMax) return {};
  std::size_t best = std::max<std::size_t>(2, name.size() / 3) + 1;
  std::string nearest;
  for (const std::string& candidate : known) {
    std::size_t distance = edit_distance(name, candidate);
    // "user" for "end_user", "threads_max" for "threads": one is a part of the other.
    const bool part = candidate.find(name) != std::string::npos || name.find(candidate) != std::string_view::npos;
    if (part && name.size() >= 4) distance = std::min<std::size_t>(distance, 2);
    if (distance < best) {
      best = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

SettingReader::SettingReader(Reading& reading, const TomlNode* node, std::string path)
    : reading_(reading), node_(node), path_(std::move(path)) {}

std::string SettingReader::joined(std::string_view name) const {
  return path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name);
}

void SettingReader::problem(const TomlNode& at, std::string_view name, std::string_view what) {
  reading_.problems.push_back({at.line, fmt::format("{} {}", name.empty() ? path_ : joined(name), what)});
}

const TomlNode* SettingReader::enter(const char* name, TomlNode::Kind kind, const char* kind_words) {
  known_.emplace_back(name);
  const TomlNode* node = node_ == nullptr ? nullptr : node_->find(name);
  if (node == nullptr || node->kind == kind) return node;
  problem(*node, name, fmt::format("must be {}", kind_words));
  return nullptr;
}

const TomlNode* SettingReader::value(const char* name, std::string shown) {
  known_.emplace_back(name);
  if (naming()) reading_.names->push_back({joined(name), std::move(shown)});
  return node_ == nullptr ? nullptr : node_->find(name);
}

std::optional<double> SettingReader::read_number(const char* name, std::optional<double> shown, double min, double max,
                                                 bool whole) {
  const TomlNode* node = value(name, shown ? fmt::format("{}", *shown) : "");
  if (node == nullptr) return std::nullopt;
  const bool is_number = node->kind == TomlNode::Kind::whole || node->kind == TomlNode::Kind::real;
  if (!is_number || (whole && node->kind != TomlNode::Kind::whole)) {
    problem(*node, name, whole ? "must be a whole number" : "must be a number");
  } else if (!(node->number >= min && node->number <= max)) {
    problem(*node, name, fmt::format("must be between {} and {}", min, max));
  } else {
    return node->number;
  }
  return std::nullopt;
}

std::optional<std::size_t> SettingReader::read_choice(const char* name, std::optional<std::size_t> shown,
                                                      std::span<const char* const> words) {
  const TomlNode* node = value(name, shown ? quoted(words[*shown]) : "");
  if (node == nullptr) return std::nullopt;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (node->kind == TomlNode::Kind::text && node->text == words[i]) return i;
  }
  problem(*node, name, fmt::format("must be one of: {}", fmt::join(words.begin(), words.end(), ", ")));
  return std::nullopt;
}

std::optional<bool> SettingReader::read_flag(const char* name, std::optional<bool> shown) {
  const TomlNode* node = value(name, shown ? fmt::format("{}", *shown) : "");
  if (node == nullptr) return std::nullopt;
  if (node->kind == TomlNode::Kind::flag) return node->flag;
  problem(*node, name, "must be true or false");
  return std::nullopt;
}

std::optional<std::string> SettingReader::read_text(const char* name, const std::string& shown) {
  const TomlNode* node = value(name, quoted(shown));
  if (node == nullptr) return std::nullopt;
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  if (node->kind != TomlNode::Kind::text) {
    problem(*node, name, "must be a text in quotes");
  } else if (node->text.size() > kTextBytesMax || std::any_of(node->text.begin(), node->text.end(), control)) {
    problem(*node, name, "is too long or has control characters");
  } else {
    return node->text;
  }
  return std::nullopt;
}

std::optional<std::vector<std::string>> SettingReader::read_texts(const char* name,
                                                                  const std::vector<std::string>* shown) {
  std::vector<std::string> list;
  for (const std::string& text : shown != nullptr ? *shown : std::vector<std::string>()) list.push_back(quoted(text));
  const TomlNode* node = value(name, shown != nullptr ? fmt::format("[{}]", fmt::join(list, ", ")) : "");
  if (node == nullptr) return std::nullopt;
  if (node->kind != TomlNode::Kind::array || node->items.size() > kTextsMax) {
    problem(*node, name, "must be a list of texts in quotes");
    return std::nullopt;
  }
  std::vector<std::string> out;
  for (const TomlNode& item : node->items) {
    if (item.kind == TomlNode::Kind::text && !item.text.empty() && item.text.size() <= kTextBytesMax) {
      out.push_back(item.text);
    } else {
      problem(item, name, "must be a list of texts in quotes, none of them empty");
    }
  }
  return out;
}

void SettingReader::flag(const char* name, bool& field) { field = read_flag(name, field).value_or(field); }

void SettingReader::flag(const char* name, std::optional<bool>& field) {
  if (const auto value = read_flag(name, std::nullopt)) field = value;
}

void SettingReader::text(const char* name, std::string& field) {
  if (auto value = read_text(name, field)) field = std::move(*value);
}

void SettingReader::required_text(const char* name, std::string& field) {
  text(name, field);
  if (node_ != nullptr && field.empty()) problem(*node_, name, "is missing");
}

void SettingReader::texts(const char* name, std::vector<std::string>& field) {
  if (auto value = read_texts(name, &field)) field = std::move(*value);
}

void SettingReader::texts(const char* name, std::optional<std::vector<std::string>>& field) {
  if (auto value = read_texts(name, nullptr)) field = std::move(value);
}

void SettingReader::finish() {
  if (node_ == nullptr) return;
  for (const auto& [key, node] : node_->entries) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    const std::string nearest = nearest_name(key, known_);
    reading_.problems.push_back(
        {node.line, fmt::format("unknown setting {}{}", joined(key),
                                nearest.empty() ? std::string() : fmt::format("; did you mean {}?", joined(nearest)))});
  }
}

}  // namespace stillwatch::gateway
