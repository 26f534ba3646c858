// The leaves of the audit log: what each kind says, and its bytes.
//
// Invariant: the stored bytes are the hashed bytes. A leaf is UTF-8 JSON with fixed keys in fixed order and no white
// space, at most kLeafBytesMax bytes; read_leaf() accepts exactly what write_leaf() writes, so there is one form of
// each leaf and nothing to canonicalise. Absent values are null, never left out. Threads: plain values, pure functions.
// Cost: about 0.5 µs to write a query leaf, no allocation once `out` has room. Spec: docs/reference/audit-log.md,
// "Leaves".
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace stillwatch::ledger {

inline constexpr std::size_t kLeafBytesMax = 4'096;        // ours: a proof and its leaf fit in a few network packets
inline constexpr std::size_t kEntryBytesMax = 65'535;      // C2SP tlog-tiles: a two-byte length
inline constexpr std::size_t kLeafTextBytesMax = 512;      // of one text in a leaf, a vkey among them. Longer: refused
inline constexpr std::size_t kCustomerTextBytesMax = 128;  // of a text that customers choose. Longer: cut, so that
                                                           // nobody keeps a request out of the log by its model's name
inline constexpr std::size_t kLeafListMax = 128;           // verdicts, ranges or key names in one leaf. More: refused
inline constexpr std::uint64_t kLeafNumberMax = (std::uint64_t{1} << 53) - 1;  // every JSON reader keeps it exact

/// Written as 43 characters base64url: a whole hash or HMAC.
using Hash32 = std::array<std::uint8_t, 32>;
/// Written as 22 characters base64url: 128 random bits, or the first half of an HMAC.
using Id16 = std::array<std::uint8_t, 16>;
/// Written as 16 characters base64url: the first 12 bytes of a hash that stands whole in another leaf, or a key's name.
using Name12 = std::array<std::uint8_t, 12>;

/// Unpadded base64url (RFC 4648 section 5). `unpadded` reads only the canonical form.
std::string base64url(std::string_view bytes);
void append_base64url(std::string& out, std::string_view bytes);
template <std::size_t N>
std::string base64url(const std::array<std::uint8_t, N>& bytes) {
  return base64url(std::string_view(reinterpret_cast<const char*>(bytes.data()), N));
}
/// False when the text is not the canonical form of exactly `size` bytes.
bool read_base64url(std::string_view text, std::uint8_t* out, std::size_t size);
template <std::size_t N>
std::optional<std::array<std::uint8_t, N>> read_base64url(std::string_view text) {
  std::array<std::uint8_t, N> out;
  return read_base64url(text, out.data(), N) ? std::optional(out) : std::nullopt;
}
inline Name12 name_of(const Hash32& hash) {
  Name12 name;
  for (std::size_t i = 0; i < name.size(); ++i) name[i] = hash[i];
  return name;
}

/// All times are milliseconds since 1970-01-01T00:00:00Z. In query and decision leaves event time, in all others the
/// ledger's clock.

/// One request and its answer.
struct QueryLeaf {
  std::int64_t time_ms = 0;
  Id16 id{};                    // what the customer is given
  Id16 tenant{}, account{};     // pseudonyms under a destroyable key
  std::string model, endpoint;  // written up to kCustomerTextBytesMax each
  std::uint64_t tokens_in = 0, tokens_out = 0;
  std::optional<Hash32> payload_plain;  // cp: commitment to the payload's plaintext; null without a vault
  std::optional<Hash32> payload_blob;   // ch: hash of the ciphertext
  std::optional<Name12> payload_key;    // kp: names the wrapped key
  struct Score {
    std::string detector;
    double value = 0;
    bool operator==(const Score&) const = default;
  };
  std::vector<Score> scores;  // dv
  std::string action;         // ac
  Name12 policy{};            // pv: names a policy leaf
  Hash32 record{};            // rc: HMAC of the line in the query log
  bool operator==(const QueryLeaf&) const = default;
};

/// One change of a subject's level.
struct DecisionLeaf {
  std::int64_t time_ms = 0;
  Id16 id{}, account{};
  std::string subject;  // sk: account, end_user or campaign
  std::string rule, level, class_;
  std::optional<std::string> campaign;
  bool is_dry_run = true, is_automatic = true;
  Hash32 verdict{};                    // vh: HMAC of the verdict's line
  Name12 software{}, configuration{};  // sw, cf
  std::optional<Name12> calibration;   // cal
  struct Input {
    std::string log;                 // origin
    std::uint64_t from = 0, to = 0;  // entries [from, to)
    bool operator==(const Input&) const = default;
  };
  std::vector<Input> inputs;
  std::optional<Hash32> state;  // st: engine snapshot that the inputs were applied to; null: from the beginning
  Name12 policy{};              // pv
  bool operator==(const DecisionLeaf&) const = default;
};

/// What is deployed from now on: the whole hashes whose first 12 bytes other leaves name.
struct PolicyLeaf {
  std::int64_t time_ms = 0;
  Hash32 policy{};  // pv: policy_hash() of the four below
  Hash32 software{}, configuration{};
  std::optional<Hash32> calibration;
  std::optional<Hash32> retention;
  bool operator==(const PolicyLeaf&) const = default;
};
/// SHA-256("aud1 policy\0" || sw || cf || cal || rt), an absent one as 32 zero bytes.
Hash32 policy_hash(const PolicyLeaf& leaf);

struct CalibrationLeaf {
  std::int64_t time_ms = 0;
  Hash32 calibration{};
  std::int64_t from_ms = 0, to_ms = 0;  // event time that was learned from
  std::uint64_t groups = 0;
  bool operator==(const CalibrationLeaf&) const = default;
};

/// The key of the next log: a chain of keys.
struct KeyLeaf {
  std::int64_t time_ms = 0;
  std::string vkey;  // C2SP signed-note form
  bool operator==(const KeyLeaf&) const = default;
};

/// Somebody opened a payload.
struct AccessLeaf {
  std::int64_t time_ms = 0;
  Id16 id{};  // of the query leaf
  std::optional<Name12> key;
  std::string by, why;
  std::optional<std::string> case_id;
  bool operator==(const AccessLeaf&) const = default;
};

/// An evidence bundle was written.
struct ExportLeaf {
  std::int64_t time_ms = 0;
  std::string case_id;
  Hash32 bundle{};
  std::uint64_t entries = 0;
  std::string by;
  bool operator==(const ExportLeaf&) const = default;
};

/// A legal hold begins (`is_on`) or is released.
struct HoldLeaf {
  std::int64_t time_ms = 0;
  std::string case_id;
  bool is_on = true;
  Hash32 terms{};          // hash of the hold's own text
  std::uint64_t keys = 0;  // how many keys it keeps from erasure
  std::int64_t from_ms = 0;
  std::optional<std::int64_t> to_ms;
  std::string by;
  bool operator==(const HoldLeaf&) const = default;
};

/// Keys, records or entry bundles are gone.
struct EraseLeaf {
  std::int64_t time_ms = 0;
  std::string why;  // request, retention, ...
  std::uint64_t records = 0;
  std::vector<Name12> keys;                // at most kLeafListMax; more go into further leaves
  std::optional<std::string> log;          // of pruned entries
  std::optional<std::uint64_t> index_min;  // first entry still there
  std::string by;
  bool operator==(const EraseLeaf&) const = default;
};

/// The log says aloud what it lost.
struct GapLeaf {
  std::int64_t time_ms = 0;
  std::int64_t from_ms = 0, to_ms = 0;
  std::uint64_t leaves = 0;  // lost; 0: unknown, after a crash
  std::string why;           // overflow, size, crash
  bool operator==(const GapLeaf&) const = default;
};

/// First leaf of a log.
struct OpenLeaf {
  std::int64_t time_ms = 0;
  std::string log;                      // origin
  std::optional<std::string> previous;  // origin of the log before
  std::optional<Hash32> previous_end;   // SHA-256 of that log's final checkpoint, without its signatures
  bool operator==(const OpenLeaf&) const = default;
};

/// Last leaf of a log.
struct CloseLeaf {
  std::int64_t time_ms = 0;
  std::uint64_t index = 0;  // its own
  std::string why;          // period, compromise, end
  bool operator==(const CloseLeaf&) const = default;
};

using Leaf = std::variant<QueryLeaf, DecisionLeaf, PolicyLeaf, CalibrationLeaf, KeyLeaf, AccessLeaf, ExportLeaf,
                          HoldLeaf, EraseLeaf, GapLeaf, OpenLeaf, CloseLeaf>;

/// Replaces `out` by the leaf's bytes. Caller error, and an empty `out`, when a text, a list, a number or the whole is
/// over its bound or not representable; the message names the field, never the value.
base::Status write_leaf(const QueryLeaf& leaf, std::string& out);
base::Status write_leaf(const DecisionLeaf& leaf, std::string& out);
base::Status write_leaf(const Leaf& leaf, std::string& out);

/// Input error that names the field and the byte when these are not the bytes of a leaf.
base::Result<Leaf> read_leaf(std::string_view bytes);

}  // namespace stillwatch::ledger
