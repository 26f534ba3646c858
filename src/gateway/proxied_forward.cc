#include <algorithm>

#include "base/limits.h"
#include "gateway/proxied_request.h"
#include "policy/limit_headers.h"
#include "policy/remedy_text.h"

namespace stillwatch::gateway {
namespace {

// An answer of known length up to this goes out in one write with its head: one system call instead of two.
constexpr std::uint64_t kWholeAnswerBytesMax = 64U << 10;
// What is read of an answer that a restriction must see whole.
constexpr std::size_t kEditedAnswerBytesMax = 16U << 20;

// Room for what the gateway adds to a head: more only costs an allocation.
constexpr std::size_t kFieldBytesAdded = 512, kFieldsAdded = 12;

bool is_ours(std::string_view name) {
  constexpr std::string_view kPrefix = "stillwatch-";
  return name.size() > kPrefix.size() && http::same_name(name.substr(0, kPrefix.size()), kPrefix);
}

metric::ResponseCode code_class(int status) {
  return static_cast<metric::ResponseCode>(std::clamp(status / 100, 1, 5) - 1);
}

struct FailureWords {
  policy::RefusalKind kind;
  std::string_view code;
  const char* message;
};

FailureWords words_of(http::Failure failure) {
  switch (failure) {
    case http::Failure::overloaded:
      return {policy::RefusalKind::overloaded, "upstream_overloaded", "The model server takes no more requests now."};
    case http::Failure::connect_timeout:
    case http::Failure::first_byte_timeout:
    case http::Failure::idle_timeout:
    case http::Failure::total_timeout:
      return {policy::RefusalKind::timeout, "upstream_timeout", "The model server did not answer in time."};
    case http::Failure::connect:
      return {policy::RefusalKind::upstream, "upstream_unreachable", "The model server could not be reached."};
    default:
      return {policy::RefusalKind::upstream, "upstream_failed", "The model server broke off or sent no valid answer."};
  }
}

metric::UpstreamEvent event_of(http::Failure failure) {
  switch (failure) {
    case http::Failure::connect:
    case http::Failure::overloaded: return metric::UpstreamEvent::connect_failed;
    case http::Failure::connect_timeout:
    case http::Failure::first_byte_timeout:
    case http::Failure::idle_timeout:
    case http::Failure::total_timeout: return metric::UpstreamEvent::timeout;
    default: return metric::UpstreamEvent::broken;
  }
}

/// Whether another model server may be tried: nothing of the request can have been worked on.
bool nothing_was_sent(http::Failure failure) {
  return failure == http::Failure::connect || failure == http::Failure::connect_timeout ||
         failure == http::Failure::overloaded;
}

}  // namespace

http::RequestHead ProxiedRequest::upstream_head(const Target& target) const {
  const http::RequestHead& from = exchange_.head();
  http::RequestHead head;
  head.method = from.method;
  head.target = from.target;
  head.fields.copy_with_room(from.fields, kFieldBytesAdded, kFieldsAdded);
  http::strip_hop_by_hop(head.fields);
  const std::string& time_header = rules_->configuration().demo.time_header;
  head.fields.erase_if([&](std::string_view name, std::string_view) {
    return is_ours(name) || (!time_header.empty() && http::same_name(name, time_header)) ||
           // Behind the gateway these fields are believed, so nobody else may send them.
           (!caller_.from_proxy && rules_->is_proxy_field(name));
  });
  head.fields.set("host", target.host);
  // What was read and edited here must be readable; others negotiate for themselves.
  if (endpoint_ != intake::Endpoint::other) head.fields.set("accept-encoding", "identity");
  if (!caller_.address.empty() && !exchange_.peer().unix_socket) {
    const auto before = head.fields.find("x-forwarded-for");
    head.fields.set("x-forwarded-for",
                    before ? std::string(*before) + ", " + exchange_.peer().address : exchange_.peer().address);
  }
  head.fields.set("x-request-id", from.fields.find("x-request-id").value_or(request_id_));
  if (must_read_body() && body_complete_) {
    head.content_length = sent_body().size();
  } else if (from.content_length) {
    head.content_length = from.content_length;
  } else {
    head.chunked = from.chunked;
  }
  return head;
}

/// The head and the body, whole or piece by piece. False when it failed; failure() of the exchange says how.
http::Task<bool> ProxiedRequest::send(http::UpstreamExchange& upstream, const http::RequestHead& head) {
  const bool has_body = head.content_length.value_or(0) > 0 || head.chunked;
  const bool complete = !has_body || (must_read_body() && body_complete_);
  if (!co_await upstream.open(head, sent_body(), complete)) co_return false;
  if (complete) co_return true;
  for (;;) {
    const auto piece = co_await exchange_.read();
    if (!piece) {  // the client gave up or sent nonsense: leaving closes the connection upstream
      upstream.cancel();
      co_return false;
    }
    if (piece->empty()) break;
    desk_.metrics.count(metric::Bytes::request, piece->size());
    // After an error the upstream may have answered early: read_head() finds out.
    if (!co_await upstream.write(*piece)) co_return true;
  }
  (void)co_await upstream.end_body();
  co_return true;
}

http::Task<void> ProxiedRequest::forward() {
  std::uint64_t tried = 0;
  for (;;) {
    Target* target = upstreams_->choose(*route_, tried);
    if (target == nullptr) break;
    tried |= std::uint64_t{1} << (target - route_->targets.data());
    http::UpstreamExchange upstream(*target->pool);
    exchange_.on_client_gone([&upstream] { upstream.cancel(); });
    desk_.metrics.count_upstream(route_->index, metric::UpstreamEvent::request);
    const http::RequestHead head = upstream_head(*target);
    if (own_us_ == 0) own_us_ = steady_us() - exchange_.arrived_steady_us() - waited_us_;
    const bool sent = co_await send(upstream, head);
    base::Result<http::ResponseHead> answer = base::fail(base::Fault::environment, "not sent");
    if (sent) answer = co_await upstream.read_head();
    exchange_.on_client_gone({});
    if (answer) {
      upstreams_->succeeded(*target);
      exchange_.on_client_gone([&upstream] { upstream.cancel(); });
      co_await pass_answer(upstream, std::move(*answer));
      exchange_.on_client_gone({});
      co_return;
    }
    if (upstream.failure() == http::Failure::cancelled || exchange_.client_gone()) {
      status_ = 499;
      co_return co_await refuse_body();  // if it is the client's own fault and it is still there
    }
    desk_.metrics.count_upstream(route_->index, event_of(upstream.failure()));
    if (upstream.failure() != http::Failure::overloaded) upstreams_->failed(*route_, *target);
    const bool body_at_hand = !must_read_body() ? exchange_.body_at_end() && body_.empty() : body_complete_;
    const bool another =
        nothing_was_sent(upstream.failure()) && body_at_hand && upstreams_->choose(*route_, tried) != nullptr;
    if (another) {
      desk_.metrics.count_upstream(route_->index, metric::UpstreamEvent::retried);
      continue;
    }
    co_await answer_failure(upstream);
    co_return;
  }
  const Rejected against = rejected(policy::RefusalKind::overloaded, "upstream_unreachable",
                                    "No model server is reachable now.", metric::Refusal::upstream);
  co_await refuse(against);
}

http::Task<void> ProxiedRequest::answer_failure(const http::UpstreamExchange& upstream) {
  const FailureWords words = words_of(upstream.failure());
  const Rejected against = rejected(words.kind, words.code, words.message, metric::Refusal::upstream);
  co_await refuse(against);
}

void ProxiedRequest::add_answer_fields(http::Fields& fields) {
  fields.erase_if([](std::string_view name, std::string_view) { return is_ours(name); });
  fields.reserve(kFieldBytesAdded, kFieldsAdded);
  policy::FieldList added;
  added.reserve(kFieldsAdded);
  policy::add_remedy_fields(added, remedy_, rules_->remedies());
  if (limited_) policy::add_limit_fields(added, grant_.allowances(), error_dialect_, now_us());
  for (const policy::Field& field : added) fields.set(field.name, field.value);
  if (restricts()) {
    fields.set("stillwatch-restricted", policy::edit_names(remedy_.edits));
  }
  fields.set("stillwatch-request-id", request_id_);
  if (has_leaf()) fields.set("stillwatch-leaf", leaf_id());
  if (rules_->configuration().server.overhead_header) fields.set("stillwatch-overhead-us", std::to_string(own_us_));
}

http::Task<void> ProxiedRequest::pass_answer(http::UpstreamExchange& upstream, http::ResponseHead head) {
  first_byte_us_ = steady_us() - exchange_.arrived_steady_us();
  const intake::ResponseForm form =
      intake::response_form(head.fields.find("content-type").value_or(std::string_view{}),
                            head.fields.find("content-encoding").value_or(std::string_view{}));
  if (endpoint_ != intake::Endpoint::other && endpoint_ != intake::Endpoint::models) {
    intake::ResponseLimits limits;
    limits.reply_bytes_max = dialect_ ? rules_->configuration().observer.reply_bytes_max : 0;
    reader_.emplace(endpoint_, form, limits);
    reply_is_body_ = form == intake::ResponseForm::unary;
  }
  http::strip_hop_by_hop(head.fields);
  head.keep_alive = true;
  status_ = static_cast<std::uint16_t>(head.status);
  desk_.metrics.count(code_class(head.status));
  desk_.metrics.observe(metric::Duration::first_byte, static_cast<double>(first_byte_us_) / 1e6);

  const bool streamed = form == intake::ResponseForm::stream;
  if (streamed) hand_over_body();
  desk_.metrics.set(metric::Held::streams, desk_.streams += streamed ? 1 : 0);
  base::Status passed;
  if (restricts() && dialect_ && !streamed) {
    passed = co_await pass_whole(upstream, std::move(head));
  } else {
    passed = co_await pass_pieces(upstream, std::move(head));
  }
  desk_.metrics.set(metric::Held::streams, desk_.streams -= streamed ? 1 : 0);
  desk_.metrics.observe(metric::Duration::overhead, static_cast<double>(own_us_) / 1e6);
  if (!passed && !exchange_.client_gone() && upstream.failure() != http::Failure::none)
    desk_.metrics.count_upstream(route_->index, event_of(upstream.failure()));
}

/// An answer that a restriction edits: read, edited, sent.
http::Task<base::Status> ProxiedRequest::pass_whole(http::UpstreamExchange& upstream, http::ResponseHead head) {
  const auto body = co_await upstream.read_all(kEditedAnswerBytesMax);
  if (!body) {
    co_await answer_failure(upstream);
    co_return base::fail(body.error());
  }
  const std::int64_t began_us = steady_us();
  reader_->feed(*body);
  intake::BodyEditor editor(restriction());
  std::string edited;
  const auto outcome = editor.edit_response(endpoint_, *body, edited);
  if (outcome == intake::EditOutcome::unreadable && head.status < 300 &&
      rules_->configuration().remedies.on_unreadable == settings::Answer::refuse) {
    const Rejected against = rejected(policy::RefusalKind::upstream, "upstream_failed",
                                      "This account is restricted, and the model server's answer could not be read.",
                                      metric::Refusal::remedy_restrict);
    co_await refuse(against);
    co_return base::Status{};
  }
  own_us_ += steady_us() - began_us;
  add_answer_fields(head.fields);
  head.content_length.reset();
  head.chunked = false;
  const std::string& out = outcome == intake::EditOutcome::edited ? edited : *body;
  desk_.metrics.count(metric::Bytes::response, out.size());
  co_return co_await exchange_.respond(std::move(head), out);
}

/// An answer of known, small length: it leaves together with its head, mostly from the very buffer that it came into.
http::Task<base::Status> ProxiedRequest::pass_short(http::UpstreamExchange& upstream, http::ResponseHead head) {
  const auto first = co_await upstream.read();
  if (!first) {
    co_await answer_failure(upstream);
    co_return base::fail(first.error());
  }
  std::string_view body = *first;
  std::string gathered;
  if (body.size() < *head.content_length) {
    gathered = body;
    const auto rest = co_await upstream.read_all(kWholeAnswerBytesMax);
    if (!rest) {
      co_await answer_failure(upstream);
      co_return base::fail(rest.error());
    }
    gathered += *rest;
    body = gathered;
  }
  if (reader_) reader_->feed(body);
  desk_.metrics.count(metric::Bytes::response, body.size());
  const base::Status sent = co_await exchange_.respond(std::move(head), body);
  // Asked for its end, so that the connection goes back into the pool.
  if (gathered.empty()) (void)co_await upstream.read();
  co_return sent;
}

http::Task<base::Status> ProxiedRequest::pass_pieces(http::UpstreamExchange& upstream, http::ResponseHead head) {
  std::optional<intake::StreamEditor> editor;
  if (restricts() && dialect_) {
    intake::StreamEditOptions options;
    options.restriction = restriction();
    options.drop_unreadable = rules_->configuration().remedies.on_unreadable == settings::Answer::refuse;
    editor.emplace(endpoint_, options);
    head.content_length.reset();
  }
  const bool short_answer = !editor && head.content_length && *head.content_length <= kWholeAnswerBytesMax;
  add_answer_fields(head.fields);
  if (short_answer) co_return co_await pass_short(upstream, std::move(head));
  STILLWATCH_CO_CHECK(co_await exchange_.begin(std::move(head)));
  if (!upstream.body_ready()) STILLWATCH_CO_CHECK(co_await exchange_.flush());
  std::string edited;
  for (;;) {
    const auto piece = co_await upstream.read();
    if (!piece) co_return base::fail(piece.error());  // the client sees its stream break, as it did
    if (piece->empty()) break;
    if (reader_) reader_->feed(*piece);
    std::string_view out = *piece;
    if (editor) {
      edited.clear();
      editor->feed(*piece, edited);
      out = edited;
    }
    if (out.empty()) continue;
    desk_.metrics.count(metric::Bytes::response, out.size());
    STILLWATCH_CO_CHECK(co_await exchange_.write(out));
  }
  if (editor) {
    edited.clear();
    editor->finish(edited);
    if (!edited.empty()) STILLWATCH_CO_CHECK(co_await exchange_.write(edited));
  }
  co_return co_await exchange_.end();
}

}  // namespace stillwatch::gateway
