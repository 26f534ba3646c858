#include "intake/identities.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <shared_mutex>

#include "base/assert.h"
#include "intake/identity_search.h"

namespace stillwatch::intake {
namespace {

constexpr std::size_t kShards = 64;
constexpr std::size_t kChunkBytes = 1 << 16;
constexpr std::string_view kMagic = "SWID0002";
// Longest raw id that is kept whole: account ids are at most 128 bytes; longer model names are cut, for display only.
constexpr std::size_t kRawBytesMax = 255;

template <class Integer>
void put(std::string& out, Integer value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}
template <class Integer>
bool take(std::string_view& in, Integer& value) {
  if (in.size() < sizeof value) return false;
  std::memcpy(&value, in.data(), sizeof value);
  in.remove_prefix(sizeof value);
  return true;
}

}  // namespace

/// Open addressing over (token, text); a text is its kind, its length and its bytes in a chunk that never moves.
struct Identities::Shard {
  struct Slot {
    base::Token token = 0;
    const char* text = nullptr;
  };
  mutable std::shared_mutex mutex;
  std::vector<Slot> slots;
  std::size_t used = 0;
  std::vector<std::unique_ptr<char[]>> chunks;
  std::size_t chunk_left = 0;

  const Slot* find(base::Token token) const {
    if (slots.empty()) return nullptr;
    for (std::size_t at = token & (slots.size() - 1);; at = (at + 1) & (slots.size() - 1)) {
      if (slots[at].token == token) return &slots[at];
      if (slots[at].token == 0) return nullptr;
    }
  }
  void place(Slot slot) {
    std::size_t at = slot.token & (slots.size() - 1);
    while (slots[at].token != 0) at = (at + 1) & (slots.size() - 1);
    slots[at] = slot;
  }
  void insert(IdKind kind, base::Token token, std::string_view raw) {
    if (4 * (used + 1) > 3 * slots.size()) {
      std::vector<Slot> old(std::max<std::size_t>(16, 2 * slots.size()));
      old.swap(slots);
      for (const Slot& slot : old) {
        if (slot.token != 0) place(slot);
      }
    }
    const std::size_t bytes = raw.size() + 2;
    if (chunk_left < bytes) {
      chunks.push_back(std::make_unique_for_overwrite<char[]>(kChunkBytes));
      chunk_left = kChunkBytes;
    }
    char* const text = chunks.back().get() + (kChunkBytes - chunk_left);
    chunk_left -= bytes;
    text[0] = static_cast<char>(kind);
    text[1] = static_cast<char>(static_cast<unsigned char>(raw.size()));
    std::memcpy(text + 2, raw.data(), raw.size());
    place({token, text});
    ++used;
  }
  static std::string_view raw_of(const Slot& slot) { return {slot.text + 2, static_cast<unsigned char>(slot.text[1])}; }
};

Identities::Identities(std::size_t accounts_max, std::size_t models_max)
    : shards_(std::make_unique<Shard[]>(kShards)),
      max_{accounts_max, models_max, kEndUsersMax, kClientVersionsMax, kTiersMax} {}
Identities::~Identities() = default;

Identities::Shard& Identities::shard_of(base::Token token) const { return shards_[token >> 58]; }

bool Identities::contains(base::Token token) const {
  const Shard& shard = shard_of(token);
  const std::shared_lock lock(shard.mutex);
  return token != 0 && shard.find(token) != nullptr;
}

bool Identities::add(IdKind kind, base::Token token, std::string_view raw) {
  STILLWATCH_ASSERT(token != 0);
  const auto which = static_cast<std::size_t>(kind);
  Shard& shard = shard_of(token);
  const std::unique_lock lock(shard.mutex);
  if (shard.find(token) != nullptr) return true;
  if (counts_[which] >= max_[which]) {
    ++shed_[which];
    return false;
  }
  shard.insert(kind, token, raw.substr(0, kRawBytesMax));
  ++counts_[which];
  return true;
}

void Identities::add(const NewIds& ids) {
  for (const NewIds::Id& id : ids.ids) add(id.kind, id.token, std::string_view(ids.text).substr(id.at, id.size));
}

std::string_view Identities::open(base::Token token) {
  openings_.fetch_add(1, std::memory_order_relaxed);
  const Shard& shard = shard_of(token);
  const std::shared_lock lock(shard.mutex);
  const Shard::Slot* slot = shard.find(token);
  return slot == nullptr || token == 0 ? std::string_view{} : Shard::raw_of(*slot);
}

std::string Identities::save() const {
  std::vector<Shard::Slot> all;
  for (std::size_t i = 0; i < kShards; ++i) {
    const std::shared_lock lock(shards_[i].mutex);
    for (const Shard::Slot& slot : shards_[i].slots) {
      if (slot.token != 0) all.push_back(slot);
    }
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.token < b.token; });
  std::string out(kMagic);
  put<std::uint64_t>(out, all.size());
  for (const std::uint64_t shed : shed_) put(out, shed);
  put(out, openings_.load(std::memory_order_relaxed));
  for (const Shard::Slot& slot : all) {
    put(out, slot.token);
    out.append(slot.text, 2 + Shard::raw_of(slot).size());
  }
  return out;
}

bool may_name(std::string_view bytes, IdKind kind, std::string_view raw) {
  const std::string_view wanted = raw.substr(0, kRawBytesMax);
  std::uint64_t count = 0, openings = 0;
  std::array<std::uint64_t, kIdKinds> shed{};
  if (!bytes.starts_with(kMagic)) return true;
  bytes.remove_prefix(kMagic.size());
  if (!take(bytes, count)) return true;
  for (std::uint64_t& each : shed) {
    if (!take(bytes, each)) return true;
  }
  if (!take(bytes, openings) || shed[static_cast<std::size_t>(kind)] > 0) return true;
  for (std::uint64_t i = 0; i < count; ++i) {
    base::Token token = 0;
    std::uint8_t found = 0, size = 0;
    if (!take(bytes, token) || !take(bytes, found) || !take(bytes, size) || bytes.size() < size) return true;
    if (found == static_cast<std::uint8_t>(kind) && bytes.substr(0, size) == wanted) return true;
    bytes.remove_prefix(size);
  }
  return false;
}

base::Status Identities::load(std::string_view bytes) {
  const auto damaged = [] {
    return base::fail(base::Fault::environment,
                      "the identities of the snapshot are damaged; remove the state folder and run again");
  };
  if (!bytes.starts_with(kMagic)) return damaged();
  bytes.remove_prefix(kMagic.size());
  std::uint64_t count = 0, openings = 0;
  std::array<std::uint64_t, kIdKinds> shed{};
  if (!take(bytes, count)) return damaged();
  for (std::uint64_t& each : shed) {
    if (!take(bytes, each)) return damaged();
  }
  if (!take(bytes, openings)) return damaged();
  auto fresh = std::make_unique<Shard[]>(kShards);
  std::array<std::uint64_t, kIdKinds> counts{};
  base::Token last = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    base::Token token = 0;
    std::uint8_t kind = 0, size = 0;
    if (!take(bytes, token) || !take(bytes, kind) || !take(bytes, size)) return damaged();
    if (token <= last || kind >= kIdKinds || bytes.size() < size || counts[kind] >= max_[kind]) return damaged();
    last = token;
    fresh[token >> 58].insert(static_cast<IdKind>(kind), token, bytes.substr(0, size));
    bytes.remove_prefix(size);
    ++counts[kind];
  }
  if (!bytes.empty()) return damaged();
  shards_ = std::move(fresh);
  counts_ = counts;
  shed_ = shed;
  openings_.store(openings, std::memory_order_relaxed);
  return {};
}

}  // namespace stillwatch::intake
