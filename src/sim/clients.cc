#include "sim/clients.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace stillwatch::sim {
namespace {

constexpr std::int32_t kOldestDay = -400;  // versions known before the world starts
constexpr std::int32_t kNewestDay = 420;   // a world has at most 400 days

// "%" in an agent stands for the version. Header lists are orders that such software plausibly sends.
struct Known {
  ClientUse use;
  double weight;
  std::string_view agent;
  int major, minor;
  std::int32_t cadence_days;
  std::string_view stack;
  std::string_view headers;
};
constexpr std::string_view kStainless =
    R"("host","accept-encoding","connection","accept","content-type","user-agent","x-stainless-lang",)"
    R"("x-stainless-package-version","x-stainless-os","x-stainless-arch","x-stainless-runtime","authorization",)"
    R"("content-length")";
constexpr std::string_view kStainlessNode =
    R"("host","connection","content-length","accept","content-type","user-agent","x-stainless-arch",)"
    R"("x-stainless-lang","x-stainless-os","authorization","accept-language","sec-fetch-mode")";
constexpr std::string_view kAnthropicStyle =
    R"("host","accept","accept-encoding","connection","content-type","user-agent","x-api-key",)"
    R"("anthropic-version","x-stainless-lang","x-stainless-os","content-length")";
constexpr std::string_view kBrowser =
    R"("host","content-length","sec-ch-ua","authorization","sec-ch-ua-mobile","user-agent","content-type",)"
    R"("sec-ch-ua-platform","accept","origin","sec-fetch-site","sec-fetch-mode","referer","accept-encoding",)"
    R"("accept-language")";
constexpr std::string_view kPlain = R"("host","user-agent","accept","content-type","authorization","content-length")";
constexpr std::string_view kJava =
    R"("authorization","content-type","content-length","host","connection","accept-encoding","user-agent")";
constexpr std::string_view kGo =
    R"("host","user-agent","content-length","authorization","content-type","accept-encoding")";
constexpr std::string_view kApp =
    R"("host","content-type","accept","authorization","accept-language","accept-encoding","user-agent",)"
    R"("content-length","connection")";

constexpr Known kKnown[] = {
    {ClientUse::library, 30, "openai-python/%", 1, 90, 9, "python", kStainless},
    {ClientUse::library, 16, "Anthropic/Python %", 0, 60, 10, "python", kAnthropicStyle},
    {ClientUse::library, 14, "OpenAI/JS %", 5, 10, 8, "node", kStainlessNode},
    {ClientUse::library, 7, "Anthropic/JS %", 0, 58, 11, "node", kAnthropicStyle},
    {ClientUse::library, 8, "langchain-core/% python-httpx/0.28", 0, 70, 12, "python", kStainless},
    {ClientUse::library, 5, "python-requests/2.%", 32, 1, 90, "python", kPlain},
    {ClientUse::library, 4, "aiohttp/3.% python/3.12", 11, 2, 60, "python", kPlain},
    {ClientUse::library, 4, "go-openai/%", 1, 38, 30, "go", kGo},
    {ClientUse::library, 3, "okhttp/%", 4, 10, 120, "java", kJava},
    {ClientUse::library, 3, "langchain4j/%", 1, 0, 25, "java", kJava},
    {ClientUse::library, 2, "async-openai/%", 0, 26, 35, "rust", kPlain},
    {ClientUse::library, 2, "curl/8.%", 9, 1, 70, "curl", kPlain},
    {ClientUse::library, 2, "OpenAI.NET/%", 2, 1, 40, "dotnet", kJava},
    {ClientUse::library, 3, "litellm/%", 1, 70, 6, "python", kStainless},
    {ClientUse::library, 1, "ruby-openai/%", 7, 3, 60, "ruby", kPlain},
    {ClientUse::library, 1, "GuzzleHttp/7.%", 8, 1, 100, "php", kPlain},
    {ClientUse::chat_app, 14, "OpenLounge/% Desktop (Windows)", 3, 4, 14, "chrome", kBrowser},
    {ClientUse::chat_app, 9, "OpenLounge/% Desktop (macOS)", 3, 4, 14, "chrome", kBrowser},
    {ClientUse::chat_app, 12, "PocketTalk/% CFNetwork/1568 Darwin/24.1", 2, 11, 12, "apple", kApp},
    {ClientUse::chat_app, 11, "PocketTalk/% (Android 15) okhttp/4.12", 2, 11, 12, "android", kApp},
    {ClientUse::chat_app, 8, "webchat-server/% node", 0, 6, 10, "node", kStainlessNode},
    {ClientUse::chat_app, 6, "Quill/% (Linux)", 1, 2, 30, "node", kStainlessNode},
    {ClientUse::chat_app, 4, "obsidian-copilot/%", 2, 6, 20, "chrome", kBrowser},
    {ClientUse::browser, 18,
     "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%.0.0 Safari/537.36", 140,
     0, 28, "chrome", kBrowser},
    {ClientUse::browser, 9,
     "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%.0.0 "
     "Safari/537.36",
     140, 0, 28, "chrome", kBrowser},
    {ClientUse::browser, 8,
     "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%.0.0 Mobile Safari/537.36", 140,
     0, 28, "chrome", kBrowser},
    {ClientUse::browser, 6, "Mozilla/5.0 (X11; Linux x86_64; rv:%.0) Gecko/20100101 Firefox/%", 142, 0, 28, "firefox",
     kBrowser},
    {ClientUse::browser, 7,
     "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/% "
     "Mobile/15E148 Safari/604.1",
     18, 4, 45, "apple", kApp},
    {ClientUse::agent, 12, "codeloop/% (cli)", 0, 40, 4, "node", kStainlessNode},
    {ClientUse::agent, 8, "aider/% litellm", 0, 82, 14, "python", kStainless},
    {ClientUse::agent, 7, "PairPilot/% vscode", 3, 20, 7, "node", kStainlessNode},
    {ClientUse::agent, 5, "openhands/%", 0, 50, 9, "python", kStainless},
    {ClientUse::agent, 5, "crewline/% langchain", 0, 14, 12, "python", kStainless},
    {ClientUse::agent, 4, "autograph/%", 0, 6, 20, "python", kStainless},
    {ClientUse::agent, 3, "mastic/% (node)", 1, 0, 15, "node", kStainlessNode},
    {ClientUse::agent, 3, "rig/%", 0, 20, 16, "rust", kPlain},
    {ClientUse::harness, 10, "lm-eval/% openai-python/1.99", 0, 4, 60, "python", kStainless},
    {ClientUse::harness, 7, "inspect_ai/%", 0, 3, 12, "python", kStainless},
    {ClientUse::harness, 4, "helm-bench/%", 0, 5, 50, "python", kPlain},
    {ClientUse::harness, 3, "promptcheck/%", 0, 110, 7, "node", kStainlessNode},
    {ClientUse::relay, 5, "one-gate/%", 0, 6, 30, "go", kGo},
    {ClientUse::relay, 4, "keyswitch/%", 1, 3, 25, "node", kStainlessNode},
    {ClientUse::relay, 3, "openai-python/%", 1, 90, 9, "python", kStainless},
    {ClientUse::relay, 3, "poolrouter/%", 2, 0, 45, "rust", kPlain},
};

std::string ja4_of(std::string_view stack, std::int64_t generation) {
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  for (const char c : stack) hash = base::mix64(hash ^ static_cast<unsigned char>(c));
  hash = base::mix64(hash + static_cast<std::uint64_t>(generation));
  const std::uint64_t other = base::mix64(hash);
  const bool browser = stack == "chrome" || stack == "firefox" || stack == "apple";
  return fmt::format("t13d{:02}{:02}{}_{:012x}_{:012x}", 15 + hash % 30, 9 + (hash >> 8) % 9,
                     browser || stack == "node" ? "h2" : "h1", hash >> 16, other >> 16);
}

std::int32_t floor_divide(std::int32_t a, std::int32_t b) { return a / b - (a % b < 0 ? 1 : 0); }

}  // namespace

Clients::Clients(std::uint64_t seed) {
  base::Random random(seed, 0xC11);
  for (const Known& known : kKnown) {
    Family family{known.use,
                  known.weight,
                  known.cadence_days,
                  static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(known.cadence_days))),
                  {}};
    const std::int32_t first = floor_divide(kOldestDay, known.cadence_days);
    const std::int32_t last = floor_divide(kNewestDay, known.cadence_days);
    for (std::int32_t step = first; step <= last; ++step) {
      const int minor = known.minor + step;
      const std::string version = known.use == ClientUse::browser && known.major > 100
                                      ? fmt::format("{}", known.major + step)
                                      : fmt::format("{}.{}.{}", known.major, std::max(0, minor),
                                                    minor < 0 ? 40 + minor % 40 : static_cast<int>(random.below(4)));
      std::string agent;
      for (const char c : known.agent) {
        if (c == '%') {
          agent += version;
        } else {
          agent += c;
        }
      }
      // A TLS stack changes about twice a year.
      const std::int64_t generation = floor_divide(step * known.cadence_days, 180);
      family.versions.push_back(fmt::format(R"("user_agent":"{}","ja4":"{}","headers":[{}])", agent,
                                            ja4_of(known.stack, generation), known.headers));
    }
    families_.push_back(std::move(family));
  }
}

ClientChoice Clients::choose(ClientUse use, base::Random& random) const {
  double total = 0;
  for (const Family& family : families_) total += family.use == use ? family.weight : 0;
  double at = random.uniform() * total;
  ClientChoice choice;
  for (std::size_t i = 0; i < families_.size(); ++i) {
    if (families_[i].use != use) continue;
    choice.family = static_cast<std::uint16_t>(i);
    if ((at -= families_[i].weight) < 0) break;
  }
  choice.pinned = random.chance(use == ClientUse::library ? 0.4 : 0.1);
  choice.pinned_day = -static_cast<std::int32_t>(random.exponential() * 60);
  choice.lag_days = static_cast<std::int32_t>(random.exponential() * 12);
  return choice;
}

ClientChoice Clients::fixed(ClientUse use, std::uint64_t key) const {
  base::Random random(key, 0xF1);
  ClientChoice choice = choose(use, random);
  choice.pinned = true;
  return choice;
}

std::string_view Clients::fragment(const ClientChoice& choice, std::int64_t day) const {
  const Family& family = families_[choice.family];
  const std::int32_t at_day = choice.pinned ? choice.pinned_day : static_cast<std::int32_t>(day) - choice.lag_days;
  const std::int32_t first = floor_divide(kOldestDay, family.cadence_days);
  const std::int32_t step = floor_divide(at_day - family.phase_days, family.cadence_days) - first;
  return family.versions[static_cast<std::size_t>(
      std::clamp<std::int32_t>(step, 0, static_cast<std::int32_t>(family.versions.size()) - 1))];
}

}  // namespace stillwatch::sim
