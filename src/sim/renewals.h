// Templates and system prompts that are replaced as weeks go by: products are released anew, people change topics.
//
// Invariant: what is in use depends on the time alone. Threads: build on one, then read-only.
// Cost: a template for each replacement; a look-up walks the replacements of one slot.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/prompt_template.h"

namespace stillwatch::sim {

class Renewals {
 public:
  /// Each week between the times each template of `first` is replaced with probability `share`, and so is a system
  /// prompt that is not empty. `words`: of the content slot, as PromptTemplate::draw has it.
  void plan(base::Random random, double share, std::int64_t from_us, std::int64_t until_us,
            const std::vector<PromptTemplate>& first, std::size_t words, std::string_view system);
  const PromptTemplate& in_use(const std::vector<PromptTemplate>& first, std::size_t slot, std::int64_t time_us) const;
  std::string_view system_in_use(std::string_view first, std::int64_t time_us) const;

 private:
  template <class T>
  using Dated = std::vector<std::pair<std::int64_t, T>>;  // from which time on, in order
  std::vector<Dated<PromptTemplate>> slots_;
  Dated<std::string> systems_;
};

/// How often a habit that changes with probability `share` a week has changed since the start.
std::uint64_t changes_until(std::uint64_t salt, double share, std::int64_t from_us, std::int64_t time_us);

}  // namespace stillwatch::sim
