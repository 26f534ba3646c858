#include "audit/anchor_writer.h"

#include <algorithm>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

#include "audit/durable_file.h"
#include "audit/manifest_store.h"
#include "base/event_time.h"
#include "base/files.h"
#include "crypto/hmac.h"
#include "crypto/random_bytes.h"
#include "ledger/disk_file.h"
#include "ledger/log_files.h"
#include "ledger/log_keys.h"
#include "ledger/log_reader.h"
#include "tlog/note.h"

namespace stillwatch::audit {
namespace {

using base::Fault;
using namespace std::string_view_literals;

constexpr std::string_view kNamePrefix = "anchor-";

std::string year_of(std::int64_t time_s) { return base::format_time(time_s * base::kSecondUs).substr(0, 4); }

std::span<const std::uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

bool is_year(std::string_view text) {
  return text.size() == 4 && text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

std::function<ledger::KeySeed(std::string_view origin)> derived_seeds(const std::string& derivation_key) {
  return [derivation_key](std::string_view origin) {
    const crypto::HmacTag tag = crypto::hmac_sha256(bytes_of(derivation_key), {"aud1 seed\0"sv, origin});
    return ledger::KeySeed(std::span<const std::uint8_t, 32>(tag));
  };
}

base::Result<std::vector<std::string>> anchor_log_names(const std::string& ledger_folder) {
  std::vector<std::string> names;
  const std::string top = ledger_folder + "/logs";
  std::error_code code;
  if (!std::filesystem::exists(top, code)) return names;
  for (std::filesystem::directory_iterator entry(top, code), end; !code && entry != end; entry.increment(code)) {
    std::string name = entry->path().filename().string();
    if (name.starts_with(kNamePrefix) && is_year(std::string_view(name).substr(kNamePrefix.size()))) {
      names.push_back(std::move(name));
    }
  }
  if (code) return base::fail(Fault::environment, fmt::format("cannot read {}: {}", top, code.message()));
  std::sort(names.begin(), names.end());
  return names;
}

struct AnchorWriter::Impl {
  AnchorWriterOptions options;
  std::string year, log_name;
  std::optional<ledger::LogStore> store;
  ManifestStore manifests{""};
  std::string note;
  std::int64_t last_time_s = 0;

  std::string origin_of(std::string_view its_year) const { return fmt::format("{}/anchor/{}", options.host, its_year); }
  std::string seed_path(std::string_view name) const { return fmt::format("{}/keys/{}.seed", options.folder, name); }
  std::string log_folder(std::string_view name) const { return fmt::format("{}/logs/{}", options.folder, name); }

  base::Status open_log(const std::string& its_year);
  base::Status read_last_time(const std::string& name);
  base::Status add_previous(std::vector<ledger::ManifestLog>& logs) const;
  base::Status destroy_old_seeds() const;
  ledger::Hash32 salt(std::uint64_t index) const;
};

// A seed without a log, or a log without an entry, is taken up where it stands.
base::Status AnchorWriter::Impl::open_log(const std::string& its_year) {
  const std::string name = std::string(kNamePrefix) + its_year, folder = log_folder(name);
  ledger::LogStoreOptions store_options;
  if (!options.signed_folder.empty()) {
    STILLWATCH_CHECK(make_folder_durably(options.signed_folder));
    store_options.signed_path = fmt::format("{}/{}.signed", options.signed_folder, name);
  }
  STILLWATCH_CHECK(make_folder_durably(options.folder + "/keys"));
  STILLWATCH_CHECK(make_folder_durably(options.folder + "/logs"));
  const std::string origin = origin_of(its_year), path = seed_path(name);
  // A crash may have left a folder in which there is no log yet.
  const bool is_there = ledger::file_exists(ledger::LogFiles{folder}.state());
  if (!ledger::has_seed(path) && !is_there) {
    const ledger::KeySeed fresh = options.derivation_key.empty() ? crypto::random_secret<crypto::kEd25519SeedBytes>()
                                                                 : derived_seeds(options.derivation_key)(origin);
    STILLWATCH_CHECK(ledger::write_seed(path, origin, fresh));
  }
  STILLWATCH_TRY(seed, ledger::read_seed(path, origin));
  auto opened = is_there ? ledger::LogStore::open(folder, seed, store_options)
                         : ledger::LogStore::create(folder, origin, seed, store_options);
  if (!opened) return base::fail(opened.error());
  std::string published;
  if (opened->size() > 0) {
    STILLWATCH_TRY(signed_note, opened->sign());
    published = std::move(signed_note);
  }
  // From here on nothing fails: a year that cannot begin leaves the one before in place.
  store = std::move(*opened);
  note = std::move(published);
  year = its_year;
  log_name = name;
  manifests = ManifestStore(fmt::format("{}/manifests/{}", options.folder, name));
  return {};
}

base::Status AnchorWriter::Impl::read_last_time(const std::string& name) {
  STILLWATCH_TRY(reader, ledger::LogReader::open(log_folder(name)));
  if (reader.size() == 0) return {};
  STILLWATCH_TRY(entry, reader.entry(reader.size() - 1));
  STILLWATCH_TRY(leaf, ledger::read_anchor_leaf(entry));
  last_time_s = std::max(last_time_s, leaf.time_s);
  return {};
}

// The final checkpoint of the year before stands in the first manifest of this one: a chain over the years.
base::Status AnchorWriter::Impl::add_previous(std::vector<ledger::ManifestLog>& logs) const {
  STILLWATCH_TRY(names, anchor_log_names(options.folder));
  const auto own = std::find(names.begin(), names.end(), log_name);
  if (own == names.begin()) return {};
  STILLWATCH_TRY(bytes, base::read_file(log_folder(*std::prev(own)) + "/checkpoint", tlog::kNoteBytesMax));
  STILLWATCH_TRY(previous, ledger::manifest_log(std::move(bytes)));
  logs.push_back(std::move(previous));
  return {};
}

base::Status AnchorWriter::Impl::destroy_old_seeds() const {
  STILLWATCH_TRY(names, anchor_log_names(options.folder));
  for (const std::string& name : names) {
    if (name < log_name && ledger::has_seed(seed_path(name))) STILLWATCH_CHECK(ledger::destroy_seed(seed_path(name)));
  }
  return {};
}

ledger::Hash32 AnchorWriter::Impl::salt(std::uint64_t index) const {
  if (options.derivation_key.empty()) return crypto::random_array<32>();
  return crypto::hmac_sha256(bytes_of(options.derivation_key),
                             {"aud1 salt\0"sv, store->origin(), "\0"sv, fmt::format("{}", index)});
}

base::Result<AnchorWriter> AnchorWriter::open(AnchorWriterOptions options, std::int64_t time_s) {
  auto impl = std::make_unique<Impl>();
  impl->options = std::move(options);
  STILLWATCH_TRY(names, anchor_log_names(impl->options.folder));
  const std::string year = names.empty() ? year_of(time_s) : names.back().substr(kNamePrefix.size());
  STILLWATCH_CHECK(impl->open_log(year));
  if (impl->store->size() > 0) {
    STILLWATCH_CHECK(impl->read_last_time(impl->log_name));
    STILLWATCH_CHECK(impl->destroy_old_seeds());
  } else if (names.size() > 1) {
    STILLWATCH_CHECK(impl->read_last_time(names[names.size() - 2]));
  }
  return AnchorWriter(std::move(impl));
}

AnchorWriter::AnchorWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AnchorWriter::AnchorWriter(AnchorWriter&&) noexcept = default;
AnchorWriter& AnchorWriter::operator=(AnchorWriter&&) noexcept = default;
AnchorWriter::~AnchorWriter() = default;

base::Status AnchorWriter::append(std::int64_t time_s, std::vector<ledger::ManifestLog> logs,
                                  const ledger::Hash32& stamp) {
  Impl& impl = *impl_;
  time_s = std::max(time_s, impl.last_time_s);
  if (impl.store->is_broken()) STILLWATCH_CHECK(impl.store->reopen());
  if (year_of(time_s) > impl.year && impl.store->size() > 0) {
    STILLWATCH_CHECK(impl.store->sign());
    STILLWATCH_CHECK(impl.open_log(year_of(time_s)));
  }
  if (impl.store->size() == 0) STILLWATCH_CHECK(impl.add_previous(logs));
  STILLWATCH_TRY(text, ledger::manifest_text(std::move(logs)));
  const std::uint64_t index = impl.store->size();
  const Manifest manifest{impl.salt(index), std::move(text)};
  STILLWATCH_CHECK(impl.manifests.append(index, manifest));
  const std::string leaf =
      ledger::anchor_leaf_text({time_s, ledger::manifest_hash(manifest.salt, manifest.text), stamp});
  const std::string_view entries[] = {leaf};
  impl.last_time_s = time_s;  // also when it fails: it may be on the disk
  STILLWATCH_TRY(at, impl.store->append(entries));
  (void)at;
  STILLWATCH_TRY(published, impl.store->sign());
  impl.note = std::move(published);
  return index == 0 ? impl.destroy_old_seeds() : base::Status{};
}

const std::string& AnchorWriter::log_name() const { return impl_->log_name; }
const std::string& AnchorWriter::origin() const { return impl_->store->origin(); }
std::uint64_t AnchorWriter::size() const { return impl_->store->size(); }
std::int64_t AnchorWriter::last_time_s() const { return impl_->last_time_s; }
const std::string& AnchorWriter::note() const { return impl_->note; }

}  // namespace stillwatch::audit
