#include "tlog/bundle.h"

#include <fmt/format.h>

namespace stillwatch::tlog {

bool append_entry(std::string& bundle, std::string_view entry) {
  if (entry.size() > kEntryBytesMax) return false;
  bundle += static_cast<char>(entry.size() >> 8);
  bundle += static_cast<char>(entry.size() & 0xFFU);
  bundle += entry;
  return true;
}

bool EntryReader::next(std::string_view& entry) {
  if (bytes_.size() - at_ < kEntryLengthBytes) return false;
  const std::size_t length =
      std::size_t{static_cast<std::uint8_t>(bytes_[at_])} << 8 | static_cast<std::uint8_t>(bytes_[at_ + 1]);
  if (bytes_.size() - at_ - kEntryLengthBytes < length) return false;
  entry = bytes_.substr(at_ + kEntryLengthBytes, length);
  at_ += kEntryLengthBytes + length;
  return true;
}

base::Result<std::vector<std::string_view>> read_bundle(std::string_view bytes, unsigned count, bool exact) {
  if (count == 0 || count > kTileWidth) {
    return base::fail(base::Fault::caller, fmt::format("a bundle has 1 to {} entries, not {}", kTileWidth, count));
  }
  std::vector<std::string_view> entries(count);
  EntryReader reader(bytes);
  for (unsigned i = 0; i < count; ++i) {
    if (!reader.next(entries[i])) {
      return base::fail(base::Fault::input,
                        fmt::format("the bundle ends at byte {} within entry {} of {}", bytes.size(), i, count));
    }
  }
  if (exact && !reader.at_end()) {
    return base::fail(base::Fault::input, fmt::format("the bundle has {} bytes after its {} entries",
                                                      bytes.size() - reader.offset(), count));
  }
  return entries;
}

}  // namespace stillwatch::tlog
