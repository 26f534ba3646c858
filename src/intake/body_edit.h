// The edits of the remedy `restrict`, on whole bodies: no logprobs, one answer, no reasoning.
//
// Invariant: every byte that is not part of a removed or clamped value stays as it was; a body with nothing to change
// is not copied. Editing twice is editing once. Of repeated keys all are edited; strings that look like keys are not.
// Threads: one editor a thread. Cost: one scan of the body; see restrict in intake_bench.cc.
// Spec: docs/reference/restrictions.md (what is removed, per dialect).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "intake/endpoint.h"

namespace stillwatch::intake {

struct Restriction {
  bool logprobs = true;   // flags in the request, values in the response
  bool sampling = true;   // n and best_of become 1
  bool reasoning = true;  // flags in the request, reasoning text and encrypted reasoning in the response
};

enum class EditOutcome : std::uint8_t {
  unchanged,   // send the body as it is; `out` is empty
  edited,      // send `out`
  unreadable,  // not JSON (or nested too deep): the gateway passes or refuses it by policy; `out` is empty
};

/// What an edit took away; names for the header `stillwatch-restricted`.
struct EditSummary {
  bool logprobs = false, sampling = false, reasoning = false;
  bool any() const { return logprobs || sampling || reasoning; }
  EditSummary& operator|=(const EditSummary& other) {
    logprobs |= other.logprobs, sampling |= other.sampling, reasoning |= other.reasoning;
    return *this;
  }
};
/// "logprobs, n, reasoning", as far as they apply.
std::string names_of(const EditSummary& summary);

class BodyEditor {
 public:
  explicit BodyEditor(Restriction restriction = {});
  ~BodyEditor();
  BodyEditor(BodyEditor&&) noexcept;
  BodyEditor& operator=(BodyEditor&&) noexcept;

  /// Endpoints without a dialect are never changed, but for anthropic_batches: each of its requests is edited.
  /// Bodies need no padding. The caller keeps the limit on their size.
  EditOutcome edit_request(Endpoint endpoint, std::string_view body, std::string& out);
  EditOutcome edit_response(Endpoint endpoint, std::string_view body, std::string& out);

  /// Of the last call that gave `edited`.
  const EditSummary& summary() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace stillwatch::intake
