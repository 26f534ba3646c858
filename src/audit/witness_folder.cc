#include "audit/witness_folder.h"

#include <filesystem>

#include <fmt/format.h>

#include "audit/durable_file.h"
#include "base/files.h"
#include "crypto/random_bytes.h"
#include "ledger/log_keys.h"

namespace stillwatch::audit {

base::Result<std::unique_ptr<WitnessFolder>> WitnessFolder::open(const std::string& folder, const std::string& name) {
  if (!tlog::is_key_name(name)) {
    return base::fail(base::Fault::caller,
                      "a witness needs a name without white space or '+', such as witness.example.org/w1");
  }
  STILLWATCH_CHECK(make_folder_durably(folder + "/logs"));
  STILLWATCH_TRY(lock, base::FolderLock::take(folder));
  const std::string key_path = folder + "/key";
  if (!ledger::has_seed(key_path)) {
    std::error_code code;
    if (!std::filesystem::is_empty(folder + "/logs", code) || code) {
      return base::fail(
          base::Fault::environment,
          fmt::format("{} has cosigned checkpoints and no key; put its key back, or begin another folder", folder));
    }
    STILLWATCH_CHECK(ledger::write_seed(key_path, name, crypto::random_secret<crypto::kEd25519SeedBytes>()));
  }
  STILLWATCH_TRY(seed, ledger::read_seed(key_path, name));
  auto cosigner = std::make_unique<tlog::Ed25519Cosigner>(name, seed);
  return std::unique_ptr<WitnessFolder>(new WitnessFolder(folder, std::move(lock), std::move(cosigner)));
}

base::Result<std::string> WitnessFolder::load(const std::string& origin) {
  const std::string path = fmt::format("{}/logs/{}", folder_, ledger::origin_hex(origin));
  std::error_code code;
  if (!std::filesystem::exists(path, code) && !code) return std::string();
  return base::read_file(path, tlog::kNoteBytesMax);
}

base::Status WitnessFolder::replace(const std::string& origin, std::string_view expected, std::string_view note) {
  STILLWATCH_TRY(present, load(origin));
  if (present != expected) {
    return base::fail(base::Fault::environment,
                      "the stored checkpoint has changed meanwhile; is another witness working in this folder?", true);
  }
  return write_durably(fmt::format("{}/logs/{}", folder_, ledger::origin_hex(origin)), note);
}

}  // namespace stillwatch::audit
