// Token -> raw id: the only place that keeps raw ids (of accounts, their end users, models, client versions and tiers),
// so that a person can be told who or what is meant.
//
// Invariant: add() is called by one thread in the order of the log, so what is kept when it is full does
// not depend on threads; every open() is counted.
// Threads: contains() and open() from any number, together with one add(). Cost: contains ~20 ns; 16 to 32
// bytes an id and its text.
// Bounds: limits::kAccountsMax accounts and a maximum for each other kind below; further ones are shed and counted.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/result.h"
#include "base/token.h"

namespace stillwatch::intake {

enum class IdKind : std::uint8_t { account, model, end_user, client_version, tier };
inline constexpr std::size_t kIdKinds = 5;

/// Models are a provider's own few; a client can send any text there, so their number is bounded apart.
inline constexpr std::size_t kModelsMax = 4'096;
/// The first million; one that is acted on beyond them is named by its token.
inline constexpr std::size_t kEndUsersMax = 1U << 20;
/// User agents: a few thousand in practice, and any text that a client sends.
inline constexpr std::size_t kClientVersionsMax = 16'384;
inline constexpr std::size_t kTiersMax = 256;

/// Ids first seen by one parser, waiting to be added in the order of the log.
struct NewIds {
  struct Id {
    base::Token token;
    std::uint32_t at, size;
    IdKind kind;
  };
  std::vector<Id> ids;
  std::string text;

  void add(IdKind kind, base::Token token, std::string_view raw) {
    ids.push_back({token, static_cast<std::uint32_t>(text.size()), static_cast<std::uint32_t>(raw.size()), kind});
    text.append(raw);
  }
  void clear() {
    ids.clear();
    text.clear();
  }
};

class Identities {
 public:
  explicit Identities(std::size_t accounts_max = base::limits::kAccountsMax, std::size_t models_max = kModelsMax);
  ~Identities();
  Identities(const Identities&) = delete;
  Identities& operator=(const Identities&) = delete;

  bool contains(base::Token token) const;
  /// False when it was shed because the table is full.
  bool add(IdKind kind, base::Token token, std::string_view raw);
  void add(const NewIds& ids);

  /// The raw id, or an empty text when it is not known. Lives as long as this object. Counted.
  std::string_view open(base::Token token);
  std::uint64_t openings() const { return openings_.load(std::memory_order_relaxed); }
  std::uint64_t size(IdKind kind) const { return counts_[static_cast<std::size_t>(kind)]; }
  std::uint64_t shed(IdKind kind) const { return shed_[static_cast<std::size_t>(kind)]; }

  /// Everything as bytes, in token order; load() replaces the contents.
  std::string save() const;
  base::Status load(std::string_view bytes);

 private:
  struct Shard;
  Shard& shard_of(base::Token token) const;

  std::unique_ptr<Shard[]> shards_;
  std::array<std::size_t, kIdKinds> max_;
  std::array<std::uint64_t, kIdKinds> counts_{}, shed_{};
  std::atomic<std::uint64_t> openings_{0};
};

}  // namespace stillwatch::intake
