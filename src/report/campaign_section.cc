#include "report/campaign_section.h"

#include <map>

#include <fmt/format.h>

#include "base/event_time.h"
#include "event/json_lines.h"
#include "report/charts.h"
#include "report/words.h"

namespace stillwatch::report {
namespace {

using event::Channel;

double share_of(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

// "Shared list".
std::string channel_title(Channel channel) {
  std::string out = spaced(event::name(channel));
  out[0] = static_cast<char>(out[0] - 'a' + 'A');
  return out;
}

std::string numbers_html(const std::vector<std::pair<std::string, double>>& numbers) {
  if (numbers.empty()) return "";
  std::string out = "<div class=\"numbers\">";
  for (const auto& [name, value] : numbers) {
    fmt::format_to(std::back_inserter(out), "<span>{} <b>{}</b></span>", escape(spaced(name)),
                   escape(measure_value(name, value)));
  }
  return out + "</div>";
}

std::string fact(std::string_view term, const std::string& value, const std::string& more = "") {
  return fmt::format("<div><dt>{}</dt><dd>{}{}</dd></div>", term, value,
                     more.empty() ? "" : "<small>" + more + "</small>");
}

std::string title(const CampaignView& view) {
  const event::Campaign& campaign = view.campaign;
  const std::string models = view.models.empty() ? "" : " from " + escape(listed(view.models));
  const std::string accounts = counted(campaign.accounts_count, "account", "accounts");
  switch (campaign.class_) {
    case event::Class::distiller:
      return fmt::format("{} collected {} answers{}", accounts, grouped(campaign.queries), models);
    case event::Class::reseller:
      return fmt::format("{} resold access: {} requests", accounts, grouped(campaign.queries));
    default: return fmt::format("{} belong together: {} requests", accounts, grouped(campaign.queries));
  }
}

std::string facts(const CampaignView& view, const Summary& summary) {
  const event::Campaign& campaign = view.campaign;
  const double prevented = share_of(campaign.prevented_queries, campaign.queries);
  std::string out = "<dl class=\"facts\">";
  const std::string opened = date_and_time(campaign.opened_us), updated = date_and_time(campaign.updated_us);
  const std::size_t comma = opened.find(',');
  out += fact("Found", opened.substr(0, comma),
              opened.substr(comma + 2) + "; last change " + updated.substr(0, updated.find(',')));
  const bool distiller = campaign.class_ == event::Class::distiller;
  out += fact(distiller ? "Took" : "Sent", counted(campaign.queries, "request", "requests"),
              percent(share_of(campaign.queries, summary.records)) + " of all traffic");
  out += fact("Output tokens", compact(static_cast<double>(campaign.output_tokens)),
              view.input_tokens > 0 ? compact(static_cast<double>(view.input_tokens)) + " input tokens" : "");
  out += fact(summary.dry_run ? (distiller ? "Would have been prevented" : "Would have been refused")
                              : (distiller ? "Prevented" : "Refused"),
              percent(prevented), counted(campaign.prevented_queries, "request", "requests") + " after action");
  out += fact("Strength", std::string(strength_word(campaign.strength.log10_e)),
              fmt::format("10<sup>{:.1f}</sup>, threshold 10<sup>{:.1f}</sup>", campaign.strength.log10_e,
                          summary.threshold_log10_e));
  return out + "</dl>";
}

std::string evidence(const event::Campaign& campaign) {
  const int groups = campaign.channels.independent_count();
  std::string out = fmt::format(
      "<div class=\"block\"><h3>Evidence</h3><p class=\"note\">{} of independent evidence. Requests may be refused "
      "only on two or more.</p>"
      "<ul class=\"evidence\">",
      counted(static_cast<std::uint64_t>(groups), "kind", "kinds"));
  const auto item = [&](Channel channel, const std::string& body) {
    fmt::format_to(std::back_inserter(out), "<li><div>{}<small>{}</small></div><div>{}</div></li>",
                   channel_title(channel), group_name(event::group_of(channel)), body);
  };
  event::ChannelSet told;
  for (const event::Reason& reason : campaign.reasons) {
    told.add(reason.channel);
    item(reason.channel, "<p>" + escape(reason.text) + "</p>" + numbers_html(reason.numbers));
  }
  // A channel that counted but has no sentence of its own still says what it looks at.
  for (const Channel channel : campaign.channels.list()) {
    if (!told.has(channel)) item(channel, fmt::format("<p>{}</p>", channel_meaning(channel)));
  }
  return out + "</ul></div>";
}

/// What a measure of the group test asks, for a reader; a name without an entry shows as it is.
std::string measure_label(std::string_view name) {
  constexpr std::pair<std::string_view, std::string_view> kLabels[] = {
      {"operator_log10_e", "One operator: strength (log10 e)"},
      {"harvest_log10_e", "Harvest: strength (log10 e)"},
      {"harvest_score", "Harvest: sum of the parts below"},
      {"breadth", "Many templates (log2 of their effective number)"},
      {"template_evenness", "Members use them in the same mix"},
      {"hour_evenness", "Members are busy at the same hours"},
      {"volume_evenness", "Members send equally much"},
      {"night_share", "Nights as busy as days"},
      {"division", "No two members send the same prompt"},
      {"single_turn", "Requests that open no conversation"},
      {"output_length", "Long answers (log2 against all traffic)"},
      {"exclusivity", "Nobody else uses the templates"},
      {"concentration", "Share of members' requests with them"},
  };
  for (const auto& [known, label] : kLabels) {
    if (known == name) return std::string(label);
  }
  return spaced(name);
}

std::string measures(const event::Campaign& campaign) {
  if (campaign.measures.empty())
    return "<div><h3>Is it a harvest?</h3><p class=\"note\">No measure of the group test was kept.</p></div>";
  std::string out =
      "<div><h3>Is it a harvest?</h3><div class=\"scroll\"><table><thead><tr><th>Measure</th><th class=\"n\">Value</th>"
      "<th class=\"n\">Counts</th></tr></thead><tbody>";
  // A measure NAME may come with NAME_part: how many benign standard deviations it counts for.
  constexpr std::string_view kPart = "_part";
  std::map<std::string_view, double> parts;
  for (const auto& [name, value] : campaign.measures) {
    const std::string_view key = name;
    if (key.ends_with(kPart)) parts[key.substr(0, key.size() - kPart.size())] = value;
  }
  for (const auto& [name, value] : campaign.measures) {
    if (std::string_view(name).ends_with(kPart)) continue;
    const auto part = parts.find(name);
    fmt::format_to(std::back_inserter(out), "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
                   escape(measure_label(name)), escape(measure_value(name, value)),
                   part == parts.end() ? std::string() : fmt::format("{:+.1f}", part->second));
  }
  return out + "</tbody></table></div></div>";
}

std::string without_channel(const event::Campaign& campaign, const Summary& summary) {
  if (campaign.without_channel.empty())
    return "<div><h3>Without this channel</h3><p class=\"note\">No counterfactual was kept.</p></div>";
  double scale = std::max(campaign.strength.log10_e, summary.threshold_log10_e);
  for (const auto& entry : campaign.without_channel) scale = std::max(scale, entry.second);
  scale = std::max(scale * 1.05, 1.0);
  const double mark = std::clamp(summary.threshold_log10_e / scale, 0.0, 1.0) * 100;
  std::string out =
      "<div><h3>Without this channel</h3><div class=\"scroll\"><table><thead><tr><th>Leave out</th><th "
      "class=\"w\">What would remain</th>"
      "<th class=\"n\">log<sub>10</sub> e</th><th></th></tr></thead><tbody>";
  for (const auto& [channel, log10_e] : campaign.without_channel) {
    const bool holds = log10_e >= summary.threshold_log10_e;
    fmt::format_to(std::back_inserter(out),
                   "<tr><td class=\"t\">{}</td><td><div class=\"bar\"><i style=\"width:{:.1f}%\"></i><u "
                   "style=\"left:calc({:.1f}% - 1px)\"></u></div></td><td class=\"n\">{:.1f}</td>"
                   "<td class=\"{}\">{}</td></tr>",
                   channel_title(channel), std::clamp(log10_e / scale, 0.0, 1.0) * 100, mark, log10_e,
                   holds ? "holds" : "falls", holds ? "still holds" : "falls");
  }
  return out + fmt::format("</tbody></table></div><p class=\"note\">The tick marks the threshold, {:.1f}.</p></div>",
                           summary.threshold_log10_e);
}

std::string accounts(const CampaignView& view) {
  const std::size_t shown = std::min(view.members.size(), kMembersShownMax);
  std::string out = "<div class=\"block members\"><h3>Accounts</h3>";
  if (shown == 0) return out + "<p class=\"note\">Its accounts are listed in members.ndjson.</p></div>";
  out +=
      "<div class=\"scroll tall\"><table><thead><tr><th>Account</th><th>State</th><th>Since (UTC)</th><th "
      "class=\"n\">Requests</th><th>Own evidence</th></tr></thead><tbody>";
  for (std::size_t i = 0; i < shown; ++i) {
    const MemberView& member = view.members[i];
    std::vector<std::string> channels;
    for (const Channel channel : member.member.channels.list()) channels.push_back(spaced(event::name(channel)));
    fmt::format_to(std::back_inserter(out),
                   "<tr><td class=\"id\"><bdi>{}</bdi></td><td>{}</td><td class=\"t\">{}</td><td "
                   "class=\"n\">{}</td><td>{}</td></tr>",
                   escape(member.account), event::name(member.level),
                   base::format_time(member.member.since_us).substr(0, 16).replace(10, 1, " "),
                   grouped(member.member.queries), listed(channels, 8));
  }
  out += "</tbody></table></div>";
  if (view.campaign.accounts_count > shown) {
    out += fmt::format("<p class=\"note\">The {} with most requests; {} more are in members.ndjson.</p>",
                       grouped(shown), grouped(view.campaign.accounts_count - shown));
  }
  return out + "</div>";
}

}  // namespace

std::string campaign_section(const CampaignView& view, const Summary& summary, std::size_t place) {
  const event::Campaign& campaign = view.campaign;
  const std::string id = event::campaign_name(campaign.id);
  std::string out = fmt::format(
      "<section class=\"card {0}\" id=\"{1}\"><p class=\"eyebrow\"><i></i><span>Campaign {1}</span><span class=\"tag "
      "{2}\">{2}</span></p><h2>{3}</h2>",
      colour_class(place), id, event::name(campaign.class_), title(view));
  out += fmt::format("<p class=\"note\">{}</p>", strength_sentence(campaign.strength));
  out += facts(view, summary);
  out += "<div class=\"block\"><h3>When it was active</h3>" +
         time_strip({campaign.opened_us, &campaign.queries_per_hour}, place) + "</div>";
  out += evidence(campaign);
  out += "<div class=\"block cols\">" + without_channel(campaign, summary) + measures(campaign) + "</div>";
  out += accounts(view);
  out += fmt::format(
      "<div class=\"block means\"><h3>What it means, and what we do not claim</h3><p>{}</p><p>{}</p></div></section>",
      class_meaning(campaign.class_), class_limits(campaign.class_));
  return out;
}

}  // namespace stillwatch::report
