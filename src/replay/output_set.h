// The files of OUT, that belong to one run: written aside one by one, then put in place together.
//
// Invariant: under the final names there is the whole set of one run, never files of two. Between the first and the
// last rename names may be absent, summary.json longest: a folder with summary.json is complete.
// Threads: one user. Cost: one fsync a file and one of the folder.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace stillwatch::replay {

class OutputSet {
 public:
  explicit OutputSet(std::string folder) : folder_(std::move(folder)) {}
  OutputSet(const OutputSet&) = delete;
  OutputSet& operator=(const OutputSet&) = delete;
  /// Removes what was not published.
  ~OutputSet();

  /// Where a file of this name is written until the set is published.
  std::string aside(const std::string& name) const { return folder_ + "/" + name + ".partial"; }
  base::Status write(const std::string& name, std::string_view bytes);
  /// The same with the bytes of another file, which stays.
  base::Status copy(const std::string& name, const std::string& from);
  /// Takes over a file that stands at aside(name), synced.
  void adopt(const std::string& name) { names_.push_back(name); }
  /// Removes the files of these names from earlier runs, then renames this run's. The last one named is removed first
  /// and comes last.
  base::Status publish();

 private:
  base::Status write_aside(const std::string& name, std::string_view bytes, std::FILE* from);

  std::string folder_;
  std::vector<std::string> names_;
};

}  // namespace stillwatch::replay
