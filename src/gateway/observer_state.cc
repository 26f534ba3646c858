#include "gateway/observer_state.h"

#include <filesystem>
#include <type_traits>

#include <fmt/format.h>

#include "base/byte_stream.h"
#include "base/files.h"
#include "crypto/digest.h"

namespace stillwatch::gateway {
namespace {

constexpr std::string_view kMagic = "stillwatch observer 3\n";
constexpr std::size_t kDigestBytes = 64;
constexpr std::uint64_t kBytesMax = std::uint64_t{64} << 30;
static_assert(std::is_trivially_copyable_v<event::Query>);

std::string path_in(const std::string& folder) { return folder + "/observer.snapshot"; }

}  // namespace

base::Status write_state(const std::string& folder, const ObserverState& state) {
  base::ByteWriter out;
  out.put_bytes(state.policy_hash);
  out.put(state.secret_id);
  out.put_bytes(state.log.file);
  out.put(state.log.next.offset), out.put(state.log.next.line);
  out.put(state.released_us), out.put(state.logged_us);
  out.put_all(state.waiting);
  for (const std::string* part :
       {&state.engine, &state.identities, &state.levels, &state.fed_ids, &state.tail_places, &state.audit_mark})
    out.put_bytes(*part);
  for (const std::uint64_t number : {state.account_lines, state.verdict_bytes, state.alarm_bytes, state.alarms})
    out.put(number);
  STILLWATCH_TRY(file, base::AtomicFile::create(path_in(folder), 0600));
  STILLWATCH_CHECK(file.write(kMagic));
  STILLWATCH_CHECK(file.write(crypto::sha256_hex(out.bytes())));
  STILLWATCH_CHECK(file.write(out.bytes()));
  return file.commit();
}

base::Result<std::optional<ObserverState>> read_state(const std::string& folder) {
  const std::string path = path_in(folder);
  std::error_code code;
  if (!std::filesystem::exists(path, code)) return std::optional<ObserverState>{};
  STILLWATCH_TRY(bytes, base::read_file(path, kBytesMax));
  const auto damaged = [&] {
    return base::fail(base::Fault::environment,
                      fmt::format("{} is damaged or of another version; restore it, or remove it so that the query log "
                                  "is read anew",
                                  path));
  };
  const std::string_view all(bytes);
  if (all.size() < kMagic.size() + kDigestBytes || !all.starts_with(kMagic)) return damaged();
  const std::string_view covered = all.substr(kMagic.size() + kDigestBytes);
  if (all.substr(kMagic.size(), kDigestBytes) != crypto::sha256_hex(covered)) return damaged();
  base::ByteReader in(covered);
  ObserverState state;
  state.policy_hash = in.get_bytes();
  state.secret_id = in.get<std::uint64_t>();
  state.log.file = in.get_bytes();
  state.log.next.offset = in.get<std::uint64_t>();
  state.log.next.line = in.get<std::uint64_t>();
  state.released_us = in.get<std::int64_t>();
  state.logged_us = in.get<std::int64_t>();
  state.waiting = in.get_all<event::Query>();
  for (std::string* part :
       {&state.engine, &state.identities, &state.levels, &state.fed_ids, &state.tail_places, &state.audit_mark})
    *part = in.get_bytes();
  for (std::uint64_t* number : {&state.account_lines, &state.verdict_bytes, &state.alarm_bytes, &state.alarms})
    *number = in.get<std::uint64_t>();
  if (!in.ok() || !in.at_end()) return damaged();
  return std::optional<ObserverState>(std::move(state));
}

}  // namespace stillwatch::gateway
