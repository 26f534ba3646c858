#include "gateway/tail_memory.h"

#include <sodium.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include <fmt/format.h>

#include "base/files.h"

namespace stillwatch::gateway {
namespace {

constexpr std::string_view kMagic = "stillwatch tails 1";
constexpr std::uint64_t kBytesMax = 1U << 20;
constexpr std::size_t kTailsMax = 1'000;  // ever named in the configuration

std::string path_in(const std::string& folder) { return folder + "/tails"; }

template <class Number>
bool parse_hex(std::string_view text, std::size_t digits, Number& out) {
  if (text.size() != digits) return false;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), out, 16);
  return code == std::errc{} && end == text.data() + text.size();
}

}  // namespace

base::Result<TailMemory> TailMemory::open(const std::string& state_folder) {
  const std::string path = path_in(state_folder);
  std::error_code code;
  if (!std::filesystem::exists(path, code)) {
    TailMemory fresh;
    randombytes_buf(fresh.key_.data(), fresh.key_.size());
    return fresh;
  }
  STILLWATCH_TRY(bytes, base::read_file(path, kBytesMax));
  auto found = parse(bytes);
  if (!found) {
    return base::fail(base::Fault::environment,
                      fmt::format("{} is damaged; restore it, or remove it so that tailed logs are followed as if for "
                                  "the first time",
                                  path));
  }
  return std::move(*found);
}

std::optional<TailMemory> TailMemory::parse(std::string_view text) {
  TailMemory out;
  bool has_key = false;
  for (std::size_t number = 0; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (number == 0) {
      if (line != kMagic) return std::nullopt;
    } else if (line.starts_with("key ") && line.size() == 4 + 2 * out.key_.size() && !has_key) {
      has_key = true;
      for (std::size_t i = 0; i < out.key_.size(); ++i) {
        if (!parse_hex(line.substr(4 + 2 * i, 2), 2, out.key_[i])) return std::nullopt;
      }
    } else if (std::uint32_t tail = 0; line.starts_with("log ") && parse_hex(line.substr(4), 8, tail)) {
      if (out.knows(tail) || out.tails_.size() >= kTailsMax) return std::nullopt;
      out.tails_.push_back(tail);
    } else if (line.starts_with("skipped ")) {
      const auto place = parse_tail_place(line.substr(8));
      if (!place || out.skipped_.size() >= kTailPlacesMax) return std::nullopt;
      out.skipped_.push_back(*place);
    } else {
      return std::nullopt;
    }
  }
  if (!has_key) return std::nullopt;
  return out;
}

std::string TailMemory::text() const {
  std::string out = fmt::format("{}\nkey ", kMagic);
  for (const std::uint8_t byte : key_) out += fmt::format("{:02x}", byte);
  out += '\n';
  for (const std::uint32_t tail : tails_) out += fmt::format("log {:08x}\n", tail);
  for (const TailPlace& place : skipped_) out += "skipped " + to_text(place) + "\n";
  return out;
}

base::Status TailMemory::write(const std::string& state_folder) const {
  STILLWATCH_TRY(file, base::AtomicFile::create(path_in(state_folder), 0600));
  STILLWATCH_CHECK(file.write(text()));
  return file.commit();
}

bool TailMemory::knows(std::uint32_t tail) const {
  return std::find(tails_.begin(), tails_.end(), tail) != tails_.end();
}

void TailMemory::add(std::uint32_t tail, const std::vector<TailPlace>& skipped) {
  if (!knows(tail)) tails_.push_back(tail);
  if (tails_.size() > kTailsMax) tails_.erase(tails_.begin());
  skipped_.insert(skipped_.end(), skipped.begin(), skipped.end());
  if (skipped_.size() > kTailPlacesMax)
    skipped_.erase(skipped_.begin(), skipped_.end() - static_cast<std::ptrdiff_t>(kTailPlacesMax));
}

}  // namespace stillwatch::gateway
