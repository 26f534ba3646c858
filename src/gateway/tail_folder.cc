#include "gateway/tail_folder.h"

#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <functional>
#include <string_view>

namespace stillwatch::gateway {
namespace {

bool is_compressed(std::string_view name) {
  constexpr std::array<std::string_view, 6> kSuffixes{".gz", ".zst", ".bz2", ".xz", ".lz4", ".Z"};
  return std::any_of(kSuffixes.begin(), kSuffixes.end(), [&](std::string_view end) { return name.ends_with(end); });
}

/// The name that a file had before it was packed.
std::string_view unpacked_name(std::string_view name) {
  return is_packed(name) ? name.substr(0, name.rfind('.')) : name;
}

std::vector<ListedFile> list_folder(const std::string& path, const std::function<bool(const std::string&)>& is_wanted) {
  std::vector<ListedFile> out;
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code code;
  for (std::filesystem::directory_iterator entry(folder.empty() ? "." : folder, code), last; !code && entry != last;
       entry.increment(code)) {
    const std::string name = entry->path().filename().string();
    ListedFile found{entry->path().string(), {}};
    if (out.size() < kTailFilesListedMax && is_wanted(name) && mark_of(found.path, found.mark))
      out.push_back(std::move(found));
  }
  std::sort(out.begin(), out.end(), [](const ListedFile& a, const ListedFile& b) {
    return a.mark.changed_ns != b.mark.changed_ns ? a.mark.changed_ns < b.mark.changed_ns : a.path < b.path;
  });
  return out;
}

}  // namespace

bool is_pattern(const std::string& path) {
  return std::filesystem::path(path).filename().string().find_first_of("*?[") != std::string::npos;
}

std::vector<ListedFile> list_log(const std::string& path) {
  if (!is_pattern(path)) {
    ListedFile found{path, {}};
    if (!mark_of(path, found.mark)) return {};
    return {std::move(found)};
  }
  const std::string pattern = std::filesystem::path(path).filename().string();
  return list_folder(path, [&](const std::string& name) {
    return !is_compressed(name) && ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
  });
}

std::vector<ListedFile> list_rotated(const std::string& path) {
  const std::string base = std::filesystem::path(path).filename().string();
  const bool is_of_pattern = is_pattern(path);
  std::vector<ListedFile> found = list_folder(path, [&](const std::string& full) {
    const std::string name(unpacked_name(full));
    if (is_of_pattern) return is_packed(full) && ::fnmatch(base.c_str(), name.c_str(), 0) == 0;
    if (name.size() <= base.size() + 1 || !name.starts_with(base)) return false;
    if (name[base.size()] != '.' && name[base.size()] != '-') return false;
    return name.find_first_not_of("0123456789.-_T", base.size()) == std::string::npos;
  });
  // One that is being packed, or was not packed to its end.
  std::erase_if(found, [](const ListedFile& one) {
    FileMark mark;
    return is_packed(one.path) && mark_of(std::string(unpacked_name(one.path)), mark);
  });
  return found;
}

}  // namespace stillwatch::gateway
