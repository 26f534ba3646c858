#include "gateway/secret_overlap.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>

#include <fmt/format.h>

#include "base/files.h"
#include "base/folder_lock.h"
#include "gateway/observer_state.h"
#include "intake/identities.h"

namespace stillwatch::gateway {
namespace {

using base::Fault;

constexpr const char* kSnapshot = "/observer.snapshot";
constexpr std::uint64_t kLevelsBytesMax = std::uint64_t{8} << 30;

base::Error failed(std::string_view action, const std::string& path, const std::error_code& code) {
  return {Fault::environment, fmt::format("cannot {} {}: {}; check the disk and the permissions of the folder", action,
                                          path, code.message())};
}

base::Status move(const std::string& from, const std::string& to) {
  std::error_code code;
  if (!std::filesystem::exists(from, code)) return {};
  std::filesystem::rename(from, to, code);
  return code ? base::fail(failed("move", from, code)) : base::Status{};
}

/// All files of a folder whose names begin so.
base::Status move_all(const std::string& from, const std::string& to, std::string_view begin) {
  std::error_code code;
  std::vector<std::string> names;
  for (std::filesystem::directory_iterator entry(from, code), last; !code && entry != last; entry.increment(code)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with(begin) && entry->is_regular_file()) names.push_back(name);
  }
  if (code) return base::fail(failed("list", from, code));
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) STILLWATCH_CHECK(move(from + "/" + name, to + "/" + name));
  return {};
}

/// The secret that a folder's snapshot is under; nothing without one.
base::Result<std::optional<std::uint64_t>> secret_of(const std::string& folder) {
  STILLWATCH_TRY(found, read_state(folder));
  return found ? std::optional<std::uint64_t>(found->secret_id) : std::nullopt;
}

class Rotation {
 public:
  Rotation(std::string state, std::string log) : state_(std::move(state)), log_(std::move(log)) {}

  base::Result<OverlapState> run(const crypto::KeySet& keys, const crypto::KeyedHash& keyed_hash) {
    out_.state_folder = state_ + "/previous";
    out_.log_folder = log_ + "/previous";
    std::optional<std::uint64_t> previous_id;
    if (keys.previous) previous_id = crypto::KeyedHash(*keys.previous).secret_id();
    STILLWATCH_TRY(aside, secret_of(out_.state_folder));
    if (aside && aside != previous_id) STILLWATCH_CHECK(end(*aside));
    STILLWATCH_TRY(found, secret_of(state_));
    if (found && previous_id && *found == *previous_id) STILLWATCH_CHECK(set_aside());
    std::error_code code;
    out_.has_previous = previous_id && std::filesystem::exists(out_.state_folder + kSnapshot, code);
    STILLWATCH_TRY(levels, inherited());
    if (!levels.empty()) out_.inherited = std::make_unique<EarlierLevels>(levels, keyed_hash);
    return std::move(out_);
  }

 private:
  /// A rotation: what is there belongs to the previous secret.
  base::Status set_aside() {
    STILLWATCH_CHECK(base::make_writable_folder(out_.state_folder));
    STILLWATCH_CHECK(base::make_writable_folder(out_.log_folder));
    std::error_code code;
    const std::string accounts = state_ + "/accounts.ndjson", copy = out_.state_folder + "/accounts.ndjson";
    if (std::filesystem::exists(accounts, code)) {
      // Complete or absent, also under its final name.
      std::filesystem::copy_file(accounts, copy + ".partial", std::filesystem::copy_options::overwrite_existing, code);
      if (!code) std::filesystem::rename(copy + ".partial", copy, code);
      if (code) return base::fail(failed("copy", accounts, code));
    }
    STILLWATCH_CHECK(move_all(log_, out_.log_folder, "queries-"));
    STILLWATCH_CHECK(move_all(state_, out_.state_folder, "verdicts.ndjson"));
    STILLWATCH_CHECK(move_all(state_, out_.state_folder, "alarms.ndjson"));
    return move(state_ + kSnapshot, out_.state_folder + kSnapshot);
  }

  /// The overlap has ended: levels in force are kept by name, the rest is no longer read.
  base::Status end(std::uint64_t secret_id) {
    STILLWATCH_TRY(found, read_state(out_.state_folder));
    engine::VerdictTable table;
    intake::Identities names;
    if (!table.restore(found->levels)) {
      return base::fail(Fault::environment, out_.state_folder + kSnapshot +
                                                " is damaged; restore it, or remove it so that the levels of before "
                                                "the rotation end now");
    }
    STILLWATCH_CHECK(names.load(found->identities));
    STILLWATCH_TRY(levels, inherited());
    std::erase_if(levels, [&](const EarlierLevel& one) { return one.level.expires_us <= found->released_us; });
    const std::size_t before = levels.size();
    engine::ListedLevel after;
    for (bool is_first = true;; is_first = false) {
      const auto listed = table.list(10'000, is_first ? nullptr : &after);
      if (listed.empty()) break;
      after = listed.back();
      for (const engine::ListedLevel& one : listed) {
        EarlierLevel kept{std::string(names.open(one.account)), "", one};
        if (one.end_user != 0) kept.end_user = names.open(one.end_user);
        if (kept.account.empty() || (one.end_user != 0 && kept.end_user.empty()))
          ++out_.unnamed;
        else if (one.expires_us > found->released_us)
          levels.push_back(std::move(kept));
      }
    }
    out_.inherited_now = levels.size() - before;
    STILLWATCH_CHECK(base::write_file(inherited_path(), to_bytes(levels)));
    const std::string name = fmt::format("/before-{:016x}", secret_id), snapshot = state_ + name + kSnapshot;
    STILLWATCH_CHECK(move(out_.log_folder, log_ + name));
    STILLWATCH_CHECK(move(out_.state_folder, state_ + name));
    // It has tokens of a secret that somebody may know.
    std::error_code code;
    std::filesystem::remove(snapshot, code);
    return code ? base::fail(failed("remove", snapshot, code)) : base::Status{};
  }

  std::string inherited_path() const { return state_ + "/inherited.levels"; }
  base::Result<std::vector<EarlierLevel>> inherited() const {
    std::error_code code;
    if (!std::filesystem::exists(inherited_path(), code)) return std::vector<EarlierLevel>{};
    STILLWATCH_TRY(bytes, base::read_file(inherited_path(), kLevelsBytesMax));
    auto levels = read_earlier_levels(bytes);
    if (levels) return std::move(*levels);
    return base::fail(Fault::environment, inherited_path() +
                                              " is damaged; restore it, or remove it so that the levels "
                                              "of before the rotation end now");
  }

  const std::string state_, log_;
  OverlapState out_;
};

}  // namespace

base::Result<OverlapState> take_up_secrets(const std::string& state_folder, const std::string& log_folder,
                                           const crypto::KeySet& keys, const crypto::KeyedHash& keyed_hash) {
  STILLWATCH_CHECK(base::make_writable_folder(log_folder));
  STILLWATCH_TRY(lock, base::FolderLock::take(log_folder));
  return Rotation(state_folder, log_folder).run(keys, keyed_hash);
}

}  // namespace stillwatch::gateway
