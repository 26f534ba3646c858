#include "audit/cosigned_store.h"

#include <filesystem>

#include "audit/durable_file.h"
#include "base/files.h"
#include "tlog/checkpoint.h"

namespace stillwatch::audit {

base::Result<std::string> CosignedStore::read(const std::string& name) const {
  const std::string path = folder_ + "/" + name;
  std::error_code code;
  if (!std::filesystem::exists(path, code)) return std::string();
  return base::read_file(path, tlog::kNoteBytesMax);
}

base::Status CosignedStore::add(std::uint64_t size, std::string_view note) const {
  const std::string path = folder_ + "/" + number_path(size);
  STILLWATCH_CHECK(make_folder_durably(std::filesystem::path(path).parent_path().string()));
  STILLWATCH_CHECK(write_durably(path, note));
  STILLWATCH_TRY(before, newest());
  if (!before.empty()) {
    const auto checkpoint = tlog::read_checkpoint_unchecked(before);
    if (checkpoint && checkpoint->size > size) return {};
  }
  return write_durably(folder_ + "/newest", note);
}

base::Result<std::string> CosignedStore::newest() const { return read("newest"); }

base::Result<std::string> CosignedStore::at(std::uint64_t size) const { return read(number_path(size)); }

}  // namespace stillwatch::audit
