// explain: one id looked up in the files of a replay's output folder, told in words or as one JSON object.
//
// Each file is read line by line; a line that is no JSON object is skipped, so that a damaged file still
// explains what it holds. The whole file is parsed: a needle search would miss ids written with escapes.
#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>
#include <simdjson.h>

#include "base/event_time.h"
#include "base/json_text.h"
#include "base/limits.h"
#include "report/report.h"
#include "report/words.h"

namespace stillwatch::report {
namespace {

namespace dom = simdjson::dom;

constexpr std::size_t kWidth = 96;            // columns of the text
constexpr std::size_t kHistoryShownMax = 40;  // changes of state told; the JSON has them all
constexpr std::size_t kIdsHintedMax = 5;

std::string_view text_at(const dom::element& line, std::string_view pointer) {
  std::string_view text;
  return line.at_pointer(pointer).get(text) == simdjson::SUCCESS ? text : std::string_view{};
}
double number_at(const dom::element& line, std::string_view pointer) {
  double number = 0;
  return line.at_pointer(pointer).get(number) == simdjson::SUCCESS ? number : 0;
}
bool truth_at(const dom::element& line, std::string_view pointer) {
  bool value = false;
  return line.at_pointer(pointer).get(value) == simdjson::SUCCESS && value;
}
std::vector<std::string> texts_at(const dom::element& line, std::string_view pointer) {
  std::vector<std::string> out;
  dom::array array;
  if (line.at_pointer(pointer).get(array) != simdjson::SUCCESS) return out;
  for (const dom::element& element : array) {
    std::string_view text;
    if (element.get(text) == simdjson::SUCCESS) out.emplace_back(text);
  }
  return out;
}

// Calls take(line, parsed) for each JSON object; environment error when the file cannot be read.
template <class Take>
base::Status for_each_line(const std::string& path, const Take& take) {
  std::FILE* file = std::fopen(path.c_str(), "rbe");
  if (file == nullptr) {
    return base::fail(base::Fault::environment,
                      fmt::format("cannot read {}: is --out the folder that replay wrote?", path));
  }
  dom::parser parser(base::limits::kLineBytesMax);
  char* line = nullptr;
  std::size_t capacity = 0;
  for (ssize_t length; (length = ::getline(&line, &capacity, file)) >= 0;) {
    const std::string_view text(line,
                                static_cast<std::size_t>(length) - (length > 0 && line[length - 1] == '\n' ? 1 : 0));
    dom::element element;
    if (text.empty() || text.size() > base::limits::kLineBytesMax) continue;
    if (parser.parse(text.data(), text.size()).get(element) == simdjson::SUCCESS && element.is_object())
      take(text, element);
  }
  const bool broken = std::ferror(file) != 0;
  std::free(line);
  std::fclose(file);
  if (broken)
    return base::fail(base::Fault::environment, fmt::format("{} could not be read to its end; try again", path), true);
  return {};
}

struct Found {
  std::vector<std::string> history;      // verdict lines, oldest first
  std::vector<std::string> end_users;    // verdict lines of the account's end users
  std::vector<std::string> memberships;  // member lines of the account, or of the campaign's accounts
  std::vector<std::string> campaigns;    // campaign lines
  std::uint64_t members = 0;
  std::vector<std::string> known;  // ids for the hint
  bool is_campaign = false, is_end_user = false;
};

base::Result<Found> look_up(const std::string& folder, const std::string& id) {
  Found found;
  std::vector<std::string> wanted;
  STILLWATCH_CHECK(for_each_line(folder + "/verdicts.ndjson", [&](std::string_view line, const dom::element& verdict) {
    const bool is_subject = text_at(verdict, "/subject/id") == id;
    if (text_at(verdict, "/subject/account") == id) found.end_users.emplace_back(line);
    if (!is_subject) return;
    found.is_end_user = text_at(verdict, "/subject/kind") == "end_user";
    found.history.emplace_back(line);
    const std::string campaign(text_at(verdict, "/campaign"));
    if (!campaign.empty() && std::find(wanted.begin(), wanted.end(), campaign) == wanted.end())
      wanted.push_back(campaign);
  }));
  STILLWATCH_CHECK(for_each_line(folder + "/members.ndjson", [&](std::string_view line, const dom::element& member) {
    const bool of_campaign = text_at(member, "/campaign") == id;
    if (of_campaign) ++found.members;
    if (text_at(member, "/account") == id) {
      found.memberships.emplace_back(line);
      const std::string campaign(text_at(member, "/campaign"));
      if (std::find(wanted.begin(), wanted.end(), campaign) == wanted.end()) wanted.push_back(campaign);
    } else if (of_campaign && found.memberships.size() < kMembersShownMax) {
      found.memberships.emplace_back(line);
    }
  }));
  STILLWATCH_CHECK(
      for_each_line(folder + "/campaigns.ndjson", [&](std::string_view line, const dom::element& campaign) {
        const std::string_view name = text_at(campaign, "/id");
        if (found.known.size() < kIdsHintedMax) found.known.emplace_back(name);
        found.is_campaign = found.is_campaign || name == id;
        if (name == id || std::find(wanted.begin(), wanted.end(), name) != wanted.end())
          found.campaigns.emplace_back(line);
      }));
  return found;
}

std::string as_json(const std::string& id, const Found& found) {
  std::string out = "{\"v\":1,\"id\":";
  base::append_json_string(out, id);
  const std::string_view kind = found.is_campaign ? "campaign" : found.is_end_user ? "end_user" : "account";
  out += fmt::format(",\"kind\":\"{}\",\"state\":", kind);
  out += found.history.empty() ? "null" : found.history.back();
  const auto lines = [&](std::string_view key, const std::vector<std::string>& values) {
    fmt::format_to(std::back_inserter(out), ",\"{}\":[{}]", key, fmt::join(values, ","));
  };
  lines("history", found.history);
  lines("end_users", found.end_users);
  lines("members", found.memberships);
  lines("campaigns", found.campaigns);
  return out + "}\n";
}

// Text of a person's terminal: control bytes of an id must not reach it.
std::string shown(std::string_view bytes) {
  std::string out;
  while (!bytes.empty()) {
    const std::size_t length = base::utf8_length(bytes);
    const auto byte = static_cast<unsigned char>(bytes[0]);
    const bool control =
        length == 0 || byte < 0x20 || byte == 0x7F || (byte == 0xC2 && static_cast<unsigned char>(bytes[1]) < 0xA0);
    out += control ? std::string_view("?") : bytes.substr(0, length);
    bytes.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

class Text {
 public:
  void heading(std::string_view text) { out_ += "\n" + std::string(text) + "\n"; }
  // Wraps at spaces; lines after the first go in by two more.
  void paragraph(std::string_view text, std::size_t indent = 2) {
    std::string line(indent, ' ');
    std::size_t width = indent;
    for (std::size_t at = 0; at < text.size();) {
      std::size_t end = text.find(' ', at);
      if (end == std::string_view::npos) end = text.size();
      const std::string_view word = text.substr(at, end - at);
      if (width + word.size() > kWidth && width > indent) {
        out_ += line + "\n";
        line.assign(indent + 2, ' ');
        width = indent + 2;
      }
      line += word;
      line += ' ';
      width += word.size() + 1;
      at = end + 1;
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    out_ += line + "\n";
  }
  std::string take() { return std::move(out_); }
  std::string& raw() { return out_; }

 private:
  std::string out_;
};

std::optional<event::Channel> channel_named(std::string_view name) {
  for (std::size_t i = 0; i < event::kChannels; ++i) {
    if (event::name(static_cast<event::Channel>(i)) == name) return static_cast<event::Channel>(i);
  }
  return std::nullopt;
}

std::string when(std::string_view rfc3339) {
  const auto time = base::parse_time(rfc3339);
  return time ? date_and_time(*time) : shown(rfc3339);
}

std::string numbers_of(const dom::element& object) {
  std::string out;
  dom::object fields;
  if (object.get(fields) != simdjson::SUCCESS) return out;
  for (const auto field : fields) {
    double value = 0;
    if (field.value.get(value) != simdjson::SUCCESS) continue;
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", shown(spaced(field.key)), measure_value(field.key, value));
  }
  return out;
}

void tell_reasons(Text& text, const dom::element& line, std::string_view pointer, std::string_view channels_pointer) {
  event::ChannelSet told;
  dom::array reasons;
  if (line.at_pointer(pointer).get(reasons) == simdjson::SUCCESS) {
    for (const dom::element& reason : reasons) {
      const std::string_view name = text_at(reason, "/channel");
      const auto channel = channel_named(name);
      if (channel) told.add(*channel);
      text.paragraph(fmt::format("{} ({}): {}", shown(spaced(name)),
                                 channel ? group_name(event::group_of(*channel)) : "unknown",
                                 shown(text_at(reason, "/text"))));
      dom::element numbers;
      if (reason.at_key("numbers").get(numbers) == simdjson::SUCCESS) {
        const std::string figures = numbers_of(numbers);
        if (!figures.empty()) text.paragraph(figures, 6);
      }
    }
  }
  event::ChannelSet all;
  for (const std::string& name : texts_at(line, channels_pointer)) {
    const auto channel = channel_named(name);
    if (!channel) continue;
    all.add(*channel);
    if (!told.has(*channel))
      text.paragraph(
          fmt::format("{} ({}): {}", spaced(name), group_name(event::group_of(*channel)), channel_meaning(*channel)));
  }
  text.paragraph(fmt::format("Independent kinds of evidence: {}. Requests may be refused only on two or more.",
                             all.independent_count()));
}

void tell_strength(Text& text, const dom::element& line) {
  const double log10_e = number_at(line, "/strength/log10_e");
  const auto groups = static_cast<std::uint32_t>(std::clamp(number_at(line, "/strength/calibration_groups"), 0.0, 4e9));
  text.heading("How sure");
  text.paragraph(fmt::format("{}, log10 e {:.1f}. {}", strength_word(log10_e), log10_e,
                             strength_sentence({log10_e, groups, truth_at(line, "/strength/extrapolated")})));
}

void tell_without_channel(Text& text, const dom::element& campaign) {
  dom::object without;
  if (campaign.at_pointer("/evidence/without_channel").get(without) != simdjson::SUCCESS || without.size() == 0) return;
  text.heading("Without one channel, the campaign's strength would be");
  for (const auto field : without) {
    double log10_e = 0;
    if (field.value.get(log10_e) == simdjson::SUCCESS)
      text.raw() += fmt::format("  {:<14}log10 e {:.1f}\n", shown(spaced(field.key)), log10_e);
  }
}

void tell_history(Text& text, dom::parser& parser, const std::vector<std::string>& history,
                  std::string_view heading = "History") {
  text.heading(heading);
  if (history.empty()) return text.paragraph("No verdict line names it; its state is that of its accounts.");
  const std::size_t skipped = history.size() > kHistoryShownMax ? history.size() - kHistoryShownMax : 0;
  if (skipped > 0) text.paragraph(fmt::format("{} earlier changes are left out; --json has them.", skipped));
  for (std::size_t i = skipped; i < history.size(); ++i) {
    dom::element line;
    if (parser.parse(history[i]).get(line) != simdjson::SUCCESS) continue;
    const std::string_view verdict_class = text_at(line, "/class");
    text.raw() +=
        fmt::format("  {:<24}{:<10}{:<12}{:<11}{}\n", when(text_at(line, "/time")), shown(text_at(line, "/level")),
                    shown(verdict_class), shown(text_at(line, "/campaign")), shown(text_at(line, "/rule")));
    if (heading != "History") text.paragraph(shown(text_at(line, "/subject/id")), 6);
  }
}

std::string account_text(const std::string& id, const Found& found) {
  Text text;
  dom::parser parser, campaign_parser;
  dom::element state;
  const bool has_state = !found.history.empty() && parser.parse(found.history.back()).get(state) == simdjson::SUCCESS;
  const std::string level(has_state ? text_at(state, "/level") : "clear");
  text.raw() += found.is_end_user ? fmt::format("End user {} of account {}: {}", shown(id),
                                                shown(text_at(state, "/subject/account")), shown(level))
                                  : fmt::format("Account {}: {}", shown(id), shown(level));
  if (has_state && !text_at(state, "/class").empty())
    text.raw() += fmt::format(", {}", shown(text_at(state, "/class")));
  if (has_state && !text_at(state, "/campaign").empty())
    text.raw() += fmt::format(", campaign {}", shown(text_at(state, "/campaign")));
  text.raw() += has_state && truth_at(state, "/dry_run") ? " (dry run: nothing was refused)\n" : "\n";
  // After an expiry the last line is `clear` and says nothing: the reasons are those of the last line above it.
  dom::element reasons;
  bool has_reasons = has_state && level != "clear";
  if (has_reasons) reasons = state;
  for (std::size_t i = found.history.size(); !has_reasons && i-- > 0;) {
    has_reasons =
        parser.parse(found.history[i]).get(reasons) == simdjson::SUCCESS && text_at(reasons, "/level") != "clear";
  }
  if (has_reasons) {
    text.heading(level == "clear" ? "Why, before it was cleared" : "Why");
    tell_reasons(text, reasons, "/reasons", "/channels");
    tell_strength(text, reasons);
  }
  for (const std::string& line : found.memberships) {
    dom::element member;
    if (campaign_parser.parse(line).get(member) != simdjson::SUCCESS) continue;
    text.heading(fmt::format("Member of {}", shown(text_at(member, "/campaign"))));
    text.paragraph(fmt::format("since {}, with {} requests; its own evidence: {}.", when(text_at(member, "/since")),
                               plain_number(number_at(member, "/queries")),
                               shown(listed(texts_at(member, "/channels"), 17))));
  }
  const std::string expires(has_reasons ? text_at(reasons, "/expires") : "");
  for (const std::string& line : found.campaigns) {
    dom::element campaign;
    if (campaign_parser.parse(line).get(campaign) == simdjson::SUCCESS) tell_without_channel(text, campaign);
  }
  text.heading("What would change it");
  if (level != "clear" && !expires.empty())
    text.paragraph(fmt::format("Time: it expires on {} unless new evidence renews it.", when(expires)));
  if (level == "clear" && has_reasons)
    text.paragraph("Nothing is held against it now; the earlier state was lifted or ran out.");
  text.paragraph(
      "What the provider knows: a declared use, a verification, or one owner of the accounts (org) in the accounts "
      "file is read before any verdict.");
  text.paragraph("A person: every level can be lifted, and a declined objection is decided by a human.");
  tell_history(text, parser, found.history);
  if (!found.end_users.empty()) tell_history(text, parser, found.end_users, "Its end users that were acted on");
  return text.take();
}

std::string campaign_text(const std::string& id, const Found& found) {
  Text text;
  dom::parser parser, line_parser;
  dom::element campaign;
  for (const std::string& line : found.campaigns) {
    if (parser.parse(line).get(campaign) == simdjson::SUCCESS && text_at(campaign, "/id") == id) break;
  }
  const std::string_view verdict_class = text_at(campaign, "/class");
  text.raw() += fmt::format("Campaign {}: {}\n\n", shown(id), shown(verdict_class));
  text.paragraph(
      fmt::format("{} accounts, {} requests and {} output tokens of {}. Found {}, last change {}.",
                  plain_number(number_at(campaign, "/accounts_count")), plain_number(number_at(campaign, "/queries")),
                  compact(number_at(campaign, "/output_tokens")), shown(listed(texts_at(campaign, "/models"))),
                  when(text_at(campaign, "/opened")), when(text_at(campaign, "/updated"))));
  for (int i = 0; i < 4; ++i) {
    if (event::name(static_cast<event::Class>(i)) == verdict_class)
      text.paragraph(class_meaning(static_cast<event::Class>(i)));
  }
  text.heading("Evidence");
  tell_reasons(text, campaign, "/evidence/reasons", "/channels");
  tell_strength(text, campaign);
  dom::element measures;
  if (campaign.at_pointer("/evidence/measures").get(measures) == simdjson::SUCCESS) {
    const std::string figures = numbers_of(measures);
    if (!figures.empty()) {
      text.heading("Is it a harvest?");
      text.paragraph(figures);
    }
  }
  tell_without_channel(text, campaign);
  constexpr std::size_t kAccountsNamed = 10;
  text.heading("Accounts");
  for (std::size_t i = 0; i < std::min(found.memberships.size(), kAccountsNamed); ++i) {
    dom::element member;
    if (line_parser.parse(found.memberships[i]).get(member) != simdjson::SUCCESS) continue;
    text.raw() += fmt::format("  {:<28}since {:<24}{:>8} requests  {}\n", shown(text_at(member, "/account")),
                              when(text_at(member, "/since")), plain_number(number_at(member, "/queries")),
                              shown(listed(texts_at(member, "/channels"), 6)));
  }
  if (found.members > kAccountsNamed)
    text.paragraph(fmt::format("and {} more; all are in members.ndjson.", found.members - kAccountsNamed));
  if (!found.history.empty()) tell_history(text, line_parser, found.history);
  for (int i = 0; i < 4; ++i) {
    if (event::name(static_cast<event::Class>(i)) != verdict_class) continue;
    text.heading("What we do not claim");
    text.paragraph(class_limits(static_cast<event::Class>(i)));
  }
  return text.take();
}

}  // namespace

base::Result<std::string> explain(const std::string& out_folder, const std::string& id, bool json) {
  STILLWATCH_TRY(found, look_up(out_folder, id));
  if (found.history.empty() && found.memberships.empty() && found.end_users.empty() && !found.is_campaign) {
    std::string hint = found.known.empty()
                           ? "no campaign was found in that run"
                           : fmt::format("campaigns there: {}", shown(listed(found.known, kIdsHintedMax)));
    return base::fail(base::Fault::caller, fmt::format("{} is in none of the verdicts, members and campaigns of {}: an "
                                                       "account without a line was `clear` throughout; "
                                                       "check the spelling ({})",
                                                       shown(id), out_folder, hint));
  }
  if (json) return as_json(id, found);
  return found.is_campaign ? campaign_text(id, found) : account_text(id, found);
}

}  // namespace stillwatch::report
