// Feeds a query log to the chosen baselines: each line is read once for all of them.
#include <algorithm>
#include <functional>
#include <iterator>

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

// The events of a log that is not too long: those who read it again need not parse it again.
class KeptEvents {
 public:
  void add(const LightEvent& event) {
    if (!whole_) return;
    if (events_.size() >= kEventsMax) {
      *this = {};
      whole_ = false;
      return;
    }
    events_.push_back(event);
    if (event.vector != nullptr) vectors_.push_back(*event.vector);
  }
  bool whole() const { return whole_; }
  void feed(const Baselines& baselines) const {
    auto vector = vectors_.begin();
    for (LightEvent event : events_) {
      if (event.vector != nullptr) event.vector = &*vector++;
      for (const auto& baseline : baselines) baseline->add(event);
    }
  }

 private:
  static constexpr std::size_t kEventsMax = 2'000'000;  // 216 bytes each: 430 MB
  bool whole_ = true;
  std::vector<LightEvent> events_;
  std::vector<TextVector> vectors_;
};

struct LogSpan {
  std::uint64_t events = 0, others = 0;
  std::int64_t first_us = INT64_MAX, last_us = INT64_MIN;
};

base::Result<LogSpan> feed(const Truth& truth, const std::string& log, const std::vector<std::uint64_t>& payments,
                           const Baselines& baselines, KeptEvents* kept = nullptr) {
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
    if (kept != nullptr) kept->add(event);
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

// Each of `calibrated`, which has seen the log, with the best threshold that the truth could give. Only those that read
// thresholds are made and fed anew.
base::Result<std::vector<Detector>> run_oracles(const Truth& truth, const Baselines& calibrated,
                                                BaselineOptions options,
                                                const std::function<base::Status(const Baselines&)>& feed_again) {
  options.oracle = false;
  Baselines made = make_chosen(options), again;
  std::vector<Baseline*> all;
  for (std::size_t i = 0; i < made.size(); ++i) {
    const bool reads = calibrated[i]->reads_thresholds();
    all.push_back(reads ? made[i].get() : calibrated[i].get());
    const auto known = calibrated[i]->tests(), tests = all[i]->tests();
    for (std::size_t test = 0; test < tests.size(); ++test) {
      const double threshold = known[test]->honest_threshold(truth);
      if (reads)
        tests[test]->set_threshold(threshold);
      else
        tests[test]->judge_again(threshold);
    }
    if (reads) again.push_back(std::move(made[i]));
  }
  if (!again.empty()) STILLWATCH_CHECK(feed_again(again));
  std::vector<Detector> out;
  for (Baseline* baseline : all) {
    out.push_back(baseline->finish());
    out.back().name += ", oracle";
  }
  return out;
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
  KeptEvents kept;
  STILLWATCH_TRY(span, feed(truth, log, payments, calibrated, options.oracle ? &kept : nullptr));
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
    const auto feed_again = [&](const Baselines& again) -> base::Status {
      if (kept.whole()) {
        kept.feed(again);
        return {};
      }
      STILLWATCH_TRY(more, feed(truth, log, payments, again));
      if (more.events == span.events) return {};
      return base::fail(base::Fault::environment,
                        fmt::format("{} changed while it was read; run again when it is at rest", log));
    };
    STILLWATCH_TRY(oracles, run_oracles(truth, calibrated, options, feed_again));
    std::move(oracles.begin(), oracles.end(), std::back_inserter(out));
  }
  for (Detector& detector : out) {
    detector.first_us = span.first_us;
    detector.last_us = span.last_us;
  }
  return out;
}

}  // namespace stillwatch::quality
