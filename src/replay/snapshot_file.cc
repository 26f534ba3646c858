#include "replay/snapshot_file.h"

#include <unistd.h>

#include <filesystem>

#include <fmt/format.h>

#include "base/byte_stream.h"
#include "base/files.h"
#include "crypto/digest.h"

namespace stillwatch::replay {
namespace {

constexpr std::string_view kMagic = "stillwatch snapshot 4\n";
constexpr std::size_t kDigestBytes = 64;
constexpr std::uint64_t kSnapshotBytesMax = std::uint64_t{64} << 30;

std::string path_in(const std::string& folder) { return folder + "/snapshot"; }

tl::unexpected<base::Error> belongs_elsewhere(const std::string& path, const char* what) {
  return base::fail(
      base::Fault::caller,
      fmt::format("{} was made with {}; run with the same ones to go on, or remove the state folder to start over",
                  path, what));
}

}  // namespace

base::Result<std::string> content_of(const std::string& path) {
  constexpr std::uint64_t kBytesMax = std::uint64_t{16} << 30;
  std::error_code code;
  if (!std::filesystem::is_regular_file(path, code)) return std::string("\n");
  STILLWATCH_TRY(bytes, base::read_file(path, kBytesMax));
  return crypto::sha256_hex(bytes) + "\n";
}

base::Status write_snapshot(const std::string& state_folder, const SnapshotFile& snapshot) {
  base::ByteWriter out;
  out.put_bytes(snapshot.policy_hash);
  out.put(snapshot.secret_id);
  out.put_bytes(snapshot.inputs);
  for (const std::string* part : {&snapshot.reader, &snapshot.engine, &snapshot.identities}) out.put_bytes(*part);
  out.put(snapshot.verdicts);
  out.put(snapshot.rejects);
  out.put(snapshot.rejects_listed);
  out.put_bytes(snapshot.ledger);
  STILLWATCH_TRY(file, base::AtomicFile::create(path_in(state_folder), 0600));
  STILLWATCH_CHECK(file.write(kMagic));
  STILLWATCH_CHECK(file.write(crypto::sha256_hex(out.bytes())));
  STILLWATCH_CHECK(file.write(out.bytes()));
  return file.commit();
}

base::Result<std::optional<SnapshotFile>> read_snapshot(const std::string& state_folder, const SnapshotFile& expected) {
  const std::string path = path_in(state_folder);
  std::error_code code;
  if (!std::filesystem::exists(path, code)) return std::optional<SnapshotFile>{};
  STILLWATCH_TRY(bytes, base::read_file(path, kSnapshotBytesMax));
  const std::string_view all(bytes);
  const bool whole =
      all.size() > kMagic.size() + kDigestBytes && all.substr(0, kMagic.size()) == kMagic &&
      all.substr(kMagic.size(), kDigestBytes) == crypto::sha256_hex(all.substr(kMagic.size() + kDigestBytes));
  if (!whole) {
    return base::fail(
        base::Fault::environment,
        fmt::format("{} is damaged or of another version; restore it, or remove the state folder to start over", path));
  }
  base::ByteReader in(all.substr(kMagic.size() + kDigestBytes));
  SnapshotFile snapshot;
  snapshot.policy_hash = in.get_bytes();
  snapshot.secret_id = in.get<std::uint64_t>();
  snapshot.inputs = in.get_bytes();
  for (std::string* part : {&snapshot.reader, &snapshot.engine, &snapshot.identities}) *part = in.get_bytes();
  snapshot.verdicts = in.get<Journal::Mark>();
  snapshot.rejects = in.get<Journal::Mark>();
  snapshot.rejects_listed = in.get<std::uint64_t>();
  snapshot.ledger = in.get_bytes();
  if (!in.ok() || !in.at_end())
    return base::fail(base::Fault::environment,
                      fmt::format("{} is damaged; remove the state folder to start over", path));
  if (snapshot.policy_hash != expected.policy_hash) return belongs_elsewhere(path, "other settings");
  if (snapshot.secret_id != expected.secret_id) return belongs_elsewhere(path, "another deployment secret");
  if (snapshot.inputs != expected.inputs) return belongs_elsewhere(path, "other logs, accounts or log format");
  return std::optional<SnapshotFile>(std::move(snapshot));
}

void remove_snapshot(const std::string& state_folder) { ::unlink(path_in(state_folder).c_str()); }

}  // namespace stillwatch::replay
