// A TOML file as a plain tree with the line of every value: what the readers of the configuration walk over.
//
// Invariant: entries of a table have distinct keys; a tree is at most kTomlDepthMax deep.
// Threads: plain values. Cost: that of toml++, once a start or reload. Spec: TOML 1.0.0.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace stillwatch::gateway {

inline constexpr std::size_t kTomlBytesMax = 16U << 20;  // 100,000 keys with access rules. Longer: refused
inline constexpr std::size_t kTomlDepthMax = 256;        // the configuration needs 5. Deeper: refused

struct TomlNode {
  enum class Kind : std::uint8_t { text, whole, real, flag, array, table, other };
  Kind kind = Kind::other;
  std::uint32_t line = 0;
  std::string text;                                       // of text
  double number = 0;                                      // of whole and real
  bool flag = false;                                      // of flag
  std::vector<TomlNode> items;                            // of array
  std::vector<std::pair<std::string, TomlNode>> entries;  // of table, ordered by key

  const TomlNode* find(std::string_view key) const;
};

/// Caller error "PATH:LINE: what is wrong".
base::Result<TomlNode> parse_toml(std::string_view text, const std::string& path);

}  // namespace stillwatch::gateway
