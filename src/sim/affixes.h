// What prompts of one data set all begin or end with, taken off; and texts brought to a length.
//
// A detector that knows a data set's fixed sentence has learned nothing: with these it can be measured without.
// Invariant: a prompt never loses its last sentence. Threads: pure. Cost: some passes over the prompts.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "sim/phrase_chain.h"

namespace stillwatch::sim {

/// Takes first and last sentences, and runs of at least five words, that many of these prompts share off all of them.
void strip_shared_affixes(std::vector<std::string>& prompts);

/// JSON-escaped text of at most bytes_max bytes, cut after a word, a character and a whole escape.
std::string_view cut_escaped(std::string_view escaped, std::size_t bytes_max);

/// Cuts a JSON-escaped text, or goes on in the manner of `more`, until it has about `bytes` bytes.
void fit_length(base::Random& random, const PhraseChain& more, std::size_t bytes, std::string& escaped);

}  // namespace stillwatch::sim
