#include "audit/kept_states.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <tuple>
#include <vector>

#include <fmt/format.h>

#include "audit/durable_file.h"
#include "audit/ledger_paths.h"
#include "base/files.h"
#include "crypto/aead.h"
#include "crypto/sha256.h"
#include "ledger/durable_files.h"
#include "ledger/log_reader.h"

namespace stillwatch::audit {
namespace {

using base::Fault;
namespace fs = std::filesystem;

constexpr std::string_view kPurpose = "names of kept states";  // of the key that seals them
constexpr std::string_view kNamesMagic = "swnames1", kNamesEnd = ".names";
constexpr std::uint64_t kStateBytesMax = std::uint64_t{64} << 30;  // as a snapshot's
constexpr std::size_t kHexLetters = 64;

std::string hex_of(const ledger::Hash32& hash) {
  std::string out;
  for (const std::uint8_t byte : hash) out += fmt::format("{:02x}", byte);
  return out;
}

std::optional<ledger::Hash32> hash_of_hex(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  if (text.size() != kHexLetters) return std::nullopt;
  ledger::Hash32 hash{};
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t digit = kDigits.find(text[i]);
    if (digit == std::string_view::npos) return std::nullopt;
    hash[i / 2] = static_cast<std::uint8_t>(hash[i / 2] << 4 | digit);
  }
  return hash;
}

std::string associated_of(const ledger::Hash32& hash) { return std::string(kNamesMagic) + hex_of(hash); }

/// A whole file, hashed as it is read.
base::Result<ledger::Hash32> hash_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  crypto::Sha256 hash;
  std::vector<char> block(std::size_t{1} << 20);
  while (file) {
    file.read(block.data(), static_cast<std::streamsize>(block.size()));
    hash.update({block.data(), static_cast<std::size_t>(file.gcount())});
  }
  if (!file.eof()) return base::fail(Fault::environment, fmt::format("cannot read {}; check its permissions", path));
  return hash.finish();
}

std::vector<std::string> shard_folders(const std::string& ledger_folder, std::error_code& code) {
  std::vector<std::string> folders;
  for (fs::directory_iterator at(ledger_folder + "/logs", code), end; !code && at != end; at.increment(code)) {
    std::error_code none;
    if (at->path().filename().string().starts_with("shard-") && fs::exists(at->path() / "checkpoint", none))
      folders.push_back(at->path().string());
  }
  return folders;
}

/// Calls visit(leaf) for all decision and erase leaves that are still there.
template <class Visit>
base::Status each_leaf(const std::string& ledger_folder, const Visit& visit) {
  std::error_code code;
  const std::vector<std::string> folders = shard_folders(ledger_folder, code);
  if (code)
    return base::fail(Fault::environment, fmt::format("cannot list {}/logs: {}", ledger_folder, code.message()));
  for (const std::string& folder : folders) {
    STILLWATCH_TRY(reader, ledger::LogReader::open(folder));
    STILLWATCH_CHECK(reader.scan(reader.index_min(), reader.size(), [&](std::uint64_t, std::string_view bytes) {
      // Most leaves are of requests, and cost a thousand times as much to read as to pass over.
      if (!bytes.starts_with(R"({"v":1,"k":"decision")") && !bytes.starts_with(R"({"v":1,"k":"erase")")) return true;
      if (const auto leaf = ledger::read_leaf(bytes)) visit(*leaf);
      return true;
    }));
  }
  return {};
}

}  // namespace

KeptStates::KeptStates(const std::string& ledger_folder) : folder_(states_folder(ledger_folder)) {}

std::string KeptStates::path_of(const ledger::Hash32& hash) const { return folder_ + "/" + hex_of(hash); }
std::string KeptStates::names_path_of(const ledger::Hash32& hash) const {
  return path_of(hash) + std::string(kNamesEnd);
}
bool KeptStates::has(const ledger::Hash32& hash) const { return ledger::exists(path_of(hash)); }

base::Result<ledger::Hash32> KeptStates::keep(const KeptState& state, std::string_view names,
                                              const ledger::KeyBook& keys) const {
  STILLWATCH_CHECK(make_folder_durably(folder_));
  STILLWATCH_TRY(leftovers, ledger::finish_replacements(folder_));
  (void)leftovers;  // tokens and sealed names: nothing that must be overwritten
  const std::string bytes = write_state(state);
  const ledger::Hash32 hash = crypto::sha256(bytes);
  std::string sealed(kNamesMagic);
  crypto::aead_seal(keys.key_for(kPurpose), names, associated_of(hash), sealed);
  STILLWATCH_TRY(names_old, ledger::replace_file(names_path_of(hash), sealed));
  STILLWATCH_TRY(old, ledger::replace_file(path_of(hash), bytes));
  (void)names_old, (void)old;
  return hash;
}

base::Result<KeptState> KeptStates::read(const ledger::Hash32& hash) const {
  STILLWATCH_TRY(bytes, base::read_file(path_of(hash), kStateBytesMax));
  if (crypto::sha256(bytes) != hash) {
    return base::fail(Fault::check, fmt::format("{} is damaged: its SHA-256 is not its name", path_of(hash)));
  }
  auto state = read_state(bytes);
  if (!state) return base::fail(Fault::check, fmt::format("{}: {}", path_of(hash), state.error().message));
  return state;
}

base::Result<std::string> KeptStates::read_names(const ledger::Hash32& hash, const ledger::KeyBook& keys) const {
  const std::string path = names_path_of(hash);
  STILLWATCH_TRY(bytes, base::read_file(path, kStateBytesMax));
  std::string names;
  if (!bytes.starts_with(kNamesMagic) ||
      !crypto::aead_open(keys.key_for(kPurpose), std::string_view(bytes).substr(kNamesMagic.size()),
                         associated_of(hash), names)) {
    return base::fail(Fault::check, fmt::format("{} is damaged, or of another ledger's keys", path));
  }
  return names;
}

base::Result<std::vector<KeptStates::Entry>> KeptStates::list() const {
  std::vector<Entry> entries;
  std::error_code code;
  for (fs::directory_iterator at(folder_, code), end; !code && at != end; at.increment(code)) {
    const auto hash = hash_of_hex(at->path().filename().string());
    if (!hash) continue;
    Entry entry{*hash, path_of(*hash), names_path_of(*hash)};
    std::error_code no_size;
    if (const auto size = fs::file_size(at->path(), no_size); !no_size) entry.bytes = size;
    std::array<char, kStateHeadBytes> head{};
    std::ifstream file(entry.path, std::ios::binary);
    file.read(head.data(), head.size());
    (void)!read_state_head({head.data(), static_cast<std::size_t>(file.gcount())}, entry.first_us, entry.time_us);
    entries.push_back(std::move(entry));
  }
  if (code && code != std::errc::no_such_file_or_directory)
    return base::fail(Fault::environment,
                      fmt::format("cannot list {}: {}; check the permissions", folder_, code.message()));
  std::sort(entries.begin(), entries.end(), [](const Entry& left, const Entry& right) {
    return std::tie(left.time_us, left.hash) < std::tie(right.time_us, right.hash);
  });
  return entries;
}

std::optional<ledger::Hash32> state_of_path(const std::string& path) {
  const fs::path file(path), folder = file.parent_path();
  if (folder.filename() != fs::path(states_folder("")).filename()) return std::nullopt;
  return hash_of_hex(file.filename().string());
}

base::Result<std::vector<ledger::ErasureFile>> states_to_erase(
    const std::string& ledger_folder, const ledger::KeyBook& keys,
    const std::function<bool(std::string_view names)>& may_name) {
  std::vector<ledger::ErasureFile> files;
  const KeptStates states(ledger_folder);
  STILLWATCH_TRY(entries, states.list());
  for (const KeptStates::Entry& entry : entries) {
    const auto names = states.read_names(entry.hash, keys);
    if (names && !may_name(*names)) continue;
    const std::int64_t first_day = ledger::day_of(entry.first_us), last_day = ledger::day_of(entry.time_us);
    for (const std::string& path : {entry.path, entry.names_path})
      files.push_back({path, ledger::FileRule::remove, ledger::RetentionClass::evidence, first_day, last_day});
  }
  return files;
}

base::Result<std::set<ledger::Name12>> erased_names(const std::string& ledger_folder) {
  std::set<ledger::Name12> names;
  STILLWATCH_CHECK(each_leaf(ledger_folder, [&](const ledger::Leaf& leaf) {
    if (const auto* erase = std::get_if<ledger::EraseLeaf>(&leaf)) names.insert(erase->keys.begin(), erase->keys.end());
  }));
  return names;
}

base::Result<KeptStatesCheck> check_kept_states(const std::string& ledger_folder) {
  const KeptStates states(ledger_folder);
  KeptStatesCheck check;
  const auto add = [&](const std::string& path, std::string what) {
    check.findings.push_back({"states/" + fs::path(path).filename().string(), std::move(what)});
  };
  std::map<ledger::Hash32, std::uint64_t> decisions;
  std::set<ledger::Name12> erased;
  STILLWATCH_CHECK(each_leaf(ledger_folder, [&](const ledger::Leaf& leaf) {
    const auto* decision = std::get_if<ledger::DecisionLeaf>(&leaf);
    if (decision != nullptr && decision->state) ++decisions[*decision->state];
    if (const auto* erase = std::get_if<ledger::EraseLeaf>(&leaf))
      erased.insert(erase->keys.begin(), erase->keys.end());
  }));
  STILLWATCH_TRY(entries, states.list());
  std::set<ledger::Hash32> there;
  for (const KeptStates::Entry& entry : entries) {
    ++check.states;
    check.bytes += entry.bytes;
    there.insert(entry.hash);
    const auto hash = hash_of_file(entry.path);
    if (!hash)
      add(entry.path, hash.error().message);
    else if (*hash != entry.hash)
      add(entry.path, "does not hash to its name: damaged");
    else if (!decisions.contains(entry.hash))
      ++check.unused;
    if (!ledger::exists(entry.names_path)) add(entry.names_path, "is missing: the state's names cannot be opened");
  }
  for (const auto& [hash, count] : decisions) {
    if (there.contains(hash)) continue;
    if (erased.contains(ledger::name_of(hash)))
      ++check.erased;
    else
      add(states.path_of(hash),
          fmt::format("is missing, and {} decisions rest on it; no entry says that it was erased", count));
  }
  return check;
}

}  // namespace stillwatch::audit
