#include "intake/log_reader.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "intake/block_pool.h"
#include "intake/duplicate_filter.h"
#include "intake/map_format.h"

namespace stillwatch::intake {
namespace {

constexpr std::string_view kMagic = "SWLOG001";
// Queries appended by one next(): enough to share work among shards, few enough to stay in the cache.
constexpr std::size_t kBatchQueries = 2'048;

tl::unexpected<base::Error> damaged() {
  return base::fail(base::Fault::environment,
                    "the snapshot's log positions are damaged; remove the state folder and run again");
}

}  // namespace

base::Status parse_format(std::string_view text, LogReaderOptions& options) {
  if (text.empty() || text == "native") {
    options.format = LogFormat::native;
  } else if (text == "litellm") {
    options.format = LogFormat::litellm;
  } else if (text == "otlp") {
    options.format = LogFormat::otlp;
  } else if (text == "envoy-ai-gateway") {
    options.format = LogFormat::envoy;
  } else if (text.starts_with("map:") && text.size() > 4) {
    options.format = LogFormat::map;
    options.map_file = text.substr(4);
  } else {
    return base::fail(
        base::Fault::caller,
        fmt::format("--format={} is not known; it is native, litellm, otlp, envoy-ai-gateway or map:FILE", text));
  }
  return {};
}

struct LogReader::State {
  State(const crypto::KeyedHash& hash, Identities& ids, const LogReaderOptions& given)
      : keyed_hash(hash), identities(ids), options(given), duplicates(given.lateness_us) {}

  struct Log {
    Log(std::string name_, const LogReaderOptions& options)
        : name(std::move(name_)), order(options.lateness_us, options.reorder_records_max) {}
    std::string name;
    TimeOrder order;
    LinePosition next;  // behind the last line given to `order`
    std::optional<base::Error> problem;
    std::string warning;
    bool has_unfinished_line = false;
    std::string beginning_name;  // of a restored state, checked when enough is read
  };

  const crypto::KeyedHash& keyed_hash;
  Identities& identities;
  LogReaderOptions options;
  RejectSink rejects;
  std::optional<MapFormat> map_format;
  std::vector<std::unique_ptr<Log>> logs;
  std::unique_ptr<BlockPool> pool;
  DuplicateFilter duplicates;
  IntakeCounters counters;
  std::uint64_t bytes_total = 0;
  // The last line that left: (time, log, line).
  std::int64_t last_us = INT64_MIN;
  std::size_t last_log = 0;
  std::uint64_t last_line = 0;
  bool has_delivered = false;
  std::vector<crypto::Sha256Digest>* digests = nullptr;  // of the lines that next() delivers

  std::unique_ptr<LineParser> make_parser() const {
    switch (options.format) {
      case LogFormat::litellm: return make_litellm_parser(keyed_hash, &identities);
      case LogFormat::otlp: return make_otlp_parser(keyed_hash, &identities);
      case LogFormat::envoy: return make_envoy_parser(keyed_hash, &identities);
      case LogFormat::map: return make_map_parser(*map_format, keyed_hash, &identities);
      case LogFormat::native: break;
    }
    return make_query_parser(keyed_hash, &identities);
  }

  std::string name_of_beginning(std::string_view beginning) const {
    return fmt::format("{}-{:016x}", beginning.size(), keyed_hash(crypto::Domain::query_id, beginning));
  }

  base::Status take_block(std::size_t index) {
    Log& log = *logs[index];
    std::unique_ptr<ParsedBlock> block = pool->take(index);
    if (!block->error.message.empty()) return base::fail(std::move(block->error));
    identities.add(block->ids);
    block->ids.clear();
    for (std::size_t i = 0; i < block->count; ++i) log.order.add(std::move(block->entries[i]));
    log.next = block->next;
    if (block->is_end) {
      const LineSource& source = pool->source(index);
      log.problem = source.problem();
      log.warning = source.warning();
      log.has_unfinished_line = source.has_unfinished_line();
      log.order.finish();
    }
    pool->give_back(std::move(block));
    return {};
  }

  void deliver(std::size_t index, std::vector<event::Query>& batch) {
    Log& log = *logs[index];
    const Entry& entry = *log.order.front();
    const ParsedLine& parsed = entry.parsed;
    last_us = entry.time_us;
    last_log = index;
    last_line = entry.position.line;
    has_delivered = true;
    ++counters.lines;
    counters.bytes += parsed.query.line_bytes;
    counters.parser += entry.counters;
    const bool is_repeat = parsed.accepted && duplicates.is_repeat(parsed.query.id, entry.time_us);
    if (parsed.accepted && !is_repeat) {
      ++counters.accepted;
      batch.push_back(parsed.query);
    } else {
      const Refusal refusal = is_repeat ? Refusal{RejectReason::duplicate_id, "id"} : parsed.refusal;
      ++counters.rejected;
      ++counters.rejected_by_reason[static_cast<std::size_t>(refusal.reason)];
      if (rejects) rejects({log.name, entry.position.line, refusal.reason, refusal.field});
      // An event of the account, of which only the size is told.
      if (parsed.query.account != 0 && entry.time_us != INT64_MIN) {
        event::Query query;
        query.time_us = entry.time_us;
        query.account = parsed.query.account;
        query.line_bytes = parsed.query.line_bytes;
        query.flags = static_cast<std::uint8_t>(event::kFlagRejected | (parsed.query.flags & event::kFlagShed));
        batch.push_back(query);
      }
    }
    if (digests != nullptr && batch.size() > digests->size()) digests->push_back(entry.digest);
    log.order.pop();
  }

  /// Delivers lines before `until_us` until the batch is full.
  void merge(std::int64_t until_us, std::vector<event::Query>& batch, std::size_t size_max) {
    while (batch.size() < size_max) {
      // The log with the earliest line, and how far it may go on before another one's turn.
      std::size_t first = logs.size(), second = logs.size();
      for (std::size_t i = 0; i < logs.size(); ++i) {
        const Entry* const entry = logs[i]->order.front();
        if (entry == nullptr) continue;
        if (first == logs.size() || entry->time_us < logs[first]->order.front()->time_us) {
          second = first;
          first = i;
        } else if (second == logs.size() || entry->time_us < logs[second]->order.front()->time_us) {
          second = i;
        }
      }
      if (first == logs.size() || !may_go(first, until_us)) return;
      const std::int64_t other_us = second == logs.size() ? INT64_MAX : logs[second]->order.front()->time_us;
      do {
        deliver(first, batch);
      } while (batch.size() < size_max && logs[first]->order.front() != nullptr && may_go(first, until_us) &&
               logs[first]->order.front()->time_us < other_us);
    }
  }
  bool may_go(std::size_t index, std::int64_t until_us) const {
    return until_us == INT64_MAX || logs[index]->order.front()->time_us < until_us;
  }

  base::Result<bool> next(std::vector<event::Query>& batch) {
    const std::size_t size_before = batch.size(), size_max = size_before + kBatchQueries;
    for (;;) {
      // Nothing earlier than every log's frontier can still come.
      std::size_t behind = logs.size();
      std::int64_t until_us = INT64_MAX;
      for (std::size_t i = 0; i < logs.size(); ++i) {
        if (logs[i]->order.is_finished()) continue;
        if (behind == logs.size() || logs[i]->order.frontier() < until_us) {
          behind = i;
          until_us = logs[i]->order.frontier();
        }
      }
      merge(until_us, batch, size_max);
      if (batch.size() >= size_max) return true;
      if (behind == logs.size()) return batch.size() > size_before;
      STILLWATCH_CHECK(take_block(behind));
    }
  }

  std::string save() const {
    ByteWriter out;
    out.bytes().append(kMagic);
    out.put(keyed_hash.secret_id());
    out.put(static_cast<std::uint8_t>(options.format));
    out.put(options.lateness_us);
    out.put<std::uint64_t>(options.reorder_records_max);
    out.put(last_us);
    out.put<std::uint64_t>(last_log);
    out.put(last_line);
    out.put(static_cast<std::uint8_t>(has_delivered));
    out.put(counters.lines);
    out.put(counters.accepted);
    out.put(counters.rejected);
    out.put(counters.bytes);
    for (const std::uint64_t count : counters.rejected_by_reason) out.put(count);
    out.put(counters.parser.unknown_fields);
    out.put(counters.parser.unreadable_addresses);
    out.put(counters.parser.turns_ignored);
    out.put<std::uint64_t>(logs.size());
    for (std::size_t i = 0; i < logs.size(); ++i) {
      out.put_text(logs[i]->name);
      out.put_text(name_of_beginning(pool->beginning(i)));
      logs[i]->order.save(out, logs[i]->next, last_us);
    }
    duplicates.save(out);
    const base::Token sum = keyed_hash(crypto::Domain::query_id, out.bytes());
    out.put(sum);
    return std::move(out.bytes());
  }

  /// The log must begin as it did: reads that much of it again.
  base::Status check_beginning(const std::string& path, std::string_view name) const {
    if (path == "-") return {};
    const auto size = static_cast<std::uint64_t>(std::strtoull(std::string(name).c_str(), nullptr, 10));
    STILLWATCH_TRY(source, LineSource::open(path));
    const auto status = source.skip_to({size, 1});
    if (status && name_of_beginning(source.beginning()) == name) return {};
    return base::fail(base::Fault::environment, fmt::format("{} is not the log that the state folder was written for; "
                                                            "restore it, or remove the state folder and run again",
                                                            path));
  }

  base::Status restore(std::string_view bytes) {
    if (bytes.size() < kMagic.size() + 8 || !bytes.starts_with(kMagic)) return damaged();
    ByteReader sum(bytes.substr(bytes.size() - 8));
    const std::string_view covered = bytes.substr(0, bytes.size() - 8);
    ByteReader in(covered.substr(kMagic.size()));
    if (in.take<std::uint64_t>() != keyed_hash.secret_id()) {
      return base::fail(base::Fault::caller,
                        "the state folder was written with another secret; name that secret, or another state folder");
    }
    if (sum.take<base::Token>() != keyed_hash(crypto::Domain::query_id, covered)) return damaged();
    if (in.take<std::uint8_t>() != static_cast<std::uint8_t>(options.format) ||
        in.take<std::int64_t>() != options.lateness_us || in.take<std::uint64_t>() != options.reorder_records_max) {
      return base::fail(
          base::Fault::caller,
          "the state folder was written with another log format or lateness; use the same, or another state folder");
    }
    last_us = in.take<std::int64_t>();
    last_log = static_cast<std::size_t>(in.take<std::uint64_t>());
    last_line = in.take<std::uint64_t>();
    has_delivered = in.take<std::uint8_t>() != 0;
    counters = {};
    counters.lines = in.take<std::uint64_t>();
    counters.accepted = in.take<std::uint64_t>();
    counters.rejected = in.take<std::uint64_t>();
    counters.bytes = in.take<std::uint64_t>();
    for (std::uint64_t& count : counters.rejected_by_reason) count = in.take<std::uint64_t>();
    counters.parser.unknown_fields = in.take<std::uint64_t>();
    counters.parser.unreadable_addresses = in.take<std::uint64_t>();
    counters.parser.turns_ignored = in.take<std::uint64_t>();
    if (in.take<std::uint64_t>() != logs.size()) {
      return base::fail(
          base::Fault::caller,
          "the state folder was written for another number of logs; name the same logs, or another state folder");
    }
    for (std::size_t i = 0; i < logs.size(); ++i) {
      Log& log = *logs[i];
      const std::string_view name = in.take_text();
      if (in.ok() && name != log.name) {
        return base::fail(base::Fault::caller, fmt::format("the state folder was written for {} where {} is now; name "
                                                           "the same logs in the same order, or another state folder",
                                                           name, log.name));
      }
      const std::string_view beginning = in.take_text();
      if (!in.ok() || !log.order.restore(in)) return damaged();
      STILLWATCH_CHECK(check_beginning(log.name, beginning));
      log.next = log.order.restored_from();
      STILLWATCH_CHECK(pool->source(i).skip_to(log.next));
      if (!has_delivered) continue;
      log.order.set_delivered([this, i](std::int64_t time_us, std::uint64_t line) {
        if (time_us != restored_us) return time_us < restored_us;
        if (i != restored_log) return i < restored_log;
        return line <= restored_line;
      });
    }
    restored_us = last_us;
    restored_log = last_log;
    restored_line = last_line;
    if (!duplicates.restore(in) || !in.at_end()) return damaged();
    return {};
  }

  std::int64_t restored_us = INT64_MIN;
  std::size_t restored_log = 0;
  std::uint64_t restored_line = 0;
};

LogReader::LogReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
LogReader::~LogReader() = default;

base::Result<std::unique_ptr<LogReader>> LogReader::open(const std::vector<std::string>& paths,
                                                         const LogReaderOptions& options,
                                                         const crypto::KeyedHash& keyed_hash, Identities& identities,
                                                         RejectSink rejects) {
  if (paths.empty())
    return base::fail(base::Fault::caller, "no log is named; name at least one file, or - for standard input");
  if (paths.size() > kLogFilesMax) {
    return base::fail(base::Fault::caller,
                      fmt::format("{} logs are named; at most {} can be merged at once: join some of them first",
                                  paths.size(), kLogFilesMax));
  }
  if (std::count(paths.begin(), paths.end(), "-") > 1)
    return base::fail(base::Fault::caller, "standard input is named twice");
  auto state = std::make_unique<State>(keyed_hash, identities, options);
  state->rejects = std::move(rejects);
  if (options.format == LogFormat::map) {
    STILLWATCH_TRY(format, MapFormat::load(options.map_file));
    state->map_format = std::move(format);
  }
  std::vector<LineSource> sources;
  bool all_known = true;
  for (const std::string& path : paths) {
    STILLWATCH_TRY(source,
                   LineSource::open(path, {options.line_bytes_max, options.block_bytes, options.stop_requested}));
    state->bytes_total += source.bytes_total();
    all_known &= source.bytes_total() > 0;
    sources.push_back(std::move(source));
    state->logs.push_back(std::make_unique<State::Log>(path, options));
  }
  if (!all_known) state->bytes_total = 0;
  State* const raw = state.get();
  state->pool = std::make_unique<BlockPool>(std::move(sources), options.threads, [raw] { return raw->make_parser(); },
                                            options.has_digests);
  return std::unique_ptr<LogReader>(new LogReader(std::move(state)));
}

base::Result<bool> LogReader::next(std::vector<event::Query>& batch) { return state_->next(batch); }

base::Result<bool> LogReader::next(std::vector<event::Query>& batch, std::vector<crypto::Sha256Digest>& digests) {
  digests.resize(batch.size());
  state_->digests = &digests;
  auto more = state_->next(batch);
  state_->digests = nullptr;
  return more;
}

IntakeCounters LogReader::counters() const {
  IntakeCounters counters = state_->counters;
  for (const auto& log : state_->logs) {
    counters.reorder_overflows += log->order.overflows();
    counters.unfinished_lines += static_cast<std::uint64_t>(log->has_unfinished_line);
  }
  counters.ids_forgotten = state_->duplicates.forgotten();
  return counters;
}

std::vector<base::Error> LogReader::problems() const {
  std::vector<base::Error> out;
  for (const auto& log : state_->logs) {
    if (log->problem) out.push_back(*log->problem);
  }
  return out;
}

std::vector<std::string> LogReader::warnings() const {
  std::vector<std::string> out;
  for (const auto& log : state_->logs) {
    if (!log->warning.empty()) out.push_back(log->warning);
  }
  return out;
}

std::uint64_t LogReader::bytes_read() const { return state_->pool->bytes_read(); }
std::uint64_t LogReader::bytes_total() const { return state_->bytes_total; }
std::string LogReader::save() const { return state_->save(); }
base::Status LogReader::restore(std::string_view bytes) { return state_->restore(bytes); }

}  // namespace stillwatch::intake
