// Verdicts, campaigns and members as lines of the formats contract (verdicts.ndjson, campaigns.ndjson,
// members.ndjson), each without its newline.
//
// Invariant: keys in the order of docs/reference/outputs.md, the same bytes for the same values on every
// machine; a line is valid JSON whatever bytes an id or a reason holds.
// Threads: pure functions, as far as `open` is. Cost: one string a line.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "event/verdict.h"

namespace stillwatch::event {

/// Opens a sealed id for a file that a person reads. The view must live until the line is made.
using OpenId = std::function<std::string_view(Token)>;

/// "c-000012".
std::string campaign_name(std::uint32_t id);

/// The id of an account or end user as it is written. An end user whose id was shed is named by its token.
std::string opened_id(const Verdict& verdict, const OpenId& open);

/// `policy` names the policy in force, such as "sha256:9f2c...". A `clear` line has the required fields and,
/// when set, class and campaign.
std::string to_json(const Verdict& verdict, std::string_view policy, const OpenId& open);
/// `open` gives the names of models. `evidence` holds reasons, measures, without_channel, prevented_queries.
std::string to_json(const Campaign& campaign, const OpenId& open);
std::string to_json(const Member& member, const OpenId& open);

}  // namespace stillwatch::event
