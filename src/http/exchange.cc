#include "http/connection.h"

namespace stillwatch::http {

const RequestHead& Exchange::head() const { return connection_.head_; }
RequestHead& Exchange::head() { return connection_.head_; }
const Peer& Exchange::peer() const { return connection_.peer_; }
boost::asio::io_context& Exchange::io() const { return connection_.thread_.io; }
std::int64_t Exchange::arrived_us() const { return connection_.arrived_us_; }
std::int64_t Exchange::arrived_steady_us() const { return connection_.arrived_steady_us_; }
Task<base::Result<std::string_view>> Exchange::read() { return connection_.read_body(); }
void Exchange::release_body() {
  if (connection_.body_.done()) connection_.wire_.drop_if_empty();
}
int Exchange::error_status() const { return connection_.error_status_; }
bool Exchange::body_at_end() const { return connection_.body_.done(); }
Task<base::Status> Exchange::respond(ResponseHead head, std::string_view body) {
  return connection_.respond(std::move(head), body);
}
Task<base::Status> Exchange::begin(ResponseHead head) { return connection_.begin(std::move(head)); }
Task<base::Status> Exchange::flush() { return connection_.write({}); }
Task<base::Status> Exchange::write(std::string_view bytes) { return connection_.write(bytes); }
Task<base::Status> Exchange::end() { return connection_.end(); }
bool Exchange::begun() const { return connection_.answer_ != Connection::Answer::none; }
void Exchange::close_after() { connection_.close_ = true; }
bool Exchange::client_gone() const { return connection_.gone_; }

Task<base::Result<std::string>> Exchange::read_all(std::size_t bytes_max) {
  std::string out;
  if (const auto length = head().content_length) out.reserve(std::min<std::size_t>(*length, bytes_max));
  for (;;) {
    const base::Result<std::string_view> piece = co_await read();
    if (!piece) co_return base::fail(piece.error());
    if (piece->empty()) co_return out;
    if (piece->size() > bytes_max - out.size()) co_return connection_.body_failed(413, "the body is too large");
    out += *piece;
  }
}

void Exchange::on_client_gone(std::function<void()> function) {
  connection_.on_gone_ = std::move(function);
  connection_.start_watch();
}

}  // namespace stillwatch::http
