#include "policy/override.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <optional>
#include <tuple>

#include "base/event_time.h"
#include "base/json_text.h"
#include "base/limits.h"

namespace stillwatch::policy {
namespace {

namespace dom = simdjson::dom;

constexpr std::size_t kLineBytesMax = 16'384;  // every text at its limit, each byte escaped
constexpr std::uint64_t kVersion = 1;

base::Status wrong(std::string message) { return base::fail(base::Fault::caller, std::move(message)); }

base::Status check_text(std::string_view what, std::string_view text, std::size_t bytes_max) {
  if (text.size() > bytes_max) return wrong(fmt::format("{} has more than {} bytes", what, bytes_max));
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t length = base::utf8_length(rest);
    if (length == 0) return wrong(fmt::format("{} is not UTF-8", what));
    rest.remove_prefix(length);
  }
  return {};
}

std::optional<event::Level> level_named(std::string_view text) {
  for (int i = 0; i <= static_cast<int>(event::Level::suspend); ++i) {
    if (event::name(static_cast<event::Level>(i)) == text) return static_cast<event::Level>(i);
  }
  return std::nullopt;
}

// The fields of one line; each may come once.
class LineReader {
 public:
  base::Status take(std::string_view key, dom::element value) {
    if (key == "v") {
      std::uint64_t version = 0;
      if (value.get(version) != simdjson::SUCCESS || version != kVersion) return wrong("v must be 1");
      return once(0, key);
    }
    std::string_view text;
    if (value.get(text) != simdjson::SUCCESS) return wrong(fmt::format("{} must be a text", quoted(key)));
    if (key == "account") return once(1, key, out_.account, text);
    if (key == "end_user") return once(2, key, out_.end_user, text);
    if (key == "who") return once(3, key, out_.who, text);
    if (key == "note") return once(4, key, out_.note, text);
    if (key == "set") return once_time(5, key, out_.set_us, text);
    if (key == "until") return once_time(6, key, out_.until_us, text);
    if (key != "level") return wrong(fmt::format("unknown key {}", quoted(key)));
    const auto level = level_named(text);
    if (!level) {
      return wrong("level must be clear, observe, notice, verify, throttle, restrict or suspend");
    }
    out_.level = *level;
    return once(7, key);
  }

  base::Result<Override> finish() {
    for (const auto& [bit, key] :
         {std::pair{0, "v"}, {1, "account"}, {3, "who"}, {5, "set"}, {6, "until"}, {7, "level"}}) {
      if ((seen_ >> bit & 1U) == 0) return base::fail(base::Fault::caller, fmt::format("{} is missing", key));
    }
    STILLWATCH_CHECK(check_override(out_));
    return std::move(out_);
  }

 private:
  static std::string quoted(std::string_view key) {
    std::string text;
    base::append_json_string(text, key.substr(0, 40));
    return text;
  }
  base::Status once(unsigned bit, std::string_view key) {
    if ((seen_ >> bit & 1U) != 0) return wrong(fmt::format("{} comes twice", key));
    seen_ |= 1U << bit;
    return {};
  }
  base::Status once(unsigned bit, std::string_view key, std::string& into, std::string_view text) {
    into = text;
    return once(bit, key);
  }
  base::Status once_time(unsigned bit, std::string_view key, std::int64_t& into, std::string_view text) {
    const auto time = base::parse_time(text);
    if (!time) return wrong(fmt::format("{} must be a time such as 2026-04-22T08:15:30Z", key));
    into = *time;
    return once(bit, key);
  }

  Override out_;
  unsigned seen_ = 0;
};

void drop_expired(OverrideMap& map, std::int64_t now_us) {
  for (auto it = map.begin(); it != map.end();) {
    if (it->second.until_us <= now_us) {
      map.erase(it++);
    } else {
      ++it;
    }
  }
}

base::Status full() {
  return base::fail(base::Fault::environment,
                    fmt::format("there are {} overrides, the most that are kept; remove some first", kOverridesMax));
}

}  // namespace

base::Status check_override(const Override& decided) {
  if (decided.account.empty()) return wrong("account is missing: an override names the account it is for");
  if (decided.who.empty()) return wrong("who is missing: an override names the person that decided it");
  STILLWATCH_CHECK(check_text("account", decided.account, base::limits::kIdBytesMax));
  STILLWATCH_CHECK(check_text("end_user", decided.end_user, base::limits::kIdBytesMax));
  STILLWATCH_CHECK(check_text("who", decided.who, kOverrideWhoBytesMax));
  STILLWATCH_CHECK(check_text("note", decided.note, kOverrideNoteBytesMax));
  if (decided.until_us <= decided.set_us) return wrong("until must be later than set: every override ends");
  return {};
}

void append_override_line(std::string& out, const Override& decided) {
  const auto add = [&](std::string_view key, std::string_view value) {
    out += ",\"";
    out += key;
    out += "\":";
    base::append_json_string(out, value);
  };
  out += R"({"v":1)";
  add("account", decided.account);
  if (!decided.end_user.empty()) add("end_user", decided.end_user);
  add("level", event::name(decided.level));
  add("set", base::format_time(decided.set_us));
  add("until", base::format_time(decided.until_us));
  add("who", decided.who);
  if (!decided.note.empty()) add("note", decided.note);
  out += "}\n";
}

base::Result<Override> parse_override(std::string_view line) {
  if (line.size() > kLineBytesMax) {
    return base::fail(base::Fault::caller, fmt::format("the line has more than {} bytes", kLineBytesMax));
  }
  dom::parser parser;
  dom::object object;
  const simdjson::padded_string padded(line);
  if (parser.parse(padded).get(object) != simdjson::SUCCESS) {
    return base::fail(base::Fault::caller, "the line is no JSON object");
  }
  LineReader reader;
  for (const auto [key, value] : object) STILLWATCH_CHECK(reader.take(key, value));
  return reader.finish();
}

base::Status OverrideBook::put(base::Token subject, Override decided, std::int64_t now_us) {
  STILLWATCH_CHECK(check_override(decided));
  if (decided.until_us <= now_us) return wrong("until is over already");
  const std::lock_guard writing(writing_);
  auto next = std::make_shared<OverrideMap>(*map());
  drop_expired(*next, now_us);
  if (next->size() >= kOverridesMax && !next->contains(subject)) return full();
  next->insert_or_assign(subject, std::move(decided));
  publish(std::move(next));
  return {};
}

bool OverrideBook::remove(base::Token subject) {
  const std::lock_guard writing(writing_);
  auto next = std::make_shared<OverrideMap>(*map());
  if (next->erase(subject) == 0) return false;
  publish(std::move(next));
  return true;
}

base::Status OverrideBook::load(std::string_view lines, const TokenOfSubject& token_of, std::int64_t now_us) {
  auto next = std::make_shared<OverrideMap>();
  for (std::size_t number = 1; !lines.empty(); ++number) {
    const std::size_t end = lines.find('\n');
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
    if (line.empty()) continue;
    auto parsed = parse_override(line);
    if (!parsed) {
      return base::fail(base::Fault::environment, fmt::format("line {}: {}", number, parsed.error().message));
    }
    if (parsed->until_us <= now_us) continue;
    if (next->size() >= kOverridesMax) return full();
    const base::Token subject = token_of(parsed->account, parsed->end_user);
    next->insert_or_assign(subject, std::move(*parsed));
  }
  const std::lock_guard writing(writing_);
  publish(std::move(next));
  return {};
}

std::string OverrideBook::lines(std::int64_t now_us) const {
  const auto current = map();
  std::vector<const Override*> all;
  for (const auto& [subject, decided] : *current) {
    if (decided.until_us > now_us) all.push_back(&decided);
  }
  std::sort(all.begin(), all.end(), [](const Override* a, const Override* b) {
    return std::tie(a->account, a->end_user) < std::tie(b->account, b->end_user);
  });
  std::string out;
  for (const Override* decided : all) append_override_line(out, *decided);
  return out;
}

std::shared_ptr<const OverrideMap> OverrideBook::map() const {
  const std::lock_guard lock(mutex_);
  return map_;
}

void OverrideBook::publish(std::shared_ptr<const OverrideMap> map) {
  {
    const std::lock_guard lock(mutex_);
    map_.swap(map);
  }
  // After the map: who sees the new number finds the new map, or a newer one.
  generation_.fetch_add(1, std::memory_order_release);
}

const Override* OverrideReader::find(base::Token subject, std::int64_t now_us) const {
  if (subject == 0 || map_ == nullptr) return nullptr;
  const auto found = map_->find(subject);
  return found == map_->end() || found->second.until_us <= now_us ? nullptr : &found->second;
}

}  // namespace stillwatch::policy
