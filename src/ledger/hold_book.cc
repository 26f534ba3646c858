#include "ledger/hold_book.h"

#include <chrono>
#include <filesystem>
#include <thread>

#include <fmt/format.h>

#include "base/event_time.h"
#include "base/files.h"
#include "crypto/sha256.h"
#include "ledger/durable_files.h"
#include "ledger/hold_file.h"
#include "ledger/vault_leaves.h"

namespace stillwatch::ledger {
namespace {

using base::Fault;

constexpr std::string_view kPurpose = "holds";
constexpr int kLockTriesMax = 100;  // a change takes some syncs
constexpr auto kLockWait = std::chrono::milliseconds(20);

bool is_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  };
  return !name.empty() && name.size() <= kHoldNameBytesMax && std::all_of(name.begin(), name.end(), allowed);
}

tl::unexpected<base::Error> refused(std::string what) { return base::fail(Fault::caller, std::move(what)); }

bool names(const Hold& hold, const std::vector<NameTag>& tags) {
  const auto is_subject = [&](const NameTag& tag) {
    return std::find(hold.subjects.begin(), hold.subjects.end(), tag) != hold.subjects.end();
  };
  return hold.subjects.empty() || std::any_of(tags.begin(), tags.end(), is_subject);
}

bool overlaps(const Hold& hold, std::int64_t from_day, std::int64_t until_day) {
  return hold.from_day <= until_day && from_day <= hold.until_day;
}

// Live keys that the hold keeps: what it has to do with is then known to whoever reads its leaf.
base::Result<std::uint64_t> keys_kept(KeyBook& book, const Hold& hold) {
  std::uint64_t kept = 0;
  for (const KeyScope& scope : book.scopes()) {
    if (!overlaps(hold, first_day_of_scope(scope), last_day_of_scope(scope))) continue;
    STILLWATCH_TRY(entries, book.entries(scope));
    for (const KeyBook::Entry& entry : entries) {
      kept += entry.fate.state == KeyState::live && names(hold, {entry.tenant}) ? 1 : 0;
    }
  }
  return kept;
}

}  // namespace

base::Result<HoldBook> HoldBook::open(const std::string& path, KeyBook& book) {
  HoldBook out(path, book);
  STILLWATCH_CHECK(out.read());
  return out;
}

base::Status HoldBook::read() {
  holds_.clear();
  if (!exists(path_)) return {};
  STILLWATCH_TRY(bytes, base::read_file(path_, kHoldFileBytesMax));
  auto holds = parse_holds(bytes, book_->key_for(kPurpose));
  if (!holds) {
    return base::fail(Fault::environment,
                      fmt::format("the holds in {} cannot be read: {}; restore it from its backup (until then nothing "
                                  "is erased)",
                                  path_, holds.error().message));
  }
  holds_ = std::move(*holds);
  return {};
}

/// A command and a gateway may change the file at the same time: each goes on from what the other wrote.
base::Result<base::FolderLock> HoldBook::begin_change() {
  const std::string folder = std::filesystem::path(path_).parent_path().string();
  for (int tries = 0;; ++tries) {
    auto lock = base::FolderLock::take(folder.empty() ? "." : folder);
    if (!lock && tries < kLockTriesMax) {
      std::this_thread::sleep_for(kLockWait);
      continue;
    }
    if (!lock) return base::fail(lock.error());
    STILLWATCH_CHECK(read());
    return lock;
  }
}

base::Status HoldBook::write(const std::vector<Hold>& holds) const {
  const std::string bytes = write_holds(holds, book_->key_for(kPurpose));
  if (bytes.size() > kHoldFileBytesMax) {
    return refused(fmt::format("{} would be longer than {} bytes; name fewer subjects", path_, kHoldFileBytesMax));
  }
  STILLWATCH_TRY(overwritten, replace_file(path_, bytes));
  (void)overwritten;  // no key was in it
  return {};
}

base::Result<HoldChange> HoldBook::place(const HoldRequest& request) {
  STILLWATCH_TRY(lock, begin_change());
  const auto used = [&](const Hold& hold) { return hold.name == request.name; };
  if (!is_name(request.name))
    return refused("a hold needs a name of at most 64 letters, digits, dots, dashes or underlines");
  const auto before = std::find_if(holds_.begin(), holds_.end(), used);
  // One whose writing failed here may be on the disk all the same: it is placed again.
  if (before != holds_.end() && request.name != unsettled_) {
    return refused(fmt::format("the hold {} is there already; choose another name", request.name));
  }
  if (!is_leaf_text(request.case_id, kHoldCaseBytesMax) || !is_leaf_text(request.who, kHoldTextBytesMax) ||
      !is_leaf_text(request.why, kHoldTextBytesMax)) {
    return refused(fmt::format("a hold needs a case (at most {} bytes), who and why (at most {})", kHoldCaseBytesMax,
                               kHoldTextBytesMax));
  }
  if (request.subjects.size() > kHoldSubjectsMax || request.from_day > request.until_day) {
    return refused(
        fmt::format("a hold has at most {} subjects, and its first day is not after its last", kHoldSubjectsMax));
  }
  HoldChange out;
  out.hold.name = request.name;
  out.hold.case_id = request.case_id;
  out.hold.who = request.who;
  out.hold.why = request.why;
  for (const std::string& subject : request.subjects) out.hold.subjects.push_back(book_->tag_of(subject));
  out.hold.from_day = std::max<std::int64_t>(request.from_day, 0);
  out.hold.until_day = std::min(request.until_day, kHoldDayMax);
  out.hold.placed_us = book_->now_us();
  out.terms = crypto::sha256(hold_line(out.hold));
  std::vector<Hold> holds = holds_;
  if (before == holds_.end())
    holds.push_back(out.hold);
  else
    holds[static_cast<std::size_t>(before - holds_.begin())] = out.hold;
  unsettled_ = request.name;
  STILLWATCH_CHECK(write(holds));
  unsettled_.clear();
  holds_ = std::move(holds);
  STILLWATCH_TRY(kept, keys_kept(*book_, out.hold));
  out.keys = kept;
  return out;
}

base::Result<HoldChange> HoldBook::release(std::string_view name, std::string_view who, std::string_view why) {
  STILLWATCH_TRY(lock, begin_change());
  std::vector<Hold> holds = holds_;
  const auto found = std::find_if(holds.begin(), holds.end(), [&](const Hold& hold) { return hold.name == name; });
  if (!is_name(name) || found == holds.end()) return refused("there is no hold of this name; list them");
  if (!found->holds()) {
    return refused(fmt::format("the hold {} was released on {}", name, base::format_time(found->released_us)));
  }
  if (!is_leaf_text(who, kHoldTextBytesMax) || !is_leaf_text(why, kHoldTextBytesMax)) {
    return refused("a hold is released only with a name and a reason; give both");
  }
  HoldChange out;
  out.terms = crypto::sha256(hold_line(*found));
  STILLWATCH_TRY(kept, keys_kept(*book_, *found));
  out.keys = kept;
  found->released_us = book_->now_us();
  found->released_by = std::string(who);
  found->released_why = std::string(why);
  out.hold = *found;
  out.released = true;
  STILLWATCH_CHECK(write(holds));
  holds_ = std::move(holds);
  return out;
}

const Hold* HoldBook::keeping(const std::vector<NameTag>& tags, std::int64_t from_day, std::int64_t until_day) const {
  const auto keeps = [&](const Hold& hold) {
    return hold.holds() && overlaps(hold, from_day, until_day) && names(hold, tags);
  };
  const auto found = std::find_if(holds_.begin(), holds_.end(), keeps);
  return found == holds_.end() ? nullptr : &*found;
}

std::vector<const Hold*> HoldBook::keeping_any(std::int64_t from_day, std::int64_t until_day) const {
  std::vector<const Hold*> out;
  for (const Hold& hold : holds_) {
    if (hold.holds() && overlaps(hold, from_day, until_day)) out.push_back(&hold);
  }
  return out;
}

}  // namespace stillwatch::ledger
