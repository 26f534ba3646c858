// rejects.ndjson: the first kRejectsListedMax refused lines; a failed write is kept until the run can return it.
//
// Invariant: listed() lines are in the journal. Threads: one user. Cost: a buffered write a line.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "base/limits.h"
#include "intake/log_reader.h"
#include "replay/journal.h"

namespace stillwatch::replay {

std::string reject_line(const intake::Reject& reject);

class RejectFile {
 public:
  explicit RejectFile(Journal journal, std::uint64_t listed) : journal_(std::move(journal)), listed_(listed) {}
  void add(const intake::Reject& reject) {
    if (listed_ >= base::limits::kRejectsListedMax || !status_) return;
    ++listed_;
    status_ = journal_.append(reject_line(reject));
  }
  const base::Status& status() const { return status_; }
  Journal& journal() { return journal_; }
  std::uint64_t listed() const { return listed_; }

 private:
  Journal journal_;
  std::uint64_t listed_;
  base::Status status_;
};

}  // namespace stillwatch::replay
