#include "gateway/metrics.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include <prometheus/client_metric.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include "gateway/metric_families.h"

namespace stillwatch::gateway {

using namespace metric;

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

using Labels = std::vector<ClientMetric::Label>;

// Bucket i ends at 2^(i + 4) microseconds.
constexpr int kFirstBucketLog2Us = 4;

double bucket_end_seconds(std::size_t bucket) {
  return static_cast<double>(std::uint64_t{1} << (bucket + kFirstBucketLog2Us)) * 1e-6;
}

std::size_t bucket_of(double seconds) {
  const double us = seconds * 1e6;
  if (!(us > 1)) return 0;  // a clock that went back gives a negative time
  constexpr double kBeyond = static_cast<double>(std::uint64_t{1} << (kDurationBuckets - 1 + kFirstBucketLog2Us));
  if (us > kBeyond) return kDurationBuckets;
  const auto whole = static_cast<std::uint64_t>(std::ceil(us));
  const int log2 = static_cast<int>(std::bit_width(whole - 1));  // the least n with 2^n >= whole
  return static_cast<std::size_t>(std::max(log2 - kFirstBucketLog2Us, 0));
}

MetricFamily family(std::string_view name, std::string_view help, MetricType type) {
  return {std::string(name), std::string(help), type, {}};
}

Labels label(std::string_view name, std::string_view value) { return {{std::string(name), std::string(value)}}; }

void add_counter(MetricFamily& to, Labels labels, std::uint64_t value) {
  ClientMetric metric;
  metric.label = std::move(labels);
  metric.counter.value = static_cast<double>(value);
  to.metric.push_back(std::move(metric));
}

void add_gauge(MetricFamily& to, Labels labels, double value) {
  ClientMetric metric;
  metric.label = std::move(labels);
  metric.gauge.value = value;
  to.metric.push_back(std::move(metric));
}

}  // namespace

Metrics::Shard::Shard(std::uint32_t upstreams_count)
    : upstreams_(std::make_unique<Slot[]>(upstreams_count * kUpstreamEvents)), upstreams_count_(upstreams_count) {}

void Metrics::Shard::observe(Duration duration, double seconds) {
  Histogram& histogram = histograms_[static_cast<std::size_t>(duration)];
  bump(histogram.buckets[bucket_of(seconds)], 1);
  if (!(seconds > 0)) seconds = 0;
  histogram.sum.store(histogram.sum.load(std::memory_order_relaxed) + seconds, std::memory_order_relaxed);
}

Metrics::Metrics(std::uint32_t threads, const std::vector<std::string>& upstreams, std::uint32_t label_values_max)
    : upstreams_(upstreams), label_values_max_(std::max(label_values_max, 1U)) {
  for (std::uint32_t thread = 0; thread < threads; ++thread) {
    shards_.push_back(std::unique_ptr<Shard>(new Shard(static_cast<std::uint32_t>(upstreams.size()))));
  }
}

Metrics::~Metrics() = default;

std::uint64_t Metrics::total(std::size_t place) const {
  std::uint64_t sum = 0;
  for (const auto& shard : shards_) sum += shard->slots_[place].load(std::memory_order_relaxed);
  return sum;
}

std::string Metrics::exposition() const {
  std::vector<MetricFamily> families;
  for (const CounterFamily& counter : counter_families()) {
    families.push_back(family(counter.name, counter.help, MetricType::Counter));
    for (std::size_t i = 0; i < counter.values.size(); ++i) {
      add_counter(families.back(), label(counter.label, counter.values[i]), total(counter.first + i));
    }
  }
  families.push_back(family(kRemedies.name, kRemedies.help, MetricType::Counter));
  for (std::size_t state = 0; state < remedy_states().size(); ++state) {
    for (auto level = static_cast<std::size_t>(event::Level::notice); level < kLevels; ++level) {
      Labels labels = label("remedy", event::name(static_cast<event::Level>(level)));
      labels.push_back({"state", std::string(remedy_states()[state])});
      add_counter(families.back(), std::move(labels),
                  total(slot(static_cast<RemedyState>(state), static_cast<event::Level>(level))));
    }
  }
  families.push_back(family(kUpstreamEventsFamily.name, kUpstreamEventsFamily.help, MetricType::Counter));
  for (std::size_t upstream = 0; upstream < std::min<std::size_t>(upstreams_.size(), label_values_max_); ++upstream) {
    const bool last = upstream + 1 == label_values_max_ && upstreams_.size() > label_values_max_;
    for (std::size_t event = 0; event < kUpstreamEvents; ++event) {
      std::uint64_t sum = 0;
      for (std::size_t i = upstream; i < (last ? upstreams_.size() : upstream + 1); ++i) {
        for (const auto& shard : shards_) {
          sum += shard->upstreams_[i * kUpstreamEvents + event].load(std::memory_order_relaxed);
        }
      }
      Labels labels = label("upstream", last ? "other" : upstreams_[upstream]);
      labels.push_back({"event", std::string(upstream_events()[event])});
      add_counter(families.back(), std::move(labels), sum);
    }
  }
  for (std::size_t i = 0; i < kDurations; ++i) {
    families.push_back(family(duration_families()[i].name, duration_families()[i].help, MetricType::Histogram));
    ClientMetric metric;
    for (std::size_t bucket = 0; bucket <= kDurationBuckets; ++bucket) {
      for (const auto& shard : shards_) {
        metric.histogram.sample_count += shard->histograms_[i].buckets[bucket].load(std::memory_order_relaxed);
      }
      metric.histogram.bucket.push_back({metric.histogram.sample_count, bucket == kDurationBuckets
                                                                            ? std::numeric_limits<double>::infinity()
                                                                            : bucket_end_seconds(bucket)});
    }
    for (const auto& shard : shards_) {
      metric.histogram.sample_sum += shard->histograms_[i].sum.load(std::memory_order_relaxed);
    }
    families.back().metric.push_back(std::move(metric));
  }
  for (std::size_t i = 0; i < kHelds; ++i) {
    families.push_back(family(held_families()[i].name, held_families()[i].help, MetricType::Gauge));
    std::uint64_t sum = 0;
    for (const auto& shard : shards_) sum += shard->held_[i].load(std::memory_order_relaxed);
    add_gauge(families.back(), {}, static_cast<double>(sum));
  }
  for (std::size_t i = 0; i < kGauges; ++i) {
    families.push_back(family(gauge_families()[i].name, gauge_families()[i].help, MetricType::Gauge));
    add_gauge(families.back(), {}, gauges_[i].load(std::memory_order_relaxed));
  }
  families.push_back(family(kSubjects.name, kSubjects.help, MetricType::Gauge));
  for (std::size_t level = 1; level < kLevels; ++level) {
    add_gauge(families.back(), label("level", event::name(static_cast<event::Level>(level))),
              static_cast<double>(subjects_[level].load(std::memory_order_relaxed)));
  }
  families.push_back(family(kAlarmActive.name, kAlarmActive.help, MetricType::Gauge));
  for (std::size_t alarm = 0; alarm < kAlarmKinds; ++alarm) {
    add_gauge(families.back(), label("alarm", alarm_kinds()[alarm]), alarms_[alarm].load(std::memory_order_relaxed));
  }
  families.push_back(family(kBuild.name, kBuild.help, MetricType::Gauge));
  add_gauge(families.back(), label("version", STILLWATCH_VERSION), 1);
  return prometheus::TextSerializer().Serialize(families);
}

std::vector<MetricName> metric_names() {
  std::vector<MetricName> names;
  for (const CounterFamily& counter : counter_families()) {
    names.push_back({std::string(counter.name), "counter", std::string(counter.label)});
  }
  names.push_back({std::string(kRemedies.name), "counter", "remedy, state"});
  names.push_back({std::string(kUpstreamEventsFamily.name), "counter", "upstream, event"});
  for (const PlainFamily& plain : duration_families()) names.push_back({std::string(plain.name), "histogram", ""});
  for (const PlainFamily& plain : held_families()) names.push_back({std::string(plain.name), "gauge", ""});
  for (const PlainFamily& plain : gauge_families()) names.push_back({std::string(plain.name), "gauge", ""});
  names.push_back({std::string(kSubjects.name), "gauge", "level"});
  names.push_back({std::string(kAlarmActive.name), "gauge", "alarm"});
  names.push_back({std::string(kBuild.name), "gauge", "version"});
  return names;
}

}  // namespace stillwatch::gateway
