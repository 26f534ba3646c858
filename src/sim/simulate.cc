#include "sim/simulate.h"

#include <unistd.h>

#include <algorithm>
#include <thread>

#include "base/assert.h"
#include "base/files.h"
#include "sim/log_writer.h"
#include "sim/simulation.h"

namespace stillwatch::sim {
namespace {

base::Status write_accounts(Simulation& simulation, const std::string& folder) {
  STILLWATCH_TRY(accounts, base::AtomicFile::create(folder + "/accounts.ndjson"));
  STILLWATCH_TRY(truth, base::AtomicFile::create(folder + "/truth.ndjson"));
  base::Status status;
  simulation.for_each_account([&](const std::string& account_line, const std::string& truth_line) {
    if (status) status = accounts.write(account_line);
    if (status) status = truth.write(truth_line);
  });
  STILLWATCH_CHECK(status);
  STILLWATCH_CHECK(accounts.commit());
  return truth.commit();
}

}  // namespace

std::size_t machine_threads() { return std::max(1U, std::thread::hardware_concurrency()); }

base::Result<SimulateSummary> simulate(const SimulateOptions& options) {
  STILLWATCH_ASSERT(options.threads > 0);
  STILLWATCH_CHECK(base::make_writable_folder(options.out));
  // accounts.ndjson is whole before the first record leaves, for readers of a stream; what is left of an earlier run
  // must not stand beside it.
  for (const char* name : {"/queries.ndjson.zst", "/queries_truth.ndjson", "/accounts.ndjson", "/truth.ndjson"}) {
    ::unlink((options.out + name).c_str());
  }
  SimulationOptions running;
  running.world = options.world;
  running.seed = options.seed;
  running.prompts = options.prompts;
  running.threads = options.threads;
  STILLWATCH_TRY(simulation, Simulation::open(std::move(running)));
  STILLWATCH_CHECK(write_accounts(*simulation, options.out));
  simulation->forget_accounts();
  SimulateSummary summary;
  summary.accounts = simulation->counts().accounts;
  summary.hostile_accounts = simulation->counts().hostile_accounts;

  std::unique_ptr<LogWriter> log;
  if (options.stream_to) {
    log = LogWriter::to_descriptor(*options.stream_to, "standard output");
  } else {
    STILLWATCH_TRY(file, LogWriter::to_file(options.out + "/queries.ndjson.zst"));
    log = std::move(file);
  }
  STILLWATCH_TRY(truth, base::AtomicFile::create(options.out + "/queries_truth.ndjson"));
  std::vector<Simulation::Entry> entries;
  for (;;) {
    STILLWATCH_TRY(more, simulation->next_slice(entries));
    if (!more) break;
    for (const Simulation::Entry& entry : entries) {
      STILLWATCH_CHECK(log->append(entry.line));
      if (entry.truth.empty()) continue;
      ++summary.hostile_records;
      STILLWATCH_CHECK(truth.write(entry.truth));
    }
    summary.records += entries.size();
    if (options.progress) options.progress({simulation->share(), summary.records});
  }
  STILLWATCH_CHECK(log->finish());
  STILLWATCH_CHECK(truth.commit());
  summary.bytes = log->bytes();
  return summary;
}

}  // namespace stillwatch::sim
