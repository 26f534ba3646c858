#include "audit/manifest_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include <fmt/format.h>

#include "audit/durable_file.h"
#include "base/files.h"

namespace stillwatch::audit {
namespace {

using base::Fault;

constexpr std::size_t kLengthBytes = 4, kFixedBytes = 8 + 32;
constexpr std::uint64_t kFileBytesMax = std::uint64_t{4} << 30;  // 8,640 of the largest need 8 GiB; usual is 5 MB

std::string file_path(const std::string& folder, std::uint64_t number) {
  return fmt::format("{}/manifests-{:06}", folder, number);
}

tl::unexpected<base::Error> failed(std::string_view action, const std::string& path, int code) {
  return base::fail(Fault::environment, fmt::format("cannot {} {}: {}", action, path, std::strerror(code)));
}

std::uint64_t read_big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

void append_big_endian(std::string& out, std::uint64_t value, unsigned bytes) {
  for (unsigned i = bytes; i-- > 0;) out += static_cast<char>(value >> (8 * i) & 0xff);
}

/// Walks over the whole records of a file.
class Records {
 public:
  explicit Records(std::string_view bytes) : bytes_(bytes) {}
  bool next() {
    const std::string_view rest = bytes_.substr(at_);
    if (rest.size() < kLengthBytes) return false;
    const std::uint64_t length = read_big_endian(rest.substr(0, kLengthBytes));
    if (length < kFixedBytes || length > kFixedBytes + ledger::kManifestBytesMax) return false;
    if (length > rest.size() - kLengthBytes) return false;
    const std::string_view record = rest.substr(kLengthBytes, length);
    if (length == kFixedBytes && text.empty()) return false;  // the first has a text of its own
    index = read_big_endian(record.substr(0, 8));
    std::memcpy(salt.data(), record.data() + 8, salt.size());
    if (length > kFixedBytes) text = record.substr(kFixedBytes);
    at_ += kLengthBytes + length;
    return true;
  }
  std::size_t end() const { return at_; }

  std::uint64_t index = 0;
  ledger::Hash32 salt{};
  std::string_view text;

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

}  // namespace

ManifestStore::ManifestStore(ManifestStore&& other) noexcept { *this = std::move(other); }

ManifestStore& ManifestStore::operator=(ManifestStore&& other) noexcept {
  if (this != &other) {
    close();
    folder_ = std::move(other.folder_);
    file_ = std::exchange(other.file_, -1);
    number_ = other.number_;
    end_ = other.end_;
    last_ = std::move(other.last_);
  }
  return *this;
}

void ManifestStore::close() {
  if (file_ >= 0) ::close(std::exchange(file_, -1));
  last_.clear();
}

base::Status ManifestStore::open_file(std::uint64_t number) {
  close();
  STILLWATCH_CHECK(make_folder_durably(folder_));
  const std::string path = file_path(folder_, number);
  file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file_ < 0) return failed("write", path, errno);
  STILLWATCH_TRY(bytes, base::read_file(path, kFileBytesMax));
  Records records(bytes);
  while (records.next()) {
  }
  last_ = records.text;
  end_ = records.end();
  number_ = number;
  return sync_folder(folder_);
}

base::Status ManifestStore::append(std::uint64_t index, const Manifest& manifest) {
  const std::uint64_t number = index / kManifestsAFile;
  if (file_ < 0 || number != number_) {
    if (base::Status opened = open_file(number); !opened) {
      close();
      return opened;
    }
  }
  const bool same = manifest.text == last_;
  std::string record;
  append_big_endian(record, kFixedBytes + (same ? 0 : manifest.text.size()), kLengthBytes);
  append_big_endian(record, index, 8);
  record.append(reinterpret_cast<const char*>(manifest.salt.data()), manifest.salt.size());
  if (!same) record += manifest.text;
  const std::string path = file_path(folder_, number);
  // What stands behind the last whole record is a half one of before, or of an attempt that failed.
  bool written = ::ftruncate(file_, static_cast<off_t>(end_)) == 0;
  for (std::size_t done = 0; written && done < record.size();) {
    const ssize_t count = ::pwrite(file_, record.data() + done, record.size() - done, static_cast<off_t>(end_ + done));
    if (count < 0 && errno == EINTR) continue;
    written = count > 0;
    if (written) done += static_cast<std::size_t>(count);
  }
  if (!written || ::fdatasync(file_) != 0) {
    const int code = errno;
    close();
    return failed("write", path, code);
  }
  end_ += record.size();
  if (!same) last_ = manifest.text;
  return {};
}

std::size_t scan_manifest_file(std::string_view bytes,
                               const std::function<bool(std::uint64_t index, const Manifest&)>& visit) {
  Records records(bytes);
  while (records.next()) {
    if (!visit(records.index, {records.salt, std::string(records.text)})) break;
  }
  return records.end();
}

base::Result<Manifest> find_manifest(const std::string& folder, std::uint64_t index, const ledger::Hash32& m) {
  const std::string path = file_path(folder, index / kManifestsAFile);
  STILLWATCH_TRY(bytes, base::read_file(path, kFileBytesMax));
  Records records(bytes);
  while (records.next()) {
    if (records.index == index && ledger::manifest_hash(records.salt, records.text) == m) {
      return Manifest{records.salt, std::string(records.text)};
    }
  }
  return base::fail(Fault::check, fmt::format("{} has no manifest that anchor leaf {} was made from", path, index));
}

base::Status scan_manifests(const std::string& folder, std::uint64_t index,
                            const std::function<bool(std::uint64_t index, const Manifest&)>& visit) {
  std::vector<std::string> names;
  std::error_code code;
  for (std::filesystem::directory_iterator entry(folder, code), end; !code && entry != end; entry.increment(code)) {
    names.push_back(entry->path().filename().string());
  }
  if (code) return base::fail(Fault::environment, fmt::format("cannot read {}: {}", folder, code.message()));
  std::sort(names.begin(), names.end());
  const std::string first = std::filesystem::path(file_path(folder, index / kManifestsAFile)).filename().string();
  for (const std::string& name : names) {
    if (!name.starts_with("manifests-") || name < first) continue;
    STILLWATCH_TRY(bytes, base::read_file(fmt::format("{}/{}", folder, name), kFileBytesMax));
    bool goes_on = true;
    scan_manifest_file(
        bytes, [&](std::uint64_t at, const Manifest& manifest) { return goes_on = at < index || visit(at, manifest); });
    if (!goes_on) return {};
  }
  return {};
}

}  // namespace stillwatch::audit
