// For tests of any module: a folder of its own, gone at the test's end, and plain reading and writing in it.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/temporary_folder.h"

namespace stillwatch::base::test {

class Folder : public TemporaryFolder {
 public:
  Folder() : Folder("") {}
  /// `parent` as in TemporaryFolder::make().
  explicit Folder(const std::string& parent) : TemporaryFolder(made(TemporaryFolder::make(parent))) {}

  /// The bytes of a file; none when it is not there.
  std::string read(std::string_view name) const {
    std::ifstream in(*this / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  /// Gives the file's path.
  std::string write(std::string_view name, std::string_view bytes) const {
    const std::string file = *this / name;
    std::ofstream(file, std::ios::binary) << bytes;
    return file;
  }
  /// Of what lies in it, sorted.
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& entry : std::filesystem::directory_iterator(path())) out.push_back(entry.path().filename());
    std::sort(out.begin(), out.end());
    return out;
  }

 private:
  static TemporaryFolder made(Result<TemporaryFolder> folder) {
    if (!folder) throw std::runtime_error(folder.error().message);
    return std::move(*folder);
  }
};

}  // namespace stillwatch::base::test
