// What people order of a ledger, erasures and holds, made into what its modules carry out: the same for commands and
// for a running service.
//
// Invariant: a record is erased or held only under the customer whose pseudonym its leaf has: a wrong name would pass a
// hold by. Threads: pure functions of what they read. Cost: of a record, a search through the logs from the newest on.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "ledger/erasure.h"
#include "ledger/hold_book.h"
#include "ledger/leaf.h"

namespace stillwatch::audit {

/// 22 characters of base64url, with or without the "req_" before it.
base::Result<ledger::Id16> parse_leaf_id(std::string_view text);

struct ErasureRequest {
  std::string account;   // whose it is
  std::string record;    // id of a request; empty: all of the account
  std::string who, why;  // stay in the ledger: no names of customers
};
/// Without files: these are the caller's. Caller error for a record that is in no log or of another account.
base::Result<ledger::ErasureOrder> erasure_order(const std::string& ledger_folder, ledger::KeyBook& keys,
                                                 const ErasureRequest& request);

/// Narrows a hold on one account to the day of one of its records: keys are per customer and day, so that a day is the
/// least that can be held.
base::Status narrow_to_record(const std::string& ledger_folder, ledger::KeyBook& keys, std::string_view record,
                              ledger::HoldRequest& request);

}  // namespace stillwatch::audit
