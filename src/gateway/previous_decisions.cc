#include "gateway/previous_decisions.h"

#include <utility>

namespace stillwatch::gateway {

base::Result<bool> PreviousDecisions::recall(std::string_view mark, bool /*is_anew*/) {
  mark_ = mark;
  return true;
}

void PreviousDecisions::begin() {
  const std::lock_guard lock(mutex_);
  has_begun_ = true;
  for (audit::Decision& decision : std::exchange(waiting_, {})) link_.verdict(std::move(decision), true);
}

void PreviousDecisions::verdict(audit::Decision decision, bool again) {
  decision.has_inputs = false;
  {
    const std::lock_guard lock(mutex_);
    if (!has_begun_) return waiting_.push_back(std::move(decision));
  }
  link_.verdict(std::move(decision), again);
}

base::Result<std::string> PreviousDecisions::settle() {
  {
    // What waits is not in the log: after an end now it is to be given again from where it began.
    const std::lock_guard lock(mutex_);
    if (!has_begun_) return mark_;
  }
  return link_.settle();
}

}  // namespace stillwatch::gateway
