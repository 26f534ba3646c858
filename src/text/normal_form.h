// Whole-text normal forms that are hashed: cheap, so that re-serialising a conversation does not change it.
//
// Invariant: out must hold text.size() bytes; no allocation. Words of eight bytes are read low byte first.
// Threads: pure functions. Cost: ~0.3-1 ns a byte.
#pragma once

#include <cstddef>
#include <string_view>

namespace stillwatch::text {

/// Without ASCII white space at both ends.
std::string_view trimmed(std::string_view text);
/// ASCII lower case, runs of ASCII white space as one space. Returns the length written.
std::size_t fold_spaces(std::string_view text, char* out);
/// Without any ASCII white space or control character: for JSON and system prompts. `out` may be text.data().
std::size_t drop_spaces(std::string_view text, char* out);

}  // namespace stillwatch::text
