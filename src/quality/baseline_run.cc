// Feeds a query log to the chosen baselines: each line is read once for all of them.
#include <algorithm>

#include <fmt/format.h>

#include "base/event_time.h"
#include "quality/baselines.h"
#include "quality/prompt_traits.h"
#include "quality/rows.h"

namespace stillwatch::quality {
namespace {

struct Known {
  std::string_view name;
  MakeBaseline* make;
};

constexpr Known kKnown[] = {{"rate-limit", make_rate_limit},
                            {"network-and-payment", make_velocity},
                            {"synchrotrap", make_synchrotrap},
                            {"prada", make_prada},
                            {"seat", make_seat},
                            {"mmd", make_mmd},
                            {"coverage", make_coverage},
                            {"isolation-forest", make_isolation_forest},
                            {"evilcohort", make_evilcohort},
                            {"fraudar", make_fraudar},
                            {"stream-clusters", make_stream_clusters}};

using Baselines = std::vector<std::unique_ptr<Baseline>>;

Baselines make_chosen(const BaselineOptions& options) {
  Baselines out;
  for (const Known& known : kKnown) {
    if (options.only.empty() || std::find(options.only.begin(), options.only.end(), known.name) != options.only.end())
      out.push_back(known.make(options));
  }
  return out;
}

struct LogSpan {
  std::uint64_t events = 0, others = 0;
  std::int64_t first_us = INT64_MAX, last_us = INT64_MIN;
};

base::Result<LogSpan> feed(const Truth& truth, const std::string& log, const std::vector<std::uint64_t>& payments,
                           const Baselines& baselines) {
  LogSpan span;
  RowParser parser;
  LogRow row;
  TextVectors vectors;
  STILLWATCH_CHECK(for_each_line(log, [&](std::string_view line) {
    const auto account = parser.read(line, row) ? truth.accounts_by_name.find(row.account) : std::nullopt;
    if (!account) {
      ++span.others;
      return;
    }
    ++span.events;
    span.first_us = std::min(span.first_us, row.time_us);
    span.last_us = std::max(span.last_us, row.time_us);
    const auto vector = vectors.of(row.text);
    const PromptTraits traits = prompt_traits(row.text);
    LightEvent event;
    event.time_us = row.time_us;
    event.account = *account;
    event.network = row.network;
    event.client = row.client;
    event.prompt = row.prompt;
    event.payment = payments[*account];
    event.prefix = traits.prefix;
    event.skeleton = traits.skeleton;
    event.text_bytes = static_cast<std::uint32_t>(row.text.size());
    event.turns = row.turns;
    event.output_tokens = row.output_tokens;
    event.weak_score = weak_score(traits, row.turns, row.output_tokens, row.output_tokens_max);
    event.vector = vector ? &*vector : nullptr;
    for (const auto& baseline : baselines) baseline->add(event);
  }));
  return span;
}

base::Result<std::vector<std::uint64_t>> read_payments(const Truth& truth, const std::string& path) {
  std::vector<std::uint64_t> payments(truth.accounts.size(), 0);
  if (path.empty()) return payments;
  RowParser parser;
  Names names;
  AccountRow row;
  STILLWATCH_CHECK(for_each_line(path, [&](std::string_view line) {
    const auto account = parser.read(line, row) ? truth.accounts_by_name.find(row.account) : std::nullopt;
    if (account && !row.payment.empty()) payments[*account] = names.number(row.payment) + 1;
  }));
  return payments;
}

base::Status check_names(const std::vector<std::string>& only) {
  const auto names = baseline_names();
  for (const std::string& name : only) {
    if (std::find(names.begin(), names.end(), name) == names.end())
      return base::fail(base::Fault::caller,
                        fmt::format("no baseline is called {}; there are: {}", name, fmt::join(names, ", ")));
  }
  return {};
}

}  // namespace

std::vector<std::string_view> baseline_names() {
  std::vector<std::string_view> out;
  for (const Known& known : kKnown) out.push_back(known.name);
  return out;
}

base::Result<std::vector<Detector>> run_baselines(const Truth& truth, const std::string& log,
                                                  const std::string& accounts_file, const BaselineOptions& options) {
  STILLWATCH_CHECK(check_names(options.only));
  STILLWATCH_TRY(payments, read_payments(truth, accounts_file));
  const Baselines calibrated = make_chosen(options);
  STILLWATCH_TRY(span, feed(truth, log, payments, calibrated));
  if (span.events == 0) {
    return base::fail(
        base::Fault::caller,
        fmt::format("{} holds no request of an account of the truth ({} other lines): is it the log of that world?",
                    log, span.others));
  }
  const double days = static_cast<double>(span.last_us - span.first_us) / static_cast<double>(base::kDayUs);
  if (days <= options.calibrate_days) {
    return base::fail(
        base::Fault::caller,
        fmt::format("{} spans {:.1f} days, no more than the {:g} days of calibration; set --calibrate-days lower", log,
                    days, options.calibrate_days));
  }
  std::vector<Detector> out;
  for (const auto& baseline : calibrated) out.push_back(baseline->finish());
  if (options.oracle) {
    BaselineOptions known_threshold = options;
    known_threshold.oracle = false;
    const Baselines oracles = make_chosen(known_threshold);
    for (std::size_t i = 0; i < oracles.size(); ++i) {
      const auto known = calibrated[i]->tests();
      const auto tests = oracles[i]->tests();
      for (std::size_t test = 0; test < tests.size(); ++test)
        tests[test]->set_threshold(known[test]->honest_threshold(truth));
    }
    STILLWATCH_TRY(again, feed(truth, log, payments, oracles));
    if (again.events != span.events)
      return base::fail(base::Fault::environment,
                        fmt::format("{} changed while it was read; run again when it is at rest", log));
    for (const auto& baseline : oracles) {
      out.push_back(baseline->finish());
      out.back().name += ", oracle";
    }
  }
  for (Detector& detector : out) {
    detector.first_us = span.first_us;
    detector.last_us = span.last_us;
  }
  return out;
}

}  // namespace stillwatch::quality
