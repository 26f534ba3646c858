// The keys whose destruction is what erasure rests on: one pseudonym key per tenant and month, one key-encrypting key
// (KEK) per tenant, day and retention class. All are random, and wrapped under the root key of the book, which the
// master key wraps.
//
// Invariant: a destroyed key leaves a tombstone, is never made again for the same tenant and period, and is told apart
// from one that never was and from a damaged file. A damaged or missing file is an error that names it; nothing of it
// is overwritten. No name of a tenant is in a file, only a keyed hash under the root key.
// Threads: any number. Cost: about 100 ns for a key that is at hand, an append for a new one; destroying one rewrites
// the file of its period (160 bytes a tenant). Format: docs/reference/ledger-files.md.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "crypto/secret_bytes.h"
#include "ledger/key_wrapper.h"
#include "ledger/leaf.h"
#include "ledger/retention.h"

namespace stillwatch::ledger {

/// Names a key in leaves (`kp`) and results: random, says nothing about whose key it is.
using KeyId = Name12;
/// A keyed hash of a name under the root key of the book.
using NameTag = Id16;
using Key32 = crypto::SecretBytes<32>;

enum class KeyKind : std::uint8_t { pseudonym, payload };

/// Which keys: a kind in one period. All keys of a scope are in one file.
struct KeyScope {
  KeyKind kind = KeyKind::payload;
  RetentionClass retention = RetentionClass::content;  // of payload keys only
  std::int64_t period = 0;                             // of payload keys the day, of pseudonym keys the month (202611)
  static KeyScope payload(RetentionClass retention, std::int64_t day) { return {KeyKind::payload, retention, day}; }
  static KeyScope pseudonym(std::int32_t month) { return {KeyKind::pseudonym, RetentionClass::content, month}; }
  auto operator<=>(const KeyScope&) const = default;
};

enum class KeyState : std::uint8_t { absent, live, destroyed };

/// What became of a key. The last three fields are of a destroyed one.
struct KeyFate {
  KeyState state = KeyState::absent;
  KeyId id{};
  std::int64_t created_us = 0;
  std::int64_t destroyed_us = 0;
  std::string reason;
  bool with_period = false;  // all keys of its scope went at once: id is unknown
};
/// "destroyed on 2026-11-28T06:00:00Z: retention of content is 30 days"; for people.
std::string sentence_of(const KeyFate& fate);

/// A key with what became of it. `key` is zero unless it is live.
struct KeyAnswer {
  KeyFate fate;
  Key32 key;
  bool is_live() const { return fate.state == KeyState::live; }
};

struct KeyBookOptions {
  bool read_only = false;                // takes no lock and makes no key; may run beside a writer
  std::function<std::int64_t()> now_us;  // the ledger's clock: the time of tombstones
};

struct KeyBookCounts {
  std::uint64_t keys_made = 0;
  std::uint64_t keys_destroyed = 0;
  std::uint64_t tails_cut = 0;          // appends that a crash cut off, before anything was stored under them
  std::uint64_t overwrites_failed = 0;  // old bytes that could not be overwritten before they were let go
  std::uint64_t clock_steps_back = 0;
};

class KeyBook {
 public:
  /// Opens or makes the book in `folder`. Environment error when another run writes to it, the master key is another
  /// one, or a file is damaged or missing.
  static base::Result<std::unique_ptr<KeyBook>> open(const std::string& folder, KeyWrapper& master,
                                                     KeyBookOptions options);
  ~KeyBook();
  KeyBook(const KeyBook&) = delete;
  KeyBook& operator=(const KeyBook&) = delete;

  /// The tenant's key of the scope, made when there is none. A destroyed one is an answer, not an error. What is made
  /// under a new key may be stored only after sync().
  base::Result<KeyAnswer> obtain(const KeyScope& scope, std::string_view tenant);
  /// As obtain(), but never makes one.
  base::Result<KeyAnswer> look_up(const KeyScope& scope, std::string_view tenant);
  base::Result<KeyAnswer> look_up(const KeyScope& scope, const KeyId& id);
  /// New keys are on disk after it. Costs nothing when there are none.
  base::Status sync();

  /// Destroys the tenant's key of the scope. A key that never was gets a tombstone too when `also_absent`, so that a
  /// late record does not make one. On disk when it returns; doing it again gives the same answer.
  base::Result<KeyFate> destroy(const KeyScope& scope, std::string_view tenant, std::string_view reason,
                                bool also_absent = false);
  /// Destroys the whole scope: its file goes, and no key of it is ever made again. With `but`, the keys of these
  /// tenants stay, and the others leave tombstones. Returns the keys that were live.
  base::Result<std::vector<KeyId>> destroy_scope(const KeyScope& scope, std::string_view reason,
                                                 const std::vector<NameTag>& but = {});

  /// Scopes with a file, in order. Scopes destroyed as a whole are not among them.
  std::vector<KeyScope> scopes() const;
  struct Entry {
    NameTag tenant{};
    KeyFate fate;
  };
  /// All keys and tombstones of a scope, in the order of the file.
  base::Result<std::vector<Entry>> entries(const KeyScope& scope);
  /// Reads and opens everything; every damaged place is named. Nothing is changed.
  base::Result<std::vector<std::string>> check();

  NameTag tag_of(std::string_view name) const;
  /// 32 bytes derived from the root key for another file of the ledger; equal purposes give equal bytes.
  Key32 key_for(std::string_view purpose) const;
  /// Grows when a key is destroyed: whoever keeps keys at hand lets go of them then.
  std::uint64_t generation() const;
  /// The ledger's clock; never before the last answer.
  std::int64_t now_us();
  KeyBookCounts counts() const;

 private:
  struct State;
  explicit KeyBook(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace stillwatch::ledger
