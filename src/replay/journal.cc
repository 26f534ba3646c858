#include "replay/journal.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace stillwatch::replay {

base::Result<Journal> Journal::open(const std::string& out_folder, const std::string& state_folder,
                                    const std::string& name, std::uint64_t resume_bytes) {
  Journal journal;
  journal.final_path_ = out_folder + "/" + name;
  journal.keep_ = !state_folder.empty();
  journal.path_ = journal.keep_ ? state_folder + "/" + name + ".journal" : journal.final_path_ + ".partial";
  journal.file_ = std::fopen(journal.path_.c_str(), resume_bytes > 0 ? "r+be" : "w+be");
  if (journal.file_ == nullptr) return base::fail(journal.failed("write").error());
  if (resume_bytes > 0) {
    std::fseek(journal.file_, 0, SEEK_END);
    if (static_cast<std::uint64_t>(std::ftell(journal.file_)) < resume_bytes) {
      return base::fail(
          base::Fault::environment,
          fmt::format("{} is shorter than the snapshot says; remove the state folder to start over", journal.path_));
    }
    if (::ftruncate(::fileno(journal.file_), static_cast<off_t>(resume_bytes)) != 0)
      return base::fail(journal.failed("cut").error());
    std::fseek(journal.file_, 0, SEEK_END);
    journal.bytes_ = resume_bytes;
  }
  return journal;
}

Journal::Journal(Journal&& other) noexcept
    : final_path_(std::move(other.final_path_)),
      path_(std::move(other.path_)),
      file_(std::exchange(other.file_, nullptr)),
      bytes_(other.bytes_),
      keep_(other.keep_) {}

Journal::~Journal() {
  if (file_ == nullptr) return;
  std::fclose(file_);
  if (!keep_) ::unlink(path_.c_str());
}

base::Status Journal::failed(const char* action) const {
  const int code = errno;
  return base::fail(base::Fault::environment,
                    fmt::format("cannot {} {}: {}; check the disk and the permissions of the folder", action, path_,
                                std::strerror(code)));
}

base::Status Journal::append(std::string_view line) {
  if (std::fwrite(line.data(), 1, line.size(), file_) != line.size() || std::fputc('\n', file_) == EOF)
    return failed("write");
  bytes_ += line.size() + 1;
  return {};
}

base::Status Journal::sync() {
  if (std::fflush(file_) != 0 || ::fsync(::fileno(file_)) != 0) return failed("write");
  return {};
}

base::Status Journal::commit() {
  STILLWATCH_CHECK(sync());
  if (!keep_) {
    std::fclose(std::exchange(file_, nullptr));
    if (std::rename(path_.c_str(), final_path_.c_str()) != 0) return failed("rename");
    return {};
  }
  // The state folder may be on another disk, and the journal is still needed when the copy fails.
  STILLWATCH_TRY(copy, base::AtomicFile::create(final_path_));
  std::rewind(file_);
  char block[1 << 16];
  while (const std::size_t count = std::fread(block, 1, sizeof block, file_))
    STILLWATCH_CHECK(copy.write({block, count}));
  if (std::ferror(file_) != 0) return failed("read");
  return copy.commit();
}

void Journal::forget() {
  if (file_ != nullptr) std::fclose(std::exchange(file_, nullptr));
  if (keep_) ::unlink(path_.c_str());
}

}  // namespace stillwatch::replay
