#include "intake/block_pool.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

namespace stillwatch::intake {
namespace {

struct File {
  explicit File(LineSource from) : source(std::move(from)) {}
  mutable std::mutex read_mutex;  // the source, next_read and what follows
  LineSource source;
  std::uint64_t next_read = 0;
  std::atomic<std::uint64_t> bytes_read{0};
  // Under the pool's mutex:
  std::uint64_t next_ticket = 0, next_take = 0;
  std::map<std::uint64_t, std::unique_ptr<ParsedBlock>> done;
};

struct Worker {
  std::unique_ptr<LineParser> parser;
  LineBlock lines;
};

void parse_block(const LineBlock& lines, LineParser& parser, bool has_digests, ParsedBlock& out) {
  out.count = 0;
  if (out.entries.size() < lines.lines.size()) out.entries.resize(lines.lines.size());
  for (const LineBlock::Line& line : lines.lines) {
    Entry& entry = out.entries[out.count];
    const ParserCounters before = parser.counters();
    switch (line.kind) {
      case LineBlock::Kind::whole: parser.parse(lines.text(line), entry.parsed); break;
      case LineBlock::Kind::too_long:
        parser.refuse(lines.text(line), line.full_bytes, RejectReason::line_too_long, entry.parsed);
        break;
      case LineBlock::Kind::truncated:
        parser.refuse(lines.text(line), line.full_bytes, RejectReason::truncated, entry.parsed);
        break;
    }
    if (entry.parsed.is_blank) continue;
    const ParserCounters after = parser.counters();
    entry.counters.unknown_fields = after.unknown_fields - before.unknown_fields;
    entry.counters.unreadable_addresses = after.unreadable_addresses - before.unreadable_addresses;
    entry.counters.turns_ignored = after.turns_ignored - before.turns_ignored;
    entry.position = line.position;
    if (has_digests) entry.digest = crypto::sha256(lines.text(line));
    ++out.count;
  }
  std::swap(out.ids, parser.new_ids());
  parser.new_ids().clear();
}

}  // namespace

struct BlockPool::State {
  std::vector<std::unique_ptr<File>> files;
  unsigned threads = 1;
  bool has_digests = false;
  std::vector<Worker> workers;
  std::vector<std::thread> running;
  std::mutex mutex;
  std::condition_variable has_ticket, has_block;
  std::deque<File*> tickets;
  std::vector<std::unique_ptr<ParsedBlock>> free_blocks;
  bool is_stopping = false;

  /// Reads the file's next block and parses it; returns its number.
  std::uint64_t work(File& file, Worker& worker, ParsedBlock& block) {
    std::uint64_t number = 0;
    block.error.message.clear();
    block.is_end = false;
    {
      const std::lock_guard lock(file.read_mutex);
      number = file.next_read++;
      auto read = file.source.next(worker.lines);
      if (!read) block.error = std::move(read).error();
      if (!read || !*read) {
        block.is_end = true;
        worker.lines.lines.clear();
      }
      file.bytes_read.store(file.source.bytes_read(), std::memory_order_relaxed);
    }
    block.next = worker.lines.next;
    parse_block(worker.lines, *worker.parser, has_digests, block);
    return number;
  }

  void run(Worker& worker) {
    std::unique_lock lock(mutex);
    for (;;) {
      has_ticket.wait(lock, [&] { return is_stopping || !tickets.empty(); });
      if (is_stopping) return;
      File& file = *tickets.front();
      tickets.pop_front();
      std::unique_ptr<ParsedBlock> block = free_block();
      lock.unlock();
      const std::uint64_t number = work(file, worker, *block);
      lock.lock();
      file.done.emplace(number, std::move(block));
      has_block.notify_one();
    }
  }

  std::unique_ptr<ParsedBlock> free_block() {
    if (free_blocks.empty()) return std::make_unique<ParsedBlock>();
    auto block = std::move(free_blocks.back());
    free_blocks.pop_back();
    return block;
  }
};

BlockPool::BlockPool(std::vector<LineSource> sources, unsigned threads, MakeParser make_parser, bool has_digests)
    : state_(std::make_unique<State>()) {
  State& state = *state_;
  for (LineSource& source : sources) state.files.push_back(std::make_unique<File>(std::move(source)));
  state.threads = threads < 2 ? 1 : threads;
  state.has_digests = has_digests;
  for (unsigned i = 0; i < state.threads; ++i) state.workers.push_back({make_parser(), {}});
  if (state.threads < 2) return;
  for (Worker& worker : state.workers) state.running.emplace_back([&state, &worker] { state.run(worker); });
}

BlockPool::~BlockPool() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->is_stopping = true;
  }
  state_->has_ticket.notify_all();
  for (std::thread& thread : state_->running) thread.join();
}

std::unique_ptr<ParsedBlock> BlockPool::take(std::size_t index) {
  State& state = *state_;
  File& file = *state.files[index];
  std::unique_lock lock(state.mutex);
  if (state.threads < 2) {
    std::unique_ptr<ParsedBlock> block = state.free_block();
    lock.unlock();
    (void)state.work(file, state.workers[0], *block);
    return block;
  }
  // Ahead only of a log whose blocks are really wanted: the second one asked for shows that.
  const std::uint64_t ahead = file.next_take == 0 ? 1 : 2 * state.threads;
  while (file.next_ticket < file.next_take + ahead) {
    ++file.next_ticket;
    state.tickets.push_back(&file);
  }
  state.has_ticket.notify_all();
  state.has_block.wait(lock, [&] { return !file.done.empty() && file.done.begin()->first == file.next_take; });
  std::unique_ptr<ParsedBlock> block = std::move(file.done.begin()->second);
  file.done.erase(file.done.begin());
  ++file.next_take;
  return block;
}

void BlockPool::give_back(std::unique_ptr<ParsedBlock> block) {
  const std::lock_guard lock(state_->mutex);
  state_->free_blocks.push_back(std::move(block));
}

LineSource& BlockPool::source(std::size_t file) { return state_->files[file]->source; }

std::string BlockPool::beginning(std::size_t index) const {
  const File& file = *state_->files[index];
  const std::lock_guard lock(file.read_mutex);
  return file.source.beginning();
}

std::uint64_t BlockPool::bytes_read() const {
  std::uint64_t sum = 0;
  for (const auto& file : state_->files) sum += file->bytes_read.load(std::memory_order_relaxed);
  return sum;
}

}  // namespace stillwatch::intake
