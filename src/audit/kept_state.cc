#include "audit/kept_state.h"

#include <type_traits>

#include "base/byte_stream.h"

namespace stillwatch::audit {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kMagic = "stillwatch state 2\n\0\0\0\0\0"sv;
static_assert(kMagic.size() + 2 * sizeof(std::int64_t) == kStateHeadBytes);
static_assert(std::is_trivially_copyable_v<event::Query>);

tl::unexpected<base::Error> refused() {
  return base::fail(base::Fault::input, "it is no kept state, or of another version of the software");
}

}  // namespace

std::string write_state(const KeptState& state) {
  base::ByteWriter out;
  for (const char letter : kMagic) out.put(letter);
  out.put(state.first_us);
  out.put(state.time_us);
  out.put(state.secret_id);
  out.put(state.account_updates);
  out.put_bytes(state.policy_hash);
  out.put_bytes(state.log_file);
  out.put(std::uint64_t{base::packing::bytes_of<event::Query>()});
  out.put_all(state.waiting);
  out.put_bytes(state.engine);
  return out.take();
}

base::Status read_state_head(std::string_view bytes, std::int64_t& first_us, std::int64_t& time_us) {
  if (bytes.size() < kStateHeadBytes || !bytes.starts_with(kMagic)) return refused();
  base::ByteReader in(bytes.substr(kMagic.size()));
  first_us = in.get<std::int64_t>();
  time_us = in.get<std::int64_t>();
  return {};
}

base::Result<KeptState> read_state(std::string_view bytes) {
  KeptState state;
  STILLWATCH_CHECK(read_state_head(bytes, state.first_us, state.time_us));
  base::ByteReader in(bytes.substr(kStateHeadBytes));
  state.secret_id = in.get<std::uint64_t>();
  state.account_updates = in.get<std::uint64_t>();
  state.policy_hash = in.get_bytes();
  state.log_file = in.get_bytes();
  if (in.get<std::uint64_t>() != base::packing::bytes_of<event::Query>()) return refused();
  state.waiting = in.get_all<event::Query>();
  state.engine = in.get_bytes();
  if (!in.ok() || !in.at_end()) return refused();
  return state;
}

}  // namespace stillwatch::audit
