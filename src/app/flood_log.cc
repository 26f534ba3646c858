#include "app/flood_log.h"

#include <array>
#include <cstdio>
#include <memory>
#include <vector>

#include <fmt/format.h>

#include "base/event_time.h"
#include "base/random.h"

namespace stillwatch::app {
namespace {

using base::Random;
using crypto::Domain;

constexpr std::int64_t kStartUs = 1'775'001'600'000'000;  // a midnight
constexpr std::int64_t kSpanUs = 10 * base::kDayUs;       // a week of calibration, and three days after it
constexpr std::size_t kBodyBytes = 900;                   // of text, so that records are alike in size
constexpr std::size_t kLongBytes = 400'000;
constexpr std::size_t kLongTurns = 2'000;
constexpr std::uint64_t kChosenBits = 10;  // all chosen tokens agree in so many: the partition, and 1 of 16 of its sets

constexpr Flood kFloods[] = {
    {FloodKind::ordinary, "ordinary", "5,000 accounts, own prompts, some phrases in common, some conversations"},
    {FloodKind::new_accounts, "new_accounts", "every request from an account never seen before"},
    {FloodKind::unique_tokens, "unique_tokens", "50 accounts; prompt, client and network new in every request"},
    {FloodKind::one_token, "one_token", "50,000 accounts send one prompt through one client"},
    {FloodKind::long_conversations, "long_conversations", "400 KB and 2,000 turns a request, growing prefixes", true},
    {FloodKind::like_inputs, "like_inputs", "without the secret: ids and prompts that weak hashes would map together"},
    {FloodKind::chosen_tokens, "chosen_tokens", "with the secret: accounts and prompts of one partition and few sets"},
    {FloodKind::link_tokens, "link_tokens", "20,000 accounts; every template and network shared by exactly 3"},
    {FloodKind::handoffs, "handoffs", "10,000 accounts; every conversation goes on at another account"},
    {FloodKind::small_groups, "small_groups", "groups of 6 accounts, each with templates and a network of its own"},
};

constexpr const char* kWords[] = {"river",  "table", "garden", "number", "window", "letter", "market", "engine",
                                  "summer", "stone", "paper",  "bridge", "music",  "harbor", "winter", "planet",
                                  "copper", "field", "lamp",   "thread", "mirror", "valley", "ticket", "anchor"};

void add_words(std::string& out, Random& random, std::size_t bytes) {
  while (out.size() < bytes) {
    const std::uint64_t bits = random.next();
    for (int shift = 0; shift < 60; shift += 12) {
      out += kWords[(bits >> shift) % std::size(kWords)];
      out += static_cast<char>('a' + (bits >> (shift + 5) & 15));
      out += ' ';
    }
  }
}

struct Turn {
  const char* role;
  std::string text;
};

struct Line {
  std::string account, user_agent = "openai-python/1.99.1", address;
  std::vector<Turn> turns;
};

std::string address_of(std::uint64_t network) {
  return fmt::format("{}.{}.{}.7", 11 + network / 65'536 % 200, network / 256 % 256, network % 256);
}

class Writer {
 public:
  Writer(std::FILE* file, std::uint64_t records)
      : file_(file), step_us_(kSpanUs / static_cast<std::int64_t>(records)) {}

  base::Status write(const Line& line) {
    buffer_.clear();
    const std::int64_t at = kStartUs + static_cast<std::int64_t>(written_) * step_us_;
    fmt::format_to(std::back_inserter(buffer_),
                   R"({{"v":1,"id":"r{}","time":"{}","account":"{}","client":{{"ip":"{}","user_agent":"{}"}},)"
                   R"("dialect":"openai.chat","request":{{"model":"m-large","messages":[)",
                   written_, base::format_time(at), line.account, line.address, line.user_agent);
    for (std::size_t i = 0; i < line.turns.size(); ++i) {
      fmt::format_to(std::back_inserter(buffer_), R"({}{{"role":"{}","content":"{}"}})", i == 0 ? "" : ",",
                     line.turns[i].role, line.turns[i].text);
    }
    buffer_ += R"(]},"response":{"status":200,"usage":{"input_tokens":300,"output_tokens":500}}})"
               "\n";
    ++written_;
    if (std::fwrite(buffer_.data(), 1, buffer_.size(), file_) == buffer_.size()) return {};
    return base::fail(base::Fault::environment, "cannot write the log of a flood; set TMPDIR to a folder with space");
  }
  std::uint64_t written() const { return written_; }

 private:
  std::FILE* file_;
  std::int64_t step_us_;
  std::uint64_t written_ = 0;
  std::string buffer_;
};

std::string own_prompt(Random& random, std::size_t bytes = kBodyBytes) {
  std::string text;
  add_words(text, random, bytes);
  return text;
}

void ordinary(Random& random, Line& line) {
  const std::uint64_t account = random.below(5'000);
  line.account = fmt::format("acct_{}", account);
  line.user_agent = fmt::format("client{}/1.{}", account % 7, account % 3);
  line.address = address_of(account * 3 + random.below(3));
  std::string prompt = random.chance(0.2) ? fmt::format("please help me with task {} today ", random.below(300)) : "";
  add_words(prompt, random, kBodyBytes);
  line.turns = {{"user", prompt}};
}

/// Text whose token agrees with `target` in its first kChosenBits.
template <class TokenOf, class TextOf>
std::string search(Random& random, std::uint64_t bits, TextOf text_of, TokenOf token_of) {
  for (;;) {
    std::string text = text_of(random.next());
    if (token_of(text) >> (64 - bits) == 0) return text;
  }
}

// Prompts of at least 24 bytes count; a reply before it pads the record without a part in the prompt's token.
void chosen_tokens(Random& random, const crypto::KeyedHash& hash, Line& line) {
  line.account = search(
      random, 6, [](std::uint64_t x) { return fmt::format("acct_{:x}", x); },
      [&](const std::string& text) { return hash(Domain::account, text); });
  line.address = address_of(random.below(1U << 22));
  const std::string prompt = search(
      random, kChosenBits, [](std::uint64_t x) { return fmt::format("tell me about {:016x}", x); },
      [&](const std::string& text) {
        return hash(Domain::prompt, std::array<std::uint64_t, 1>{hash(Domain::turn, text)});
      });
  line.turns = {{"user", own_prompt(random, kBodyBytes / 2)}, {"assistant", own_prompt(random, kBodyBytes / 2)}};
  line.turns.push_back({"user", prompt});
}

void like_inputs(std::uint64_t i, Random& random, Line& line) {
  line.account = fmt::format("{:016x}", i << 24);  // equal low bits, should an id be taken for a number
  line.address = fmt::format("10.{}.0.{}", i % 256, i / 256 % 256);
  line.user_agent = fmt::format("{}/1.0", std::string(1 + i % 64, 'a'));
  std::string prompt;
  for (std::uint64_t bits = i; bits != 0; bits >>= 1) prompt += (bits & 1) != 0 ? "AaBB BBAa " : "BBAa AaBB ";
  add_words(prompt, random, 0);
  while (prompt.size() < kBodyBytes) prompt += "AaAa BBBB ";
  line.turns = {{"user", prompt}};
}

std::string templated(std::uint64_t template_, Random& random) {
  Random words(template_, 7);
  std::string text;
  add_words(text, words, 160);
  add_words(text, random, kBodyBytes);
  return text;
}

void link_tokens(std::uint64_t i, Random& random, Line& line) {
  constexpr std::uint64_t kAccounts = 20'000;
  // The three requests of a template come from three accounts of one network of three, one step apart each time.
  const std::uint64_t triple = i / 3 % (kAccounts / 3);
  line.account = fmt::format("acct_{}", triple * 3 + i % 3);
  line.address = address_of(triple);
  line.turns = {{"user", templated(i / 3, random)}};
}

void small_groups(std::uint64_t i, Random& random, Line& line) {
  const std::uint64_t group = i / 24;
  line.account = fmt::format("acct_{}_{}", group, i % 6);
  line.address = address_of(group);
  line.turns = {{"user", templated(group * 4 + i / 6 % 4, random)}};
}

void handoff(std::uint64_t i, Random& random, Line& line) {
  constexpr std::uint64_t kTurns = 4;
  const std::uint64_t conversation = i / kTurns, turn = i % kTurns;
  line.account = fmt::format("acct_{}", random.below(10'000));
  line.address = address_of(random.below(10'000));
  Random words(conversation, 3);
  line.turns.clear();
  for (std::uint64_t t = 0; t <= turn; ++t) {
    if (t > 0) line.turns.push_back({"assistant", own_prompt(words, kBodyBytes / 8)});
    line.turns.push_back({"user", own_prompt(words, kBodyBytes / 4)});
  }
}

void long_conversation(std::uint64_t i, Line& line) {
  constexpr std::uint64_t kRequests = 8;  // of one conversation, each a turn longer
  line.account = fmt::format("acct_{}", i / kRequests % 100);
  line.address = address_of(i / kRequests % 100);
  Random words(i / kRequests, 5);
  const std::size_t turns = kLongTurns - 2 * kRequests + 1 + 2 * (i % kRequests);
  line.turns.resize(turns);
  for (std::size_t t = 0; t < turns; ++t) {
    line.turns[t].role = t % 2 == 0 ? "user" : "assistant";
    line.turns[t].text = own_prompt(words, kLongBytes / kLongTurns);
  }
}

base::Status write_line(FloodKind kind, std::uint64_t i, Random& random, const crypto::KeyedHash& hash, Line& line,
                        Writer& writer) {
  switch (kind) {
    case FloodKind::ordinary: ordinary(random, line); break;
    case FloodKind::new_accounts:
      ordinary(random, line);
      line.account = fmt::format("new_{:x}", random.next());
      break;
    case FloodKind::unique_tokens:
      line.account = fmt::format("acct_{}", i % 50);
      line.address = address_of(i);
      line.user_agent = fmt::format("client-{}", own_prompt(random, 1));
      line.turns = {{"user", own_prompt(random)}};
      break;
    case FloodKind::one_token:
      line.account = fmt::format("acct_{}", i % 50'000);
      line.address = address_of(i % 50'000);
      if (line.turns.empty()) line.turns = {{"user", own_prompt(random)}};
      break;
    case FloodKind::long_conversations: long_conversation(i, line); break;
    case FloodKind::like_inputs: like_inputs(i, random, line); break;
    case FloodKind::chosen_tokens: chosen_tokens(random, hash, line); break;
    case FloodKind::link_tokens: link_tokens(i, random, line); break;
    case FloodKind::handoffs: handoff(i, random, line); break;
    case FloodKind::small_groups: small_groups(i, random, line); break;
  }
  return writer.write(line);
}

}  // namespace

std::span<const Flood> floods() { return kFloods; }

base::Result<std::uint64_t> write_flood_log(FloodKind kind, std::uint64_t records, const crypto::KeyedHash& hash,
                                            const std::string& path) {
  if (kind == FloodKind::long_conversations) records = std::max<std::uint64_t>(8, records * kBodyBytes / kLongBytes);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "wb"), &std::fclose);
  if (file == nullptr)
    return base::fail(base::Fault::environment,
                      fmt::format("cannot write {}; set TMPDIR to a folder with space", path));
  Writer writer(file.get(), records);
  Random random(1, static_cast<std::uint64_t>(kind));
  Line line;
  for (std::uint64_t i = 0; i < records; ++i) {
    STILLWATCH_CHECK(write_line(kind, i, random, hash, line, writer));
  }
  if (std::fflush(file.get()) != 0)
    return base::fail(base::Fault::environment,
                      fmt::format("cannot write {}; set TMPDIR to a folder with space", path));
  return writer.written();
}

}  // namespace stillwatch::app
