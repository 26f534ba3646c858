// Lines written while a run goes on, that must survive a stop: verdicts and rejects.
//
// Invariant: without a state folder the lines are in OUT/NAME.partial and vanish with a failed run; with one they are
// in STATE/NAME.journal, synced before the snapshot that counts them, and cut back to that count when the run resumes;
// lines that are not what was counted are refused.
// OUT/NAME appears with the other outputs, complete, or not at all. Threads: one user. Cost: a buffered write a line.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "base/result.h"
#include "replay/output_set.h"

namespace stillwatch::replay {

class Journal {
 public:
  /// How far it was written, and a checksum of that (against damage, not against forgery).
  struct Mark {
    std::uint64_t bytes = 0;
    std::uint64_t sum = 0xcbf29ce484222325;  // FNV-1a
  };

  /// `state_folder` may be empty. `resume`: what of an existing journal to keep.
  static base::Result<Journal> open(const std::string& out_folder, const std::string& state_folder,
                                    const std::string& name, const Mark& resume);
  Journal(Journal&&) noexcept;
  Journal& operator=(Journal&&) = delete;
  ~Journal();

  base::Status append(std::string_view line);  // the newline is added
  base::Status sync();
  /// Hands the lines to `outputs`, of the same folder. Nothing is appended after it.
  base::Status commit(OutputSet& outputs);
  const Mark& mark() const { return mark_; }
  /// Removes the journal of a finished run from the state folder.
  void forget();

 private:
  Journal() = default;
  base::Status keep(const Mark& resume);
  base::Status failed(const char* action) const;

  std::string name_, path_;
  std::FILE* file_ = nullptr;
  Mark mark_;
  bool keep_ = false;
};

}  // namespace stillwatch::replay
