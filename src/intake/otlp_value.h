// Values of OTLP's JSON encoding: AnyValue as plain JSON, and GenAI messages in them as messages of openai.chat.
//
// Internal to this module. Invariant: what is written is well-formed JSON whenever the function says so; texts keep the
// escapes they came with. Threads: pure functions but for the scratch given in. Cost: one scan and one copy.
// Spec: OTLP 1, "JSON Protobuf Encoding"; the GenAI message schemas of the semantic conventions.
#pragma once

#include <string>
#include <string_view>

#include "intake/json_cursor.h"

namespace stillwatch::intake {

/// A text without its quotes, or the bytes of another scalar; empty for an array or object.
std::string_view scalar_text(std::string_view json);
/// Of an AnyValue: a text without quotes (escapes as they are), or the digits of a number; empty for anything else.
std::string_view scalar_of(std::string_view any_value);
/// The same, when it is a number that JSON has; else empty.
std::string_view number_of_value(std::string_view any_value);

/// The plain JSON of an AnyValue. A text that holds a JSON array or object is taken for what it holds, as the
/// conventions have it where structure is not supported. False: not JSON.
bool plain_json_of(std::string_view any_value, JsonText& text, std::string& out);

/// GenAI messages ([{role, parts}] or [{role, content}]) or one text, appended to `out` as elements of `messages`,
/// with a comma before each that is not the first of the list. False: not JSON; `out` is as it was.
bool append_messages(std::string_view json, std::string& out);
/// System instructions: parts, or a text.
bool append_system(std::string_view json, std::string& out);

}  // namespace stillwatch::intake
