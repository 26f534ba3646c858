#include "intake/body_edit.h"

#include "intake/edit_rules.h"

namespace stillwatch::intake {

std::string names_of(const EditSummary& summary) {
  std::string names;
  const auto add = [&](bool applies, std::string_view name) {
    if (!applies) return;
    if (!names.empty()) names += ", ";
    names += name;
  };
  add(summary.logprobs, "logprobs");
  add(summary.sampling, "n");
  add(summary.reasoning, "reasoning");
  return names;
}

struct BodyEditor::State {
  Restriction restriction;
  Splices splices;
  EditSummary summary;

  /// `walk` passes the value and adds splices.
  template <class Walk>
  EditOutcome edit(std::string_view body, std::string& out, Walk walk) {
    out.clear();
    splices.clear();
    summary = {};
    JsonCursor cursor(body);
    if (!walk(cursor) || !cursor.at_end()) {
      summary = {};
      return EditOutcome::unreadable;
    }
    if (splices.empty()) return EditOutcome::unchanged;
    out.reserve(body.size());
    splices.apply(body, out);
    return EditOutcome::edited;
  }
};

BodyEditor::BodyEditor(Restriction restriction) : state_(std::make_unique<State>()) {
  state_->restriction = restriction;
}
BodyEditor::~BodyEditor() = default;
BodyEditor::BodyEditor(BodyEditor&&) noexcept = default;
BodyEditor& BodyEditor::operator=(BodyEditor&&) noexcept = default;

EditOutcome BodyEditor::edit_request(Endpoint endpoint, std::string_view body, std::string& out) {
  out.clear();
  if (!dialect_of_endpoint(endpoint) && endpoint != Endpoint::anthropic_batches) return EditOutcome::unchanged;
  RequestWalk walk(state_->restriction, state_->splices, state_->summary);
  return state_->edit(body, out, [&](JsonCursor& cursor) { return walk.walk(cursor, endpoint); });
}

EditOutcome BodyEditor::edit_response(Endpoint endpoint, std::string_view body, std::string& out) {
  out.clear();
  if (!dialect_of_endpoint(endpoint)) return EditOutcome::unchanged;
  ResponseWalk walk(state_->restriction, state_->splices, state_->summary);
  return state_->edit(body, out, [&](JsonCursor& cursor) { return walk.walk_body(cursor, endpoint); });
}

const EditSummary& BodyEditor::summary() const { return state_->summary; }

}  // namespace stillwatch::intake
