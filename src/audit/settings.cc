#include "audit/settings.h"

#include <chrono>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "base/event_time.h"
#include "tlog/note.h"

namespace stillwatch::audit {
namespace {

using base::Fault;

constexpr std::size_t kShardNameBytesMax = 32;  // part of folder names and origins
constexpr std::size_t kDerivationKeyBytesMin = 32;

bool is_shard_name(std::string_view name) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789-";
  return !name.empty() && name.size() <= kShardNameBytesMax &&
         name.find_first_not_of(kAllowed) == std::string_view::npos;
}

}  // namespace

std::int64_t wall_clock_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

base::Status check(const Settings& settings) {
  const auto refuse = [](std::string what) { return base::fail(Fault::caller, "audit log: " + std::move(what)); };
  if (settings.folder.empty()) return refuse("no folder is given");
  const std::string& host = settings.host;
  if (!tlog::is_key_name(host + "/anchor/2026") || host.empty() || host.find("://") != std::string::npos ||
      host.front() == '/' || host.back() == '/') {
    return refuse("the host must be a URL without its scheme, such as audit.provider.example");
  }
  if (settings.shards.empty() || settings.shards.size() > kShardsMax) {
    return refuse(fmt::format("it has between 1 and {} shards", kShardsMax));
  }
  std::set<std::string_view> names;
  for (const std::string& name : settings.shards) {
    if (!is_shard_name(name) || !names.insert(name).second) {
      return refuse(fmt::format("a shard needs a name of its own: at most {} of a-z, 0-9 and -", kShardNameBytesMax));
    }
  }
  if (settings.anchor_interval_ms < 1'000 || settings.anchor_interval_ms % 1'000 != 0) {
    return refuse("the anchor interval must be whole seconds, at least one");
  }
  for (const std::int64_t ms :
       {settings.witnesses.interval_ms, settings.witnesses.timeout_ms, settings.witnesses.alarm_after_ms,
        settings.stamps.interval_ms, settings.stamps.timeout_ms, settings.stamps.alarm_after_ms,
        settings.stamps.skew_ms_max}) {
    if (ms < 1) return refuse("intervals and timeouts must be at least 1 ms");
  }
  if (!settings.derivation_key.empty() && settings.derivation_key.size() < kDerivationKeyBytesMin) {
    return refuse(fmt::format("a derivation key has at least {} bytes", kDerivationKeyBytesMin));
  }
  if (settings.pages.size() > kPagesMax) return refuse(fmt::format("at most {} page servers", kPagesMax));
  if (!settings.clock) return refuse("it needs a clock");
  return {};
}

}  // namespace stillwatch::audit
