#include "audit/stamp_asker.h"

#include <set>

#include <fmt/format.h>

#include "audit/fetch_all.h"

namespace stillwatch::audit {
namespace {

using base::Fault;

constexpr std::size_t kNameBytesMax = 64;
constexpr std::string_view kNameBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

base::Result<Stamp> read_answer(const base::Result<http::FetchAnswer>& answer, const StampRequest& request,
                                const std::string& ca_file) {
  if (!answer) return base::fail(answer.error());
  if (answer->status != 200) return base::fail(Fault::check, fmt::format("it answered with status {}", answer->status));
  return check_stamp_reply(request, answer->body, ca_file);
}

}  // namespace

base::Result<StampAsker> StampAsker::create(StampSettings settings, StampStore store, Counters& counters,
                                            AlarmBook& alarms) {
  std::set<std::string_view> names;
  if (settings.authorities.size() > kAuthoritiesMax) {
    return base::fail(Fault::caller, fmt::format("at most {} time stamping authorities", kAuthoritiesMax));
  }
  for (const StampAuthority& authority : settings.authorities) {
    const std::string& name = authority.name;
    if (name.empty() || name.size() > kNameBytesMax || name.find_first_not_of(kNameBytes) != std::string::npos ||
        !names.insert(name).second) {
      return base::fail(Fault::caller,
                        "a time stamping authority needs a name of its own, of letters, digits, - and _");
    }
    if (authority.url.empty() || authority.ca_file.empty()) {
      return base::fail(Fault::caller, fmt::format("the time stamping authority {} needs a url and a ca_file", name));
    }
  }
  return StampAsker(std::move(settings), std::move(store), counters, alarms);
}

StampAsker::Taken StampAsker::ask(std::string_view log, std::uint64_t size, std::string_view note,
                                  std::int64_t now_ms) {
  Taken taken;
  std::vector<StampRequest> requests;
  std::vector<http::FetchRequest> posts;
  for (const StampAuthority& authority : settings_.authorities) {
    auto request = stamp_request(note);  // a nonce of its own for each
    if (!request) {
      taken.failures += request.error().message + "\n";
      ++counters_.stamp_failures;
      return taken;
    }
    http::FetchRequest post;
    post.url = authority.url;
    post.method = "POST";
    post.fields.add("content-type", "application/timestamp-query");
    post.fields.add("accept", "application/timestamp-reply");
    post.body = request->der;
    post.tls.ca_file = authority.tls_ca_file;
    post.timeout_ms = settings_.timeout_ms;
    post.answer_bytes_max = kStampReplyBytesMax;
    posts.push_back(std::move(post));
    requests.push_back(std::move(*request));
  }
  const auto answers = fetch_all(std::move(posts));
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const StampAuthority& authority = settings_.authorities[i];
    std::int64_t& last_ms = last_ms_.emplace(authority.name, now_ms).first->second;
    auto stamp = read_answer(answers[i], requests[i], authority.ca_file);
    base::Status kept =
        stamp ? store_.add(log, authority.name, size, note, answers[i]->body) : base::Status(base::fail(stamp.error()));
    if (!kept) {
      ++counters_.stamp_failures;
      taken.failures += fmt::format("{}: {}\n", authority.name, kept.error().message);
      if (now_ms - last_ms >= settings_.alarm_after_ms) {
        alarms_.raise(AlarmKind::stamp_missing, authority.name,
                      fmt::format("no time stamp by {}: {}; ask its operator, or configure another one", authority.name,
                                  kept.error().message),
                      now_ms);
      }
      continue;
    }
    ++counters_.stamps;
    ++taken.stamps;
    taken.token_hash = stamp->token_hash;
    last_ms = now_ms;
    counters_.newest_stamped_size = size;
    alarms_.end(AlarmKind::stamp_missing, authority.name);
    const std::int64_t apart_ms = stamp->time_ms > now_ms ? stamp->time_ms - now_ms : now_ms - stamp->time_ms;
    if (apart_ms <= settings_.skew_ms_max) {
      alarms_.end(AlarmKind::clock_skew, authority.name);
    } else {
      ++counters_.stamp_skews;
      alarms_.raise(AlarmKind::clock_skew, authority.name,
                    fmt::format("the clock of {} and ours differ by {} s; check ours (NTP) first", authority.name,
                                apart_ms / 1'000),
                    now_ms);
    }
  }
  return taken;
}

}  // namespace stillwatch::audit
