// Hand-offs: conversations that go on on another account, and replies that stand in another account's prompt.
#include "detect/token_table.h"

namespace stillwatch::detect {

void TokenTable::add_handoff(Partition& partition, const HandoffEvent& handoff) const {
  const bool full = partition.handoffs.size() >= settings_.handoff_events_max / kPartitions;
  if (full) ++partition.counters.handoffs_shed;
  if (!full) partition.handoffs.push_back(handoff);
}

// A relay that fails over re-sends a request, or the next turn, on another account. What counts is a conversation that
// this account never sent itself, was sent by exactly one other actor, and is too long or too particular to guess.
void TokenTable::observe_conversation(const event::Query& query, const Observation& seen, const Context& context,
                                      Worker worker) {
  const event::Fingerprint& fingerprint = query.fingerprint;
  const auto age_us = [&](const Conversation& earlier) {
    return (static_cast<std::int64_t>(context.minute) - (earlier.minute_and_flags >> 2)) * base::kMinuteUs;
  };
  const auto other_actor = [&](const Conversation& earlier) {
    return context.accounts.at(earlier.handle).actor != context.accounts.at(seen.handle).actor;
  };
  const Token prefix = fingerprint.prefixes[0];
  if (prefix != 0 && worker.owns(prefix) &&
      (fingerprint.prefix_has_reply || fingerprint.prefix_bytes >= settings_.handoff_bytes_min)) {
    Conversation* earlier = conversations_.find(prefix);
    if (earlier != nullptr && earlier->handle != seen.handle && (earlier->minute_and_flags & 2) == 0 &&
        other_actor(*earlier) && age_us(*earlier) <= settings_.handoff_window_us) {
      add_handoff(partitions_[partition_of(prefix)], {context.minute, earlier->handle, seen.handle});
    }
  }
  const Token whole = fingerprint.conversation;
  if (whole == 0 || !worker.owns(whole) || fingerprint.conversation_bytes < settings_.handoff_bytes_min) return;
  Partition& partition = partitions_[partition_of(whole)];
  const bool failed = (query.flags & event::kFlagFailed) != 0;
  const Conversation now{seen.handle, context.minute << 2 | (failed ? 1U : 0U)};
  Conversation* earlier = conversations_.find(whole);
  if (earlier == nullptr) {
    partition.counters.conversations_overwritten += conversations_.insert(whole, now) ? 1 : 0;
    return;
  }
  const bool several = (earlier->minute_and_flags & 2) != 0;
  if (earlier->handle == seen.handle || age_us(*earlier) > settings_.handoff_window_us) {
    *earlier = {seen.handle, now.minute_and_flags | (several && earlier->handle == seen.handle ? 2U : 0U)};
  } else if (other_actor(*earlier)) {
    const bool retried =
        !several && (earlier->minute_and_flags & 1) != 0 && age_us(*earlier) <= settings_.retry_window_us;
    if (retried) add_handoff(partition, {context.minute, earlier->handle, seen.handle, true});
    *earlier = {seen.handle, now.minute_and_flags | (retried ? 0U : 2U)};
  }
}

// Evolution chains: the reply that one account was given stands in the prompt of another. What counts is a passage that
// one actor was given, that nobody had sent or been given before, and that nobody has quoted yet: what is passed around
// is public.
void TokenTable::observe_quotes(const event::Query& query, const Observation& seen, const Context& context,
                                Worker worker) {
  const auto& quotes = query.fingerprint.quotes;
  for (std::size_t i = 0; i < quotes.size() && quotes[i] != 0; ++i) {
    if (!worker.owns(quotes[i])) continue;
    Partition& partition = partitions_[partition_of(quotes[i])];
    if (!partition.has_replies) continue;
    Passage* passage = passages_.find(quotes[i]);
    if (passage == nullptr) {
      // The least passage of a prompt stands for the prompt: a reply that has it repeats what was there before.
      const bool noted = i == 0;
      if (noted && passages_.insert(quotes[i], {seen.handle, context.minute << 1 | 1U}))
        ++partition.counters.conversations_overwritten;
      continue;
    }
    const bool is_public = (passage->minute_and_flags & 1) != 0;
    const std::int64_t age_us =
        (static_cast<std::int64_t>(context.minute) - (passage->minute_and_flags >> 1)) * base::kMinuteUs;
    if (is_public || context.accounts.at(passage->handle).actor == context.accounts.at(seen.handle).actor) continue;
    if (age_us <= settings_.handoff_window_us)
      add_handoff(partition, {context.minute, passage->handle, seen.handle, false, true, seen.request,
                              passage->minute_and_flags >> 1});
    passage->minute_and_flags |= 1U;
  }
}

void TokenTable::note_reply(const event::Query& query, const Observation& seen, const Context& context, Worker worker) {
  for (const Token token : query.fingerprint.replies) {
    if (token == 0 || !worker.owns(token)) continue;
    Partition& partition = partitions_[partition_of(token)];
    partition.has_replies = true;
    Passage* passage = passages_.find(token);
    if (passage == nullptr) {
      if (passages_.insert(token, {seen.handle, context.minute << 1})) ++partition.counters.conversations_overwritten;
    } else if (context.accounts.at(passage->handle).actor != context.accounts.at(seen.handle).actor) {
      passage->minute_and_flags |= 1U;
    } else if ((passage->minute_and_flags & 1) == 0) {
      *passage = {seen.handle, context.minute << 1};
    }
  }
}

}  // namespace stillwatch::detect
