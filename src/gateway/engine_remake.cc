#include "gateway/engine_remake.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include <fmt/format.h>

#include "event/json_lines.h"
#include "gateway/account_feed.h"
#include "intake/line_source.h"

namespace stillwatch::gateway {
namespace {

constexpr std::size_t kBatchRecords = 2'048;

std::int64_t before(std::int64_t time_us, std::int64_t wait_us) {
  return time_us == INT64_MIN ? time_us : time_us - wait_us;
}

}  // namespace

EngineRemake::EngineRemake(Options options, const crypto::KeyedHash& keyed_hash)
    : options_(std::move(options)),
      keyed_hash_(keyed_hash),
      parser_(intake::make_query_parser(keyed_hash, &identities_)),
      road_(std::make_shared<Road>()) {
  road_->open = [this](event::Token token) { return name_of(token); };
  road_->sink = [this](std::span<const event::Verdict> given) { return take_verdicts(given); };
  engine_ = std::make_unique<engine::Engine>(
      options_.engine, options_.workers, [road = road_](event::Token token) { return road->open(token); },
      [road = road_](std::span<const event::Verdict> given) { return road->sink(given); });
}

base::Result<std::unique_ptr<EngineRemake>> EngineRemake::begin(Options options, const crypto::KeyedHash& keyed_hash,
                                                                const std::string& state_folder) {
  std::unique_ptr<EngineRemake> out(new EngineRemake(std::move(options), keyed_hash));
  ::unlink(out->options_.verdicts_path.c_str());  // of one that did not come to its end
  STILLWATCH_TRY(verdicts, LineJournal::open(out->options_.verdicts_path, 0));
  out->verdicts_ = std::make_unique<LineJournal>(std::move(verdicts));
  std::error_code code;
  if (std::filesystem::exists(out->options_.verdicts_before_path, code)) {
    STILLWATCH_TRY(source, intake::LineSource::open(out->options_.verdicts_before_path));
    intake::LineBlock block;
    for (;;) {
      STILLWATCH_TRY(more, source.next(block));
      if (!more) break;
      for (const auto& line : block.lines) out->note_given(block.text(line));
    }
  }
  STILLWATCH_TRY(feed, AccountFeed::open({}, state_folder, keyed_hash, out->identities_));
  STILLWATCH_TRY(accounts, feed.taken());
  std::stable_sort(accounts.begin(), accounts.end(),
                   [](const auto& a, const auto& b) { return a.time_us < b.time_us; });
  out->engine_->set_accounts(std::move(accounts));
  return out;
}

EngineRemake::~EngineRemake() {
  is_ending_.store(true);
  if (thread_.joinable()) thread_.join();
}

std::string_view EngineRemake::name_of(event::Token token) {
  const std::string_view raw = identities_.open(token);
  if (!raw.empty() || token == 0) return raw;
  return unnamed_.try_emplace(token, fmt::format("unnamed-{:016x}", token)).first->second;
}

void EngineRemake::note_given(std::string_view line) { ++known_[keyed_hash_(crypto::Domain::query_id, line)]; }

bool EngineRemake::take_known(std::string_view line) {
  const auto found = known_.find(keyed_hash_(crypto::Domain::query_id, line));
  if (found == known_.end()) return false;
  if (--found->second == 0) known_.erase(found);
  return true;
}

void EngineRemake::read(std::vector<std::string> files) {
  if (thread_.joinable()) thread_.join();
  is_reading_.store(true, std::memory_order_release);
  thread_ = std::thread([this, files = std::move(files)] {
    for (const std::string& file : files) {
      if (status_ && !is_ending_.load()) status_ = read_file(file);
    }
    is_reading_.store(false, std::memory_order_release);
  });
}

void EngineRemake::read_rest(const std::string& file) {
  if (status_ && !file.empty()) status_ = read_file(file);
}

base::Status EngineRemake::read_file(const std::string& file) {
  STILLWATCH_TRY(source, intake::LineSource::open(options_.log_folder + "/" + file));
  if (position_.file == file) STILLWATCH_CHECK(source.skip_to(position_.next));
  intake::LineBlock block;
  while (!is_ending_.load()) {
    STILLWATCH_TRY(more, source.next(block));
    if (!more) break;
    for (const auto& entry : block.lines) {
      if (entry.kind == intake::LineBlock::Kind::whole) take_line(block.text(entry));
    }
    position_ = {file, block.next};
    release(std::max(released_us_, before(logged_us_, options_.lateness_us)), options_.waiting_max);
    STILLWATCH_CHECK(verdicts_->flush());
  }
  if (source.problem()) return base::fail(*source.problem());
  return {};
}

/// As Observer::State::read_tail.
void EngineRemake::take_line(std::string_view text) {
  parser_->parse(text, parsed_);
  identities_.add(parser_->new_ids());
  parser_->new_ids().clear();
  const event::Query& query = parsed_.query;
  if (parsed_.is_blank || (!parsed_.accepted && (query.account == 0 || !parsed_.has_time))) return;
  records_.fetch_add(1, std::memory_order_relaxed);
  logged_us_ = std::max(logged_us_, query.time_us);
  const bool is_shed = (query.flags & event::kFlagShed) != 0;
  const bool is_late = query.time_us < released_us_ || query.time_us < logged_us_ - options_.lateness_us;
  if (!is_shed || !is_late) waiting_.add(query);
}

void EngineRemake::add_accounts(std::vector<event::AccountUpdate> updates, intake::Identities& names) {
  const auto add = [&](intake::IdKind kind, event::Token token) {
    const std::string_view raw = names.open(token);
    if (!raw.empty()) identities_.add(kind, token, raw);
  };
  for (const event::AccountUpdate& update : updates) {
    add(intake::IdKind::account, update.account);
    add(intake::IdKind::tier, update.tier);
  }
  engine_->add_accounts(std::move(updates));
}

void EngineRemake::release(std::int64_t until_us) { release(std::max(released_us_, until_us), options_.waiting_max); }

void EngineRemake::release(std::int64_t until_us, std::size_t waiting_max) {
  const auto give_full = [this] {
    if (batch_.size() >= kBatchRecords && status_) status_ = give();
  };
  while (!waiting_.empty() && waiting_.first_us() < until_us) {
    batch_.push_back(waiting_.take());
    give_full();
  }
  released_us_ = std::max(released_us_, until_us);
  while (waiting_.size() > waiting_max) {
    batch_.push_back(waiting_.take());
    released_us_ = std::max(released_us_, batch_.back().time_us + 1);
    give_full();
  }
  if (status_) status_ = give();
}

base::Status EngineRemake::give() {
  if (batch_.empty()) return {};
  const base::Status status = engine_->step(batch_);
  batch_.clear();
  return status;
}

base::Status EngineRemake::take_verdicts(std::span<const event::Verdict> given) {
  for (const event::Verdict& verdict : given) {
    std::string line =
        event::to_json(verdict, options_.policy_hash, [this](event::Token token) { return name_of(token); });
    (void)verdicts_->give(line);
    if (!take_known(line)) new_.push_back({verdict, line});
    if (verdict.kind == event::SubjectKind::campaign) continue;
    const bool is_account = verdict.kind == event::SubjectKind::account;
    last_[is_account ? std::pair(verdict.subject, event::Token{0}) : std::pair(verdict.account, verdict.subject)] = {
        verdict, std::move(line)};
  }
  return {};
}

std::vector<EngineRemake::Given> EngineRemake::take_new() {
  // Some were made here before the running engine gave them.
  std::vector<Given> out;
  for (Given& given : new_) {
    if (!take_known(given.line)) out.push_back(std::move(given));
  }
  new_.clear();
  return out;
}

std::unique_ptr<engine::Engine> EngineRemake::take_engine(std::function<std::string_view(event::Token)> open,
                                                          engine::VerdictSink sink) {
  road_->open = std::move(open);
  road_->sink = std::move(sink);
  return std::move(engine_);
}

}  // namespace stillwatch::gateway
