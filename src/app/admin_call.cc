#include "app/admin_call.h"

#include <fmt/format.h>

#include "base/files.h"
#include "http/client.h"

namespace stillwatch::app {

using base::Fault;

base::Result<AdminAddress> admin_address(const gateway::Configuration& configuration) {
  const gateway::settings::Server& server = configuration.server;
  if (server.admin_listen.empty())
    return base::fail(Fault::caller, "this gateway has no admin address (server.admin_listen): stop it for this");
  return AdminAddress{server.admin_listen.front(), server.admin_token_file};
}

base::Result<std::string> call_admin(const AdminAddress& address, const std::string& method, const std::string& target,
                                     const std::string& body) {
  http::FetchRequest request;
  request.url = (address.listen.starts_with("unix:") ? address.listen + ":" : "http://" + address.listen) + target;
  request.method = method;
  if (!body.empty()) {
    request.fields.set("content-type", "application/json");
    request.body = body;
  }
  if (!address.token_file.empty()) {
    STILLWATCH_TRY(token, base::read_file(address.token_file, 4'096));
    while (!token.empty() && static_cast<unsigned char>(token.back()) <= ' ') token.pop_back();
    request.fields.set("authorization", "Bearer " + token);
  }
  request.timeout_ms = 90'000;  // it answers after a minute at most
  STILLWATCH_TRY(answer, http::fetch_blocking(std::move(request)));
  if (answer.status >= 200 && answer.status < 300) return std::move(answer.body);
  return base::fail(answer.status == 400 ? Fault::caller : Fault::environment,
                    fmt::format("the gateway at {} answered {}: {}", address.listen, answer.status, answer.body));
}

}  // namespace stillwatch::app
