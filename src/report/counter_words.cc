#include "report/counter_words.h"

#include <algorithm>
#include <utility>

namespace stillwatch::report {
namespace {

constexpr std::pair<std::string_view, std::string_view> kMeanings[] = {
    {"account_queries_shed",
     "Requests of new accounts that found no room: counted as traffic only. Raise detect.accounts_max, or look for "
     "what "
     "makes so many accounts."},
    {"account_records_rejected", "Lines of the accounts file that could not be used. See rejects.ndjson."},
    {"accounts_evicted",
     "Idle accounts that made room and start anew when they return. Harmless in small numbers; else raise "
     "detect.accounts_max."},
    {"campaign_openings_refused",
     "Groups that were found while no campaign could be opened. Cut the log into shorter runs."},
    {"conversations_overwritten",
     "Conversations forgotten before their time, so that hand-offs are missed. Raise detect.conversation_slots."},
    {"epochs_deferred",
     "Closings that were put off because traffic is made to be costly to link; verdicts come up to a day later. Look "
     "at "
     "what the accounts with most links send, or raise detect.close_work_per_query."},
    {"first_sightings_overwritten",
     "Tokens forgotten before a second account sent them. Expected beyond the table's size; raise "
     "detect.first_seen_slots to look back further."},
    {"group_records_dropped", "Former groups without a campaign of which no traffic strip is kept. Nothing to do."},
    {"groups_displaced", "Small untested groups that made room for larger ones. Raise detect.groups_max."},
    {"groups_refused", "Groups that found no room. Raise detect.groups_max."},
    {"handoff_pairs_refused",
     "Hand-offs between pairs of accounts that found no room. Raise detect.handoff_pairs_max."},
    {"handoffs_shed", "Hand-offs of one closing beyond its room. Raise detect.handoff_events_max."},
    {"ids_forgotten", "Request ids not remembered: a repeat of one of them counts twice. Look for repeated lines."},
    {"identities_shed", "Accounts shown as unnamed-TOKEN, because names are full. Cut the log into shorter runs."},
    {"link_edges_sampled_out",
     "Links left out of a closing, those of the fewest accounts first. Raise detect.link_edges_max."},
    {"link_events_sampled_out",
     "Sightings of shared tokens left out, whole tokens at a time. Raise detect.link_events_max."},
    {"models_shed", "Model names beyond those kept: clients send arbitrary ones. Nothing to do."},
    {"reorder_overflows",
     "Times that too many lines waited for their order; later ones may be refused as late. Lower "
     "intake.lateness_minutes, or sort the log."},
    {"shared_tokens_evicted", "Tokens of few accounts, idle for long. Daily tidying; nothing to do."},
    {"shared_tokens_refused", "Tokens of a second account that found no room. Raise detect.shared_tokens_max."},
    {"turns_ignored", "Turns beyond the first 20,000 of a conversation. Nothing to do."},
    {"unfinished_lines", "Logs that ended within a line: they were still being written. Run again when they are done."},
    {"unreadable_addresses", "Client addresses that are none; such requests have no network. Check the log's format."},
};

}  // namespace

std::string_view counter_meaning(std::string_view name) {
  const auto* const at =
      std::find_if(std::begin(kMeanings), std::end(kMeanings), [&](const auto& item) { return item.first == name; });
  return at == std::end(kMeanings) ? std::string_view{} : at->second;
}

std::map<std::string, std::uint64_t> bounds_met(const std::map<std::string, std::uint64_t>& counters) {
  std::map<std::string, std::uint64_t> met;
  for (const auto& [name, count] : counters) {
    if (count > 0 && name != "identities_opened") met.emplace(name, count);
  }
  return met;
}

}  // namespace stillwatch::report
