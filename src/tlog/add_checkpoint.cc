#include "tlog/add_checkpoint.h"

#include <fmt/format.h>

#include "tlog/lines.h"
#include "tlog/proof_lines.h"

namespace stillwatch::tlog {
namespace {

tl::unexpected<base::Error> no_request(std::string_view what) {
  return base::fail(base::Fault::input, fmt::format("this is no add-checkpoint request: {}", what));
}

}  // namespace

base::Result<AddCheckpoint> AddCheckpoint::parse(std::string_view body) {
  constexpr std::string_view kOld = "old ";
  if (body.size() > kAddCheckpointBytesMax) return no_request("it is too long");
  AddCheckpoint request;
  std::string_view line;
  if (!take_line(body, line) || !line.starts_with(kOld)) return no_request("the first line has no old size");
  const auto old_size = parse_decimal(line.substr(kOld.size()));
  if (!old_size) return no_request("the old size is not a plain number below 2^63");
  request.old_size = *old_size;
  if (const auto wrong = read_proof(body, kAddCheckpointProofMax, request.proof, request.checkpoint))
    return no_request(*wrong);
  return request;
}

std::string AddCheckpoint::text() const {
  std::string text = fmt::format("old {}\n", old_size);
  append_proof(text, proof, checkpoint);
  return text;
}

std::string witness_size_text(std::uint64_t size) { return fmt::format("{}\n", size); }

base::Result<std::uint64_t> parse_witness_size(std::string_view body) {
  const auto size = body.ends_with('\n') ? parse_decimal(body.substr(0, body.size() - 1)) : std::nullopt;
  if (!size) return base::fail(base::Fault::input, "the witness did not answer with a size");
  return *size;
}

}  // namespace stillwatch::tlog
