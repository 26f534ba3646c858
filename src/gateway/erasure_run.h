// One order of erasure, carried out beside a running gateway.
//
// Invariant: in this order: what waits is written; keys and vault, on the feed's thread; files, each whole or as it
// was; the leaf; the engine, made again. After an error or a crash the same order is run again from the beginning, and
// comes to the same end. Threads: one user; counts() from any. Cost: see ledger_desk.h.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "gateway/ledger_desk.h"
#include "ledger/erasure.h"

namespace stillwatch::gateway {

class ErasureRun {
 public:
  struct Ports {
    const DeskOptions* desk = nullptr;
    std::function<void(OrderState)> on_state;
    std::function<bool()> is_stopping;
    std::function<bool()> pause;  // a moment; false when it is being stopped
  };
  ErasureRun(Ports ports, audit::RecordFeed& feed) : ports_(std::move(ports)), feed_(feed) {}

  /// Orders that are not acknowledged, but for those of retention.
  base::Result<std::vector<ledger::ErasureOrder>> open_orders();
  base::Result<ledger::ErasureOrder> place(ledger::ErasureOrder order);
  base::Result<ledger::ErasureResult> run(ledger::ErasureOrder order);

 private:
  base::Result<ledger::Eraser> open_eraser(ledger::ErasureRoads roads = {});
  base::Result<std::vector<ledger::ErasureFile>> find_files(const ledger::ErasureOrder& order);
  base::Result<ledger::FileErasure> rewrite(const std::string& path, const ledger::JudgeLine& judge);
  base::Status log_result(ledger::Eraser& eraser, const ledger::ErasureResult& result);
  base::Status remake_engines();
  bool wait_for_engines();

  Ports ports_;
  audit::RecordFeed& feed_;
  std::optional<ledger::HoldBook> holds_;
  std::vector<std::uint64_t> given_up_before_;  // engines that could not be made again, one count each
};

}  // namespace stillwatch::gateway
