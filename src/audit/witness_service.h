// The witness role as a server: cosigns checkpoints of other operators' logs, and shows what it has cosigned.
//
//   POST /add-checkpoint                                      C2SP tlog-witness
//   GET /<lower-case hexadecimal SHA-256 of the origin>/checkpoint
//   GET /healthz
// Invariant: what it has cosigned for an origin only ever grows, across crashes too: the new checkpoint is on the disk
// before the cosignature leaves. One process a folder.
// Threads: start, reload and stop by one; counters from any; one network thread inside.
// Cost: an accepted checkpoint is a signature check, a signature and two fsyncs. Spec: C2SP tlog-witness.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "audit/counters.h"
#include "audit/settings.h"
#include "base/result.h"
#include "http/server.h"

namespace stillwatch::audit {

struct WitnessServiceSettings {
  std::string folder;       // key and state; begun when there is none
  std::string name;         // of the key, such as "witness.example.org/w1"
  std::string policy_file;  // tlog-policy: its `log` lines are what is cosigned, nothing else of it is used
  std::vector<http::ListenAddress> listen;
  http::ServerTls tls;
  Clock clock = wall_clock_ms;
};

struct WitnessServiceCounters {
  Count cosigned{0};          // 200
  Count malformed{0};         // 400
  Count untrusted{0};         // 403
  Count unknown_origins{0};   // 404
  Count conflicts{0};         // 409
  Count too_large{0};         // 413
  Count bad_proofs{0};        // 422: a log that does this has shown two histories, or is broken
  Count storage_failures{0};  // 500: nothing was given out
  Count shown{0};             // checkpoints read
  Count other{0};             // other paths and methods, and bodies that were not sent to their end
};

class WitnessService {
 public:
  static constexpr std::size_t kBodyBytesMax = 64U << 10;  // 63 hashes and a note with 100 signatures. More: 413

  static base::Result<std::unique_ptr<WitnessService>> start(WitnessServiceSettings settings);
  ~WitnessService();
  WitnessService(const WitnessService&) = delete;
  WitnessService& operator=(const WitnessService&) = delete;

  /// The verifier key that logs put into their policy: "name+hash+base64".
  std::string vkey() const;
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
