#include "sim/simulate.h"

#include <unistd.h>

#include <algorithm>
#include <thread>

#include "base/assert.h"
#include "base/event_time.h"
#include "base/files.h"
#include "sim/crew.h"
#include "sim/log_writer.h"
#include "sim/population.h"

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
  bool operator<(const Line& other) const {
    if (time_us != other.time_us) return time_us < other.time_us;
    return actor != other.actor ? actor < other.actor : n < other.n;
  }
};

// A line of a later slice: its bytes must outlive this slice's buffers.
struct Waiting {
  std::int64_t time_us;
  std::uint32_t actor, n;
  std::string line, truth;
};

class Worker final : public Emitter {
 public:
  void start(std::uint32_t number, const Names& names, std::vector<std::uint32_t>& counts) {
    number_ = number;
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
        place(waiting.time_us, waiting.actor, waiting.n, waiting.line, waiting.truth);
      } else {
        if (&waiting_[kept] != &waiting) waiting_[kept] = std::move(waiting);
        ++kept;
      }
    }
    waiting_.resize(kept);
  }
  void set_actor(std::uint32_t actor) { actor_ = actor; }

  void emit(const Draft& draft) override {
    const std::uint32_t n = (*counts_)[actor_]++;
    const std::uint64_t record = std::uint64_t{actor_} << 32 | n;
    const std::size_t offset = text_.size(), truth_offset = truth_.size();
    write_query(draft, *names_, record, text_);
    if (draft.hostile) write_query_truth(draft, *names_, record, truth_);
    if (draft.time_us >= end_us_) {
      waiting_.push_back({draft.time_us, actor_, n, std::string(text_.view(offset, text_.size() - offset)),
                          std::string(truth_.view(truth_offset, truth_.size() - truth_offset))});
      text_.cut(offset);
      truth_.cut(truth_offset);
      return;
    }
    lines_.push_back({draft.time_us, actor_, n, offset, static_cast<std::uint32_t>(text_.size() - offset),
                      draft.hostile ? static_cast<std::uint32_t>(truth_offset) : kNoTruth,
                      static_cast<std::uint32_t>(truth_.size() - truth_offset), number_});
  }

  const std::vector<Line>& lines() const { return lines_; }
  std::string_view line(const Line& line) const { return text_.view(line.offset, line.length); }
  std::string_view truth(const Line& line) const { return truth_.view(line.truth_offset, line.truth_length); }
  Scratch scratch;

 private:
  void place(std::int64_t time_us, std::uint32_t actor, std::uint32_t n, std::string_view line,
             std::string_view truth) {
    const std::size_t offset = text_.size(), truth_offset = truth_.size();
    text_.append(line);
    truth_.append(truth);
    lines_.push_back({time_us, actor, n, offset, static_cast<std::uint32_t>(line.size()),
                      truth.empty() ? kNoTruth : static_cast<std::uint32_t>(truth_offset),
                      static_cast<std::uint32_t>(truth.size()), number_});
  }

  std::uint32_t number_ = 0, actor_ = 0;
  std::int64_t end_us_ = 0;
  const Names* names_ = nullptr;
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

base::Status write_accounts(const Population& population, const Stage& stage, const Names& names,
                            const std::string& folder) {
  std::vector<const AccountRecord*> order;
  for (const AccountRecord& record : population.accounts) order.push_back(&record);
  std::sort(order.begin(), order.end(), [&](const AccountRecord* a, const AccountRecord* b) {
    return a->created_us != b->created_us ? a->created_us < b->created_us
                                          : names.account(a->number) < names.account(b->number);
  });
  STILLWATCH_TRY(accounts, base::AtomicFile::create(folder + "/accounts.ndjson"));
  STILLWATCH_TRY(truth, base::AtomicFile::create(folder + "/truth.ndjson"));
  std::string line;
  for (const AccountRecord* record : order) {
    line.clear();
    append_account_line(*record, stage, names, line);
    STILLWATCH_CHECK(accounts.write(line));
    line.clear();
    append_truth_line(*record, stage.world, names, line);
    STILLWATCH_CHECK(truth.write(line));
  }
  STILLWATCH_CHECK(accounts.commit());
  return truth.commit();
}

base::Result<TextSources> read_texts(const SimulateOptions& options) {
  const TextChoice choice{options.world.world.corpus_half, options.world.world.strip_affixes};
  if (options.prompts) return TextSources::load(*options.prompts, choice);
  return TextSources::builtin(choice);
}

}  // namespace

std::size_t machine_threads() { return std::max(1U, std::thread::hardware_concurrency()); }

base::Result<SimulateSummary> simulate(const SimulateOptions& options) {
  STILLWATCH_ASSERT(options.threads > 0);
  const World& world = options.world;
  STILLWATCH_CHECK(base::make_writable_folder(options.out));
  // accounts.ndjson is whole before the first record leaves, for readers of a stream; what is left of an earlier run
  // must not stand beside it.
  for (const char* name : {"/queries.ndjson.zst", "/queries_truth.ndjson", "/accounts.ndjson", "/truth.ndjson"}) {
    ::unlink((options.out + name).c_str());
  }
  STILLWATCH_TRY(texts, read_texts(options));
  const Internet internet(options.seed);
  const Clients clients(options.seed);
  const Stage stage{world, texts, internet, clients, world.world.start_us, world.end_us()};
  const Names names(options.seed);

  Population population = populate(stage, options.seed);
  SimulateSummary summary;
  summary.accounts = population.accounts.size();
  for (const AccountRecord& record : population.accounts) summary.hostile_accounts += record.campaign != 0;
  STILLWATCH_CHECK(write_accounts(population, stage, names, options.out));
  std::vector<AccountRecord>().swap(population.accounts);

  std::unique_ptr<LogWriter> log;
  if (options.stream_to) {
    log = LogWriter::to_descriptor(*options.stream_to, "standard output");
  } else {
    STILLWATCH_TRY(file, LogWriter::to_file(options.out + "/queries.ndjson.zst"));
    log = std::move(file);
  }
  STILLWATCH_TRY(truth, base::AtomicFile::create(options.out + "/queries_truth.ndjson"));

  Cast cast(population);
  std::vector<std::uint32_t> counts(cast.size(), 0);
  Crew crew(options.threads);
  std::vector<Worker> workers(crew.size());
  for (std::size_t i = 0; i < workers.size(); ++i) workers[i].start(static_cast<std::uint32_t>(i), names, counts);
  std::vector<Line> lines;
  for (std::int64_t slice_us = stage.start_us; slice_us < stage.end_us; slice_us += kSliceUs) {
    const std::int64_t slice_end_us = std::min(slice_us + kSliceUs, stage.end_us);
    for (Worker& worker : workers) worker.open_slice(slice_end_us);
    crew.run(cast.tasks(),
             [&](std::size_t task, std::size_t worker) { cast.run(task, slice_end_us, stage, workers[worker]); });
    lines.clear();
    for (const Worker& worker : workers) lines.insert(lines.end(), worker.lines().begin(), worker.lines().end());
    std::sort(lines.begin(), lines.end());
    for (const Line& line : lines) {
      STILLWATCH_CHECK(log->append(workers[line.worker].line(line)));
      if (line.truth_offset == kNoTruth) continue;
      ++summary.hostile_records;
      STILLWATCH_CHECK(truth.write(workers[line.worker].truth(line)));
    }
    summary.records += lines.size();
    if (options.progress) {
      options.progress(
          {static_cast<double>(slice_end_us - stage.start_us) / static_cast<double>(stage.end_us - stage.start_us),
           summary.records});
    }
  }
  STILLWATCH_CHECK(log->finish());
  STILLWATCH_CHECK(truth.commit());
  summary.bytes = log->bytes();
  return summary;
}

}  // namespace stillwatch::sim
