// Account records (docs/reference/log-formats.md) into event::AccountUpdate.
//
// Invariant: raw identity becomes tokens here; sign-up country is never read. Of a repeated key the last counts.
// Threads: one parser a thread. Cost: a few microseconds a record; account files are read once.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "crypto/keyed_hash.h"
#include "event/account.h"
#include "intake/identities.h"
#include "intake/log_reader.h"

namespace stillwatch::intake {

class AccountParser {
 public:
  explicit AccountParser(const crypto::KeyedHash& keyed_hash);
  ~AccountParser();
  /// `line` with kJsonPadding readable bytes behind it.
  std::optional<Refusal> parse(std::string_view line, event::AccountUpdate& out);
  std::string_view account_id() const;  // of the last line, raw
  std::string_view tier() const;
  std::uint64_t unknown_fields() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct AccountFile {
  std::vector<event::AccountUpdate> updates;  // by (time, line)
  std::uint64_t lines = 0, rejected = 0, unknown_fields = 0;
};

/// A whole file, plain or compressed; with `by_time` false in the order of its lines. An environment error when it
/// cannot be read to its end: accounts that are missing would be judged as if nothing were known of them.
base::Result<AccountFile> load_accounts(const std::string& path, const crypto::KeyedHash& keyed_hash,
                                        Identities& identities, const RejectSink& rejects, bool by_time = true);

}  // namespace stillwatch::intake
