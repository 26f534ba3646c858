#include "ledger/chain_names.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "ledger/disk_file.h"

namespace stillwatch::ledger {
namespace {

constexpr std::size_t kMonthBytes = 7;

bool is_month(std::string_view text) {
  if (text.size() != kMonthBytes || text[4] != '-') return false;
  for (std::size_t i = 0; i < kMonthBytes; ++i) {
    if (i != 4 && (text[i] < '0' || text[i] > '9')) return false;
  }
  return true;
}

}  // namespace

std::string LogName::text() const { return number == 1 ? month : month + "-" + std::to_string(number); }

LogName LogName::next(const std::string& next_month) const {
  return next_month > month ? LogName{next_month, 1} : LogName{month, number + 1};
}

std::optional<LogName> LogName::parse(std::string_view text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return std::nullopt;
  text.remove_prefix(prefix.size());
  LogName name{std::string(text.substr(0, kMonthBytes))};
  if (!is_month(name.month)) return std::nullopt;
  if (text.size() > kMonthBytes + 1)
    std::from_chars(text.data() + kMonthBytes + 1, text.data() + text.size(), name.number);
  if (name.number == 0 || name.text() != text) return std::nullopt;
  return name;
}

base::Result<std::vector<LogName>> log_names(const std::string& folder, std::string_view prefix,
                                             std::string_view suffix) {
  std::vector<LogName> names;
  if (!file_exists(folder)) return names;
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator(folder, code)) {
    std::string text = entry.path().filename().string();
    if (!text.ends_with(suffix)) continue;
    text.resize(text.size() - suffix.size());
    if (auto name = LogName::parse(text, prefix)) names.push_back(std::move(*name));
  }
  if (code) return base::fail(call_error("list", folder, code.value()));
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace stillwatch::ledger
