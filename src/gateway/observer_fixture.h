// For tests of this module only: a small world of requests with a campaign in it, and a replay of a query log by the
// other road (intake::LogReader and an engine of its own).
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/folder_fixture.h"
#include "base/random.h"
#include "crypto/keyed_hash_fixture.h"
#include "engine/engine.h"
#include "event/json_lines.h"
#include "gateway/exchange.h"
#include "gateway/observer.h"
#include "intake/account_parser.h"
#include "intake/log_reader.h"

namespace stillwatch::gateway::test {

inline constexpr std::int64_t kStart = 1'775'001'600'000'000;  // a midnight

using crypto::test::fixed_hash;

struct Folder {
  const base::test::Folder own;
  const std::string path = own.path();
  std::string read(const std::string& name) const { return own.read(name); }
  void write(const std::string& name, const std::string& bytes) const { own.write(name, bytes); }
};

/// A made-up word of a vocabulary of `size`.
inline std::string word(base::Random& random, std::uint64_t size) {
  constexpr std::string_view kSyllables[] = {"ba",  "ke",  "ri", "mo", "su",  "ta",
                                             "len", "dor", "vi", "pa", "gru", "nel"};
  std::uint64_t number = base::mix64(random.below(size) + 77);
  std::string out;
  for (int i = 0; i < 3 + static_cast<int>(number >> 60 & 1U); ++i, number /= 12) out += kSyllables[number % 12];
  return out;
}
inline std::string words(base::Random& random, int count, std::uint64_t size = 20'000) {
  std::string out;
  for (int i = 0; i < count; ++i) out += (i > 0 ? " " : "") + word(random, size);
  return out;
}

struct World {
  int strangers = 400, days = 12, campaign_accounts = 60;
};

/// Requests in order of arrival; the same seed gives the same ones. `id` is left to whoever sends them.
inline std::vector<Exchange> make_world(const World& world = {}, std::uint64_t seed = 1) {
  base::Random random(seed);
  std::vector<Exchange> out;
  const auto add = [&](std::string account, std::int64_t time_us, std::string body, int network) {
    Exchange exchange;
    exchange.account = std::move(account);
    exchange.key = exchange.account + "-key";
    exchange.arrived_us = time_us;
    exchange.address = "10." + std::to_string(network / 250) + "." + std::to_string(network % 250) + ".7";
    exchange.user_agent = "openai-python/1." + std::to_string(network % 7) + ".0";
    exchange.headers = "host\naccept\nuser-agent\nauthorization";
    exchange.body = std::move(body);
    exchange.status = 200;
    exchange.has_usage = true;
    exchange.input_tokens = 100;
    exchange.output_tokens = 700;
    out.push_back(std::move(exchange));
  };
  std::vector<std::string> phrases, beginnings;  // that everybody uses, and those of the campaign
  for (int i = 0; i < 200; ++i) phrases.push_back(words(random, 13));
  for (int i = 0; i < 60; ++i) beginnings.push_back(words(random, 14));
  for (int stranger = 0; stranger < world.strangers; ++stranger) {
    const double rate = std::exp(random.normal() * 0.6) * 5;
    for (int day = 0; day < world.days; ++day) {
      for (double left = rate - random.uniform(); left > 0; --left) {
        const std::int64_t at = kStart + day * base::kDayUs + static_cast<std::int64_t>(random.below(base::kDayUs));
        const std::string phrase = random.chance(0.3) ? phrases[random.below(phrases.size())] + " " : "";
        add("acct_" + std::to_string(stranger), at, phrase + words(random, 20 + static_cast<int>(random.below(20))),
            stranger);
      }
    }
  }
  for (int day = world.days * 2 / 3; day < world.days; ++day) {
    for (int account = 0; account < world.campaign_accounts; ++account) {
      for (int i = 0; i < 24; ++i) {
        const std::int64_t at = kStart + day * base::kDayUs + static_cast<std::int64_t>(random.below(base::kDayUs));
        const bool is_cover = random.chance(0.4);
        add("farm_" + std::to_string(account), at,
            (is_cover ? words(random, 14) : beginnings[random.below(beginnings.size())]) + " " + words(random, 16),
            5'000 + account % 3);
        out.back().user_agent = "grader/3.1";
      }
    }
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const Exchange& a, const Exchange& b) { return a.arrived_us < b.arrived_us; });
  // Texts become bodies. Now and then a conversation of the campaign goes on at another of its accounts.
  std::string before;
  for (Exchange& exchange : out) {
    const std::string text = std::exchange(exchange.body, "");
    const bool is_farm = exchange.account.starts_with("farm");
    exchange.body = R"({"model":"m-large","messages":[)";
    if (is_farm && !before.empty() && random.chance(0.08)) {
      exchange.body += R"({"role":"user","content":")" + before + R"("},{"role":"assistant","content":")" +
                       words(random, 20) + "\"},";
    }
    exchange.body += R"({"role":"user","content":")" + text + "\"}]}";
    if (is_farm) before = text;
  }
  return out;
}

inline std::string accounts_of(const World& world) {
  std::string out;
  for (int stranger = 0; stranger < world.strangers; ++stranger) {
    out += R"({"v":1,"account":"acct_)" + std::to_string(stranger) +
           R"(","time":"2025-01-02T00:00:00Z","created":"2025-01-02T00:00:00Z","verification":"card"})" + "\n";
  }
  for (int account = 0; account < world.campaign_accounts; ++account) {
    out +=
        R"({"v":1,"account":"farm_)" + std::to_string(account) +
        R"(","time":"2026-04-05T00:00:00Z","created":"2026-04-05T00:00:00Z","verification":"email","payment":"pay_)" +
        std::to_string(account % 4) + "\"}\n";
  }
  return out;
}

inline ObserverOptions options_in(const Folder& folder) {
  ObserverOptions options;
  options.state_folder = folder.path + "/state";
  options.log.folder = folder.path + "/log";
  options.log.rotate_bytes = 2U << 20;
  options.engine.detect.first_seen_slots = 1U << 20;
  options.engine.detect.conversation_slots = 1U << 18;
  options.policy_hash = "sha256:test";
  options.in_flight.given_time = true;
  options.lateness_us = 2 * base::kDayUs;  // days pass in a second here, and a thread may be slow
  options.flush_us = 5'000;
  options.snapshot_seconds = 0.2;
  options.accounts_seconds = 0.01;
  return options;
}

struct Replayed {
  std::string verdicts;  // lines
  std::uint64_t accepted = 0, rejected = 0, shed = 0, late = 0, duplicates = 0;
  std::vector<std::string> problems;
};

/// What a replay of the observer's log says.
inline Replayed replay(const ObserverOptions& options, const crypto::KeyedHash& keyed_hash) {
  Replayed out;
  intake::Identities identities;
  std::map<event::Token, std::string> unnamed;
  const auto open = [&](event::Token token) { return identities.open(token); };
  engine::Engine engine(options.engine, 1, open, [&](std::span<const event::Verdict> verdicts) {
    for (const event::Verdict& verdict : verdicts)
      out.verdicts += event::to_json(verdict, options.policy_hash, open) + "\n";
    return base::Status{};
  });
  const std::string taken = options.state_folder + "/accounts.ndjson";
  if (std::filesystem::exists(taken)) {
    auto known = intake::load_accounts(taken, keyed_hash, identities, {});
    engine.set_accounts(std::move(known->updates));
  }
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(options.log.folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  intake::LogReaderOptions reading;
  reading.lateness_us = options.lateness_us;
  auto reader = intake::LogReader::open(files, reading, keyed_hash, identities, {});
  if (!reader) throw std::runtime_error(reader.error().message);
  std::vector<event::Query> batch;
  for (;;) {
    batch.clear();
    const auto more = (*reader)->next(batch);
    if (!more) throw std::runtime_error(more.error().message);
    if (!*more) break;
    if (!engine.step(batch)) throw std::runtime_error("the engine refused a batch");
  }
  const intake::IntakeCounters counters = (*reader)->counters();
  out.accepted = counters.accepted;
  out.rejected = counters.rejected;
  out.late = counters.late();
  out.duplicates = counters.duplicates();
  out.shed = engine.counters().shed;
  for (const base::Error& problem : (*reader)->problems()) out.problems.push_back(problem.message);
  return out;
}

/// The body ahead of its exchange, as of a long stream, where the observer takes it so.
inline void send_body(Observer& observer, unsigned thread, Exchange& exchange) {
  if (exchange.body_state != BodyState::whole) return;
  auto early = std::make_shared<EarlyBody>();
  early->dialect = exchange.dialect;
  early->body = exchange.body;
  if (!observer.push_body(thread, early)) return;
  exchange.early = std::move(early);
  exchange.body.clear();
}

/// Sends a world through an observer from several threads; requests end out of order, but none is more than half an
/// hour of the world's time behind (a request takes 30 seconds of it).
inline void serve(Observer& observer, const std::vector<Exchange>& world, unsigned threads, std::size_t held_max,
                  const std::function<void(Exchange&, std::size_t)>& change = {}) {
  constexpr std::size_t kAheadMax = 30;
  std::mutex mutex;
  std::size_t next = 0;
  std::set<std::size_t> serving;
  const auto run = [&](unsigned thread) {
    struct Held {
      std::size_t number;
      InFlight::Ticket ticket;
      std::unique_ptr<Exchange> exchange;
    };
    base::Random random(thread + 100);
    std::vector<Held> held;
    const auto finish_one = [&] {
      const auto which = held.begin() + static_cast<std::ptrdiff_t>(random.below(held.size()));
      observer.queue().try_push(thread, std::move(which->exchange));
      const std::size_t number = which->number;
      held.erase(which);  // the ticket goes after the push
      const std::lock_guard lock(mutex);
      serving.erase(number);
    };
    for (;;) {
      {
        const std::lock_guard lock(mutex);
        if (next == world.size()) break;
        if (serving.empty() || next - *serving.begin() < kAheadMax) {
          held.push_back(
              {next, observer.in_flight().arrive_at(world[next].arrived_us), std::make_unique<Exchange>(world[next])});
          serving.insert(next++);
        }
      }
      if (held.empty()) {
        std::this_thread::yield();
        continue;
      }
      Held& newest = held.back();
      if (change) change(*newest.exchange, newest.number);
      if (newest.number % 3 == 0) send_body(observer, thread, *newest.exchange);
      newest.exchange->arrived_us = newest.ticket.arrived_us();
      newest.exchange->id = request_id(newest.ticket.arrived_us(), 1);
      do {
        finish_one();
      } while (held.size() > random.below(held_max + 1));
      // No faster than the queue is read.
      while (observer.queue().counters().waiting > 5'000) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    while (!held.empty()) finish_one();
  };
  std::vector<std::thread> running;
  for (unsigned thread = 0; thread < threads; ++thread) running.emplace_back(run, thread);
  for (std::thread& thread : running) thread.join();
}

/// One by one, with room in the queue.
inline void send(Observer& observer, std::span<const Exchange> world) {
  for (const Exchange& exchange : world) {
    InFlight::Ticket ticket = observer.in_flight().arrive_at(exchange.arrived_us);
    auto copy = std::make_unique<Exchange>(exchange);
    copy->arrived_us = ticket.arrived_us();
    copy->id = request_id(copy->arrived_us, 1);
    observer.queue().try_push(0, std::move(copy));
    while (observer.queue().counters().waiting > 500) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

/// Runs `work(is_ready)` in a child process that is killed `kill_ms` after it called is_ready(). True when the work had
/// ended by then; throws when it failed.
template <class Work>
bool run_and_kill(std::int64_t kill_ms, Work work) {
  int ready[2];
  if (::pipe(ready) != 0) throw std::runtime_error("no pipe");
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("no process");
  if (child == 0) {
    try {
      const base::Status ended = work([&] { (void)!::write(ready[1], "r", 1); });
      if (!ended) throw std::runtime_error(ended.error().message);
      ::_exit(0);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
      ::_exit(1);
    }
  }
  char byte = 0;
  ::close(ready[1]);
  (void)!::read(ready[0], &byte, 1);
  ::close(ready[0]);
  std::this_thread::sleep_for(std::chrono::milliseconds(kill_ms));
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) != 0) throw std::runtime_error("the child failed, and says why above");
  return WIFEXITED(status);
}

inline std::size_t line_count(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace stillwatch::gateway::test
