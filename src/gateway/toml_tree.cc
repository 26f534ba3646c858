#include "gateway/toml_tree.h"

#include <fmt/format.h>
#include <toml++/toml.h>

namespace stillwatch::gateway {
namespace {

using base::Fault;

// toml++ bounds nested values, but not dotted keys, whose tables it frees by recursion.
std::uint32_t line_of_deep_key(std::string_view text) {
  std::uint32_t line = 1;
  std::size_t dots = 0;
  char quote = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '\n') {
      ++line;
      dots = 0;
      quote = 0;
    } else if (quote != 0) {
      if (c == '\\' && quote == '"') ++at;
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '.' && ++dots > kTomlDepthMax) {
      return line;
    }
  }
  return 0;
}

TomlNode convert(const toml::node& node) {
  TomlNode out;
  out.line = node.source().begin.line;
  if (const toml::table* table = node.as_table()) {
    out.kind = TomlNode::Kind::table;
    for (const auto& [key, value] : *table) out.entries.emplace_back(std::string(key.str()), convert(value));
  } else if (const toml::array* array = node.as_array()) {
    out.kind = TomlNode::Kind::array;
    for (const toml::node& item : *array) out.items.push_back(convert(item));
  } else if (const auto* text = node.as_string()) {
    out.kind = TomlNode::Kind::text;
    out.text = text->get();
  } else if (const auto* whole = node.as_integer()) {
    out.kind = TomlNode::Kind::whole;
    out.number = static_cast<double>(whole->get());
  } else if (const auto* real = node.as_floating_point()) {
    out.kind = TomlNode::Kind::real;
    out.number = real->get();
  } else if (const auto* flag = node.as_boolean()) {
    out.kind = TomlNode::Kind::flag;
    out.flag = flag->get();
  }
  return out;
}

}  // namespace

const TomlNode* TomlNode::find(std::string_view key) const {
  for (const auto& [name, node] : entries) {
    if (name == key) return &node;
  }
  return nullptr;
}

base::Result<TomlNode> parse_toml(std::string_view text, const std::string& path) {
  if (text.size() > kTomlBytesMax) {
    return base::fail(Fault::caller, fmt::format("{} is longer than {} bytes", path, kTomlBytesMax));
  }
  if (const std::uint32_t line = line_of_deep_key(text); line != 0) {
    return base::fail(Fault::caller, fmt::format("{}:{}: a key of more than {} parts", path, line, kTomlDepthMax));
  }
  try {
    return convert(toml::parse(text, path));
  } catch (const toml::parse_error& error) {
    return base::fail(Fault::caller, fmt::format("{}:{}: {}", path, error.source().begin.line, error.description()));
  }
}

}  // namespace stillwatch::gateway
