#include "event/json_lines.h"

#include <cstdio>

#include "base/event_time.h"
#include "base/json_text.h"

namespace stillwatch::event {
namespace {

using base::append_json_number;
using base::append_json_string;

void append_time(std::string& out, std::int64_t time_us) {
  char text[base::kTimeTextBytes];
  out += '"';
  out.append(text, base::write_time(time_us, text));
  out += '"';
}

void append_channels(std::string& out, const ChannelSet& channels) {
  out += '[';
  std::string_view comma = "";
  for (const Channel channel : channels.list()) {
    out += comma;
    append_json_string(out, name(channel));
    comma = ",";
  }
  out += ']';
}

void append_strength(std::string& out, const Strength& strength) {
  out += "{\"log10_e\":";
  append_json_number(out, strength.log10_e);
  out += ",\"calibration_groups\":";
  append_json_number(out, std::uint64_t{strength.calibration_groups});
  out += ",\"extrapolated\":";
  out += strength.extrapolated ? "true}" : "false}";
}

void append_numbers(std::string& out, const std::vector<std::pair<std::string, double>>& numbers) {
  out += '{';
  std::string_view comma = "";
  for (const auto& [key, value] : numbers) {
    out += comma;
    append_json_string(out, key);
    out += ':';
    append_json_number(out, value);
    comma = ",";
  }
  out += '}';
}

void append_reasons(std::string& out, const std::vector<Reason>& reasons) {
  out += '[';
  std::string_view comma = "";
  for (const Reason& reason : reasons) {
    out += comma;
    out += "{\"channel\":";
    append_json_string(out, name(reason.channel));
    out += ",\"text\":";
    append_json_string(out, reason.text);
    out += ",\"numbers\":";
    append_numbers(out, reason.numbers);
    out += '}';
    comma = ",";
  }
  out += ']';
}

void append_evidence(std::string& out, const Campaign& campaign) {
  out += "{\"reasons\":";
  append_reasons(out, campaign.reasons);
  out += ",\"measures\":";
  append_numbers(out, campaign.measures);
  out += ",\"without_channel\":{";
  std::string_view comma = "";
  for (const auto& [channel, log10_e] : campaign.without_channel) {
    out += comma;
    append_json_string(out, name(channel));
    out += ':';
    append_json_number(out, log10_e);
    comma = ",";
  }
  out += "},\"prevented_queries\":";
  append_json_number(out, campaign.prevented_queries);
  out += '}';
}

}  // namespace

std::string campaign_name(std::uint32_t id) {
  char text[16];
  const int length = std::snprintf(text, sizeof text, "c-%06u", id);
  return std::string(text, static_cast<std::size_t>(length));
}

std::string opened_id(const Verdict& verdict, const OpenId& open) {
  const std::string_view id = open(verdict.subject);
  if (!id.empty() || verdict.kind != SubjectKind::end_user) return std::string(id);
  char text[24];
  std::snprintf(text, sizeof text, "#%016llx", static_cast<unsigned long long>(verdict.subject));
  return text;
}

std::string to_json(const Verdict& verdict, std::string_view policy, const OpenId& open) {
  const bool clear = verdict.level == Level::clear;
  std::string out = "{\"v\":1,\"time\":";
  append_time(out, verdict.time_us);
  out += ",\"subject\":{\"kind\":";
  append_json_string(out, name(verdict.kind));
  out += ",\"id\":";
  if (verdict.kind == SubjectKind::campaign) {
    append_json_string(out, campaign_name(static_cast<std::uint32_t>(verdict.subject)));
  } else {
    append_json_string(out, opened_id(verdict, open));
  }
  if (verdict.kind == SubjectKind::end_user) {
    out += ",\"account\":";
    append_json_string(out, open(verdict.account));
  }
  out += "},\"level\":";
  append_json_string(out, name(verdict.level));
  if (!clear || verdict.class_ != Class::unknown) {
    out += ",\"class\":";
    append_json_string(out, name(verdict.class_));
  }
  if (verdict.campaign != 0) {
    out += ",\"campaign\":";
    append_json_string(out, campaign_name(verdict.campaign));
  }
  if (clear) return out + '}';
  out += ",\"rule\":";
  append_json_string(out, verdict.rule);
  out += ",\"automated\":true,\"dry_run\":";
  out += verdict.dry_run ? "true" : "false";
  out += ",\"strength\":";
  append_strength(out, verdict.strength);
  out += ",\"channels\":";
  append_channels(out, verdict.channels);
  out += ",\"expires\":";
  append_time(out, verdict.expires_us);
  out += ",\"policy\":";
  append_json_string(out, policy);
  out += ",\"reasons\":";
  append_reasons(out, verdict.reasons);
  out += '}';
  return out;
}

std::string to_json(const Campaign& campaign, const OpenId& open) {
  std::string out = "{\"v\":1,\"id\":";
  append_json_string(out, campaign_name(campaign.id));
  out += ",\"class\":";
  append_json_string(out, name(campaign.class_));
  out += ",\"opened\":";
  append_time(out, campaign.opened_us);
  out += ",\"updated\":";
  append_time(out, campaign.updated_us);
  out += ",\"accounts_count\":";
  append_json_number(out, campaign.accounts_count);
  out += ",\"queries\":";
  append_json_number(out, campaign.queries);
  out += ",\"output_tokens\":";
  append_json_number(out, campaign.output_tokens);
  out += ",\"channels\":";
  append_channels(out, campaign.channels);
  out += ",\"models\":[";
  std::string_view comma = "";
  for (const Token model : campaign.models) {
    out += comma;
    append_json_string(out, open(model));
    comma = ",";
  }
  out += "],\"strength\":";
  append_strength(out, campaign.strength);
  out += ",\"evidence\":";
  append_evidence(out, campaign);
  out += '}';
  return out;
}

std::string to_json(const Member& member, const OpenId& open) {
  std::string out = "{\"v\":1,\"campaign\":";
  append_json_string(out, campaign_name(member.campaign));
  out += ",\"account\":";
  append_json_string(out, open(member.account));
  out += ",\"since\":";
  append_time(out, member.since_us);
  out += ",\"queries\":";
  append_json_number(out, member.queries);
  out += ",\"channels\":";
  append_channels(out, member.channels);
  out += '}';
  return out;
}

}  // namespace stillwatch::event
