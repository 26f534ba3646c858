// Any bytes as a request body: its facts, its edit, and LiteLLM's guardrail request. Properties: after the edit nothing
// restricted is asked for; a refusal leaves no doubt about which field.
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "intake/body_edit.h"
#include "intake/body_reader.h"
#include "intake/guardrail.h"
#include "intake/parser_fixture.h"
#include "intake/request_facts.h"

namespace {

using namespace stillwatch::intake;

std::optional<Refusal> read(RequestFactsReader& reader, Endpoint endpoint, std::string_view body, RequestFacts& facts) {
  std::string padded(body);
  padded.append(kJsonPadding, '\0');
  return reader.read(endpoint, std::string_view(padded).substr(0, body.size()), facts);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static RequestFactsReader reader;
  static BodyEditor editor;
  static const stillwatch::crypto::KeyedHash hash = test::fixed_hash();
  static GuardrailReader guardrail(hash);
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  for (const Endpoint endpoint : {Endpoint::chat_completions, Endpoint::completions, Endpoint::responses,
                                  Endpoint::messages, Endpoint::embeddings, Endpoint::count_tokens}) {
    RequestFacts facts;
    if (read(reader, endpoint, text, facts)) continue;
    STILLWATCH_ASSERT(facts.n >= 1 && facts.model.size() <= 128 && facts.end_user.size() <= 1'024);
    if (!dialect_of_endpoint(endpoint)) continue;
    std::string out;
    const EditOutcome outcome = editor.edit_request(endpoint, text, out);
    if (outcome == EditOutcome::unreadable) continue;
    if (outcome == EditOutcome::edited && read(reader, endpoint, out, facts)) continue;
    STILLWATCH_ASSERT(facts.n == 1 && !facts.logprobs && !facts.reasoning && !facts.encrypted_reasoning);
  }
  GuardrailFacts facts;
  std::string padded(text);
  padded.append(kJsonPadding, '\0');
  (void)guardrail.read(std::string_view(padded).substr(0, size), facts);
  return 0;
}
