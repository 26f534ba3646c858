#include "replay/journal.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace stillwatch::replay {

base::Result<Journal> Journal::open(const std::string& out_folder, const std::string& state_folder,
                                    const std::string& name, std::uint64_t resume_bytes) {
  Journal journal;
  journal.name_ = name;
  journal.keep_ = !state_folder.empty();
  journal.path_ = journal.keep_ ? state_folder + "/" + name + ".journal" : OutputSet(out_folder).aside(name);
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
    : name_(std::move(other.name_)),
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
  return base::fail(base::Fault::environment, fmt::format("cannot {} {}: {}; {}", action, path_, std::strerror(code),
                                                          code == ENOSPC || code == EDQUOT || code == EFBIG
                                                              ? "free some space or choose another folder"
                                                              : "check the disk and the permissions of the folder"));
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

base::Status Journal::commit(OutputSet& outputs) {
  STILLWATCH_CHECK(sync());
  // The state folder may be on another disk, and its journal is still needed when the copy fails.
  if (keep_) return outputs.copy(name_, path_);
  std::fclose(std::exchange(file_, nullptr));
  outputs.adopt(name_);
  return {};
}

void Journal::forget() {
  if (file_ != nullptr) std::fclose(std::exchange(file_, nullptr));
  if (keep_) ::unlink(path_.c_str());
}

}  // namespace stillwatch::replay
