// The logs of one ledger folder over HTTP, to read only: checkpoints, tiles, entry bundles, proofs.
//
//   GET /<log>/checkpoint              <log> is the origin without the host: anchor/2026, audit/s00/2026-11
//   GET /<log>/tile/<L>/<N>[.p/<W>]    GET /<log>/tile/entries/<N>[.p/<W>]
//   GET /v1/proof?log=<log>&index=<n>  a .tlog-proof, under a cosigned checkpoint when one covers the index
//   GET /v1/cosigned?log=<log>         the newest checkpoint with a quorum
//   GET /healthz                       200 when the folder can be read
// Invariant: nothing beyond the published checkpoint is served; a path is served in its one canonical spelling only.
// Threads: start and stop by one; counters from any; one network thread inside. Works beside a writer in another
// process. Cost: a tile is one read of at most 8 KiB, a bundle of at most 16 MiB. Spec: C2SP tlog-tiles, tlog-proof.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "audit/counters.h"
#include "audit/settings.h"
#include "base/result.h"

namespace stillwatch::audit {

class LogPages {
 public:
  /// `folder` is the ledger's, `host` as in Settings::host. `counters` must outlive it.
  static base::Result<std::unique_ptr<LogPages>> start(const std::string& folder, const std::string& host,
                                                       const PagesSettings& settings, Counters& counters);
  ~LogPages();
  LogPages(const LogPages&) = delete;
  LogPages& operator=(const LogPages&) = delete;

  std::uint16_t port(std::size_t listen_index = 0) const;
  void stop();

 private:
  struct State;
  explicit LogPages(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace stillwatch::audit
