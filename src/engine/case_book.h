// Standings and campaigns: applies the policy to an epoch's findings and writes down every change as a verdict.
//
// Invariant: a verdict is written exactly when an account's level, class or campaign changes (an expiry is a change),
// in the total order of the formats contract; without a change an expiry is only moved. Campaign numbers are never
// reused. Bounds: kCampaignsMax, three quarters of them for distillers; further ones are not opened, counted. Threads:
// between epochs, single-threaded. Cost: linear in members of live groups and in standings.
#pragma once

#include <functional>
#include <map>
#include <string_view>
#include <vector>

#include "base/byte_stream.h"
#include "detect/detector.h"
#include "engine/end_user_book.h"
#include "engine/verdict_rate_alarm.h"
#include "policy/policy.h"

namespace stillwatch::engine {

using event::Token;
/// Opens a sealed id; each call is counted by whoever implements it.
using OpenId = std::function<std::string_view(Token)>;
/// Whether an alarm holds new verdicts on an account at `observe` now.
using IsHeld = std::function<bool(Token)>;
/// Whether an account has a declared use at a time.
using IsDeclared = std::function<bool(Token, std::int64_t)>;

struct Standing {
  Token account = 0;
  event::Level level = event::Level::clear;
  event::Class class_ = event::Class::unknown;
  std::uint32_t campaign = 0;
  std::int64_t expires_us = 0;
};

class CaseBook {
 public:
  explicit CaseBook(const policy::Settings& settings) : settings_(settings), end_users_(settings) {}

  /// Accounts, or accounts of end users, that apply() would act on now and that are not acted on yet; in the order of
  /// groups and members.
  std::vector<NewlyActioned> newly_actioned(const detect::Detector::Epoch& epoch, const detect::Detector& detector,
                                            std::int64_t now_us, const IsDeclared& is_declared) const;

  /// The verdicts of one epoch, ordered by (subject kind, opened id); all carry now_us.
  std::vector<event::Verdict> apply(const detect::Detector::Epoch& epoch, const detect::Detector& detector,
                                    std::int64_t now_us, const IsDeclared& is_declared, const OpenId& open,
                                    const IsHeld& is_held = {});

  /// Last states, campaigns by id and members by (campaign, opened id).
  std::vector<event::Campaign> campaigns(const detect::Detector& detector) const;
  std::vector<event::Member> members(const OpenId& open) const;
  const std::map<Token, Standing>& standings() const { return standings_; }
  const EndUserBook& end_users() const { return end_users_; }
  /// How often a group was found and no campaign could be opened for it.
  std::uint64_t openings_refused() const { return openings_refused_; }

  void save(base::ByteWriter& out) const;
  bool load(base::ByteReader& in);

 private:
  struct MemberState {
    std::int64_t since_us = 0;
    std::uint64_t queries = 0;  // requests of the campaign, over all its time in it
    std::uint64_t input_tokens = 0, output_tokens = 0;
    std::uint32_t hits_counted = 0;  // of the detector's counter, which restarts when it joins again
    std::uint64_t input_counted = 0, output_counted = 0;
    std::uint32_t channels = 0;
    Token model = 0;
  };
  struct CampaignState {
    std::uint32_t id = 0, group = 0, merged_into = 0;
    event::Class class_ = event::Class::unknown;
    event::Level level = event::Level::clear;
    std::int64_t opened_us = 0, updated_us = 0;
    std::uint64_t prevented_queries = 0;
    detect::GroupFinding last;  // members left empty
    std::map<Token, MemberState> members;
  };
  struct Change;

  static constexpr std::size_t kCampaignsMax = 65'536;  // about 1.5 KB each, and 130 B a member
  bool is_full(event::Class found) const;
  CampaignState& campaign_of(const detect::GroupFinding& finding, std::int64_t now_us);
  void merge_campaigns(const detect::Detector& detector);
  void apply_group(const detect::GroupFinding& finding, const ReasonContext& context, std::int64_t now_us,
                   const IsDeclared& is_declared, const IsHeld& is_held, std::vector<event::Verdict>& verdicts);
  void apply_member(const detect::GroupFinding& finding, const detect::MemberFinding& member, CampaignState& campaign,
                    const policy::Decision& decision, const ReasonContext& context, std::int64_t now_us,
                    std::vector<event::Verdict>& verdicts);
  bool is_fresh(const detect::MemberFinding& member, std::int64_t now_us) const;
  void expire(std::int64_t now_us, std::vector<event::Verdict>& verdicts);

  std::vector<policy::Decision> decide(const detect::GroupFinding& finding, const policy::GroupEvidence& evidence,
                                       event::Class class_, const CampaignState* campaign, std::int64_t now_us,
                                       const IsDeclared& is_declared) const;
  bool is_actioned(Token account) const;

  policy::Settings settings_;
  EndUserBook end_users_;
  std::map<Token, Standing> standings_;
  std::map<std::uint32_t, CampaignState> campaigns_;  // by campaign id
  std::map<std::uint32_t, std::uint32_t> campaign_by_group_;
  std::uint64_t openings_refused_ = 0;
};

}  // namespace stillwatch::engine
