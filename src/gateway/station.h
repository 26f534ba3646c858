// What the network threads share, and what each has for itself.
//
// Invariant: nothing here makes a network thread wait for another: rules, overrides and verdicts are read from
// published snapshots, the queue never blocks, switches are one word. Only quota shards are locked, for nanoseconds.
// Threads: Station's members are each safe for any thread; a Desk belongs to one network thread.
// Cost: see the members.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "crypto/keyed_hash.h"
#include "gateway/caller.h"
#include "gateway/decision_feed.h"
#include "gateway/earlier_levels.h"
#include "gateway/metrics.h"
#include "gateway/observer.h"
#include "gateway/ruleset.h"
#include "gateway/run_log.h"
#include "gateway/upstream_set.h"
#include "gateway/webhooks.h"
#include "intake/body_edit.h"
#include "intake/request_facts.h"
#include "policy/override.h"
#include "policy/quota.h"
#include "policy/remedy.h"

namespace stillwatch::gateway {

/// Shared by all network threads; lives as long as they do.
struct Station {
  Station(const crypto::KeyedHash& hash, Observer& of, Metrics& counted, RunLog& run_log, WebhookSender* sender,
          std::shared_ptr<const Ruleset> first, std::size_t feed_events_max)
      : keyed_hash(hash),
        observer(of),
        metrics(counted),
        log(run_log),
        webhooks(sender),
        rules(std::move(first)),
        feed(feed_events_max) {}

  const crypto::KeyedHash& keyed_hash;
  Observer& observer;
  std::vector<EarlierSource> earlier;  // levels of before a rotation of the secret; not changed while threads run
  Metrics& metrics;
  RunLog& log;
  WebhookSender* webhooks = nullptr;  // nothing: none are configured
  RulesetSource rules;
  policy::OverrideBook overrides;
  policy::DrySwitches switches;
  policy::Quota quota;
  DecisionFeed feed;
  std::uint32_t instance = 0;               // drawn at start; part of request ids
  std::atomic<std::uint32_t> followers{0};  // of the decision stream
  std::atomic<bool> draining{false};
  std::atomic<bool> log_failing{false};     // the query log cannot be written
  std::atomic<bool> ledger_failing{false};  // nor can the audit log, or its queue is full
};

/// One network thread's own.
struct Desk {
  Station& station;
  unsigned thread = 0;
  boost::asio::io_context& io;
  Metrics::Shard& metrics;
  RulesetReader rules;
  policy::OverrideReader overrides;
  std::shared_ptr<UpstreamSet> upstreams;
  std::shared_ptr<const Ruleset> rules_of_upstreams;  // that `upstreams` was made from
  intake::RequestFactsReader facts;
  std::uint64_t streams = 0;  // answers under way that are streams of events

  Desk(Station& shared, unsigned number, boost::asio::io_context& context)
      : station(shared),
        thread(number),
        io(context),
        metrics(shared.metrics.shard(number)),
        rules(shared.rules),
        overrides(shared.overrides) {}
};

/// A subject of another observer's or file's levels, by this gateway's tokens and raw ids.
base::Token subject_in(const EarlierSource& source, std::string_view account, std::string_view end_user);

/// The remedy for a request of this caller, as everything stands at `now_us`. `end_user` is the token of
/// caller.end_user; 0: none. The engine's level counts, or one of before a rotation of the secret where that is higher.
policy::Remedy judge(Desk& desk, const Ruleset& rules, const Caller& caller, base::Token end_user, std::int64_t now_us);

/// The scopes whose limits hold for a request, with a throttle's own if it is enforced. Returns how many.
std::size_t quota_scopes(const Caller& caller, base::Token end_user, const policy::Remedy& remedy,
                         std::array<policy::QuotaScope, policy::kQuotaScopesMax>& scopes);

}  // namespace stillwatch::gateway
