#include "ledger/fsck.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/files.h"
#include "base/folder_lock.h"
#include "ledger/disk_file.h"
#include "ledger/fsck_segments.h"
#include "ledger/log_files.h"
#include "tlog/checkpoint.h"

namespace stillwatch::ledger {
namespace {

constexpr std::string_view kNotSigned = "is not signed by the log's key: damaged, or of another log";

// The small files: each is covered by a signature, or by a hash of itself.
class SmallFiles {
 public:
  SmallFiles(const LogFiles& files, std::string signed_path, Findings& findings)
      : files_(files), signed_path_(std::move(signed_path)), findings_(findings) {}

  void read() {
    read_key();
    last_ = read_checkpoint(signed_path_, signed_text_);
    std::string published_text;
    const auto published = read_checkpoint(files_.checkpoint(), published_text);
    // A crash may come between the two; then the published one is the older.
    if (published && last_ && published->size > last_->size)
      findings_.add(
          signed_path_, 0, {},
          fmt::format("is of size {}, older than the published checkpoint of size {}", last_->size, published->size));
    if (published && (!last_ || published->size > last_->size)) last_ = published;
    if (published && last_ && published->size == last_->size && published->root != last_->root)
      findings_.add(files_.checkpoint(), 0, {}, "has another root than the last signed checkpoint");
    if (const auto text = read_file(files_.state(), true)) {
      auto state = parse_state(*text, files_.state());
      if (state) {
        state_ = std::move(*state);
      } else {
        findings_.add(files_.state(), 0, {}, "does not match the hash in it, or has another form");
      }
    }
    if (state_ && last_ && state_->size() < last_->size)
      findings_.add(
          files_.state(), 0, {},
          fmt::format("is of size {}, older than the last signed checkpoint of size {}", state_->size(), last_->size));
    if (const auto text = read_file(files_.pruned(), false)) {
      const auto minimum = parse_pruned(*text, files_.pruned());
      if (minimum) {
        index_min_ = *minimum;
      } else {
        findings_.add(files_.pruned(), 0, {}, "does not match the hash in it");
      }
    }
  }

  const std::optional<tlog::VerifierKey>& key() const { return key_; }
  const std::optional<tlog::Checkpoint>& last() const { return last_; }
  const std::optional<LogState>& state() const { return state_; }
  std::uint64_t index_min() const { return index_min_; }

 private:
  std::optional<std::string> read_file(const std::string& path, bool must_be_there) {
    const auto text = read_if_there(path, kSmallFileMax);
    if (!text) {
      findings_.add(path, 0, {}, text.error().message);
    } else if (*text) {
      findings_.bytes_checked += (*text)->size();
      return *text;
    } else if (must_be_there) {
      findings_.add(path, 0, {}, "is missing");
    }
    return std::nullopt;
  }
  void read_key() {
    const auto text = read_file(files_.key(), true);
    if (!text) return;
    const auto key = tlog::VerifierKey::parse(std::string_view(*text).substr(0, text->find('\n')));
    if (key && key->type == tlog::KeyType::ed25519 && key->text() + "\n" == *text) {
      key_ = *key;
    } else {
      findings_.add(files_.key(), 0, {}, "is not a public key whose id matches its name and bytes");
    }
  }
  std::optional<tlog::Checkpoint> read_checkpoint(const std::string& path, std::string& text) {
    const auto read = read_file(path, true);
    if (!read) return std::nullopt;
    text = *read;
    if (!key_) return std::nullopt;
    auto opened = tlog::open_checkpoint(text, *key_);
    // The store writes one signature line; that form has no second one.
    tlog::Note note;
    if (auto parsed = tlog::parse_note(text)) note = std::move(*parsed);
    if (opened && tlog::format_note(note) == text) return std::move(*opened);
    findings_.add(path, 0, {}, std::string(kNotSigned));
    return std::nullopt;
  }

  const LogFiles& files_;
  std::string signed_path_, signed_text_;
  Findings& findings_;
  std::optional<tlog::VerifierKey> key_;
  std::optional<tlog::Checkpoint> last_;
  std::optional<LogState> state_;
  std::uint64_t index_min_ = 0;
};

}  // namespace

void Findings::add(const std::string& path, std::uint64_t offset, std::optional<std::uint64_t> index,
                   std::string what) {
  if (list.size() >= findings_max) {
    ++more;
    return;
  }
  std::string file = path.starts_with(folder + "/") ? path.substr(folder.size() + 1) : path;
  list.push_back({std::move(file), offset, index, std::move(what)});
}

base::Result<FsckReport> fsck(const std::string& folder, const FsckOptions& options) {
  if (!file_exists(folder)) return base::fail(call_error("read", folder, ENOENT));
  STILLWATCH_TRY(lock, base::FolderLock::take(folder));
  const LogFiles files{folder};
  Findings findings;
  findings.folder = folder;
  findings.findings_max = options.findings_max;
  SmallFiles small(files, options.signed_path.empty() ? files.signed_default() : options.signed_path, findings);
  small.read();

  FsckReport report;
  if (small.key()) report.origin = small.key()->name;
  if (small.last()) report.signed_size = small.last()->size;
  // With a damaged state the last signed size is what can be checked.
  report.size = small.state() ? small.state()->size() : report.signed_size;
  report.index_min = small.index_min();
  SegmentCheck check(files, options, findings);
  check.run(report.size, report.index_min, small.state() ? &*small.state() : nullptr,
            small.last() ? &*small.last() : nullptr);
  report.entries_checked = check.entries_checked();
  report.tail_bytes = check.tail_bytes();
  report.bytes_checked = findings.bytes_checked;
  report.findings = std::move(findings.list);
  report.findings_more = findings.more;
  return report;
}

}  // namespace stillwatch::ledger
