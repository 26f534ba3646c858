#include "replay/journal.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace stillwatch::replay {

namespace {

void add_to(Journal::Mark& mark, std::string_view bytes) {
  constexpr std::uint64_t kPrime = 0x100000001b3;
  mark.bytes += bytes.size();
  for (const char byte : bytes) mark.sum = (mark.sum ^ static_cast<unsigned char>(byte)) * kPrime;
}

}  // namespace

base::Result<Journal> Journal::open(const std::string& out_folder, const std::string& state_folder,
                                    const std::string& name, const Mark& resume) {
  Journal journal;
  journal.name_ = name;
  journal.keep_ = !state_folder.empty();
  journal.path_ = journal.keep_ ? state_folder + "/" + name + ".journal" : OutputSet(out_folder).aside(name);
  journal.file_ = std::fopen(journal.path_.c_str(), resume.bytes > 0 ? "r+be" : "w+be");
  if (journal.file_ == nullptr && resume.bytes > 0 && errno == ENOENT) {
    return base::fail(
        base::Fault::environment,
        fmt::format("{} is missing; restore it, or remove the state folder to start over", journal.path_));
  }
  if (journal.file_ == nullptr) return base::fail(journal.failed("write").error());
  STILLWATCH_CHECK(journal.keep(resume));
  return journal;
}

// Reads what is to be kept, and cuts off what a crash left behind it.
base::Status Journal::keep(const Mark& resume) {
  char block[1 << 16];
  while (mark_.bytes < resume.bytes) {
    const std::size_t wanted = std::min<std::uint64_t>(sizeof block, resume.bytes - mark_.bytes);
    const std::size_t count = std::fread(block, 1, wanted, file_);
    if (std::ferror(file_) != 0) return failed("read");
    add_to(mark_, {block, count});
    if (count == 0) break;
  }
  if (mark_.bytes != resume.bytes || mark_.sum != resume.sum) {
    return base::fail(
        base::Fault::environment,
        fmt::format("{} is not what the snapshot counted; restore it, or remove the state folder to start over",
                    path_));
  }
  if (resume.bytes == 0) return {};
  if (::ftruncate(::fileno(file_), static_cast<off_t>(resume.bytes)) != 0) return failed("cut");
  std::fseek(file_, 0, SEEK_END);
  return {};
}

Journal::Journal(Journal&& other) noexcept
    : name_(std::move(other.name_)),
      path_(std::move(other.path_)),
      file_(std::exchange(other.file_, nullptr)),
      mark_(other.mark_),
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
  add_to(mark_, line);
  add_to(mark_, "\n");
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
