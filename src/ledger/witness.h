// What a witness decides: bytes of an add-checkpoint request in, a status and a body out.
//
// Invariant: for one origin only trees that extend each other are cosigned, over restarts too: a new state is stored
// before the cosignature is given out, and one that could not be stored gives none.
// Threads: any; one mutex a witness (a request is about 0.2 ms, and what the store takes).
// Cost: a note in memory for each log asked for. Spec: C2SP tlog-witness, tlog-cosignature.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "tlog/cosignature.h"

namespace stillwatch::ledger {

/// Status: 200 cosigned; 400 no such request, or the old size is beyond the new one; 403 no signature of a trusted key;
/// 404 unknown origin; 409 another size was cosigned last (it is the body); 422 the proof does not hold; 500 the state
/// could not be read or stored.
struct WitnessAnswer {
  int status = 500;
  std::string content_type;
  std::string body;
};

/// Where the newest cosigned checkpoint of each origin is kept.
class WitnessStore {
 public:
  virtual ~WitnessStore() = default;
  /// The stored note; empty when nothing was ever cosigned for that origin.
  virtual base::Result<std::string> load(const std::string& origin) = 0;
  /// Replaces `expected` (empty: nothing stored) by `note`, durably; or fails and leaves what was.
  virtual base::Status replace(const std::string& origin, std::string_view expected, std::string_view note) = 0;
};

/// Lower-case hexadecimal SHA-256 of an origin: its name in a witness's folder and addresses.
std::string origin_hex(std::string_view origin);

class Witness {
 public:
  /// `policy`: text of a tlog-policy file; its `log` lines are what is trusted, nothing else of it is used. `store`
  /// must outlive it. Input error names the line.
  static base::Result<std::unique_ptr<Witness>> create(std::unique_ptr<tlog::Cosigner> cosigner,
                                                       std::string_view policy, WitnessStore& store);
  ~Witness();
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;

  /// POST add-checkpoint. `now_s`: seconds since 1970, for the cosignature.
  WitnessAnswer add_checkpoint(std::string_view body, std::uint64_t now_s);
  /// GET <origin_hex>/checkpoint: the newest note with our cosignature, or 404.
  WitnessAnswer checkpoint(std::string_view hex);
  /// Other trusted logs from now on. What was cosigned stays. On an error nothing changes.
  base::Status replace_policy(std::string_view policy);
  const tlog::VerifierKey& verifier_key() const;

 private:
  struct State;
  explicit Witness(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace stillwatch::ledger
