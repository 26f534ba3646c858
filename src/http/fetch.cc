#include <boost/asio/io_context.hpp>
#include <charconv>

#include "http/address.h"
#include "http/client.h"

namespace stillwatch::http {
namespace {

struct Url {
  std::string address, host, target;
  bool tls = false;
};

base::Result<Url> parse_url(std::string_view url) {
  const auto refuse = [] {
    return base::fail(base::Fault::caller, "the URL must be http://host/path, https://host/path or unix:SOCKET:/path");
  };
  Url out;
  if (url.substr(0, 5) == "unix:") {
    const std::size_t colon = url.find(':', 5);
    if (colon == std::string_view::npos) return refuse();
    out.address = url.substr(0, colon);
    out.host = "localhost";
    out.target = url.substr(colon + 1);
  } else {
    const std::size_t scheme = url.find("://");
    if (scheme == std::string_view::npos) return refuse();
    out.tls = url.substr(0, scheme) == "https";
    if (!out.tls && url.substr(0, scheme) != "http") return refuse();
    std::string_view rest = url.substr(scheme + 3);
    const std::size_t slash = std::min(rest.find_first_of("/?#"), rest.size());
    const std::string_view authority = rest.substr(0, slash);
    rest.remove_prefix(slash);
    if (authority.empty() || authority.find('@') != std::string_view::npos) return refuse();
    out.host = authority;
    const std::size_t colon = authority.rfind(':');
    const bool has_port = colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos;
    out.address = authority;
    if (!has_port) out.address += out.tls ? ":443" : ":80";
    out.target = rest.substr(0, rest.find('#'));
  }
  if (out.target.empty() || out.target.front() != '/') out.target.insert(out.target.begin(), '/');
  return out;
}

}  // namespace

Task<base::Result<FetchAnswer>> fetch(boost::asio::io_context& io, FetchRequest request) {
  base::Result<Url> url = parse_url(request.url);
  if (!url) co_return base::fail(url.error());
  UpstreamOptions options;
  options.address = url->address;
  options.tls = request.tls;
  options.tls.enabled = url->tls;
  options.connect_ms = options.first_byte_ms = options.idle_ms = options.total_ms = request.timeout_ms;
  options.idle_max = 0;
  base::Result<std::unique_ptr<Upstream>> upstream = Upstream::create(io, options);
  if (!upstream) co_return base::fail(upstream.error());
  RequestHead head;
  head.method = request.method;
  head.target = url->target;
  head.fields.add("host", url->host);
  for (std::size_t i = 0; i < request.fields.size(); ++i) {
    if (same_name(request.fields.name(i), "host")) head.fields.erase("host");
    head.fields.add(request.fields.name(i), request.fields.value(i));
  }
  head.keep_alive = false;
  if (!request.body.empty() || (request.method != "GET" && request.method != "HEAD"))
    head.content_length = request.body.size();
  UpstreamExchange exchange(**upstream);
  const base::Status sent = co_await exchange.open(head, request.body, true);
  if (!sent && exchange.failure() != Failure::send) co_return base::fail(sent.error());
  base::Result<ResponseHead> answer = co_await exchange.read_head();
  if (!answer) co_return base::fail(answer.error());
  base::Result<std::string> body = co_await exchange.read_all(request.answer_bytes_max);
  if (!body) co_return base::fail(body.error());
  FetchAnswer out;
  out.status = answer->status;
  out.fields = std::move(answer->fields);
  out.body = std::move(*body);
  co_return out;
}

base::Result<FetchAnswer> fetch_blocking(FetchRequest request) {
  boost::asio::io_context io(1);
  base::Result<FetchAnswer> out = base::fail(base::Fault::ours, "the fetch did not end");
  bool done = false;
  const auto run = [](boost::asio::io_context& its_io, FetchRequest its_request, base::Result<FetchAnswer>& its_out,
                      bool& its_done) -> Task<void> {
    its_out = co_await fetch(its_io, std::move(its_request));
    its_done = true;
  };
  spawn(io, run(io, std::move(request), out, done));
  while (!done && io.run_one() > 0) {
  }
  return out;
}

}  // namespace stillwatch::http
