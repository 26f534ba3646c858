// What the commands of `stillwatch ledger` have in common: where a ledger lies, its keys, and how they answer.
//
// Invariant: a flag goes before the gateway's configuration, that before what lies in the ledger's folder. No command
// makes a master key. Threads: one user. Cost: a few files read.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/commands.h"
#include "audit/ledger_orders.h"
#include "base/result.h"
#include "gateway/configuration.h"
#include "ledger/key_book.h"
#include "ledger/key_wrapper.h"
#include "ledger/leaf.h"

namespace CLI {
class App;
}

namespace stillwatch::app {

struct LedgerFlags {
  std::string folder, config, master_key_file, policy_file;
  std::vector<std::string> stamp_cas;  // NAME=FILE
  bool json = false;
};
/// --ledger and --config, of which one must be given.
void add_place_flags(CLI::App& command, LedgerFlags& flags);
/// --master-key
void add_key_flags(CLI::App& command, LedgerFlags& flags);
/// --policy and --stamp-ca
void add_outside_flags(CLI::App& command, LedgerFlags& flags);
void add_json_flag(CLI::App& command, LedgerFlags& flags);

struct LedgerPlace {
  std::string folder, signed_folder, master_key_file;
  std::vector<std::string> unwrap_command;
  std::string policy;                           // text of the tlog-policy file; empty: none
  std::map<std::string, std::string> ca_files;  // by name of the time stamping authority
  std::optional<gateway::Configuration> gateway;
};
base::Result<LedgerPlace> find_ledger(const LedgerFlags& flags);

struct LedgerKeys {
  std::unique_ptr<ledger::KeyWrapper> master;
  std::unique_ptr<ledger::KeyBook> book;
};
/// Read only it works beside a gateway; otherwise a gateway that runs is an environment error that says so.
base::Result<LedgerKeys> open_ledger_keys(const LedgerPlace& place, bool read_only);

/// Whether a gateway or a replay has the ledger's keys now.
bool is_in_use(const LedgerPlace& place);

using audit::parse_leaf_id;

/// Where the query or decision leaf with this id stands; caller error when it is in none of the ledger's logs.
struct FoundLeaf {
  std::string log, origin;
  std::uint64_t index = 0;
  ledger::Leaf leaf;
};
base::Result<FoundLeaf> find_leaf(const std::string& folder, const ledger::Id16& id);

std::int64_t now_ms();
/// Who runs the command, where --who says nothing: the user's name.
std::string default_operator();
/// Writes to standard output, or says that it cannot.
base::Status print_text(std::string_view text);
/// Runs a command: prints its error and gives the code of it.
template <class Command>
int finish_command(const Command& command) {
  const base::Result<int> code = command();
  return code ? *code : report_error(code.error());
}

}  // namespace stillwatch::app
