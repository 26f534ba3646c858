#include "ledger/anchor.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/event_time.h"
#include "crypto/sha256.h"
#include "tlog/checkpoint.h"

namespace stillwatch::ledger {
namespace {

using base::Fault;

constexpr std::string_view kTimeBefore = R"({"v":1,"t":")", kManifestBefore = R"(","m":")", kStampBefore = R"(","p":")",
                           kEnd = R"("})";
constexpr std::size_t kSecondsTextBytes = 20, kHashTextBytes = 43;
static_assert(kTimeBefore.size() + kSecondsTextBytes + kManifestBefore.size() + kStampBefore.size() +
                  2 * kHashTextBytes + kEnd.size() <=
              kAnchorLeafBytes);

tl::unexpected<base::Error> not_manifest(std::string_view why) {
  return base::fail(Fault::input, fmt::format("not an anchor manifest: {}", why));
}

/// Takes `expected` off the front.
bool take(std::string_view& rest, std::string_view expected) {
  if (!rest.starts_with(expected)) return false;
  rest.remove_prefix(expected.size());
  return true;
}

/// Takes everything up to a newline, and the newline; nothing when there is none.
std::optional<std::string_view> take_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return line;
}

std::optional<std::uint64_t> read_size(std::string_view text) {
  std::uint64_t size = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), size);
  const bool canonical = !text.empty() && (text[0] != '0' || text.size() == 1);
  if (code != std::errc() || end != text.data() + text.size() || !canonical) return std::nullopt;
  return size;
}

std::string line_of(const ManifestLog& log) {
  return fmt::format("{} {} {}\n", log.origin, log.size, tlog::hash_text(log.root));
}

}  // namespace

std::string anchor_leaf_text(const AnchorLeaf& leaf) {
  const std::string time = base::format_time(leaf.time_s * base::kSecondUs);
  STILLWATCH_ASSERT(time.size() == kSecondsTextBytes);
  std::string text;
  text.reserve(kAnchorLeafBytes);
  for (const std::string_view part : {kTimeBefore, std::string_view(time), kManifestBefore}) text += part;
  text += base64url(leaf.manifest);
  text += kStampBefore;
  text += base64url(leaf.stamp);
  text += kEnd;
  text.resize(kAnchorLeafBytes, ' ');
  return text;
}

base::Result<AnchorLeaf> read_anchor_leaf(std::string_view text) {
  const auto wrong = [](std::string_view what) {
    return base::fail(Fault::input, fmt::format("not an anchor leaf: {}", what));
  };
  if (text.size() != kAnchorLeafBytes) return wrong(fmt::format("it has not {} bytes", kAnchorLeafBytes));
  std::string_view rest = text;
  if (!take(rest, kTimeBefore)) return wrong("it does not begin as one");
  AnchorLeaf leaf;
  const std::string_view time = rest.substr(0, kSecondsTextBytes);
  const auto time_us = base::parse_time(time);
  // Only the form that is written: no fraction, no offset.
  if (!time_us || base::format_time(*time_us) != time) return wrong("its time is not whole seconds of UTC");
  leaf.time_s = *time_us / base::kSecondUs;
  rest.remove_prefix(kSecondsTextBytes);
  if (!take(rest, kManifestBefore)) return wrong("m is not where it must be");
  if (!read_base64url(rest.substr(0, kHashTextBytes), leaf.manifest.data(), leaf.manifest.size())) {
    return wrong("m is not 32 bytes of base64url");
  }
  rest.remove_prefix(kHashTextBytes);
  if (!take(rest, kStampBefore)) return wrong("p is not where it must be");
  if (!read_base64url(rest.substr(0, kHashTextBytes), leaf.stamp.data(), leaf.stamp.size())) {
    return wrong("p is not 32 bytes of base64url");
  }
  rest.remove_prefix(kHashTextBytes);
  if (!take(rest, kEnd) || rest.find_first_not_of(' ') != std::string_view::npos)
    return wrong("it does not end as one");
  return leaf;
}

base::Result<ManifestLog> manifest_log(std::string note) {
  STILLWATCH_TRY(checkpoint, tlog::read_checkpoint_unchecked(note));
  return ManifestLog{std::move(checkpoint.origin), checkpoint.size, checkpoint.root, std::move(note)};
}

base::Result<std::string> manifest_text(std::vector<ManifestLog> logs) {
  if (logs.size() > kManifestLogsMax) {
    return base::fail(Fault::caller, fmt::format("a manifest has at most {} logs; use fewer shards", kManifestLogsMax));
  }
  std::sort(logs.begin(), logs.end(), [](const auto& a, const auto& b) { return a.origin < b.origin; });
  const auto same = [](const auto& a, const auto& b) { return a.origin == b.origin; };
  const auto twice = std::adjacent_find(logs.begin(), logs.end(), same);
  if (twice != logs.end()) return base::fail(Fault::caller, "two logs in a manifest are called " + twice->origin);
  std::string text;
  for (const ManifestLog& log : logs) text += line_of(log);
  text += '\n';
  for (const ManifestLog& log : logs) text += fmt::format("note {}\n{}", log.note.size(), log.note);
  if (text.size() > kManifestBytesMax) {
    return base::fail(Fault::caller,
                      fmt::format("a manifest has at most {} bytes; use fewer shards", kManifestBytesMax));
  }
  return text;
}

base::Result<std::vector<ManifestLog>> read_manifest(std::string_view text) {
  if (text.size() > kManifestBytesMax) return not_manifest("it is too long");
  std::string_view rest = text;
  std::vector<std::string_view> lines;
  for (;;) {
    const auto line = take_line(rest);
    if (!line) return not_manifest("no empty line after the list of logs");
    if (line->empty()) break;
    if (lines.size() == kManifestLogsMax) return not_manifest("too many logs");
    lines.push_back(*line);
  }
  std::vector<ManifestLog> logs;
  logs.reserve(lines.size());
  for (const std::string_view line : lines) {
    auto head = take_line(rest);
    if (!head || !take(*head, "note ")) return not_manifest("a log has no note");
    const auto bytes = read_size(*head);
    if (!bytes || *bytes > rest.size()) return not_manifest("the length of a note is wrong");
    auto log = manifest_log(std::string(rest.substr(0, *bytes)));
    if (!log) return not_manifest(log.error().message);
    rest.remove_prefix(*bytes);
    // Written again it must be the line: so there is one form of each manifest, and the note says the same.
    std::string again = line_of(*log);
    again.pop_back();
    if (again != line) return not_manifest("a note says something else than the line of its log");
    if (!logs.empty() && log->origin <= logs.back().origin) return not_manifest("its logs are not sorted");
    logs.push_back(std::move(*log));
  }
  if (!rest.empty()) return not_manifest("something follows the last note");
  return logs;
}

Hash32 manifest_hash(const Hash32& salt, std::string_view manifest) {
  using namespace std::string_view_literals;
  crypto::Sha256 hash;
  hash.update("aud1 anchor\0"sv);
  hash.update({reinterpret_cast<const char*>(salt.data()), salt.size()});
  hash.update(manifest);
  return hash.finish();
}

}  // namespace stillwatch::ledger
