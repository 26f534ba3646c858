// Which files belong to a tailed log: those that its path or pattern names, and where they go when they are rotated.
//
// Invariant: only regular files; packed ones (is_packed()) only among what was rotated, and not while what they are
// made from is still there; other compressed ones never. Sorted by the time of their last change, then by name: a log's
// files in the order in which they were written, as gzip, zstd and logrotate keep that time when they pack a file.
// Threads: pure but for the file system. Cost: one listing of a folder. Bounds: kTailFilesListedMax names.
#pragma once

#include <string>
#include <vector>

#include "gateway/tailed_file.h"

namespace stillwatch::gateway {

inline constexpr std::size_t kTailFilesListedMax = 10'000;  // a pattern over years of daily files of 20 servers

struct ListedFile {
  std::string path;
  FileMark mark;
};

bool is_pattern(const std::string& path);
/// What the path or pattern names now, but for compressed files.
std::vector<ListedFile> list_log(const std::string& path);
/// Files that a plain path may have been renamed or copied to: the path, then '.' or '-', then digits, dates and times;
/// then perhaps the suffix of a packed file. Of a pattern only packed ones: it is expected to match the others itself.
std::vector<ListedFile> list_rotated(const std::string& path);

}  // namespace stillwatch::gateway
