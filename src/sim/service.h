// Software with one account: a vendor's tenant, a batch job, a judge, an evaluation run, a declared harvest.
//
// Either requests trickle with the clock, or jobs start with the clock and send a burst each.
// Invariant, threads, cost: as Person, without conversations.
#pragma once

#include "sim/person.h"

namespace stillwatch::sim {

enum class ServiceKind : std::uint8_t { tenant, batch, records, judge, evaluation, declared, flood };

struct ServicePlan {
  ServiceKind kind = ServiceKind::tenant;
  Presence presence;
  BusyClock clock;
  GapShape gap;
  double requests_per_day = 10;
  double job_requests = 0;  // mean requests a job; 0: no jobs, requests trickle
  double job_gap_s = 2;     // between requests of a job
  std::int64_t from_us = 0, until_us = kNever;
  const Material* material = nullptr;
  std::vector<PromptTemplate> own_templates;
  Renewals own_renewals;
  std::uint32_t record_first = 0, record_count = 0;  // own part of the record or task pool
  float output_tokens = 150;
  float own_share = 0;  // share of requests that do not use the template
};

class Service final : public Actor {
 public:
  Service(std::uint64_t seed, ServicePlan plan);
  std::int64_t run(std::int64_t slice_end_us, const Stage& stage, Scratch& scratch, Emitter& out) override;
  std::int64_t first_us() const override { return next_us_; }

 private:
  void compose(const Stage& stage, Scratch& scratch);
  const PromptTemplate& draw_template();
  std::int64_t send(const Stage& stage, Scratch& scratch, Emitter& out);
  void schedule(std::int64_t done_us);

  ServicePlan plan_;
  base::Random random_;
  std::int64_t next_us_ = 0;
  std::uint32_t job_left_ = 0;
  std::uint32_t at_item_ = 0;
};

}  // namespace stillwatch::sim
