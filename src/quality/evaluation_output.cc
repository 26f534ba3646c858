// The evaluation as a table for people and as JSON for programs.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/json_text.h"
#include "quality/evaluation.h"

namespace stillwatch::quality {
namespace {

constexpr std::size_t kLabelWidth = 38;
constexpr std::size_t kColumnWidth = 17;

std::string share(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return "-";
  const double value = 100.0 * static_cast<double>(part) / static_cast<double>(whole);
  if (part == 0) return "0 %";
  if (value < 0.1) return fmt::format("{:.2g} %", value);
  return fmt::format("{:.1f} %", part < whole ? std::min(value, 99.9) : value);
}

std::string bound(double rate) { return rate >= 1 ? "-" : fmt::format("<= {:.2g}", rate); }
std::string hours(const std::optional<double>& value) { return value ? fmt::format("{:.1f} h", *value) : "never"; }

class Table {
 public:
  explicit Table(const Evaluation& evaluation) : evaluation_(evaluation) {
    for (const Scores& scores : evaluation.detectors) {
      names_.push_back(wrapped(scores.name));
      name_lines_ = std::max(name_lines_, names_.back().size());
    }
  }
  void heading(std::string_view text) {
    out_ += '\n';
    for (std::size_t line = 0; line < name_lines_; ++line) {
      out_ += fmt::format("{:<{}}", line + 1 == name_lines_ ? text : "", kLabelWidth);
      for (const auto& name : names_) {
        const std::size_t blank = name_lines_ - name.size();
        out_ += fmt::format("  {:>{}}", line < blank ? "" : name[line - blank], kColumnWidth);
      }
      out_ += '\n';
    }
    out_ += std::string(kLabelWidth + names_.size() * (kColumnWidth + 2), '-') + "\n";
  }
  template <class Cell>
  void row(std::string_view label, const Cell& cell) {
    out_ += fmt::format("{:<{}}", cut(label, kLabelWidth), kLabelWidth);
    for (const Scores& scores : evaluation_.detectors) out_ += fmt::format("  {:>{}}", cell(scores), kColumnWidth);
    out_ += "\n";
  }
  std::string take() { return std::move(out_); }
  std::string& raw() { return out_; }

  // The end of a name tells more than its beginning; control bytes do not reach a terminal.
  static std::string cut(std::string_view text, std::size_t width) {
    std::string out(text.size() > width ? text.substr(text.size() - width) : text);
    for (char& c : out) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
    }
    return out;
  }

 private:
  // Words of a name on as few lines of a column's width as they need.
  static std::vector<std::string> wrapped(std::string_view name) {
    std::vector<std::string> lines;
    while (!name.empty()) {
      const std::size_t space = name.find(' ');
      const std::string word = cut(name.substr(0, space), kColumnWidth);
      if (!lines.empty() && lines.back().size() + 1 + word.size() <= kColumnWidth)
        lines.back() += ' ' + word;
      else
        lines.push_back(word);
      name.remove_prefix(space == std::string_view::npos ? name.size() : space + 1);
    }
    return lines;
  }

  const Evaluation& evaluation_;
  std::vector<std::vector<std::string>> names_;
  std::size_t name_lines_ = 1;
  std::string out_;
};

void theft_rows(Table& table, const Evaluation& evaluation, std::vector<TheftResult> Scores::*member,
                std::string_view title) {
  const auto& first = evaluation.detectors.front().*member;
  if (first.empty()) return;
  table.heading(title);
  for (std::size_t i = 0; i < first.size(); ++i) {
    const auto of = [&](const Scores& scores) -> const TheftResult& { return (scores.*member)[i]; };
    table.row(fmt::format("{} ({} accounts)", first[i].name, first[i].accounts),
              [&](const Scores& s) { return share(of(s).prevented_queries, of(s).queries); });
    table.row("  actioned", [&](const Scores& s) { return fmt::format("{}", of(s).actioned); });
    table.row("  first alert, half, 90 % actioned", [&](const Scores& s) {
      const auto brief = [](const std::optional<double>& value) { return value ? fmt::format("{:.0f}", *value) : "-"; };
      return fmt::format("{}, {}, {} h", brief(of(s).hours_to_first_alert), brief(of(s).hours_to_half),
                         brief(of(s).hours_to_90));
    });
  }
}

void error_rows(Table& table, const Evaluation& evaluation, std::vector<ErrorResult> Scores::*member,
                std::string_view title) {
  const auto& first = evaluation.detectors.front().*member;
  if (first.empty()) return;
  table.heading(title);
  for (std::size_t i = 0; i < first.size(); ++i) {
    const auto of = [&](const Scores& scores) -> const ErrorResult& { return (scores.*member)[i]; };
    table.row(fmt::format("{} ({})", first[i].name, first[i].accounts),
              [&](const Scores& s) { return fmt::format("{} {}", of(s).actioned, bound(of(s).actioned_upper_95)); });
    if (first[i].units > 0) {
      table.row(fmt::format("  of {} independent units", first[i].units), [&](const Scores& s) {
        return fmt::format("{} {}", of(s).units_actioned, bound(of(s).units_upper_95));
      });
    }
  }
}

// JSON, key by key.
class Json {
 public:
  void open(char bracket) { separate(), out_ += bracket, first_ = true; }
  void close(char bracket) { out_ += bracket, first_ = false; }
  void key(std::string_view name) { separate(), base::append_json_string(out_, name), out_ += ':', first_ = true; }
  void text(std::string_view name, std::string_view value) {
    key(name), base::append_json_string(out_, value), first_ = false;
  }
  void count(std::string_view name, std::uint64_t value) {
    key(name), base::append_json_number(out_, value), first_ = false;
  }
  void number(std::string_view name, const std::optional<double>& value) {
    key(name);
    if (value)
      base::append_json_number(out_, *value);
    else
      out_ += "null";
    first_ = false;
  }
  void ratio(std::string_view name, std::uint64_t part, std::uint64_t whole) {
    number(name, whole == 0 ? std::nullopt : std::optional(static_cast<double>(part) / static_cast<double>(whole)));
  }
  std::string take() { return out_ + '\n'; }

 private:
  void separate() {
    if (!first_) out_ += ',';
    first_ = false;
  }
  std::string out_;
  bool first_ = true;
};

void append(Json& json, const TheftResult& theft) {
  json.open('{');
  json.text("name", theft.name);
  json.text("family", theft.family);
  json.count("accounts", theft.accounts);
  json.count("alerted", theft.alerted);
  json.count("actioned", theft.actioned);
  json.count("queries", theft.queries);
  json.count("prevented_queries", theft.prevented_queries);
  json.ratio("prevented_fraction", theft.prevented_queries, theft.queries);
  json.count("output_tokens", theft.output_tokens);
  json.count("prevented_tokens", theft.prevented_tokens);
  json.ratio("prevented_token_fraction", theft.prevented_tokens, theft.output_tokens);
  json.number("hours_to_first_alert", theft.hours_to_first_alert);
  json.number("hours_to_half_actioned", theft.hours_to_half);
  json.number("hours_to_90_actioned", theft.hours_to_90);
  json.number("best_iou", theft.best_iou);
  json.count("fragments", theft.fragments);
  json.close('}');
}

void append(Json& json, const ErrorResult& error) {
  json.open('{');
  json.text("name", error.name);
  json.count("accounts", error.accounts);
  json.count("alerted", error.alerted);
  json.count("actioned", error.actioned);
  json.ratio("error", error.actioned, error.accounts);
  json.number("error_upper_95", error.actioned_upper_95);
  json.count("units", error.units);
  json.count("units_actioned", error.units_actioned);
  json.number("units_error_upper_95", error.units > 0 ? std::optional(error.units_upper_95) : std::nullopt);
  json.close('}');
}

void append(Json& json, const TestNote& test) {
  json.open('{');
  json.text("name", test.name);
  json.number("threshold", std::isfinite(test.threshold) ? std::optional(test.threshold) : std::nullopt);
  json.count("calibration_accounts", test.calibration_accounts);
  json.close('}');
}

template <class Result>
void append_all(Json& json, std::string_view name, const std::vector<Result>& results) {
  json.key(name);
  json.open('[');
  for (const Result& result : results) append(json, result);
  json.close(']');
}

void append_counts(Json& json, std::string_view name, const std::map<std::string, std::uint64_t>& counts) {
  json.key(name);
  json.open('{');
  for (const auto& [what, count] : counts) json.count(what, count);
  json.close('}');
}

}  // namespace

std::string evaluation_table(const Evaluation& evaluation) {
  Table table(evaluation);
  table.raw() = fmt::format("{} honest and {} hostile accounts, {} hostile requests, {} output tokens taken.\n",
                            evaluation.benign, evaluation.hostile, evaluation.queries, evaluation.output_tokens);
  if (evaluation.bad_lines > 0)
    table.raw() += fmt::format("{} lines of the truth could not be used.\n", evaluation.bad_lines);
  if (evaluation.detectors.empty()) return table.take();
  table.heading("Overall");
  table.row("prevented, requests",
            [](const Scores& s) { return share(s.overall.prevented_queries, s.overall.queries); });
  table.row("prevented, output tokens",
            [](const Scores& s) { return share(s.overall.prevented_tokens, s.overall.output_tokens); });
  table.row("first alert (slowest campaign)",
            [](const Scores& s) { return s.true_campaigns == 0 ? "-" : hours(s.overall.hours_to_first_alert); });
  table.row("hostile accounts actioned", [](const Scores& s) { return share(s.actioned_hostile, s.overall.accounts); });
  table.row("honest accounts actioned", [](const Scores& s) { return fmt::format("{}", s.actioned_benign); });
  table.row("  error, 95 % bound", [](const Scores& s) { return bound(s.benign.actioned_upper_95); });
  table.row("honest accounts alerted", [](const Scores& s) { return fmt::format("{}", s.alerted_benign); });
  table.row("actioned that are hostile",
            [](const Scores& s) { return share(s.actioned_hostile, s.actioned_hostile + s.actioned_benign); });
  table.row("campaigns found (IoU >= 0.5)",
            [](const Scores& s) { return fmt::format("{} of {}", s.true_found, s.true_campaigns); });
  table.row("found campaigns that are true",
            [](const Scores& s) { return fmt::format("{} of {}", s.found_matched, s.found_distillers); });
  table.row("found campaigns a true one", [](const Scores& s) {
    return s.fragmentation > 0 ? fmt::format("{:.2f}", s.fragmentation) : std::string("-");
  });
  table.row("false campaigns", [](const Scores& s) { return fmt::format("{}", s.found_false); });
  table.row("  a month and million accounts", [](const Scores& s) {
    return s.false_per_month_and_million
               ? fmt::format("{:.1f} (<= {:.0f})", *s.false_per_month_and_million, *s.false_upper_95)
               : std::string("-");
  });
  table.row("  promised", [](const Scores& s) {
    return s.promised_false_campaigns ? fmt::format("{:g}", *s.promised_false_campaigns) : std::string("-");
  });
  table.row("resellers found (mostly honest)",
            [](const Scores& s) { return fmt::format("{} ({})", s.found_resellers, s.found_resellers_benign); });
  table.row("days judged", [](const Scores& s) { return fmt::format("{:.1f}", s.horizon_days); });
  theft_rows(table, evaluation, &Scores::families, "Prevented by family");
  if (evaluation.detectors.front().campaigns.size() > evaluation.detectors.front().families.size()) {
    theft_rows(table, evaluation, &Scores::campaigns, "Prevented by campaign");
  }
  error_rows(table, evaluation, &Scores::strata, "Honest accounts actioned, by stratum");
  error_rows(table, evaluation, &Scores::languages, "Honest accounts actioned, by language");
  for (const Scores& scores : evaluation.detectors) {
    if (scores.bad_lines + scores.unknown_accounts == 0) continue;
    table.raw() += fmt::format("\n{}: {} lines are no verdicts, {} accounts are not in the truth.\n",
                               Table::cut(scores.name, 60), scores.bad_lines, scores.unknown_accounts);
  }
  return table.take();
}

std::string evaluation_json(const Evaluation& evaluation) {
  Json json;
  json.open('{');
  json.count("v", 1);
  json.key("truth");
  json.open('{');
  json.count("honest_accounts", evaluation.benign);
  json.count("hostile_accounts", evaluation.hostile);
  json.count("hostile_queries", evaluation.queries);
  json.count("hostile_output_tokens", evaluation.output_tokens);
  json.count("bad_lines", evaluation.bad_lines);
  json.close('}');
  json.key("detectors");
  json.open('[');
  for (const Scores& scores : evaluation.detectors) {
    json.open('{');
    json.text("name", scores.name);
    json.key("overall");
    append(json, scores.overall);
    json.key("honest");
    append(json, scores.benign);
    json.count("actioned_hostile", scores.actioned_hostile);
    json.count("actioned_honest", scores.actioned_benign);
    json.ratio("actioned_precision", scores.actioned_hostile, scores.actioned_hostile + scores.actioned_benign);
    json.count("alerted_hostile", scores.alerted_hostile);
    json.count("alerted_honest", scores.alerted_benign);
    json.ratio("alerted_precision", scores.alerted_hostile, scores.alerted_hostile + scores.alerted_benign);
    json.count("campaigns_true", scores.true_campaigns);
    json.count("campaigns_true_found", scores.true_found);
    json.ratio("campaign_recall", scores.true_found, scores.true_campaigns);
    json.count("campaigns_found", scores.found_distillers);
    json.count("campaigns_found_matched", scores.found_matched);
    json.ratio("campaign_precision", scores.found_matched, scores.found_distillers);
    json.number("fragmentation", scores.fragmentation > 0 ? std::optional(scores.fragmentation) : std::nullopt);
    json.count("false_campaigns", scores.found_false);
    json.number("false_campaigns_per_month_and_million", scores.false_per_month_and_million);
    json.number("false_campaigns_upper_95", scores.false_upper_95);
    json.number("promised_false_campaigns_per_month_and_million", scores.promised_false_campaigns);
    json.count("resellers_found", scores.found_resellers);
    json.count("resellers_found_mostly_honest", scores.found_resellers_benign);
    json.count("others_found", scores.found_others);
    json.number("horizon_days", scores.horizon_days);
    json.count("bad_lines", scores.bad_lines);
    json.count("other_subjects", scores.other_subjects);
    json.count("unknown_accounts", scores.unknown_accounts);
    append_all(json, "families", scores.families);
    append_all(json, "campaigns", scores.campaigns);
    append_all(json, "strata", scores.strata);
    append_all(json, "languages", scores.languages);
    append_all(json, "tests", scores.tests);
    append_counts(json, "left_out", scores.left_out);
    append_counts(json, "peaks", scores.peaks);
    json.close('}');
  }
  json.close(']');
  json.close('}');
  return json.take();
}

}  // namespace stillwatch::quality
