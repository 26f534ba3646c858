// For tests: what Quota does, the slow way: every charge ever made is kept, and each question replays all of them.
//
// Invariant: exact; levels are counted in 1 / window of a token, so nothing is ever rounded.
// Threads: one. Cost: linear in the history.
#pragma once

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "policy/quota.h"
#include "policy/quota_bucket.h"

namespace stillwatch::policy::test {

class SlowQuota {
 public:
  struct Hold {
    std::vector<QuotaScope> scopes;
    QuotaAsk ask;
  };

  bool admits(const std::vector<QuotaScope>& scopes, const QuotaAsk& ask, std::int64_t now_us) const {
    for (const QuotaScope& scope : scopes) {
      const auto found = subjects_.find(key(scope));
      const Subject subject = found == subjects_.end() ? Subject{} : found->second;
      const auto fits = [&](const std::vector<Charge>& charges, std::uint64_t held, std::uint64_t more,
                            std::uint64_t limit, std::int64_t window_us) {
        if (limit == 0) return true;
        const WideCount window = static_cast<WideCount>(window_us);
        return level(charges, limit, window, now_us) + (held + more) * window <= limit * window;
      };
      const Limits& limits = scope.limits;
      const std::uint64_t held = subject.held;
      if (!fits(subject.requests, 0, ask.requests, limits.requests_per_minute, base::kMinuteUs)) return false;
      if (!fits(subject.requests, 0, ask.requests, limits.requests_per_day, base::kDayUs)) return false;
      if (!fits(subject.tokens, held, ask.tokens, limits.tokens_per_minute, base::kMinuteUs)) return false;
      if (!fits(subject.tokens, held, ask.tokens, limits.tokens_per_day, base::kDayUs)) return false;
      if (ask.stream && limits.streams_max != 0 && subject.streams >= limits.streams_max) return false;
    }
    return true;
  }

  void grant(const Hold& hold, std::int64_t now_us) {
    for (const QuotaScope& scope : hold.scopes) {
      Subject& subject = subjects_[key(scope)];
      subject.requests.push_back({now_us, hold.ask.requests});
      subject.held += hold.ask.tokens;
      subject.streams += hold.ask.stream ? 1 : 0;
    }
  }

  void settle(const Hold& hold, std::uint64_t used, std::int64_t now_us) {
    for (const QuotaScope& scope : hold.scopes) {
      Subject& subject = subjects_[key(scope)];
      subject.held -= hold.ask.tokens;
      subject.streams -= hold.ask.stream ? 1 : 0;
      subject.tokens.push_back({now_us, used});
    }
  }

 private:
  struct Charge {
    std::int64_t time_us;
    std::uint64_t amount;
  };
  struct Subject {
    std::vector<Charge> requests, tokens;
    std::uint64_t held = 0;
    std::uint32_t streams = 0;
  };
  static std::pair<int, base::Token> key(const QuotaScope& scope) {
    return {static_cast<int>(scope.kind), scope.subject};
  }

  static WideCount level(const std::vector<Charge>& charges, std::uint64_t limit, WideCount window,
                         std::int64_t now_us) {
    WideCount level = 0;
    std::int64_t at_us = charges.empty() ? now_us : charges.front().time_us;
    const auto leak_to = [&](std::int64_t time_us) {
      if (time_us <= at_us) return;
      const WideCount leaked = static_cast<WideCount>(time_us - at_us) * limit;
      level = level > leaked ? level - leaked : 0;
      at_us = time_us;
    };
    for (const Charge& charge : charges) {
      leak_to(charge.time_us);
      level += charge.amount * window;
    }
    leak_to(now_us);
    return level;
  }

  std::map<std::pair<int, base::Token>, Subject> subjects_;
};

}  // namespace stillwatch::policy::test
