// Files that are there after a loss of power, and the folders that many of them lie in.
//
// Invariant: when write_durably has returned well, the file has these bytes after any crash; before, the old ones.
// Threads: one writer a file. Cost: two fsyncs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace stillwatch::audit {

base::Status write_durably(const std::string& path, std::string_view bytes, unsigned mode = 0666);
/// The folder and its parents; fsync of the one that it lies in.
base::Status make_folder_durably(const std::string& path);
base::Status sync_folder(const std::string& path);

/// 1234067 -> "x001/x234/067", as tiles are numbered: at most 1,000 names in a folder, in order.
std::string number_path(std::uint64_t number);
/// The way back; nothing for any other text.
bool read_number_path(std::string_view path, std::uint64_t& number);

}  // namespace stillwatch::audit
