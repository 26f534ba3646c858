// Contents out of the vault: each opening is an `access` leaf before anybody sees a byte.
//
// Invariant: without the leaf there is no content. Works beside a gateway: the vault and the keys are only read.
// Threads: one user. Cost: a look-up and a leaf each.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "app/ledger_access.h"
#include "audit/desk_log.h"
#include "ledger/vault.h"

namespace stillwatch::app {

struct OpeningRequest {
  std::string record, who, why, case_id;
};

class PayloadOpener {
 public:
  /// `keys` and `desk` must live longer.
  static base::Result<PayloadOpener> open(const LedgerPlace& place, ledger::KeyBook& keys, audit::DeskLog& desk);
  base::Result<ledger::Opened> open(const FoundLeaf& leaf, OpeningRequest request);

 private:
  PayloadOpener(std::unique_ptr<ledger::Vault> vault, audit::DeskLog& desk) : vault_(std::move(vault)), desk_(&desk) {}
  std::unique_ptr<ledger::Vault> vault_;
  audit::DeskLog* desk_;
};

/// Why there is no content: "the content was erased: its key was destroyed on ...".
std::string opened_sentence(const ledger::Opened& opened);

}  // namespace stillwatch::app
