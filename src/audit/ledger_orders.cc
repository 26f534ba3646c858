#include "audit/ledger_orders.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include <fmt/format.h>

#include "audit/commitments.h"
#include "ledger/log_reader.h"

namespace stillwatch::audit {
namespace {

using base::Fault;

base::Result<ledger::QueryLeaf> find_query(const std::string& folder, const ledger::Id16& id) {
  std::vector<std::string> logs;
  std::error_code code, none;
  for (std::filesystem::directory_iterator entry(folder + "/logs", code), end; !code && entry != end;
       entry.increment(code)) {
    if (entry->path().filename().string().starts_with("shard-") &&
        std::filesystem::exists(entry->path() / "checkpoint", none))
      logs.push_back(entry->path().string());
  }
  if (code) return base::fail(Fault::environment, fmt::format("cannot read {}/logs: {}", folder, code.message()));
  std::sort(logs.rbegin(), logs.rend());
  for (const std::string& log : logs) {
    STILLWATCH_TRY(reader, ledger::LogReader::open(log));
    STILLWATCH_TRY(index, reader.find(id));
    if (!index) continue;
    STILLWATCH_TRY(bytes, reader.entry(*index));
    STILLWATCH_TRY(leaf, ledger::read_leaf(bytes));
    if (auto* query = std::get_if<ledger::QueryLeaf>(&leaf)) return std::move(*query);
    return base::fail(Fault::caller, "this is the id of a decision, which has no content of its own");
  }
  return base::fail(Fault::caller, "no log of this ledger has an entry with this id, as far as it is signed");
}

/// A leaf without names, or one whose key is gone, tells of nobody: then there is nothing to compare.
base::Status check_owner(ledger::KeyBook& keys, const ledger::QueryLeaf& leaf, std::string_view account) {
  STILLWATCH_TRY(names, ledger::Pseudonyms::look_up(keys, tenant_of(account), leaf.time_ms * 1'000));
  if (leaf.tenant == ledger::Id16{} || names.fate().state == ledger::KeyState::destroyed) return {};
  if (names.are_live() && names.tenant() == leaf.tenant) return {};
  return base::fail(Fault::caller, "the record with this id is of another account");
}

base::Result<ledger::QueryLeaf> record_of(const std::string& folder, ledger::KeyBook& keys, std::string_view record,
                                          std::string_view account) {
  STILLWATCH_TRY(id, parse_leaf_id(record));
  STILLWATCH_TRY(leaf, find_query(folder, id));
  STILLWATCH_CHECK(check_owner(keys, leaf, account));
  return leaf;
}

}  // namespace

base::Result<ledger::Id16> parse_leaf_id(std::string_view text) {
  if (text.starts_with("req_")) text.remove_prefix(4);
  const auto id = ledger::read_base64url<16>(text);
  if (!id) {
    return base::fail(Fault::caller,
                      "an id has 22 letters, digits, '-' and '_', as in the answer's header stillwatch-leaf");
  }
  return *id;
}

base::Result<ledger::ErasureOrder> erasure_order(const std::string& ledger_folder, ledger::KeyBook& keys,
                                                 const ErasureRequest& request) {
  ledger::ErasureOrder order;
  order.who = request.who;
  order.why = request.why;
  order.tenant = request.account;
  if (request.record.empty()) {
    order.kind = ledger::OrderKind::customer;
    order.names = {request.account};
    return order;
  }
  order.kind = ledger::OrderKind::record;
  STILLWATCH_TRY(leaf, record_of(ledger_folder, keys, request.record, request.account));
  order.record.id = leaf.id;
  if (leaf.payload_key) order.record.key = *leaf.payload_key;
  order.line_id = "req_" + ledger::base64url(leaf.id);  // as a gateway writes it
  return order;
}

base::Status narrow_to_record(const std::string& ledger_folder, ledger::KeyBook& keys, std::string_view record,
                              ledger::HoldRequest& request) {
  if (request.subjects.size() != 1)
    return base::fail(Fault::caller, "a hold on a record needs the one account it is of");
  STILLWATCH_TRY(leaf, record_of(ledger_folder, keys, record, request.subjects.front()));
  request.from_day = request.until_day = ledger::day_of(leaf.time_ms * 1'000);
  return {};
}

}  // namespace stillwatch::audit
