// What the gateway counts, and its Prometheus text.
//
// Invariant: every series is known at start but for the names of upstreams, which the configuration bounds: no byte of
// a request becomes a label. Counters never go down in a process.
// Threads: each thread writes its own shard (one writer, relaxed atomics); gauges and exposition from any thread.
// Cost: 1-2 ns a count, ~5 ns an observation; ~100 µs an exposition, off the hot path.
// Reference: docs/reference/metrics.md lists every family (a test holds the two together).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "event/verdict.h"
#include "gateway/metric_labels.h"

namespace stillwatch::gateway {

class Metrics {
 public:
  /// One thread's counters. Never shared by two writers.
  class alignas(64) Shard {  // no cache line is shared by two writers
   public:
    /// `label` is a value of one of the enumerations of metric_labels.h and names its family too.
    template <class Label>
    void count(Label label, std::uint64_t times = 1) {
      bump(slots_[metric::slot(label)], times);
    }
    void count_remedy(event::Level remedy, bool dry_run) {
      bump(slots_[metric::slot(dry_run ? metric::RemedyState::dry_run : metric::RemedyState::done, remedy)], 1);
    }
    void count_upstream(std::uint32_t upstream, metric::UpstreamEvent event, std::uint64_t times = 1) {
      if (upstream < upstreams_count_)
        bump(upstreams_[upstream * metric::kUpstreamEvents + static_cast<std::size_t>(event)], times);
    }
    void observe(metric::Duration duration, double seconds);
    /// Of things that this thread has open; the exposition adds the shards up.
    void set(metric::Held held, std::uint64_t now) {
      held_[static_cast<std::size_t>(held)].store(now, std::memory_order_relaxed);
    }

   private:
    friend class Metrics;
    explicit Shard(std::uint32_t upstreams_count);
    using Slot = std::atomic<std::uint64_t>;
    static void bump(Slot& slot, std::uint64_t times) {
      slot.store(slot.load(std::memory_order_relaxed) + times, std::memory_order_relaxed);
    }
    struct Histogram {
      std::array<Slot, metric::kDurationBuckets + 1> buckets{};
      std::atomic<double> sum{0};
    };
    std::array<Slot, metric::kSlots> slots_{};
    std::array<Histogram, metric::kDurations> histograms_{};
    std::array<Slot, metric::kHelds> held_{};
    std::unique_ptr<Slot[]> upstreams_;
    std::uint32_t upstreams_count_;
  };

  /// `threads`: shards that can be taken. Upstreams beyond label_values_max are one "other".
  Metrics(std::uint32_t threads, const std::vector<std::string>& upstreams, std::uint32_t label_values_max);
  ~Metrics();
  Shard& shard(std::uint32_t thread) { return *shards_[thread]; }

  void set(metric::Gauge gauge, double value) {
    gauges_[static_cast<std::size_t>(gauge)].store(value, std::memory_order_relaxed);
  }
  /// How many subjects stand at a level.
  void set_subjects(event::Level level, std::uint64_t subjects) {
    subjects_[static_cast<std::size_t>(level)].store(subjects, std::memory_order_relaxed);
  }
  void set_alarm(metric::AlarmKind alarm, bool active) {
    alarms_[static_cast<std::size_t>(alarm)].store(active, std::memory_order_relaxed);
  }

  /// Prometheus text format 0.0.4; its media type is kMetricsMediaType.
  std::string exposition() const;

 private:
  std::uint64_t total(std::size_t slot) const;

  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<std::string> upstreams_;
  std::uint32_t label_values_max_;
  std::array<std::atomic<double>, metric::kGauges> gauges_{};
  std::array<std::atomic<std::uint64_t>, metric::kLevels> subjects_{};
  std::array<std::atomic<bool>, metric::kAlarmKinds> alarms_{};
};

inline constexpr std::string_view kMetricsMediaType = "text/plain; version=0.0.4; charset=utf-8";

/// "stillwatch_requests_total" and the like, with type and label, for the documentation check.
struct MetricName {
  std::string name, type, label;
};
std::vector<MetricName> metric_names();

}  // namespace stillwatch::gateway
