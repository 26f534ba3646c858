#include "audit/durable_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

#include "base/files.h"

namespace stillwatch::audit {

base::Status sync_folder(const std::string& path) {
  const int folder = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = folder >= 0 && ::fsync(folder) == 0;
  const int code = errno;
  if (folder >= 0) ::close(folder);
  if (synced) return {};
  return base::fail(base::Fault::environment, fmt::format("cannot sync the folder {}: {}", path, std::strerror(code)));
}

base::Status write_durably(const std::string& path, std::string_view bytes, unsigned mode) {
  STILLWATCH_TRY(file, base::AtomicFile::create(path, mode));
  STILLWATCH_CHECK(file.write(bytes));
  STILLWATCH_CHECK(file.commit());
  return sync_folder(std::filesystem::path(path).parent_path().string());
}

base::Status make_folder_durably(const std::string& path) {
  std::error_code code;
  if (std::filesystem::is_directory(path, code)) return {};
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  if (!parent.empty() && parent != path) STILLWATCH_CHECK(make_folder_durably(parent.string()));
  std::filesystem::create_directory(path, code);
  if (code) {
    return base::fail(base::Fault::environment, fmt::format("cannot create the folder {}: {}", path, code.message()));
  }
  return parent.empty() ? base::Status{} : sync_folder(parent.string());
}

std::string number_path(std::uint64_t number) {
  std::string path = fmt::format("{:03}", number % 1'000);
  for (number /= 1'000; number > 0; number /= 1'000) path.insert(0, fmt::format("x{:03}/", number % 1'000));
  return path;
}

bool read_number_path(std::string_view path, std::uint64_t& number) {
  std::uint64_t read = 0;
  for (std::size_t parts = 0; parts < 6; ++parts) {  // 10^18 - 1 at most
    const bool more = path.starts_with('x');
    if (more) path.remove_prefix(1);
    if (path.size() < 3) return false;
    for (const char digit : path.substr(0, 3)) {
      if (digit < '0' || digit > '9') return false;
      read = read * 10 + static_cast<std::uint64_t>(digit - '0');
    }
    path.remove_prefix(3);
    if (more != path.starts_with('/')) return false;
    if (!more) {
      number = read;
      return path.empty() && (parts == 0 || read >= 1'000);
    }
    path.remove_prefix(1);
  }
  return false;
}

}  // namespace stillwatch::audit
