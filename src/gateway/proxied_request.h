// One request on its way through the gateway: the state between the stages of proxy.h.
//
// Invariant: exactly one of refuse() and pass_answer() answers; hand_over() runs at the end of run() whatever happened.
// Threads: one coroutine on one network thread. Cost: the body and a few strings; buffers go with the coroutine.
#pragma once

#include <optional>
#include <string>

#include "gateway/station.h"
#include "http/client.h"
#include "http/server.h"
#include "intake/endpoint.h"
#include "intake/response_reader.h"
#include "intake/stream_edit.h"
#include "policy/access.h"
#include "policy/refusal.h"

namespace stillwatch::gateway {

/// Why a request is not forwarded, and how that is counted.
struct Rejected {
  policy::Refusal refusal;
  metric::Refusal counted = metric::Refusal::malformed;
};

Rejected rejected(policy::RefusalKind kind, std::string_view code, const char* message, metric::Refusal counted);

class ProxiedRequest {
 public:
  ProxiedRequest(Desk& desk, http::Exchange& exchange);
  http::Task<void> run();

 private:
  using Target = UpstreamSet::Target;

  // Before it is forwarded (proxied_request.cc). What they return is against the request.
  http::Task<bool> admit();  // false: it was answered
  std::optional<Rejected> take_caller();
  http::Task<bool> read_body();  // false: it was answered
  http::Task<void> refuse_body();
  std::optional<Rejected> check_body();
  std::optional<Rejected> apply_remedy();
  std::optional<Rejected> edit_body();
  std::optional<Rejected> reserve();
  policy::RequestFacts access_facts() const;
  bool must_read_body() const;
  bool restricts() const { return remedy_.enforced() && remedy_.action == policy::Action::restrict; }
  /// What a restriction takes out of bodies, as intake has it.
  intake::Restriction restriction() const {
    return {remedy_.edits.strip_logprobs, remedy_.edits.clamp_n, remedy_.edits.remove_reasoning};
  }

  // Forwarding (proxied_forward.cc).
  http::Task<void> forward();
  http::RequestHead upstream_head(const Target& target) const;
  http::Task<bool> send(http::UpstreamExchange& upstream, const http::RequestHead& head);
  http::Task<void> pass_answer(http::UpstreamExchange& upstream, http::ResponseHead head);
  http::Task<base::Status> pass_whole(http::UpstreamExchange& upstream, http::ResponseHead head);
  http::Task<base::Status> pass_short(http::UpstreamExchange& upstream, http::ResponseHead head);
  http::Task<base::Status> pass_pieces(http::UpstreamExchange& upstream, http::ResponseHead head);
  http::Task<void> answer_failure(const http::UpstreamExchange& upstream);
  void add_answer_fields(http::Fields& fields);

  // Both (the last three in proxied_record.cc).
  http::Task<void> refuse(const Rejected& against);
  void settle();
  void hand_over();
  void hand_over_body();
  /// Of requests whose record will be logged; record_line.h and audit/commitments.h make the same id of it.
  bool has_leaf() const {
    const settings::Ledger& ledger = rules_->configuration().ledger;
    return ledger.leaf_header && !ledger.folder.empty() && ticket_ && dialect_;
  }
  std::string leaf_id() const { return request_id_.substr(4); }  // without "req_"
  std::int64_t now_us() const { return ticket_ ? ticket_->arrived_us() : exchange_.arrived_us(); }
  std::string_view sent_body() const { return edited_ ? edited_body_ : std::string_view(body_); }

  Desk& desk_;
  http::Exchange& exchange_;
  std::shared_ptr<const Ruleset> rules_;
  std::shared_ptr<UpstreamSet> upstreams_;
  UpstreamSet::Route* route_ = nullptr;
  intake::Endpoint endpoint_ = intake::Endpoint::other;
  std::optional<event::Dialect> dialect_;
  policy::ErrorDialect error_dialect_ = policy::ErrorDialect::openai;
  Caller caller_;
  std::optional<InFlight::Ticket> ticket_;
  std::string request_id_;

  std::string body_, edited_body_;
  std::shared_ptr<EarlyBody> early_body_;  // in place of body_, once the observer has it
  bool edited_ = false, body_complete_ = false, body_too_large_ = false, body_readable_ = false;
  intake::RequestFacts facts_;
  base::Token end_user_ = 0;
  policy::Remedy remedy_;
  policy::QuotaGrant grant_;
  bool limited_ = false;

  std::optional<intake::ResponseReader> reader_;
  bool reply_is_body_ = false;
  intake::ResponseFacts response_;
  std::uint16_t status_ = 0;                                      // what the client got
  std::int64_t first_byte_us_ = -1, own_us_ = 0, waited_us_ = 0;  // waited: for the client's body
};

/// Microseconds of the monotonic clock, for durations.
std::int64_t steady_us();

}  // namespace stillwatch::gateway
