// Names of hosts, with a resolver that hangs, fails and changes its mind when the test says so.
#include "http/name_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <map>
#include <mutex>

#include "http/loop.h"
#include "http/socket_fixture.h"

namespace stillwatch::http {
namespace {

using ::testing::HasSubstr;

SocketAddress loopback(const char* text) {
  SocketAddress out;
  EXPECT_TRUE(numeric_address({false, text, 1}, out));
  return out;
}

/// Stands in for the system's resolver. Look-ups wait while it hangs; all have ended when it is gone.
class Resolver {
 public:
  ~Resolver() {
    hang(false);
    EXPECT_TRUE(eventually([this] { return inside() == 0; }));
  }
  NameCache::LookUp look_up() {
    return [this](const std::string& host) {
      std::unique_lock lock(mutex_);
      ++asked_[host], ++inside_;
      most_ = std::max(most_, inside_);
      wake_.wait(lock, [&] { return !hangs_; });
      const auto answer = answers_.find(host);
      const std::vector<SocketAddress> found = answer == answers_.end() ? std::vector<SocketAddress>{} : answer->second;
      --inside_;
      return found;
    };
  }
  void hang(bool hangs) {
    const std::lock_guard lock(mutex_);
    hangs_ = hangs;
    wake_.notify_all();
  }
  void answer(const std::string& host, std::vector<SocketAddress> addresses) {
    const std::lock_guard lock(mutex_);
    answers_[host] = std::move(addresses);
  }
  int asked(const std::string& host) {
    const std::lock_guard lock(mutex_);
    return asked_[host];
  }
  int inside() {
    const std::lock_guard lock(mutex_);
    return inside_;
  }
  int most_at_once() {
    const std::lock_guard lock(mutex_);
    return most_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::map<std::string, std::vector<SocketAddress>> answers_;
  std::map<std::string, int> asked_;
  int inside_ = 0, most_ = 0;
  bool hangs_ = false;
};

struct Outcome {
  Failure failure = Failure::none;
  std::string body, error;
};

/// A cache over the resolver, and an io_context that runs only while run() does.
struct Names {
  explicit Names(NameCache::Options options = {}) {
    options.look_up = resolver.look_up();
    cache = std::make_shared<NameCache>(options);
  }
  ~Names() {
    resolver.hang(false);
    EXPECT_TRUE(eventually([this] { return cache->counters().running == 0; }));
  }
  void run(const std::function<Task<void>()>& body) {
    bool done = false;
    spawn(io, [](const std::function<Task<void>()>& its_body, bool& its_done) -> Task<void> {
      co_await its_body();
      its_done = true;
    }(body, done));
    while (!done && io.run_one() > 0) {
    }
  }
  NameCache::Found find(const std::string& host, std::int64_t wait_ms = 20'000) {
    NameCache::Found out;
    const Address address{false, host, 80};
    run([&]() -> Task<void> { out = co_await cache->find(io, address, monotonic_ms() + wait_ms); });
    return out;
  }
  std::unique_ptr<Upstream> upstream(const std::string& address, std::int64_t connect_ms) {
    UpstreamOptions options;
    options.address = address;
    options.names = cache;
    options.connect_ms = connect_ms;
    options.idle_max = 0;
    auto made = Upstream::create(io, std::move(options));
    return made ? std::move(*made) : nullptr;
  }
  Outcome ask(Upstream& upstream) {
    Outcome out;
    run([&]() -> Task<void> {
      UpstreamExchange exchange(upstream);
      RequestHead head;
      head.method = "GET";
      head.target = "/";
      head.fields.add("host", "model.example");
      const base::Status sent = co_await exchange.open(head, {}, true);
      if (!sent) out.error = sent.error().message;
      if (sent) {
        const auto answer = co_await exchange.read_head();
        const auto body = co_await exchange.read_all(1'000);
        if (answer && body) out.body = *body;
      }
      out.failure = exchange.failure();
    });
    return out;
  }
  Resolver resolver;
  std::shared_ptr<NameCache> cache;
  boost::asio::io_context io{1};
};

NameCache::Options always_old() {
  NameCache::Options options;
  options.fresh_ms = -1;
  return options;
}

TEST(name_cache, a_name_is_looked_up_once_and_remembered_with_each_port) {
  Names names;
  names.resolver.answer("model.example", {loopback("127.0.0.1"), loopback("::1")});
  for (int i = 0; i < 3; ++i) {
    const NameCache::Found found = names.find("model.example");
    ASSERT_EQ(found.addresses.size(), 2U);
    EXPECT_TRUE(found.is_fresh);
    for (const SocketAddress& address : found.addresses) {
      std::uint16_t port = 0;
      EXPECT_THAT((std::vector<std::string>{"127.0.0.1", "::1"}), ::testing::Contains(address_text(address, port)));
      EXPECT_EQ(port, 80);
    }
  }
  EXPECT_EQ(names.resolver.asked("model.example"), 1);
}

TEST(name_cache, the_systems_resolver_knows_this_host) {
  NameCache cache;
  boost::asio::io_context io{1};
  NameCache::Found found;
  bool done = false;
  spawn(io,
        [](NameCache& its_cache, boost::asio::io_context& its_io, NameCache::Found& its_found,
           bool& its_done) -> Task<void> {
          const Address address{false, "localhost", 443};
          its_found = co_await its_cache.find(its_io, address, monotonic_ms() + 20'000);
          its_done = true;
        }(cache, io, found, done));
  while (!done && io.run_one() > 0) {
  }
  ASSERT_FALSE(found.addresses.empty());
  std::uint16_t port = 0;
  (void)address_text(found.addresses.front(), port);
  EXPECT_EQ(port, 443);
}

// The resolver stays in its call until the test has seen all of this.
TEST(name_cache, a_resolver_that_hangs_holds_up_one_name_for_connect_ms_and_its_answer_is_used_later) {
  const auto server = serve(loopback_options(), echo);
  Names names;
  names.resolver.hang(true);
  names.resolver.answer("model.example", {loopback("127.0.0.1")});
  const std::string port = std::to_string(server->port());
  const auto named = names.upstream("model.example:" + port, 300);
  const auto numeric = names.upstream("127.0.0.1:" + port, 5'000);
  for (int i = 0; i < 3; ++i) {
    const Outcome out = names.ask(*named);
    EXPECT_EQ(out.failure, Failure::connect_timeout);
    EXPECT_THAT(out.error, HasSubstr("its name was not found in time"));
    EXPECT_EQ(named->outstanding(), 0U);
    EXPECT_EQ(names.ask(*numeric).body, "GET /\n");
  }
  EXPECT_EQ(names.resolver.asked("model.example"), 1);
  EXPECT_EQ(names.cache->counters().late, 3U);
  names.resolver.hang(false);
  ASSERT_TRUE(eventually([&] { return names.cache->counters().running == 0; }));
  EXPECT_EQ(names.ask(*named).body, "GET /\n");
  EXPECT_EQ(names.resolver.asked("model.example"), 1);
}

TEST(name_cache, who_waits_is_woken_by_the_answer) {
  Names names;
  names.resolver.hang(true);
  names.resolver.answer("model.example", {loopback("127.0.0.1")});
  std::thread later([&] {
    EXPECT_TRUE(eventually([&] { return names.resolver.inside() == 1; }));
    names.resolver.hang(false);
  });
  int found = 0;
  names.run([&]() -> Task<void> {
    bool others_done[2] = {};
    for (bool& done : others_done) {
      spawn(names.io, [](Names& its_names, bool& its_done, int& its_found) -> Task<void> {
        const Address address{false, "model.example", 80};
        const NameCache::Found out = co_await its_names.cache->find(its_names.io, address, INT64_MAX / 4);
        its_found += out.addresses.size() == 1 ? 1 : 0;
        its_done = true;
      }(names, done, found));
    }
    while (!others_done[0] || !others_done[1]) co_await sleep_ms(names.io, 5);
  });
  later.join();
  EXPECT_EQ(found, 2);
  EXPECT_EQ(names.resolver.asked("model.example"), 1);
}

TEST(name_cache, what_is_known_is_used_at_once_while_it_is_looked_up_again) {
  Names names(always_old());
  names.resolver.answer("model.example", {loopback("127.0.0.1")});
  EXPECT_EQ(names.find("model.example").addresses.size(), 1U);
  names.resolver.hang(true);
  names.resolver.answer("model.example", {loopback("127.0.0.2"), loopback("127.0.0.3")});
  for (int i = 0; i < 5; ++i) {
    const NameCache::Found found = names.find("model.example");
    EXPECT_EQ(found.addresses.size(), 1U);
    EXPECT_FALSE(found.is_late);
  }
  EXPECT_EQ(names.cache->counters().look_ups, 2U);
  names.resolver.hang(false);
  EXPECT_TRUE(eventually([&] { return names.find("model.example").addresses.size() == 2; }));
}

TEST(name_cache, what_is_old_is_used_when_news_do_not_come) {
  NameCache::Options options = always_old();
  options.quiet_ms = -1;
  options.stale_wait_ms = 1;
  Names names(options);
  names.resolver.answer("model.example", {loopback("127.0.0.1")});
  EXPECT_EQ(names.find("model.example").addresses.size(), 1U);
  names.resolver.hang(true);
  const NameCache::Found found = names.find("model.example");
  EXPECT_EQ(found.addresses.size(), 1U);
  EXPECT_TRUE(found.is_late);
  EXPECT_FALSE(found.is_fresh);
  // A name server that says no takes nothing away either.
  names.resolver.answer("model.example", {});
  names.resolver.hang(false);
  ASSERT_TRUE(eventually([&] { return names.cache->counters().failures == 1; }));
  EXPECT_EQ(names.find("model.example").addresses.size(), 1U);
}

TEST(name_cache, nothing_is_used_for_ever) {
  NameCache::Options options = always_old();
  options.quiet_ms = options.stale_ms = -1;
  Names names(options);
  names.resolver.answer("model.example", {loopback("127.0.0.1")});
  EXPECT_EQ(names.find("model.example").addresses.size(), 0U);  // older than -1 ms when it comes
  names.resolver.hang(true);
  const NameCache::Found found = names.find("model.example", 20);
  EXPECT_EQ(found.addresses.size(), 0U);
  EXPECT_TRUE(found.is_late);
}

TEST(name_cache, an_unknown_name_is_not_asked_for_with_every_request) {
  NameCache::Options options;
  options.again_ms = 3'600'000;
  Names names(options);
  const auto upstream = names.upstream("nobody.example:80", 5'000);
  for (int i = 0; i < 5; ++i) {
    const Outcome out = names.ask(*upstream);
    EXPECT_EQ(out.failure, Failure::connect);
    EXPECT_THAT(out.error, HasSubstr("its name is unknown"));
  }
  EXPECT_EQ(names.resolver.asked("nobody.example"), 1);
}

TEST(name_cache, an_upstream_that_moved_is_found_by_the_request_that_misses_it) {
  const auto server = serve(loopback_options(), echo);
  Names names(always_old());
  names.resolver.answer("model.example", {loopback("127.0.0.9")});  // the server does not listen there
  EXPECT_EQ(names.find("model.example").addresses.size(), 1U);
  names.resolver.answer("model.example", {loopback("127.0.0.1")});
  const auto upstream = names.upstream("model.example:" + std::to_string(server->port()), 5'000);
  EXPECT_EQ(names.ask(*upstream).body, "GET /\n");
}

TEST(name_cache, look_ups_outlive_who_asked) {
  Names names;
  names.resolver.hang(true);
  names.resolver.answer("model.example", {loopback("127.0.0.1")});
  {
    boost::asio::io_context io{1};
    spawn(io, [](NameCache& cache, boost::asio::io_context& its_io) -> Task<void> {
      const Address address{false, "model.example", 80};
      (void)co_await cache.find(its_io, address, INT64_MAX / 4);
    }(*names.cache, io));
    while (names.cache->counters().look_ups == 0) io.run_one();
  }
  {
    boost::asio::io_context io{1};
    bool ended = false;
    spawn(io, [](NameCache& cache, boost::asio::io_context& its_io, bool& its_ended) -> Task<void> {
      const Address address{false, "model.example", 80};
      (void)co_await cache.find(its_io, address, INT64_MAX / 4);
      its_ended = true;
    }(*names.cache, io, ended));
    io.run_one();
    Loop::of(io).stop();
    io.run();
    EXPECT_TRUE(ended);
  }
  names.resolver.hang(false);
  EXPECT_TRUE(eventually([&] { return names.cache->counters().running == 0; }));
  EXPECT_EQ(names.find("model.example").addresses.size(), 1U);
  EXPECT_EQ(names.resolver.asked("model.example"), 1);
}

TEST(name_cache, threads_in_the_resolver_are_bounded_and_every_name_has_its_turn) {
  constexpr int kNames = 3 * static_cast<int>(kLookUpsMax);
  Names names;
  names.resolver.hang(true);
  for (int i = 0; i < kNames; ++i) {
    names.resolver.answer("host" + std::to_string(i), {loopback("127.0.0.1")});
    EXPECT_TRUE(names.find("host" + std::to_string(i), 0).is_late);
  }
  EXPECT_TRUE(eventually([&] { return names.resolver.inside() == static_cast<int>(kLookUpsMax); }));
  EXPECT_EQ(names.cache->counters().running, kLookUpsMax);
  names.resolver.hang(false);
  EXPECT_TRUE(eventually([&] { return names.cache->counters().look_ups == kNames; }));
  EXPECT_LE(names.resolver.most_at_once(), static_cast<int>(kLookUpsMax));
  for (int i = 0; i < kNames; ++i) EXPECT_EQ(names.find("host" + std::to_string(i)).addresses.size(), 1U);
}

}  // namespace
}  // namespace stillwatch::http
