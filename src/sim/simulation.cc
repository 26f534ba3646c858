#include "sim/simulation.h"

#include <algorithm>
#include <functional>
#include <unordered_map>

#include "base/assert.h"
#include "base/event_time.h"
#include "sim/crew.h"
#include "sim/relay.h"

namespace stillwatch::sim {
namespace {

constexpr std::int64_t kSliceUs = 10 * base::kMinuteUs;  // a slice of the largest world has some ten thousand records
constexpr std::size_t kChunkActors = 256;                // one task; relays are a task each
constexpr std::uint32_t kNoTruth = ~0U;

// A line that one worker wrote; sorting by (time, actor, n) makes the order independent of workers.
struct Line {
  std::int64_t time_us;
  std::uint32_t actor, n;
  std::uint64_t offset;
  std::uint32_t length;
  std::uint32_t truth_offset;
  std::uint32_t truth_length;
  std::uint32_t worker;
  bool answered;
  bool operator<(const Line& other) const {
    if (time_us != other.time_us) return time_us < other.time_us;
    return actor != other.actor ? actor < other.actor : n < other.n;
  }
};

using Bans = std::unordered_map<std::uint64_t, std::int64_t>;  // account number to the time of its ban

// A line of a later slice: its bytes must outlive this slice's buffers.
struct Waiting {
  std::int64_t time_us;
  std::uint64_t account;
  bool answered;
  std::uint32_t actor, n;
  std::string line, truth;
};

class Worker final : public Emitter {
 public:
  void start(std::uint32_t number, const Names& names, std::vector<std::uint32_t>& counts, const Bans& bans) {
    number_ = number;
    bans_ = &bans;
    names_ = &names;
    counts_ = &counts;
  }
  void open_slice(std::int64_t end_us) {
    end_us_ = end_us;
    text_.clear();
    truth_.clear();
    lines_.clear();
    std::size_t kept = 0;
    for (Waiting& waiting : waiting_) {
      if (waiting.time_us < end_us) {
        if (!is_banned(waiting.account, waiting.time_us)) place(waiting);
      } else {
        if (&waiting_[kept] != &waiting) waiting_[kept] = std::move(waiting);
        ++kept;
      }
    }
    waiting_.resize(kept);
  }
  void set_actor(std::uint32_t actor) { actor_ = actor; }

  void emit(const Draft& draft) override {
    if (is_banned(draft.account, draft.time_us)) return;
    const std::uint32_t n = (*counts_)[actor_]++;
    const std::uint64_t record = std::uint64_t{actor_} << 32 | n;
    const std::size_t offset = text_.size(), truth_offset = truth_.size();
    write_query(draft, *names_, record, text_);
    if (draft.hostile) write_query_truth(draft, *names_, record, truth_);
    if (draft.time_us >= end_us_) {
      waiting_.push_back({draft.time_us, draft.account, draft.status == 200, actor_, n,
                          std::string(text_.view(offset, text_.size() - offset)),
                          std::string(truth_.view(truth_offset, truth_.size() - truth_offset))});
      text_.cut(offset);
      truth_.cut(truth_offset);
      return;
    }
    lines_.push_back({draft.time_us, actor_, n, offset, static_cast<std::uint32_t>(text_.size() - offset),
                      draft.hostile ? static_cast<std::uint32_t>(truth_offset) : kNoTruth,
                      static_cast<std::uint32_t>(truth_.size() - truth_offset), number_, draft.status == 200});
  }

  const std::vector<Line>& lines() const { return lines_; }
  std::string_view line(const Line& line) const { return text_.view(line.offset, line.length); }
  std::string_view truth(const Line& line) const { return truth_.view(line.truth_offset, line.truth_length); }
  Scratch scratch;

 private:
  bool is_banned(std::uint64_t account, std::int64_t time_us) const {
    if (bans_->empty()) return false;
    const auto at = bans_->find(account);
    return at != bans_->end() && at->second <= time_us;
  }
  void place(const Waiting& waiting) {
    const std::size_t offset = text_.size(), truth_offset = truth_.size();
    text_.append(waiting.line);
    truth_.append(waiting.truth);
    lines_.push_back({waiting.time_us, waiting.actor, waiting.n, offset,
                      static_cast<std::uint32_t>(waiting.line.size()),
                      waiting.truth.empty() ? kNoTruth : static_cast<std::uint32_t>(truth_offset),
                      static_cast<std::uint32_t>(waiting.truth.size()), number_, waiting.answered});
  }

  std::uint32_t number_ = 0, actor_ = 0;
  std::int64_t end_us_ = 0;
  const Names* names_ = nullptr;
  const Bans* bans_ = nullptr;
  std::vector<std::uint32_t>* counts_ = nullptr;
  ByteBuffer text_, truth_;
  std::vector<Line> lines_;
  std::vector<Waiting> waiting_;
};

// Actors with the times at which they want to run, cut into tasks.
class Cast {
 public:
  explicit Cast(Population& population) : actors_(std::move(population.actors)) {
    next_us_.reserve(actors_.size());
    std::size_t begin = 0;
    for (std::size_t i = 0; i < actors_.size(); ++i) {
      next_us_.push_back(actors_[i]->first_us());
      const bool alone = actors_[i]->heavy();
      if (alone || i - begin >= kChunkActors) {
        if (i > begin) tasks_.push_back({begin, i});
        begin = i;
      }
      if (alone) {
        tasks_.push_back({i, i + 1});
        begin = i + 1;
      }
    }
    if (begin < actors_.size()) tasks_.push_back({begin, actors_.size()});
    // Heavy tasks first, so that no worker is left with one at the end of a slice.
    std::stable_sort(tasks_.begin(), tasks_.end(), [&](const Task& a, const Task& b) {
      return actors_[a.begin]->heavy() && !actors_[b.begin]->heavy();
    });
  }
  std::size_t size() const { return actors_.size(); }
  std::size_t tasks() const { return tasks_.size(); }
  std::optional<Actor::NewAccount> lose(std::uint64_t account, std::int64_t time_us) {
    for (std::size_t i = 0; i < actors_.size(); ++i) {
      if (!actors_[i]->heavy()) continue;
      if (const auto bought = actors_[i]->lose(account, time_us)) return bought;
    }
    return std::nullopt;
  }
  void evade(Evasion step, const Stage& stage) {
    for (auto& actor : actors_) actor->evade(step, stage);
  }
  void run(std::size_t task, std::int64_t slice_end_us, const Stage& stage, Worker& worker) {
    for (std::size_t i = tasks_[task].begin; i < tasks_[task].end; ++i) {
      if (next_us_[i] >= slice_end_us) continue;
      worker.set_actor(static_cast<std::uint32_t>(i));
      next_us_[i] = actors_[i]->run(slice_end_us, stage, worker.scratch, worker);
    }
  }

 private:
  struct Task {
    std::size_t begin, end;
  };
  std::vector<std::unique_ptr<Actor>> actors_;
  std::vector<std::int64_t> next_us_;
  std::vector<Task> tasks_;
};

base::Result<TextSources> read_texts(const SimulationOptions& options) {
  const TextChoice choice{options.world.world.corpus_half, options.world.world.strip_affixes};
  if (options.prompts) return TextSources::load(*options.prompts, choice);
  return TextSources::builtin(choice);
}

}  // namespace

struct Simulation::State {
  State(SimulationOptions given, TextSources read)
      : options(std::move(given)),
        texts(std::move(read)),
        internet(options.seed),
        clients(options.seed),
        stage{options.world,
              texts,
              internet,
              clients,
              options.world.world.start_us,
              options.world.end_us(),
              options.spare_accounts.has_value(),
              options.spare_accounts.value_or(0)},
        names(options.seed),
        population(populate(stage, options.seed)),
        cast(population),
        record_counts(cast.size(), 0),
        crew(options.threads),
        workers(crew.size()),
        next_slice_us(stage.start_us) {
    for (std::size_t i = 0; i < workers.size(); ++i)
      workers[i].start(static_cast<std::uint32_t>(i), names, record_counts, banned_from_us);
    for (const AccountRecord& record : population.accounts) count_in(record);
  }
  void count_in(const AccountRecord& record) {
    if (record.spare) return;
    ++counts.accounts;
    counts.hostile_accounts += record.campaign != 0;
  }

  SimulationOptions options;
  TextSources texts;
  Internet internet;
  Clients clients;
  Stage stage;
  Names names;
  Population population;
  Cast cast;
  std::vector<std::uint32_t> record_counts;
  Bans banned_from_us;
  Crew crew;
  std::vector<Worker> workers;
  std::vector<Line> lines;
  std::int64_t next_slice_us;
  Counts counts;
  std::unordered_map<std::string, std::size_t> by_name;  // made by the first ban
};

Simulation::Simulation(std::unique_ptr<State> state) : state_(std::move(state)) {}
Simulation::~Simulation() = default;

base::Result<std::unique_ptr<Simulation>> Simulation::open(SimulationOptions options) {
  STILLWATCH_ASSERT(options.threads > 0);
  STILLWATCH_TRY(texts, read_texts(options));
  return std::unique_ptr<Simulation>(new Simulation(std::make_unique<State>(std::move(options), std::move(texts))));
}

base::Result<bool> Simulation::next_slice(std::vector<Entry>& entries) {
  State& state = *state_;
  entries.clear();
  if (state.next_slice_us >= state.stage.end_us) return false;
  const std::int64_t slice_end_us = std::min(state.next_slice_us + kSliceUs, state.stage.end_us);
  for (Worker& worker : state.workers) worker.open_slice(slice_end_us);
  state.crew.run(state.cast.tasks(), [&](std::size_t task, std::size_t worker) {
    state.cast.run(task, slice_end_us, state.stage, state.workers[worker]);
  });
  state.lines.clear();
  for (const Worker& worker : state.workers)
    state.lines.insert(state.lines.end(), worker.lines().begin(), worker.lines().end());
  std::sort(state.lines.begin(), state.lines.end());
  for (const Line& line : state.lines) {
    const Worker& worker = state.workers[line.worker];
    entries.push_back({line.time_us, worker.line(line),
                       line.truth_offset == kNoTruth ? std::string_view() : worker.truth(line), line.answered});
  }
  state.next_slice_us = slice_end_us;
  return true;
}

double Simulation::share() const {
  const Stage& stage = state_->stage;
  return static_cast<double>(state_->next_slice_us - stage.start_us) /
         static_cast<double>(stage.end_us - stage.start_us);
}

void Simulation::for_each_account(
    const std::function<void(const std::string& account_line, const std::string& truth_line)>& take) {
  const State& state = *state_;
  std::vector<const AccountRecord*> order;
  for (const AccountRecord& record : state.population.accounts) {
    if (!record.spare) order.push_back(&record);
  }
  std::sort(order.begin(), order.end(), [&](const AccountRecord* a, const AccountRecord* b) {
    return a->created_us != b->created_us ? a->created_us < b->created_us
                                          : state.names.account(a->number) < state.names.account(b->number);
  });
  std::string account_line, truth_line;
  for (const AccountRecord* record : order) {
    account_line.clear();
    truth_line.clear();
    append_account_line(*record, state.stage, state.names, account_line);
    append_truth_line(*record, state.stage.world, state.names, truth_line);
    take(account_line, truth_line);
  }
}

void Simulation::forget_accounts() { std::vector<AccountRecord>().swap(state_->population.accounts); }

const Simulation::Counts& Simulation::counts() const { return state_->counts; }

void Simulation::ban(std::string_view account, std::int64_t time_us, std::vector<Replacement>& replacements) {
  State& state = *state_;
  if (state.by_name.empty()) {
    for (std::size_t i = 0; i < state.population.accounts.size(); ++i) {
      std::string name = "acct_";
      append_hex(state.names.account(state.population.accounts[i].number), 16, name);
      state.by_name.emplace(std::move(name), i);
    }
  }
  const auto at = state.by_name.find(std::string(account));
  if (at == state.by_name.end()) return;
  const AccountRecord& record = state.population.accounts[at->second];
  if (!state.banned_from_us.emplace(record.number, time_us).second) return;
  ++(record.campaign != 0 ? state.counts.hostile_banned : state.counts.honest_banned);
  const std::optional<Actor::NewAccount> bought = state.cast.lose(record.number, time_us);
  if (!bought) return;
  // Numbers are dealt in building order from 1 on.
  AccountRecord& fresh = state.population.accounts[bought->number - 1];
  STILLWATCH_ASSERT(fresh.number == bought->number && fresh.spare);
  fresh.spare = false;
  fresh.created_us = bought->created_us;
  state.count_in(fresh);
  ++state.counts.replacements;
  Replacement replacement{bought->created_us, {}};
  append_account_line(fresh, state.stage, state.names, replacement.account_line);
  replacements.push_back(std::move(replacement));
}

void Simulation::evade(Evasion step) { state_->cast.evade(step, state_->stage); }

}  // namespace stillwatch::sim
