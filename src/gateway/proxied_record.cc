// What is left of a request: what its limits held, and its record.
#include <algorithm>

#include "gateway/proxied_request.h"

namespace stillwatch::gateway {
namespace {

// Prompts of streams from here on go to the observer before their answers have ended. What is kept in place of one
// takes 500 bytes, and handing it over about 1 us.
constexpr std::size_t kEarlyBodyBytesMin = 8U << 10;

}  // namespace

void ProxiedRequest::settle() {
  if (reader_) response_ = reader_->finish();
  if (!grant_.active()) return;
  const std::uint64_t used = std::uint64_t{response_.input_tokens} + response_.output_tokens;
  desk_.station.quota.settle(std::move(grant_), used, now_us());
}

/// The model server has the request and answers: what is left to do with a large prompt is to read it, and that need
/// not wait for the end of the stream.
void ProxiedRequest::hand_over_body() {
  std::string().swap(edited_body_);
  if (!ticket_ || !dialect_ || !body_complete_) return std::string().swap(body_);  // nobody will read it
  if (body_.size() < kEarlyBodyBytesMin) return;
  if (rules_->configuration().observer.reply_bytes_max > 0) return;  // passages of the answer are read with the prompt
  auto early = std::make_shared<EarlyBody>();
  early->dialect = *dialect_;
  early->body = std::move(body_);
  if (desk_.station.observer.push_body(desk_.thread, early))
    early_body_ = std::move(early);
  else
    body_ = std::move(early->body);
}

void ProxiedRequest::hand_over() {
  if (!ticket_ && dialect_) desk_.metrics.count(metric::Exchange::unidentified);
  if (!ticket_ || !dialect_) return;
  auto record = std::make_unique<Exchange>();
  record->dialect = *dialect_;
  const bool whole = body_complete_ && (early_body_ || !body_.empty());
  record->body_state = body_too_large_ ? BodyState::too_large : whole ? BodyState::whole : BodyState::absent;
  record->status = status_ == 0 ? 499 : status_;
  record->arrived_us = ticket_->arrived_us();
  const std::int64_t duration_us = steady_us() - exchange_.arrived_steady_us();
  record->ended_us = record->arrived_us + duration_us;
  record->duration_ms = static_cast<std::int32_t>(std::min<std::int64_t>(duration_us / 1'000, INT32_MAX));
  if (first_byte_us_ >= 0)
    record->ttft_ms = static_cast<std::int32_t>(std::min<std::int64_t>(first_byte_us_ / 1'000, INT32_MAX));
  record->input_tokens = response_.input_tokens;
  record->output_tokens = response_.output_tokens;
  record->reasoning_tokens = response_.reasoning_tokens;
  record->cached_tokens = response_.cached_tokens;
  record->has_usage = response_.has_usage || response_.is_estimated;
  record->id = std::move(request_id_);
  record->account = std::move(caller_.account);
  record->key = std::move(caller_.key);
  record->end_user = std::move(caller_.end_user);
  record->address = std::move(caller_.address);
  const http::Fields& fields = exchange_.head().fields;
  record->user_agent = fields.find("user-agent").value_or(std::string_view{});
  record->headers = client_field_names(fields, *rules_);
  record->stop = response_.stop;
  if (whole) record->body = std::move(body_);
  record->early = std::move(early_body_);
  record->reply = std::move(response_.reply);
  record->reply_is_body = reply_is_body_;
  desk_.metrics.count(metric::Tokens::input, response_.input_tokens);
  desk_.metrics.count(metric::Tokens::output, response_.output_tokens);
  desk_.metrics.count(metric::Tokens::reasoning, response_.reasoning_tokens);
  desk_.metrics.count(metric::Tokens::cached, response_.cached_tokens);
  const auto pushed = desk_.station.observer.queue().try_push(desk_.thread, std::move(record));
  desk_.metrics.count(pushed == ExchangeQueue::Pushed::whole ? metric::Exchange::observed
                                                             : metric::Exchange::shed_queue);
  ticket_.reset();  // after the push: the watermark may pass it now
}

http::Task<void> serve_proxy(Desk& desk, http::Exchange& exchange) {
  ProxiedRequest request(desk, exchange);
  co_await request.run();
}

}  // namespace stillwatch::gateway
