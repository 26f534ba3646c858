#include "audit/fetch_all.h"

#include <boost/asio/io_context.hpp>

namespace stillwatch::audit {

std::vector<base::Result<http::FetchAnswer>> fetch_all(std::vector<http::FetchRequest> requests) {
  std::vector<base::Result<http::FetchAnswer>> answers(requests.size(),
                                                       base::fail(base::Fault::ours, "the request did not end"));
  boost::asio::io_context io(1);
  std::size_t waiting = requests.size();
  const auto one = [](boost::asio::io_context& its_io, http::FetchRequest request,
                      base::Result<http::FetchAnswer>& answer, std::size_t& left) -> http::Task<void> {
    answer = co_await http::fetch(its_io, std::move(request));
    --left;
  };
  for (std::size_t i = 0; i < requests.size(); ++i)
    http::spawn(io, one(io, std::move(requests[i]), answers[i], waiting));
  while (waiting > 0 && io.run_one() > 0) {
  }
  return answers;
}

}  // namespace stillwatch::audit
