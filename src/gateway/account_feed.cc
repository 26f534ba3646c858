#include "gateway/account_feed.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>
#include <optional>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "base/event_time.h"
#include "gateway/line_journal.h"
#include "intake/account_parser.h"
#include "intake/body_reader.h"
#include "intake/line_source.h"

namespace stillwatch::gateway {
namespace {

constexpr std::string_view kTimeKey = ",\"time\":\"";

/// What tells a new version of a file.
struct Version {
  std::uint64_t inode = 0, size = 0;
  std::int64_t changed_s = 0, changed_ns = 0;
  bool operator==(const Version&) const = default;
};

std::string_view trimmed(std::string_view line) {
  const std::size_t end = line.find_last_not_of(" \t\r\n");
  return end == std::string_view::npos ? std::string_view{} : line.substr(0, end + 1);
}

}  // namespace

struct AccountFeed::State {
  State(std::string file_, std::string taken_path_, const crypto::KeyedHash& hash, intake::Identities& ids)
      : file(std::move(file_)), taken_path(std::move(taken_path_)), keyed_hash(hash), identities(ids), parser(hash) {}

  std::string file, taken_path;
  const crypto::KeyedHash& keyed_hash;
  intake::Identities& identities;
  intake::AccountParser parser;
  std::unordered_set<std::uint64_t> known;  // of the provider's lines
  std::optional<Version> seen;
  std::uint64_t lines = 0, rejected = 0, shed = 0;

  std::uint64_t hash_of(std::string_view line) const { return keyed_hash(crypto::Domain::query_id, line); }

  bool parse(std::string_view line, event::AccountUpdate& update) {
    std::string padded(line);
    padded.resize(line.size() + intake::kJsonPadding, ' ');
    if (parser.parse(std::string_view(padded).substr(0, line.size()), update)) return false;
    identities.add(intake::IdKind::account, update.account, parser.account_id());
    if (update.tier != 0) identities.add(intake::IdKind::tier, update.tier, parser.tier());
    return true;
  }

  /// Whole lines of a file; others are refused.
  base::Status each_line(const std::string& path, const std::function<void(std::string_view)>& visit) {
    STILLWATCH_TRY(source, intake::LineSource::open(path));
    intake::LineBlock block;
    for (;;) {
      STILLWATCH_TRY(more, source.next(block));
      if (!more) break;
      for (const auto& line : block.lines) {
        if (line.kind != intake::LineBlock::Kind::whole) {
          ++rejected;
        } else if (!intake::is_blank(block.text(line))) {
          visit(trimmed(block.text(line)));
        }
      }
    }
    if (source.problem()) return base::fail(*source.problem());
    return {};
  }

  /// All or nothing, on the disk when it returns.
  base::Status append(std::string_view bytes) const {
    const int out = ::open(taken_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (out < 0) return failed();
    const off_t before = ::lseek(out, 0, SEEK_END);
    while (!bytes.empty()) {
      const ssize_t count = ::write(out, bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) break;
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    base::Status status;
    if (!bytes.empty() || ::fdatasync(out) != 0) {
      status = failed();
      (void)::ftruncate(out, before);
    }
    ::close(out);
    return status;
  }
  base::Status failed() const {
    return base::fail(base::Fault::environment,
                      fmt::format("cannot write {}: {}; free some space or check the permissions of the folder",
                                  taken_path, std::strerror(errno)),
                      true);
  }
};

AccountFeed::AccountFeed(std::unique_ptr<State> state) : state_(std::move(state)) {}
AccountFeed::AccountFeed(AccountFeed&&) noexcept = default;
AccountFeed::~AccountFeed() = default;

base::Result<AccountFeed> AccountFeed::open(std::string file, const std::string& state_folder,
                                            const crypto::KeyedHash& keyed_hash, intake::Identities& identities) {
  return AccountFeed(
      std::make_unique<State>(std::move(file), state_folder + "/accounts.ndjson", keyed_hash, identities));
}

base::Result<std::vector<event::AccountUpdate>> AccountFeed::taken() {
  State& state = *state_;
  std::vector<event::AccountUpdate> out;
  std::error_code code;
  const auto size = std::filesystem::file_size(state.taken_path, code);
  if (code || size == 0) return out;
  // A line that was being written when the process ended was never given to the engine.
  const int file = ::open(state.taken_path.c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return base::fail(state.failed().error());
  const base::Status mended = cut_half_line(file, state.taken_path);
  ::close(file);
  STILLWATCH_CHECK(mended);
  std::uint64_t damaged = 0;
  STILLWATCH_CHECK(state.each_line(state.taken_path, [&](std::string_view line) {
    event::AccountUpdate update;
    const std::size_t time_at = line.rfind(kTimeKey);
    if (time_at == std::string_view::npos || !state.parse(line, update)) {
      ++damaged;
      return;
    }
    // The provider's line is this one without the time behind it.
    state.known.insert(state.hash_of(std::string(line.substr(0, time_at)) + "}"));
    ++state.lines;
    out.push_back(update);
  }));
  if (damaged > 0) {
    return base::fail(base::Fault::environment,
                      fmt::format("{} is damaged in {} lines; restore it, or remove the state folder to start over",
                                  state.taken_path, damaged));
  }
  return out;
}

base::Result<std::vector<event::AccountUpdate>> AccountFeed::poll(std::int64_t now_us) {
  State& state = *state_;
  std::vector<event::AccountUpdate> out;
  if (state.file.empty()) return out;
  struct stat about {};
  if (::stat(state.file.c_str(), &about) != 0) {
    return base::fail(
        base::Fault::environment,
        fmt::format("cannot read {}: {}; check the path and its permissions", state.file, std::strerror(errno)), true);
  }
  const Version version{about.st_ino, static_cast<std::uint64_t>(about.st_size), about.st_mtim.tv_sec,
                        about.st_mtim.tv_nsec};
  if (state.seen == version) return out;
  std::string lines;
  std::vector<std::uint64_t> hashes;
  const std::uint64_t rejected_before = std::exchange(state.rejected, 0);
  state.shed = 0;
  const auto read = state.each_line(state.file, [&](std::string_view line) {
    const std::uint64_t hash = state.hash_of(line);
    if (state.known.contains(hash)) return;
    if (state.known.size() + hashes.size() >= kLinesMax) {
      ++state.shed;
      return;
    }
    event::AccountUpdate update;
    if (!state.parse(line, update)) {
      ++state.rejected;
      return;
    }
    update.time_us = std::max(update.time_us, now_us);
    lines.append(line.substr(0, line.size() - 1));
    lines.append(kTimeKey);
    lines += base::format_time(update.time_us) + "\"}\n";
    hashes.push_back(hash);
    out.push_back(update);
  });
  if (!read) {
    state.rejected = rejected_before;
    return base::fail(read.error());
  }
  if (!lines.empty()) STILLWATCH_CHECK(state.append(lines));
  state.known.insert(hashes.begin(), hashes.end());
  state.lines += out.size();
  state.seen = version;
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.time_us < b.time_us; });
  return out;
}

std::uint64_t AccountFeed::lines() const { return state_->lines; }
std::uint64_t AccountFeed::rejected() const { return state_->rejected; }
std::uint64_t AccountFeed::shed() const { return state_->shed; }

}  // namespace stillwatch::gateway
