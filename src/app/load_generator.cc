#include "app/load_generator.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <deque>

#include <fmt/format.h>

#include "base/files.h"
#include "base/random.h"
#include "http/address.h"
#include "http/body_decoder.h"

namespace stillwatch::app {
namespace {

constexpr std::size_t kReadBytes = 256U << 10;
constexpr std::size_t kHeadBytesMax = 64U << 10;
constexpr std::uint64_t kRequestsFileMax = 1ULL << 30;
constexpr int kEventsMax = 256;
constexpr double kGraceSeconds = 10;  // for answers that are still awaited at the end

std::int64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

struct Connection {
  int socket = -1;
  const std::string* request = nullptr;  // null: idle
  std::size_t sent = 0;
  std::int64_t due_ns = 0, first_ns = 0;
  std::string head;
  bool in_body = false, good = false, wants_write = false, close = false;
  http::BodyDecoder body;
};

/// The value of a field of a whole head, whatever the case of its name.
std::string field(std::string_view head, std::string_view name) {
  for (std::size_t at = head.find("\r\n"); at != std::string_view::npos; at = head.find("\r\n", at + 2)) {
    const std::string_view line = head.substr(at + 2, head.find("\r\n", at + 2) - at - 2);
    if (line.size() <= name.size() || line[name.size()] != ':') continue;
    if (!std::equal(name.begin(), name.end(), line.begin(), [](char a, char b) { return a == (b | 0x20); })) continue;
    const std::size_t value = line.find_first_not_of(' ', name.size() + 1);
    return value == std::string_view::npos ? std::string() : std::string(line.substr(value));
  }
  return {};
}

class Generator {
 public:
  Generator(const LoadOptions& options, std::vector<std::string> requests, const sockaddr_in& address)
      : options_(options), requests_(std::move(requests)), address_(address), input_(kReadBytes) {}
  ~Generator() {
    for (const Connection& one : connections_)
      if (one.socket >= 0) ::close(one.socket);
    if (poll_ >= 0) ::close(poll_);
  }
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  base::Result<LoadResult> run();

 private:
  bool connect(std::size_t index);
  void start(std::size_t index, std::int64_t due_ns);
  void send(std::size_t index);
  void receive(std::size_t index);
  void finish(std::size_t index, bool good);
  void take(std::size_t index, std::string_view bytes);
  bool read_head(Connection& one);
  void dispatch(std::int64_t at_ns);
  void wait(std::int64_t until_ns);
  void hold();

  const LoadOptions& options_;
  std::vector<std::string> requests_;
  sockaddr_in address_{};
  int poll_ = -1;
  std::vector<Connection> connections_;
  std::vector<std::size_t> idle_;
  std::deque<std::int64_t> waiting_;  // due times without a connection
  std::vector<char> input_;
  base::Random random_{7};
  std::size_t next_request_ = 0, busy_ = 0, streams_begun_ = 0;
  std::int64_t next_due_ns_ = 0, measure_from_ns_ = 0, end_ns_ = 0;
  LoadResult result_;
};

bool Generator::connect(std::size_t index) {
  Connection& one = connections_[index];
  if (one.socket >= 0) ::close(one.socket);
  one = Connection();
  one.socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  if (one.socket < 0 || ::connect(one.socket, reinterpret_cast<const sockaddr*>(&address_), sizeof address_) != 0)
    return false;
  ::setsockopt(one.socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::fcntl(one.socket, F_SETFL, O_NONBLOCK);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = index;
  return ::epoll_ctl(poll_, EPOLL_CTL_ADD, one.socket, &event) == 0;
}

void Generator::start(std::size_t index, std::int64_t due_ns) {
  Connection& one = connections_[index];
  one.request = &requests_[next_request_++ % requests_.size()];
  one.sent = 0;
  one.due_ns = due_ns;
  one.first_ns = 0;
  one.in_body = false;
  ++busy_;
  send(index);
}

void Generator::send(std::size_t index) {
  Connection& one = connections_[index];
  while (one.sent < one.request->size()) {
    const ssize_t count =
        ::send(one.socket, one.request->data() + one.sent, one.request->size() - one.sent, MSG_NOSIGNAL);
    if (count < 0 && errno != EAGAIN) return finish(index, false);
    if (count < 0) break;
    one.sent += static_cast<std::size_t>(count);
  }
  const bool wants_write = one.sent < one.request->size();
  if (wants_write == one.wants_write) return;
  one.wants_write = wants_write;
  epoll_event event{};
  event.events = EPOLLIN | (wants_write ? EPOLLOUT : 0U);
  event.data.u64 = index;
  ::epoll_ctl(poll_, EPOLL_CTL_MOD, one.socket, &event);
}

bool Generator::read_head(Connection& one) {
  one.good = one.head.size() > 12 && one.head[9] == '2';
  const std::string length = field(one.head, "content-length");
  one.close = field(one.head, "connection") == "close";
  if (field(one.head, "transfer-encoding") == "chunked") {
    one.body = http::BodyDecoder(http::BodyDecoder::Framing::chunked);
  } else if (!length.empty()) {
    one.body = http::BodyDecoder(http::BodyDecoder::Framing::length, std::strtoull(length.c_str(), nullptr, 10));
  } else {
    return false;
  }
  one.in_body = true;
  one.head.clear();
  return true;
}

void Generator::take(std::size_t index, std::string_view bytes) {
  Connection& one = connections_[index];
  if (!one.in_body) {
    const std::size_t before = one.head.size();
    one.head.append(bytes);
    const std::size_t end = one.head.find("\r\n\r\n", before < 3 ? 0 : before - 3);
    if (end == std::string::npos) {
      if (one.head.size() > kHeadBytesMax) finish(index, false);
      return;
    }
    bytes.remove_prefix(end + 4 - before);
    one.head.resize(end + 2);
    if (!read_head(one)) return finish(index, false);
  }
  while (!bytes.empty() && !one.body.done()) {
    const http::BodyDecoder::Step step = one.body.step(bytes);
    if (one.body.error() != nullptr) return finish(index, false);
    if (!step.data.empty() && one.first_ns == 0) {
      one.first_ns = now_ns();
      ++streams_begun_;
    }
    bytes.remove_prefix(step.consumed);
  }
  if (one.body.done()) finish(index, bytes.empty());
}

void Generator::receive(std::size_t index) {
  const ssize_t count = ::recv(connections_[index].socket, input_.data(), input_.size(), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0 || connections_[index].request == nullptr) return finish(index, false);
  take(index, std::string_view(input_.data(), static_cast<std::size_t>(count)));
}

void Generator::finish(std::size_t index, bool good) {
  Connection& one = connections_[index];
  const bool was_busy = one.request != nullptr;
  good = good && one.good;
  if (was_busy) {
    --busy_;
    if (one.due_ns >= measure_from_ns_) {
      ++result_.requests;
      if (good) {
        result_.whole_ns.push_back(now_ns() - one.due_ns);
        result_.first_ns.push_back(one.first_ns - one.due_ns);
      } else {
        ++result_.failed;
      }
    }
  }
  one.request = nullptr;
  if (!good || one.close) {
    if (!connect(index)) {
      // Nothing listens any more: this connection is out of the game.
      ::epoll_ctl(poll_, EPOLL_CTL_DEL, one.socket, nullptr);
      return;
    }
  }
  if (!was_busy) return;
  if (options_.rate == 0 && now_ns() < end_ns_) return start(index, now_ns());
  if (!waiting_.empty()) {
    const std::int64_t due_ns = waiting_.front();
    waiting_.pop_front();
    return start(index, due_ns);
  }
  idle_.push_back(index);
}

/// Everything that is due by now.
void Generator::dispatch(std::int64_t at_ns) {
  while (next_due_ns_ <= at_ns && next_due_ns_ < end_ns_) {
    if (idle_.empty()) {
      waiting_.push_back(next_due_ns_);
    } else {
      const std::size_t index = idle_.back();
      idle_.pop_back();
      start(index, next_due_ns_);
    }
    next_due_ns_ += static_cast<std::int64_t>(random_.exponential() * 1e9 / options_.rate);
  }
}

void Generator::wait(std::int64_t until_ns) {
  epoll_event events[kEventsMax];
  const std::int64_t left_ns = std::max<std::int64_t>(0, until_ns - now_ns());
  const timespec left{left_ns / 1'000'000'000, left_ns % 1'000'000'000};
  const int count = ::epoll_pwait2(poll_, events, kEventsMax, &left, nullptr);
  for (int i = 0; i < count; ++i) {
    const std::size_t index = events[i].data.u64;
    if ((events[i].events & EPOLLOUT) != 0 && connections_[index].request != nullptr) send(index);
    if ((events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) receive(index);
  }
}

void Generator::hold() {
  const std::int64_t give_up_ns = now_ns() + 60'000'000'000;
  for (std::size_t i = 0; i < connections_.size() && now_ns() < give_up_ns; ++i) {
    start(i, now_ns());
    // One after the other, so that what is measured is waiting streams, not the rush of their beginning.
    while (streams_begun_ + result_.failed <= i && now_ns() < give_up_ns) wait(give_up_ns);
  }
  std::printf("{\"held\":%zu,\"failed\":%llu}\n", streams_begun_, static_cast<unsigned long long>(result_.failed));
  std::fflush(stdout);
  while (std::getchar() != EOF) continue;
}

base::Result<LoadResult> Generator::run() {
  ::prctl(PR_SET_TIMERSLACK, 1UL);
  poll_ = ::epoll_create1(EPOLL_CLOEXEC);
  connections_.resize(options_.connections);
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    if (!connect(i)) {
      return base::fail(base::Fault::environment, fmt::format("cannot open connection {} to {}: {}", i + 1,
                                                              options_.address, std::strerror(errno)));
    }
    idle_.push_back(i);
  }
  if (options_.hold) {
    hold();
    return std::move(result_);
  }
  const std::int64_t started_ns = now_ns();
  measure_from_ns_ = started_ns + static_cast<std::int64_t>(options_.warm_up_seconds * 1e9);
  end_ns_ = measure_from_ns_ + static_cast<std::int64_t>(options_.seconds * 1e9);
  next_due_ns_ = options_.rate == 0 ? end_ns_ : started_ns;
  if (options_.rate == 0) {
    const std::vector<std::size_t> all = std::exchange(idle_, {});
    for (const std::size_t index : all) start(index, now_ns());
  }
  for (std::int64_t at_ns = now_ns(); at_ns < end_ns_; at_ns = now_ns()) {
    dispatch(at_ns);
    wait(std::min(next_due_ns_, end_ns_));
  }
  result_.seconds = static_cast<double>(now_ns() - measure_from_ns_) / 1e9;
  const std::int64_t give_up_ns = now_ns() + static_cast<std::int64_t>(kGraceSeconds * 1e9);
  while ((busy_ > 0 || !waiting_.empty()) && now_ns() < give_up_ns) wait(give_up_ns);
  result_.unsent = waiting_.size() + busy_;
  std::sort(result_.whole_ns.begin(), result_.whole_ns.end());
  std::sort(result_.first_ns.begin(), result_.first_ns.end());
  return std::move(result_);
}

base::Result<std::vector<std::string>> read_requests(const LoadOptions& options) {
  STILLWATCH_TRY(text, base::read_file(options.requests, kRequestsFileMax));
  std::string fields;
  for (const std::string& header : options.headers) fields += header + "\r\n";
  std::vector<std::string> requests;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = std::string_view(text).substr(at, end - at);
    at = end + 1;
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) continue;
    const std::string_view body = line.substr(space + 1);
    requests.push_back(
        fmt::format("POST {} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n"
                    "user-agent: bench/1\r\naccept: application/json\r\n{}content-length: {}\r\n\r\n{}",
                    options.path, options.address, line.substr(0, space), fields, body.size(), body));
  }
  if (requests.empty()) {
    return base::fail(base::Fault::input,
                      fmt::format("{} has no line of the form API_KEY SPACE BODY", options.requests));
  }
  return requests;
}

}  // namespace

std::int64_t quantile(const std::vector<std::int64_t>& sorted, double share) {
  if (sorted.empty()) return 0;
  const double rank = std::ceil(share * static_cast<double>(sorted.size()));
  const auto at = static_cast<std::size_t>(std::max(1.0, rank)) - 1;
  return sorted[std::min(at, sorted.size() - 1)];
}

base::Result<LoadResult> run_load(const LoadOptions& options) {
  STILLWATCH_TRY(parsed, http::parse_address(options.address));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(parsed.port);
  if (parsed.unix_socket || ::inet_pton(AF_INET, parsed.host.c_str(), &address.sin_addr) != 1) {
    return base::fail(base::Fault::caller,
                      fmt::format("{} is no IPv4 address with a port, as in 127.0.0.1:8080", options.address));
  }
  STILLWATCH_TRY(requests, read_requests(options));
  return Generator(options, std::move(requests), address).run();
}

}  // namespace stillwatch::app
