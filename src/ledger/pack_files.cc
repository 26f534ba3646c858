#include "ledger/pack_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <filesystem>

#include <fmt/format.h>

#include "base/event_time.h"

namespace stillwatch::ledger {
namespace {

using base::Fault;

constexpr std::uint64_t kPackBytesMax = 1ULL << 30;  // then a new file: a retention of hours would not wait for a day
constexpr std::size_t kWritersMax = 16;              // three classes, a few days of late records
constexpr std::size_t kPortionBytes = 256U << 10;    // of 2 MiB of second-level cache; 4 MiB at once cost twice as much
constexpr std::size_t kZeroBytes = 1U << 16;

tl::unexpected<base::Error> failed(std::string_view what, const std::string& path, int code) {
  return base::fail(file_error(what, path, code));
}

std::string stem_of(const KeyScope& scope) {
  return fmt::format("{}-{}-", name_of(scope.retention), base::format_time(scope.period * base::kDayUs).substr(0, 10));
}

class ReadDescriptor {
 public:
  ReadDescriptor(const std::string& path, int flags) : file_(::open(path.c_str(), flags | O_CLOEXEC)) {}
  ReadDescriptor(const ReadDescriptor&) = delete;
  ReadDescriptor& operator=(const ReadDescriptor&) = delete;
  ~ReadDescriptor() {
    if (file_ >= 0) ::close(file_);
  }
  int get() const { return file_; }

 private:
  int file_;
};

bool zero(int file, const PackPlace& place) {
  const std::string zeros(std::min<std::size_t>(kZeroBytes, place.bytes), '\0');
  for (std::uint64_t done = 0; done < place.bytes;) {
    const auto size = std::min<std::uint64_t>(zeros.size(), place.bytes - done);
    const ssize_t count = ::pwrite(file, zeros.data(), size, static_cast<off_t>(place.offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    done += static_cast<std::uint64_t>(count);
  }
  return true;
}

}  // namespace

std::string PackFiles::path_of(const KeyScope& scope, std::uint32_t number) const {
  return fmt::format("{}/{}{:04}.pack", folder_, stem_of(scope), number);
}

std::vector<std::uint32_t> PackFiles::numbers_of(const KeyScope& scope) const {
  const std::string stem = stem_of(scope);
  std::vector<std::uint32_t> numbers;
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, code)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(stem) || !name.ends_with(".pack")) continue;
    std::uint32_t number = 0;
    const char* end = name.data() + name.size() - 5;
    const auto [at, wrong] = std::from_chars(name.data() + stem.size(), end, number);
    if (wrong == std::errc() && at == end) numbers.push_back(number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

base::Result<PackFiles::Writer> PackFiles::open_writer(const KeyScope& scope) const {
  const auto numbers = numbers_of(scope);
  // Never on in a file of an earlier run: a power cut may have shortened it under rows that are there, and erasing one
  // of those must not hit a ciphertext that came later.
  const std::uint32_t number = numbers.empty() ? 1 : numbers.back() + 1;
  STILLWATCH_TRY(file, AppendFile::open(path_of(scope, number), 0600));
  STILLWATCH_CHECK(sync_folder_of(file.path()));
  return Writer{std::move(file), number, {}, false, 0};
}

base::Result<std::string*> PackFiles::tail(const KeyScope& scope) {
  auto found = writers_.find(scope);
  const bool full =
      found != writers_.end() && found->second.waiting.empty() && found->second.file.bytes() >= kPackBytesMax;
  if (full) {
    STILLWATCH_CHECK(found->second.file.sync());
    writers_.erase(found);
    found = writers_.end();
  }
  if (found == writers_.end()) {
    STILLWATCH_TRY(writer, open_writer(scope));
    if (writers_.size() >= kWritersMax) {
      auto oldest = writers_.end();
      for (auto it = writers_.begin(); it != writers_.end(); ++it) {
        const bool idle = it->second.waiting.empty() && !it->second.unsynced;
        if (idle && (oldest == writers_.end() || it->second.used < oldest->second.used)) oldest = it;
      }
      if (oldest != writers_.end()) writers_.erase(oldest);
    }
    found = writers_.emplace(scope, std::move(writer)).first;
  }
  found->second.used = ++uses_;
  return &found->second.waiting;
}

PackPlace PackFiles::place(const KeyScope& scope, std::size_t size_before) const {
  const Writer& writer = writers_.at(scope);
  return {scope, writer.number, writer.file.bytes() + size_before,
          static_cast<std::uint32_t>(writer.waiting.size() - size_before)};
}

std::uint64_t PackFiles::bytes_waiting() const {
  std::uint64_t bytes = 0;
  for (const auto& [scope, writer] : writers_) bytes += writer.waiting.size();
  return bytes;
}

base::Status PackFiles::Writer::write() {
  if (waiting.empty()) return {};
  STILLWATCH_CHECK(file.append(waiting));
  waiting.clear();
  unsynced = true;
  return {};
}

base::Status PackFiles::write_portion(const KeyScope& scope) {
  Writer& writer = writers_.at(scope);
  return writer.waiting.size() < kPortionBytes ? base::Status() : writer.write();
}

base::Status PackFiles::write() {
  for (auto& [scope, writer] : writers_) STILLWATCH_CHECK(writer.write());
  return {};
}

base::Status PackFiles::sync() {
  for (auto& [scope, writer] : writers_) {
    if (!writer.unsynced) continue;
    STILLWATCH_CHECK(writer.file.sync());
    writer.unsynced = false;
  }
  return {};
}

base::Result<std::string> PackFiles::read(const PackPlace& place) const {
  const std::string path = path_of(place.scope, place.number);
  const ReadDescriptor file(path, O_RDONLY);
  if (file.get() < 0) return failed("read", path, errno);
  std::string bytes(place.bytes, '\0');
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t count =
        ::pread(file.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(place.offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed("read", path, errno);
    if (count == 0) {
      return base::fail(Fault::environment, fmt::format("{} ends before byte {}; restore it from a backup", path,
                                                        place.offset + bytes.size()));
    }
    done += static_cast<std::size_t>(count);
  }
  return bytes;
}

base::Result<std::uint64_t> PackFiles::overwrite(std::vector<PackPlace> places) const {
  std::sort(places.begin(), places.end(), [](const PackPlace& left, const PackPlace& right) {
    return std::tie(left.scope, left.number, left.offset) < std::tie(right.scope, right.number, right.offset);
  });
  std::uint64_t failures = 0;
  for (std::size_t begin = 0; begin < places.size();) {
    std::size_t end = begin;
    while (end < places.size() && places[end].scope == places[begin].scope &&
           places[end].number == places[begin].number) {
      ++end;
    }
    const std::string path = path_of(places[begin].scope, places[begin].number);
    STILLWATCH_CHECK(ask_watcher("overwrite", path));
    const ReadDescriptor file(path, O_WRONLY);
    if (file.get() < 0 && errno != ENOENT) return failed("overwrite", path, errno);
    for (std::size_t i = begin; file.get() >= 0 && i < end; ++i) failures += zero(file.get(), places[i]) ? 0 : 1;
    if (file.get() >= 0 && ::fdatasync(file.get()) != 0) return failed("sync", path, errno);
    for (std::size_t i = begin; file.get() >= 0 && i < end; ++i) {
      (void)::fallocate(file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(places[i].offset),
                        static_cast<off_t>(places[i].bytes));
    }
    begin = end;
  }
  return failures;
}

base::Status PackFiles::remove(const KeyScope& scope) {
  writers_.erase(scope);
  for (const std::uint32_t number : numbers_of(scope)) {
    const std::string path = path_of(scope, number);
    STILLWATCH_CHECK(ask_watcher("remove", path));
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return failed("remove", path, errno);
  }
  return sync_folder_of(path_of(scope, 1));
}

}  // namespace stillwatch::ledger
