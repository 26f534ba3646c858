// The witness role as a server: cosigns checkpoints of other operators' logs, and shows what it has cosigned.
//
// Invariant: what it has cosigned for an origin only ever grows, across crashes too: the new checkpoint is on the disk
// before the cosignature leaves. One process a folder.
// Threads: start and stop by one; counters from any; one network thread inside.
// Cost: an accepted checkpoint is two signature checks, one signature and two fsyncs (about 10 ms on a disk).
// Spec: C2SP tlog-witness, tlog-cosignature, tlog-checkpoint.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "audit/settings.h"
#include "base/result.h"
#include "http/server.h"

namespace stillwatch::audit {

struct WitnessServiceSettings {
  std::string folder;       // key and state; begun when it is empty
  std::string name;         // of the key, such as "witness.example.org/w1"
  std::string policy_file;  // tlog-policy: its `log` lines are the logs that are cosigned, nothing else of it is used
  std::vector<http::ListenAddress> listen;
  http::ServerTls tls;
  Clock clock = wall_clock_ms;
};

struct WitnessServiceCounters {
  using Count = std::atomic<std::uint64_t>;
  Count requests{0};
  Count cosigned{0};          // 200
  Count malformed{0};         // 400
  Count untrusted{0};         // 403
  Count unknown_origins{0};   // 404
  Count conflicts{0};         // 409
  Count bad_proofs{0};        // 422: a log that does this has shown two histories, or is broken
  Count too_large{0};         // 413
  Count storage_failures{0};  // 500: nothing was signed
  Count shown{0};             // GET of a checkpoint
};

class WitnessService {
 public:
  static base::Result<std::unique_ptr<WitnessService>> start(WitnessServiceSettings settings);
  ~WitnessService();
  WitnessService(const WitnessService&) = delete;
  WitnessService& operator=(const WitnessService&) = delete;

  /// The verifier key that logs put into their policy: "name+hash+base64".
  const std::string& vkey() const;
  std::uint16_t port(std::size_t listen_index = 0) const;
  const WitnessServiceCounters& counters() const;
  /// Reads the policy file again. On an error everything stays as it was.
  base::Status reload();
  void stop();

 private:
  struct State;
  explicit WitnessService(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace stillwatch::audit
