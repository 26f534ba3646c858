#include "gateway/erasure_run.h"

#include "audit/erasure_leaves.h"
#include "audit/ledger_paths.h"
#include "base/files.h"
#include "gateway/erasure_files.h"
#include "intake/line_source.h"

namespace stillwatch::gateway {
base::Result<ledger::Eraser> ErasureRun::open_eraser(ledger::ErasureRoads roads) {
  const std::string& folder = ports_.desk->ledger_folder;
  STILLWATCH_CHECK(base::make_writable_folder(audit::orders_folder(folder)));
  STILLWATCH_TRY(holds, ledger::HoldBook::open(audit::holds_path(folder), feed_.keys()));
  holds_.emplace(std::move(holds));
  return ledger::Eraser::open(audit::orders_folder(folder), feed_.keys(), feed_.vault(), *holds_, std::move(roads));
}

base::Result<std::vector<ledger::ErasureOrder>> ErasureRun::open_orders() {
  std::vector<ledger::ErasureOrder> out;
  STILLWATCH_CHECK(feed_.run([&]() -> base::Status {
    STILLWATCH_TRY(eraser, open_eraser());
    STILLWATCH_TRY(orders, eraser.open_orders());
    out = std::move(orders);
    return {};
  }));
  std::erase_if(out, [](const ledger::ErasureOrder& order) { return order.kind == ledger::OrderKind::retention; });
  return out;
}

base::Result<ledger::ErasureOrder> ErasureRun::place(ledger::ErasureOrder order) {
  // With the order, so that its leaf names them also after a stop in the middle.
  STILLWATCH_CHECK(feed_.run([&] { return add_states(ports_.desk->ledger_folder, feed_.keys(), order); }));
  STILLWATCH_CHECK(feed_.run([&]() -> base::Status {
    STILLWATCH_TRY(eraser, open_eraser());
    STILLWATCH_TRY(placed, eraser.place(std::move(order)));
    order = std::move(placed);
    return {};
  }));
  return order;
}

base::Result<ledger::ErasureResult> ErasureRun::run(ledger::ErasureOrder order) {
  // First what waits in queues: it is on its way to the keys that are to be destroyed.
  STILLWATCH_TRY(files, find_files(order));
  order.files.insert(order.files.end(), files.begin(), files.end());
  // From here on no state is kept until the engine is made again.
  STILLWATCH_CHECK(feed_.run([&] { return add_states(ports_.desk->ledger_folder, feed_.keys(), order); }));
  ledger::ErasureRoads roads;
  roads.with_keys = [this](const std::function<base::Status()>& work) {
    ports_.on_state(OrderState::keys);
    return feed_.run([&]() -> base::Status {
      STILLWATCH_TRY(holds, ledger::HoldBook::open(audit::holds_path(ports_.desk->ledger_folder), feed_.keys()));
      *holds_ = std::move(holds);
      return work();
    });
  };
  roads.rewrite = [this](const std::string& path, const ledger::JudgeLine& judge) {
    ports_.on_state(OrderState::files);
    return rewrite(path, judge);
  };
  std::optional<ledger::Eraser> eraser;
  STILLWATCH_CHECK(feed_.run([&]() -> base::Status {
    STILLWATCH_TRY(opened, open_eraser(std::move(roads)));
    eraser.emplace(std::move(opened));
    return {};
  }));
  STILLWATCH_TRY(result, eraser->resume(std::move(order)));
  STILLWATCH_CHECK(log_result(*eraser, result));
  ports_.on_state(OrderState::engine);
  // The order is done: what fails from here on is made good by the next start, which has no snapshot.
  const base::Status begun = remake_engines();
  if (!begun && ports_.desk->on_problem) ports_.desk->on_problem(begun.error().message);
  const bool is_remade = begun && wait_for_engines();
  result.remains.emplace_back(
      is_remade ? "engine: nothing of what went; it was made again from what is left"
                : "engine: its ids, and fingerprints of fixed size, in memory only, until the next start, which "
                  "makes it again from what is left");
  return result;
}

base::Result<std::vector<ledger::ErasureFile>> ErasureRun::find_files(const ledger::ErasureOrder& order) {
  std::vector<std::string> paths;
  for (const DeskOptions::Engine& engine : ports_.desk->engines) {
    std::vector<base::Token> accounts;
    if (order.kind == ledger::OrderKind::customer) {
      for (const std::string& account : order.names)
        accounts.push_back((*engine.keyed_hash)(crypto::Domain::account, account));
    }
    STILLWATCH_TRY(files, engine.observer->begin_erasure(std::move(accounts)));
    paths.insert(paths.end(), std::make_move_iterator(files.begin()), std::make_move_iterator(files.end()));
  }
  for (std::string& path : files_put_aside(ports_.desk->state_folder, ports_.desk->log_folder))
    paths.push_back(std::move(path));
  std::vector<ledger::ErasureFile> out;
  for (std::string& path : paths) out.push_back(lines_of(std::move(path)));
  return out;
}

base::Result<ledger::FileErasure> ErasureRun::rewrite(const std::string& path, const ledger::JudgeLine& judge) {
  if (ports_.is_stopping()) return base::fail(base::Fault::environment, "the gateway is being stopped", true);
  // A hold that came meanwhile keeps what is still there.
  STILLWATCH_TRY(holds, ledger::HoldBook::open(audit::holds_path(ports_.desk->ledger_folder), feed_.keys()));
  *holds_ = std::move(holds);
  for (const DeskOptions::Engine& engine : ports_.desk->engines) {
    STILLWATCH_TRY(erased, engine.observer->erase_own_lines(path, judge));
    if (erased) return *erased;
  }
  return ledger::erase_lines(path, judge);
}

base::Status ErasureRun::log_result(ledger::Eraser& eraser, const ledger::ErasureResult& result) {
  return feed_.run([&] { return audit::write_erasure(feed_.log(), result, eraser); });
}

base::Status ErasureRun::remake_engines() {
  if (ports_.desk->forget_lines) ports_.desk->forget_lines();
  given_up_before_.clear();
  for (const DeskOptions::Engine& engine : ports_.desk->engines) {
    given_up_before_.push_back(engine.observer->counters().remakes_given_up);
    STILLWATCH_CHECK(engine.observer->end_erasure());
  }
  return {};
}

/// False when one could not be made again, or it is being stopped.
bool ErasureRun::wait_for_engines() {
  for (std::size_t i = 0; i < given_up_before_.size(); ++i) {
    for (;;) {
      const ObserverCounters now = ports_.desk->engines[i].observer->counters();
      if (now.remakes_given_up > given_up_before_[i]) return false;
      if (!now.is_erasing) break;
      if (!ports_.pause()) return false;
    }
  }
  return true;
}

}  // namespace stillwatch::gateway
