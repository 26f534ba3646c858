// What a witness decides: bytes of an add-checkpoint request in, a status and a body out.
//
// Invariant: for one origin only trees that extend each other are cosigned, over restarts too: a new state is stored
// before the cosignature is given out, and a state that could not be stored gives none.
// Threads: any; one mutex a witness (a request is ~0.2 ms and what the store takes).
// Cost: at most kLogsMax logs. Spec: C2SP tlog-witness, tlog-cosignature.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace stillwatch::ledger {

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
  /// Replaces `expected` (empty: nothing stored) by `note`, durably, or fails and leaves what was.
  virtual base::Status replace(const std::string& origin, std::string_view expected, std::string_view note) = 0;
};

class Witness {
 public:
  static constexpr std::size_t kLogsMax = 1'000;
  static constexpr std::size_t kBodyBytesMax = 64U << 10;  // 63 hashes and a note with 16 signatures have < 10 KB

  /// `key`: the seed of the witness's Ed25519 key, 32 bytes. `policy`: text of a tlog-policy file whose `log` lines
  /// are trusted. Caller error names the line.
  static base::Result<std::unique_ptr<Witness>> create(std::string name, std::string_view key_seed,
                                                       std::string_view policy, WitnessStore& store);
  ~Witness();

  /// POST add-checkpoint. `now_s`: seconds since 1970, for the cosignature.
  WitnessAnswer add_checkpoint(std::string_view body, std::int64_t now_s);
  /// GET <lower-case hexadecimal SHA-256 of the origin>/checkpoint: the newest cosigned note, or 404.
  WitnessAnswer checkpoint(std::string_view origin_sha256_hex);
  /// Another set of trusted logs. What was cosigned stays.
  base::Status replace_policy(std::string_view policy);
  const std::string& vkey() const;

  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;

 private:
  struct State;
  explicit Witness(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace stillwatch::ledger
