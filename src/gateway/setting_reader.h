// Reads one table of the configuration into a struct, key by key, and lists the keys that it knows.
//
// Invariant: the code that reads a setting is the code that names it, so the reference cannot miss one; every problem
// is collected, none ends the reading; a setting with a problem keeps its default.
// Threads: one user. Cost: linear in the file, and in the keys of a table for its unknown ones.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "gateway/configuration.h"
#include "gateway/toml_tree.h"

namespace stillwatch::gateway {

/// What a reading collects.
struct Reading {
  struct Problem {
    std::uint32_t line;
    std::string text;
  };
  std::vector<Problem> problems;
  std::vector<SettingName>* names = nullptr;  // set: list the settings instead of reading any
};

/// The nearest of `known` when it is near enough to be meant; else "".
std::string nearest_name(std::string_view name, std::span<const std::string> known);

class SettingReader {
 public:
  /// `node` may be nullptr: the table is absent and all defaults stay.
  SettingReader(Reading& reading, const TomlNode* node, std::string path);

  /// `unit`: how many of the struct's unit are one of the file's. Whole numbers for an integer field in its own unit.
  template <class Number>
  void number(const char* name, Number& field, double min, double max, double unit = 1) {
    const bool whole = std::is_integral_v<Number> && unit == 1;
    if (const auto value = read_number(name, static_cast<double>(field) / unit, min, max, whole)) {
      // 0.29 s are 290 ms, not 289.
      field = static_cast<Number>(std::is_integral_v<Number> ? std::round(*value * unit) : *value * unit);
    }
  }
  template <class Number>
  void number(const char* name, std::optional<Number>& field, double min, double max) {
    if (const auto value = read_number(name, std::nullopt, min, max, std::is_integral_v<Number>)) {
      field = static_cast<Number>(*value);
    }
  }
  void flag(const char* name, bool& field);
  void flag(const char* name, std::optional<bool>& field);
  void text(const char* name, std::string& field);
  /// An absent or empty text is a problem.
  void required_text(const char* name, std::string& field);
  void texts(const char* name, std::vector<std::string>& field);
  void texts(const char* name, std::optional<std::vector<std::string>>& field);
  template <class Enum>
  void choice(const char* name, Enum& field, std::span<const char* const> words) {
    if (const auto value = read_choice(name, static_cast<std::size_t>(field), words)) field = static_cast<Enum>(*value);
  }
  template <class Enum>
  void choice(const char* name, std::optional<Enum>& field, std::span<const char* const> words) {
    if (const auto value = read_choice(name, std::nullopt, words)) field = static_cast<Enum>(*value);
  }
  /// A table: `read(SettingReader&)`.
  template <class Read>
  void table(const char* name, Read read) {
    SettingReader inner(reading_, enter(name, TomlNode::Kind::table, "a table"), joined(name));
    read(inner);
    inner.finish();
  }
  /// An array of tables: `read(SettingReader&, Item&)` for each.
  template <class Item, class Read>
  void tables(const char* name, std::vector<Item>& items, std::size_t items_max, Read read) {
    const TomlNode* node = enter(name, TomlNode::Kind::array, "an array of tables");
    if (reading_.names != nullptr) return (void)read_item<Item>(nullptr, joined(name), read);
    if (node == nullptr) return;
    if (node->items.size() > items_max) return problem(*node, name, "has too many entries");
    for (const TomlNode& item : node->items) {
      if (item.kind != TomlNode::Kind::table) {
        problem(item, name, "must be an array of tables");
        continue;
      }
      items.push_back(read_item<Item>(&item, joined(name), read));
    }
  }
  /// A table of tables with names of the user's: `read(SettingReader&, Item&)`; `shown` stands for a name in the list.
  template <class Item, class Read>
  void named_tables(const char* name, const char* shown, std::map<std::string, Item, std::less<>>& items,
                    std::size_t items_max, Read read) {
    const TomlNode* node = enter(name, TomlNode::Kind::table, "a table");
    if (reading_.names != nullptr) return (void)read_item<Item>(nullptr, joined(name) + "." + shown, read);
    if (node == nullptr) return;
    if (node->entries.size() > items_max) return problem(*node, name, "has too many entries");
    for (const auto& [key, entry] : node->entries) {
      if (entry.kind != TomlNode::Kind::table) {
        problem(entry, (std::string(name) + "." + key).c_str(), "must be a table");
        continue;
      }
      items.emplace(key, read_item<Item>(&entry, joined(name) + "." + key, read));
    }
  }
  /// A key that another reader takes.
  void skip(const char* name) { known_.emplace_back(name); }
  /// Reports the keys that nobody asked for.
  void finish();

  const TomlNode* node() const { return node_; }
  bool naming() const { return reading_.names != nullptr; }
  void problem(const TomlNode& at, std::string_view name, std::string_view what);

 private:
  std::optional<double> read_number(const char* name, std::optional<double> shown, double min, double max, bool whole);
  std::optional<std::size_t> read_choice(const char* name, std::optional<std::size_t> shown,
                                         std::span<const char* const> words);
  std::optional<bool> read_flag(const char* name, std::optional<bool> shown);
  std::optional<std::string> read_text(const char* name, const std::string& shown);
  std::optional<std::vector<std::string>> read_texts(const char* name, const std::vector<std::string>* shown);
  template <class Item, class Read>
  Item read_item(const TomlNode* node, std::string path, Read read) {
    Item item;
    SettingReader inner(reading_, node, std::move(path));
    read(inner, item);
    inner.finish();
    return item;
  }
  /// The node of a key, noted as known; nullptr when absent or of another kind, which is a problem.
  const TomlNode* enter(const char* name, TomlNode::Kind kind, const char* kind_words);
  const TomlNode* value(const char* name, std::string shown);
  std::string joined(std::string_view name) const;

  Reading& reading_;
  const TomlNode* node_;
  std::string path_;
  std::vector<std::string> known_;
};

}  // namespace stillwatch::gateway
