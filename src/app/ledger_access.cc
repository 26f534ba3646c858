#include "app/ledger_access.h"

#include <pwd.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "audit/ledger_paths.h"
#include "audit/settings.h"
#include "base/files.h"
#include "base/folder_lock.h"
#include "ledger/log_reader.h"
#include "report/evidence_anchors.h"
#include "tlog/policy.h"

namespace stillwatch::app {

using base::Fault;

void add_place_flags(CLI::App& command, LedgerFlags& flags) {
  command.add_option("--ledger", flags.folder, "Folder of the audit log")->type_name("DIR");
  command.add_option("--config", flags.config, "Configuration of the gateway that writes it; names folder and keys")
      ->type_name("FILE");
}

void add_key_flags(CLI::App& command, LedgerFlags& flags) {
  command
      .add_option("--master-key", flags.master_key_file,
                  "File that wraps the ledger's keys; default: keys/master in the folder")
      ->type_name("FILE");
}

void add_outside_flags(CLI::App& command, LedgerFlags& flags) {
  command.add_option("--policy", flags.policy_file, "tlog-policy file: witnesses and quorum")->type_name("FILE");
  command.add_option("--stamp-ca", flags.stamp_cas, "Certificates of a time stamping authority; may be given again")
      ->type_name("NAME=FILE");
}

void add_json_flag(CLI::App& command, LedgerFlags& flags) { command.add_flag("--json", flags.json, "One JSON object"); }

base::Result<LedgerPlace> find_ledger(const LedgerFlags& flags) {
  LedgerPlace place;
  place.folder = flags.folder;
  std::string policy_file = flags.policy_file;
  if (!flags.config.empty()) {
    STILLWATCH_TRY(configuration, gateway::read_configuration(flags.config));
    const gateway::settings::Ledger& ledger = configuration.ledger;
    if (place.folder.empty()) place.folder = ledger.folder;
    place.signed_folder = ledger.signed_folder;
    place.master_key_file = ledger.master_key_file;
    place.unwrap_command = ledger.unwrap_command;
    if (policy_file.empty()) policy_file = ledger.witness_policy_file;
    for (const auto& authority : ledger.stamp_authorities) place.ca_files[authority.name] = authority.ca_file;
    place.gateway = std::move(configuration);
  }
  if (place.folder.empty())
    return base::fail(Fault::caller, "name the audit log with --ledger=DIR, or its gateway with --config=FILE");
  std::error_code code;
  if (!std::filesystem::is_directory(place.folder + "/logs", code)) {
    return base::fail(
        Fault::environment,
        fmt::format("{} holds no audit log; name the folder that a gateway or `replay --ledger` writes to",
                    place.folder));
  }
  if (!flags.master_key_file.empty()) {
    place.master_key_file = flags.master_key_file;
    place.unwrap_command.clear();
  }
  if (place.master_key_file.empty()) place.master_key_file = audit::master_key_path(place.folder);
  for (const std::string& authority : flags.stamp_cas) {
    const std::size_t equals = authority.find('=');
    if (equals == std::string::npos || equals == 0)
      return base::fail(Fault::caller, "--stamp-ca is NAME=FILE, with the name that the authority has in stamps/");
    place.ca_files[authority.substr(0, equals)] = authority.substr(equals + 1);
  }
  if (!policy_file.empty()) {
    STILLWATCH_TRY(policy, base::read_file(policy_file, tlog::kPolicyBytesMax));
    place.policy = std::move(policy);
  }
  return place;
}

base::Result<LedgerKeys> open_ledger_keys(const LedgerPlace& place, bool read_only) {
  LedgerKeys keys;
  if (place.unwrap_command.empty()) {
    STILLWATCH_TRY(master, ledger::open_master_key_file(place.master_key_file, false));
    keys.master = std::move(master);
  } else {
    keys.master = ledger::make_command_wrapper({place.unwrap_command});
  }
  ledger::KeyBookOptions options;
  options.read_only = read_only;
  options.now_us = [] { return now_ms() * 1'000; };
  auto book = ledger::KeyBook::open(audit::key_book_folder(place.folder), *keys.master, std::move(options));
  if (!book) {
    base::Error error = std::move(book).error();
    if (!read_only) {
      error.message +=
          "; a gateway that runs destroys keys itself when it is named with --config, otherwise keys can be destroyed "
          "only while no gateway and no replay writes to the ledger";
    }
    return base::fail(std::move(error));
  }
  keys.book = std::move(*book);
  return keys;
}

bool is_in_use(const LedgerPlace& place) {
  return !base::FolderLock::take(audit::key_book_folder(place.folder)).has_value();
}

base::Result<FoundLeaf> find_leaf(const std::string& folder, const ledger::Id16& id) {
  STILLWATCH_TRY(names, report::shard_log_names(folder));
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    STILLWATCH_TRY(reader, ledger::LogReader::open(folder + "/logs/" + *name));
    STILLWATCH_TRY(index, reader.find(id));
    if (!index) continue;
    STILLWATCH_TRY(entry, reader.proven_entry(*index));
    STILLWATCH_TRY(leaf, ledger::read_leaf(entry.bytes));
    return FoundLeaf{*name, reader.origin(), *index, std::move(leaf)};
  }
  return base::fail(Fault::caller, "no log of this ledger has an entry with this id, as far as it is signed");
}

std::int64_t now_ms() { return audit::wall_clock_ms(); }

std::string default_operator() {
  const passwd* user = ::getpwuid(::getuid());
  return user != nullptr && user->pw_name != nullptr ? std::string(user->pw_name) : fmt::format("uid {}", ::getuid());
}

base::Status print_text(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) return {};
  return base::fail(Fault::environment, "cannot write to standard output");
}

}  // namespace stillwatch::app
