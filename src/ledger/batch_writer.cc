#include "ledger/batch_writer.h"

#include <fmt/format.h>

#include "ledger/disk_file.h"

namespace stillwatch::ledger {

std::string BatchWriter::gap_leaf(std::int64_t from_ms, std::int64_t to_ms, std::uint64_t leaves,
                                  std::string_view why) {
  std::string bytes;
  GapLeaf gap{chain_.leaf_time(clock_()), std::max<std::int64_t>(0, from_ms), std::max<std::int64_t>(0, to_ms), leaves,
              std::string(why)};
  // It has no field that could be refused.
  if (!write_leaf(Leaf(std::move(gap)), bytes)) bytes.clear();
  ++counters_.gaps;
  return bytes;
}

void BatchWriter::say_crash() {
  if (!options_.is_crash_said) return;
  if (file_exists(chain_.running_path())) {
    const std::int64_t now_ms = clock_();
    gap_leaves_.assign(1, gap_leaf(std::min(chain_.last_time(), now_ms), now_ms, 0, "crash"));
    entries_.assign(1, {gap_leaves_[0], 0, 0});
    (void)write();  // when it fails it stays, before the first batch
  }
  (void)put_file(chain_.running_path(), "");
}

void BatchWriter::begin(const QueuedBatch& batch) {
  // What say_crash() could not write goes first.
  std::vector<std::string> kept;
  for (std::size_t i = at_; i < entries_.size(); ++i) kept.emplace_back(entries_[i].bytes);
  entries_.clear();
  gap_leaves_ = std::move(kept);
  gap_leaves_.reserve(gap_leaves_.size() + batch.losses.size());
  for (const std::string& leaf : gap_leaves_) entries_.push_back({leaf, 0, 0});
  at_ = 0;
  pushed_with_batch_ = batch.pushed_before;
  std::size_t loss = 0, offset = 0;
  for (std::size_t i = 0; i <= batch.leaves.size(); ++i) {
    for (; loss < batch.losses.size() && batch.losses[loss].before == i; ++loss) {
      const QueuedLoss& lost = batch.losses[loss];
      gap_leaves_.push_back(gap_leaf(lost.from_ms, lost.to_ms, lost.leaves, lost.why));
      entries_.push_back({gap_leaves_.back(), 0, 0});
    }
    if (i == batch.leaves.size()) break;
    const QueuedLeaf& leaf = batch.leaves[i];
    entries_.push_back({std::string_view(batch.bytes).substr(offset, leaf.bytes), leaf.cookie, leaf.time_ms});
    offset += leaf.bytes;
  }
}

base::Status BatchWriter::write() {
  base::Status status = has_failed_ ? recover() : base::Status{};
  if (status) status = write_entries();
  if (status) {
    counters_.pushed_done = pushed_with_batch_;
    const auto due = checkpoint_due();
    if (due && *due <= std::chrono::steady_clock::now()) status = sign();
  }
  if (!status) {
    has_failed_ = true;
    ++counters_.failures;
    alarm(&status.error());
    return status;
  }
  alarm(nullptr);
  return {};
}

// The committed size tells what became of the call that failed.
base::Status BatchWriter::recover() {
  STILLWATCH_CHECK(chain_.reopen());
  has_failed_ = false;
  const std::size_t count = std::exchange(count_under_way_, 0);
  const LogStore& log = chain_.log();
  if (count > 0 && log.origin() == origin_before_ && log.size() >= size_before_ + count) written(count, size_before_);
  return {};
}

base::Status BatchWriter::write_entries() {
  while (at_ < entries_.size()) {
    const auto time_of = [this](const Entry& entry) { return entry.time_ms != 0 ? entry.time_ms : clock_(); };
    const std::int64_t time_ms = time_of(entries_[at_]);
    STILLWATCH_CHECK(chain_.roll(time_ms));
    const std::string month = month_of(chain_.last_time());
    views_.clear();
    for (std::size_t i = at_; i < entries_.size() && views_.size() < options_.batch_entries_max; ++i) {
      // A leaf with a time of its own begins a month's log when it is the first of it.
      if (entries_[i].time_ms != 0 && month_of(entries_[i].time_ms) > month) break;
      views_.push_back(entries_[i].bytes);
    }
    LogStore& log = chain_.log();
    count_under_way_ = views_.size();
    size_before_ = log.size();
    origin_before_ = log.origin();
    STILLWATCH_TRY(first, log.append(views_));
    count_under_way_ = 0;
    written(views_.size(), first);
  }
  return {};
}

void BatchWriter::written(std::size_t count, std::uint64_t first) {
  sequenced_.clear();
  for (std::size_t i = 0; i < count; ++i) {
    if (entries_[at_ + i].cookie != 0) sequenced_.push_back({entries_[at_ + i].cookie, first + i});
  }
  at_ += count;
  counters_.committed += count;
  if (options_.on_sequenced && !sequenced_.empty()) options_.on_sequenced(chain_.log().origin(), sequenced_);
}

void BatchWriter::give_up() {
  counters_.lost_stopped += entries_.size() - at_;
  at_ = entries_.size();
  count_under_way_ = 0;
  counters_.pushed_done = pushed_with_batch_;
}

void BatchWriter::alarm(const base::Error* error) {
  if ((error != nullptr) == is_alarmed_) return;
  is_alarmed_ = error != nullptr;
  if (options_.on_alarm) options_.on_alarm(error);
}

base::Status BatchWriter::run(const std::function<base::Status(LogChain&)>& work) {
  base::Status status = has_failed_ ? recover() : base::Status{};
  if (status) status = work(chain_);
  if (chain_.log().is_broken()) has_failed_ = true;
  return status;
}

base::Status BatchWriter::sign() {
  if (chain_.log().signed_size() == chain_.log().size()) return {};
  STILLWATCH_TRY(note, chain_.sign());
  signed_at_ = std::chrono::steady_clock::now();
  if (options_.on_checkpoint) options_.on_checkpoint(chain_.log().origin(), note);
  return {};
}

std::optional<std::chrono::steady_clock::time_point> BatchWriter::checkpoint_due() const {
  if (has_failed_ || chain_.log().signed_size() == chain_.log().size()) return std::nullopt;
  return signed_at_ + std::chrono::milliseconds(options_.checkpoint_ms);
}

base::Status BatchWriter::finish() {
  base::Status status = has_failed_ ? recover() : base::Status{};
  if (status) status = sign();
  STILLWATCH_CHECK(std::move(status));
  if (counters_.lost_stopped > 0) {
    // The mark stays: the next start says that something is missing.
    return base::fail(base::Fault::environment,
                      fmt::format("{} leaves could not be written before the end", counters_.lost_stopped));
  }
  return options_.is_crash_said ? remove_file(chain_.running_path()) : base::Status{};
}

BatchWriter::Counters BatchWriter::counters() const {
  Counters counters = counters_;
  counters.chain = chain_.counters();
  counters.log = chain_.log().counters();
  return counters;
}

}  // namespace stillwatch::ledger
