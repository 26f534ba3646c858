#include "audit/log_pages.h"

#include "audit/page_book.h"

namespace stillwatch::audit {
namespace {

http::Task<void> serve(PageBook& book, http::Exchange& exchange) {
  Page page = book.answer(exchange.head().method, exchange.head().target, http::monotonic_ms());
  http::ResponseHead head(page.status);
  head.fields.add("content-type", page.type);
  head.fields.add("cache-control", page.cache);
  head.fields.add("x-content-type-options", "nosniff");
  if (page.status == 405) head.fields.add("allow", "GET, HEAD");
  (void)co_await exchange.respond(std::move(head), page.body);
}

}  // namespace

struct LogPages::State {
  std::unique_ptr<PageBook> book;
  std::unique_ptr<http::Server> server;
};

base::Result<std::unique_ptr<LogPages>> LogPages::start(const std::string& folder, const std::string& host,
                                                        const PagesSettings& settings, Counters& counters) {
  auto state = std::make_unique<State>();
  state->book = std::make_unique<PageBook>(folder, host, settings.audience, counters);
  http::ServerOptions options;
  options.listen = settings.listen;
  options.tls = settings.tls;
  options.threads = 1;  // readers are one thread's; a tile is a read of 8 KiB
  options.limits.head_bytes_max = 8U << 10;
  options.limits.target_bytes_max = PageBook::kTargetBytesMax;
  options.limits.body_bytes_max = 0;
  options.limits.connections_max = 1'000;
  options.limits.streams_max = 64;  // 16 MiB each at most, when clients take bundles slowly
  PageBook* book = state->book.get();
  STILLWATCH_TRY(server, http::Server::start(std::move(options), [book](unsigned, boost::asio::io_context&) {
                   return [book](http::Exchange& exchange) { return serve(*book, exchange); };
                 }));
  state->server = std::move(server);
  return std::unique_ptr<LogPages>(new LogPages(std::move(state)));
}

LogPages::LogPages(std::unique_ptr<State> state) : state_(std::move(state)) {}
LogPages::~LogPages() = default;

std::uint16_t LogPages::port(std::size_t listen_index) const { return state_->server->port(listen_index); }

void LogPages::stop() { state_->server->stop(); }

}  // namespace stillwatch::audit
