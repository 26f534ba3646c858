// What people order of a running gateway's ledger: erasures and holds, carried out beside the traffic.
//
// Invariant: an erasure is on the disk before it is answered, and is carried out to its end, over restarts. Its `erase`
// leaf and a hold's leaf stand in the gateway's own shard. Requests wait for none of it. What was ordered is done as
// `stillwatch ledger erase` does it, but that the engine is made again while the one of before goes on.
// Threads: any number; two of its own, one for what is quick and one for erasures, one after the other.
// Cost: of an erasure a pass over the query log and a replay of it, on one core. Reference:
// docs/reference/decision-api.md. Design: docs/operate/retention.md.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "audit/ledger_orders.h"
#include "audit/record_feed.h"
#include "gateway/api_input.h"
#include "gateway/observer.h"

namespace stillwatch::gateway {

/// Of one call, which may come later than the caller wants to wait.
struct DeskAnswer {
  std::atomic<bool> is_there{false};
  int status = 0;  // as of HTTP
  std::string body;
};

struct DeskOptions {
  std::string ledger_folder, state_folder, log_folder;
  struct Engine {
    Observer* observer = nullptr;
    const crypto::KeyedHash* keyed_hash = nullptr;
  };
  std::vector<Engine> engines;  // the gateway's own, and one under the previous secret
  /// Null while the audit log cannot be written.
  std::function<audit::RecordFeed*()> feed;
  /// Lines of a customer may be in what is kept for followers: it goes.
  std::function<void()> forget_lines;
  std::function<void(std::string_view problem)> on_problem;
};

/// Where an order stands.
enum class OrderState : std::uint8_t { placed, keys, files, engine, done, failed };
std::string_view name(OrderState state);

class LedgerDesk {
 public:
  /// Takes up the orders that a former process did not finish.
  static std::unique_ptr<LedgerDesk> start(DeskOptions options);
  ~LedgerDesk();
  LedgerDesk(const LedgerDesk&) = delete;
  LedgerDesk& operator=(const LedgerDesk&) = delete;

  /// 202 with the order's id once it is on the disk.
  std::shared_ptr<DeskAnswer> erase(audit::ErasureRequest request);
  std::shared_ptr<DeskAnswer> hold(HoldInput input);
  std::shared_ptr<DeskAnswer> release(ReleaseInput input);
  std::shared_ptr<DeskAnswer> holds();
  /// {"erasures":[...]} of this process, the newest last; with an id of one alone, empty when it is not known.
  std::string erasures(std::string_view order) const;
  /// An order could not be carried out, and is tried again.
  bool is_failing() const;
  /// Ends after the present file; what is not done is done after the next start. begin_stop() does not wait: stop the
  /// observers and the feed between the two, so that nothing waits for them any more.
  void begin_stop();
  void stop();

 private:
  struct State;
  explicit LedgerDesk(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// An erasure's result as JSON fields without braces: what `ledger erase --json` prints too.
std::string erasure_fields(const ledger::ErasureResult& result);

}  // namespace stillwatch::gateway
