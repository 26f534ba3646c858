#include "replay/run_counters.h"

namespace stillwatch::replay {

std::map<std::string, std::uint64_t> counters_of(const engine::Engine& engine, const intake::IntakeCounters& intake,
                                                 const intake::AccountFile& account_file,
                                                 const intake::Identities& identities) {
  const detect::Detector& detector = engine.detector();
  const detect::TokenCounters tokens = detector.tokens().counters();
  const detect::AccountCounters accounts = detector.accounts().counters();
  const detect::GroupTableCounters& groups = detector.groups().counters();
  return {{"account_queries_shed", accounts.queries_shed},
          {"account_records_rejected", account_file.rejected},
          {"accounts_evicted", accounts.evicted},
          {"alarms_dropped", engine.alarm().alarms_dropped()},
          {"campaign_openings_refused", engine.case_book().openings_refused()},
          {"conversations_overwritten", tokens.conversations_overwritten},
          {"end_users_shed", identities.shed(intake::IdKind::end_user)},
          {"epochs_deferred", detector.epochs_deferred()},
          {"first_sightings_overwritten", tokens.first_seen_overwritten},
          {"group_records_dropped", groups.dead_dropped},
          {"groups_displaced", groups.groups_displaced},
          {"groups_refused", groups.groups_refused},
          {"handoff_pairs_refused", groups.pairs_refused},
          {"handoffs_shed", tokens.handoffs_shed},
          {"ids_forgotten", intake.ids_forgotten},
          {"identities_opened", identities.openings()},
          {"identities_shed", identities.shed(intake::IdKind::account)},
          {"link_edges_sampled_out", groups.links_sampled_out},
          {"link_events_sampled_out", tokens.links_sampled_out},
          {"models_shed", identities.shed(intake::IdKind::model)},
          {"reorder_overflows", intake.reorder_overflows},
          {"shared_tokens_evicted", tokens.shared_tokens_evicted},
          {"shared_tokens_refused", tokens.shared_tokens_refused},
          {"turns_ignored", intake.parser.turns_ignored},
          {"unfinished_lines", intake.unfinished_lines},
          {"unreadable_addresses", intake.parser.unreadable_addresses}};
}

std::map<std::string, std::uint64_t> rejects_of(const intake::IntakeCounters& intake) {
  std::map<std::string, std::uint64_t> out;
  for (std::size_t i = 0; i < intake::kRejectReasons; ++i) {
    if (intake.rejected_by_reason[i] > 0)
      out[std::string(name(static_cast<intake::RejectReason>(i)))] = intake.rejected_by_reason[i];
  }
  return out;
}

}  // namespace stillwatch::replay
