#include "audit/stamp_store.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "audit/durable_file.h"
#include "base/files.h"

namespace stillwatch::audit {
namespace {

constexpr std::string_view kReplyEnd = ".tsr", kNoteEnd = ".note";

}  // namespace

base::Status StampStore::add(std::string_view log, std::string_view authority, std::uint64_t size,
                             std::string_view note, std::string_view reply) const {
  const std::string path = fmt::format("{}/{}/{}/{}", folder_, log, authority, number_path(size));
  STILLWATCH_CHECK(make_folder_durably(std::filesystem::path(path).parent_path().string()));
  STILLWATCH_CHECK(write_durably(path + std::string(kNoteEnd), note));
  STILLWATCH_CHECK(write_durably(path + std::string(kReplyEnd), reply));
  return write_durably(folder_ + "/newest", reply);
}

base::Result<std::array<std::uint8_t, 32>> StampStore::newest_token_hash() const {
  const std::string path = folder_ + "/newest";
  std::error_code code;
  if (!std::filesystem::exists(path, code)) return std::array<std::uint8_t, 32>{};
  STILLWATCH_TRY(reply, base::read_file(path, kStampReplyBytesMax));
  auto stamp = read_stamp_reply(reply);
  if (!stamp) {
    return base::fail(base::Fault::environment,
                      fmt::format("{}: {}; remove the file, a new stamp takes its place", path, stamp.error().message));
  }
  return stamp->token_hash;
}

base::Result<std::vector<StoredStamp>> StampStore::list(std::string_view log) const {
  std::vector<StoredStamp> stamps;
  const std::filesystem::path top = std::filesystem::path(folder_) / log;
  std::error_code code;
  if (!std::filesystem::exists(top, code)) return stamps;
  for (std::filesystem::recursive_directory_iterator entry(top, code), end; !code && entry != end;
       entry.increment(code)) {
    const std::string path = entry->path().string();
    if (!path.ends_with(kReplyEnd)) continue;
    // <top>/<authority>/<number path>.tsr
    const std::string_view rest = std::string_view(path).substr(top.string().size() + 1);
    const std::size_t slash = rest.find('/');
    StoredStamp stamp;
    if (slash == std::string_view::npos ||
        !read_number_path(rest.substr(slash + 1, rest.size() - slash - 1 - kReplyEnd.size()), stamp.size)) {
      continue;
    }
    stamp.authority = rest.substr(0, slash);
    stamp.reply_path = path;
    stamp.note_path = path.substr(0, path.size() - kReplyEnd.size()) + std::string(kNoteEnd);
    stamps.push_back(std::move(stamp));
  }
  if (code) {
    return base::fail(base::Fault::environment, fmt::format("cannot read {}: {}", top.string(), code.message()));
  }
  std::sort(stamps.begin(), stamps.end(), [](const StoredStamp& a, const StoredStamp& b) {
    return std::tie(a.authority, a.size) < std::tie(b.authority, b.size);
  });
  return stamps;
}

}  // namespace stillwatch::audit
