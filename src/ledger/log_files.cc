#include "ledger/log_files.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <vector>

#include "crypto/sha256.h"
#include "tlog/hash.h"

namespace stillwatch::ledger {
namespace {

constexpr std::string_view kStateHead = "stillwatch log state 1\n", kPrunedHead = "stillwatch log pruned 1\n";

// Lines `name value`, in order; after the first wrong one nothing more is read.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}
  void head(std::string_view line) {
    ok_ = ok_ && rest_.starts_with(line);
    if (ok_) rest_.remove_prefix(line.size());
  }
  std::string_view value(std::string_view name) {
    const std::size_t end = rest_.find('\n');
    ok_ = ok_ && end != std::string_view::npos && rest_.starts_with(name) && end > name.size() &&
          rest_[name.size()] == ' ';
    if (!ok_) return {};
    const std::string_view text = rest_.substr(name.size() + 1, end - name.size() - 1);
    rest_.remove_prefix(end + 1);
    return text;
  }
  std::uint64_t number(std::string_view name) {
    const std::string_view text = value(name);
    std::uint64_t number = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
    ok_ = ok_ && code == std::errc{} && end == text.data() + text.size();
    return number;
  }
  std::optional<tlog::Hash> hash(std::string_view name) {
    const auto hash = tlog::parse_hash(value(name));
    ok_ = ok_ && hash.has_value();
    return hash;
  }
  bool starts_with(std::string_view name) const { return ok_ && rest_.starts_with(name); }
  bool ok() const { return ok_; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

void append_check(std::string& text) {
  const std::string check = tlog::hash_text(crypto::sha256(text));
  text += fmt::format("check {}\n", check);
}

base::Error damaged(const std::string& path) {
  return {base::Fault::environment,
          fmt::format("{} is damaged; run `ledger fsck`, and restore it from a copy that is not older", path)};
}

}  // namespace

std::string LogFiles::numbered(std::string_view name, std::uint64_t segment) const {
  return fmt::format("{}/{}-{:06}", folder, name, segment);
}

std::string format_state(const LogState& state) {
  std::string text = fmt::format("{}size {}\nclosed {}\nbytes {}\nroot {}\n", kStateHead, state.size(),
                                 state.is_closed ? 1 : 0, state.segment_bytes, tlog::hash_text(state.edge.root()));
  for (const tlog::Hash& hash : state.edge.hashes()) text += fmt::format("edge {}\n", tlog::hash_text(hash));
  append_check(text);
  return text;
}

base::Result<LogState> parse_state(std::string_view text, const std::string& path) {
  Lines lines(text);
  LogState state;
  lines.head(kStateHead);
  const std::uint64_t size = lines.number("size");
  state.is_closed = lines.number("closed") == 1;
  state.segment_bytes = lines.number("bytes");
  (void)lines.hash("root");
  std::vector<tlog::Hash> edge;
  while (lines.starts_with("edge ") && edge.size() < 64) {
    if (const auto hash = lines.hash("edge")) edge.push_back(*hash);
  }
  std::optional<tlog::RightEdge> read;
  if (lines.ok() && size <= tlog::kTreeSizeMax) read = tlog::RightEdge::of(size, edge);
  if (!read) return base::fail(damaged(path));
  state.edge = *read;
  // One form: the root, the hash of the text and every byte must be what would be written.
  if (format_state(state) != text) return base::fail(damaged(path));
  return state;
}

std::string format_pruned(std::uint64_t index_min) {
  std::string text = fmt::format("{}min {}\n", kPrunedHead, index_min);
  append_check(text);
  return text;
}

base::Result<std::uint64_t> parse_pruned(std::string_view text, const std::string& path) {
  Lines lines(text);
  lines.head(kPrunedHead);
  const std::uint64_t index_min = lines.number("min");
  if (!lines.ok() || format_pruned(index_min) != text) return base::fail(damaged(path));
  return index_min;
}

void append_end(std::string& out, std::uint64_t end) {
  for (unsigned byte = 8; byte-- > 0;) out += static_cast<char>(end >> (8 * byte));
}

std::uint64_t end_at(std::string_view bytes, std::size_t number) {
  std::uint64_t end = 0;
  for (std::size_t byte = 0; byte < kIndexBytes; ++byte)
    end = end << 8 | static_cast<unsigned char>(bytes[number * kIndexBytes + byte]);
  return end;
}

}  // namespace stillwatch::ledger
