// What the model answered: the text of a response body, in any of the dialects.
//
// Invariant: never refuses. A body that is no answer in its dialect (an error, a stream, another shape) has no text;
// text that came before the odd part counts. Of a repeated key the last value counts. Text only: calls, reasoning and
// other parts are left out, as a later prompt would not quote them.
// Threads: one a thread; reused buffers. Cost: one simdjson pass over the body, where it is logged.
// Spec: docs/reference/log-formats.md, "Query record".
#pragma once

#include <string>
#include <string_view>

#include "event/query.h"
#include "intake/json_value.h"

namespace stillwatch::intake {

class ReplyReader {
 public:
  /// Joined text of all choices, lines between them; until the next call. `json` is an object with kJsonPadding
  /// readable bytes behind it.
  std::string_view read(event::Dialect dialect, std::string_view json);

 private:
  MaybeRefusal read_choices(od::value value);
  MaybeRefusal read_parts(od::value value);
  MaybeRefusal read_items(od::value value);
  MaybeRefusal add_text(od::value value);
  template <class Visit>
  MaybeRefusal each_element(od::value value, Visit visit);

  JsonReader json_;
  std::string text_;
};

}  // namespace stillwatch::intake
