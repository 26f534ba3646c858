#include "sim/population.h"

#include "base/event_time.h"

#include "sim/population_builder.h"

namespace stillwatch::sim {

Population populate(const Stage& stage, std::uint64_t seed) {
  PopulationBuilder builder(stage, seed);
  // The order is fixed: account numbers and generators follow from it.
  for (std::size_t i = 0; i < kStrata; ++i) builder.add_stratum(static_cast<Stratum>(i));
  for (std::size_t i = 0; i < stage.world.campaigns.size(); ++i) builder.add_campaign(i);
  return builder.finish();
}

namespace {

constexpr std::string_view kTiers[] = {"free", "standard", "scale"};
constexpr std::string_view kVerified[] = {"none", "email", "phone", "card", "id", "org"};
constexpr std::string_view kPurposes[] = {"",       "evaluation", "research", "synthetic_data", "distillation",
                                          "resale", "batch"};
constexpr std::string_view kFramedStratum = "framed";
constexpr std::string_view kFreeMail[] = {
    "", "freemail.example", "postbox.example", "inbox.example", "letters.example", "quickmail.example"};

void append_token(std::string_view prefix, std::uint64_t value, std::string& out) {
  out += prefix;
  append_hex(value, 14, out);
}

void append_account(const AccountRecord& record, const Names& names, std::string& out) {
  append_hex(names.account(record.number), 16, out += "acct_");
}

void append_address(std::uint32_t address, std::string& out) {
  for (int shift = 24; shift >= 0; shift -= 8) {
    append_number(address >> shift & 0xFF, out);
    if (shift > 0) out += '.';
  }
}

}  // namespace

void append_account_line(const AccountRecord& record, const Stage& stage, const Names& names, std::string& out) {
  const std::string created = base::format_time(record.created_us);
  out += "{\"v\":1,\"account\":\"";
  append_account(record, names, out);
  out += "\",\"time\":\"" + created + "\",\"created\":\"" + created + "\",\"tier\":\"";
  out += kTiers[static_cast<std::size_t>(record.tier)];
  out += "\",\"verification\":\"";
  out += kVerified[static_cast<std::size_t>(record.verified)];
  out += '"';
  if (record.org != 0) append_token(",\"org\":\"org_", names.derived(record.org, 11), out), out += '"';
  if (record.payment != 0) append_token(",\"payment\":\"pay_", names.derived(record.payment, 12), out), out += '"';
  out += ",\"email_domain\":\"";
  if (record.mail_domain < std::size(kFreeMail)) {
    out += kFreeMail[record.mail_domain == 0 ? 1 : record.mail_domain];
  } else {
    append_token("d", names.derived(record.mail_domain, 13), out);
    out += ".example";
  }
  out += "\",\"signup_ip\":\"";
  append_address(record.address, out);
  out += "\",\"signup_asn\":";
  append_number(record.asn, out);
  out += ",\"signup_country\":\"";
  out += countries()[record.country].code;
  out += '"';
  if (record.referral != 0) append_token(",\"referral\":\"r-", names.derived(record.referral, 14), out), out += '"';
  if (record.declared != Declared::nothing) {
    out += ",\"declared\":[{\"purpose\":\"";
    out += kPurposes[static_cast<std::size_t>(record.declared)];
    out += "\",\"from\":\"" + base::format_time(std::max(record.created_us, stage.start_us - 60 * base::kDayUs)) +
           "\",\"until\":\"" + base::format_time(stage.end_us + 300 * base::kDayUs) + "\",\"scope\":\"models:*\"}]";
  }
  out += "}\n";
}

void append_truth_line(const AccountRecord& record, const World& world, const Names& names, std::string& out) {
  out += "{\"v\":1,\"account\":\"";
  append_account(record, names, out);
  if (record.campaign == 0) {
    out += "\",\"hostile\":false,\"campaign\":null,\"family\":null,\"stratum\":\"";
    out += record.framed ? kFramedStratum : kStratumNames[static_cast<std::size_t>(record.stratum)];
    out += "\",\"unit\":\"";
    if (record.unit == 0) {
      append_account(record, names, out);
    } else {
      append_token("unit_", names.derived(record.unit, 15), out);
    }
    out += "\",\"language\":\"";
    out += builtin_languages()[record.language];
    out += "\"}\n";
    return;
  }
  const CampaignSettings& campaign = world.campaigns[record.campaign - 1U];
  out += "\",\"hostile\":true,\"campaign\":\"" + campaign.name + "\",\"family\":\"";
  out += kFamilyNames[static_cast<std::size_t>(campaign.family)];
  out += "\",\"stratum\":null}\n";
}

}  // namespace stillwatch::sim
