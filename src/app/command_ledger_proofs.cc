// `stillwatch ledger prove`, `ledger keys` and `ledger publish`: what is given to others.
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "app/command_ledger.h"
#include "app/ledger_access.h"
#include "audit/anchor_writer.h"
#include "base/files.h"
#include "base/json_text.h"
#include "ledger/log_reader.h"
#include "report/evidence_anchors.h"
#include "report/evidence_source.h"

namespace stillwatch::app {
namespace {

using base::Fault;

struct ProveFlags {
  LedgerFlags ledger;
  std::string leaf, log, out, entry;
  std::optional<std::uint64_t> index;
};

/// Folders of all logs with a checkpoint: shards, then anchors.
base::Result<std::vector<std::string>> all_log_names(const std::string& folder) {
  STILLWATCH_TRY(names, report::shard_log_names(folder));
  STILLWATCH_TRY(anchors, audit::anchor_log_names(folder));
  std::error_code code;
  for (const std::string& name : anchors) {
    if (std::filesystem::exists(fmt::format("{}/logs/{}/checkpoint", folder, name), code)) names.push_back(name);
  }
  return names;
}

/// A log by its folder's name or its origin.
base::Result<std::string> log_named(const std::string& folder, const std::string& text) {
  STILLWATCH_TRY(names, all_log_names(folder));
  for (const std::string& name : names) {
    if (name == text) return name;
    const auto reader = ledger::LogReader::open(folder + "/logs/" + name);
    if (reader && reader->origin() == text) return name;
  }
  return base::fail(Fault::caller, fmt::format("the ledger has no log {}; `stillwatch ledger keys` lists them", text));
}

base::Result<int> prove(const ProveFlags& flags) {
  STILLWATCH_TRY(place, find_ledger(flags.ledger));
  if (flags.leaf.empty() == flags.log.empty() || flags.log.empty() == flags.index.has_value())
    return base::fail(Fault::caller, "name the entry with --leaf=ID, or with --log=NAME and --index=N");
  std::string name;
  std::uint64_t index = flags.index.value_or(0);
  if (!flags.leaf.empty()) {
    STILLWATCH_TRY(id, parse_leaf_id(flags.leaf));
    STILLWATCH_TRY(found, find_leaf(place.folder, id));
    name = found.log;
    index = found.index;
  } else {
    STILLWATCH_TRY(log, log_named(place.folder, flags.log));
    name = std::move(log);
  }
  STILLWATCH_TRY(entry, report::entry_with_proof(place.folder, name, index));
  if (!flags.entry.empty()) STILLWATCH_CHECK(base::write_file(flags.entry, entry.bytes));
  if (flags.out.empty()) {
    STILLWATCH_CHECK(print_text(entry.proof));
  } else {
    STILLWATCH_CHECK(base::write_file(flags.out, entry.proof));
    std::fprintf(stderr, "stillwatch: entry %llu of %s: proof in %s\n", static_cast<unsigned long long>(index),
                 name.c_str(), flags.out.c_str());
  }
  return 0;
}

base::Result<int> list_keys(const LedgerFlags& flags) {
  STILLWATCH_TRY(place, find_ledger(flags));
  STILLWATCH_TRY(names, all_log_names(place.folder));
  std::string text, lines;
  for (const std::string& name : names) {
    STILLWATCH_TRY(reader, ledger::LogReader::open(place.folder + "/logs/" + name));
    // As a tlog-policy file has it, to be copied into one.
    text += fmt::format("log {}\n", reader.vkey());
    lines += lines.empty() ? "{\"name\":" : ",{\"name\":";
    base::append_json_string(lines, name);
    lines += ",\"vkey\":";
    base::append_json_string(lines, reader.vkey());
    lines += fmt::format(",\"size\":{}}}", reader.size());
  }
  STILLWATCH_CHECK(print_text(flags.json ? fmt::format("{{\"v\":1,\"logs\":[{}]}}\n", lines) : text));
  return 0;
}

struct PublishFlags {
  LedgerFlags ledger;
  std::string out, log;
};

base::Result<int> publish(const PublishFlags& flags) {
  STILLWATCH_TRY(place, find_ledger(flags.ledger));
  std::vector<std::string> names;
  if (flags.log == "all") {
    STILLWATCH_TRY(all, all_log_names(place.folder));
    names = std::move(all);
  } else if (!flags.log.empty()) {
    STILLWATCH_TRY(name, log_named(place.folder, flags.log));
    names.push_back(std::move(name));
  } else {
    // Sizes and entries of shards say who sent how much: only the anchor log is for everybody.
    STILLWATCH_TRY(anchors, audit::anchor_log_names(place.folder));
    names = std::move(anchors);
  }
  for (const std::string& name : names) {
    STILLWATCH_TRY(reader, ledger::LogReader::open(place.folder + "/logs/" + name));
    const std::size_t host = reader.origin().find('/');
    const std::string folder = flags.out + reader.origin().substr(std::min(host, reader.origin().size()));
    std::error_code code;
    std::filesystem::create_directories(folder, code);
    if (code) return base::fail(Fault::environment, fmt::format("cannot create {}: {}", folder, code.message()));
    STILLWATCH_TRY(counts, ledger::publish(reader, folder));
    STILLWATCH_CHECK(
        print_text(fmt::format("{}: {} entries, {} files written\n", folder, reader.size(), counts.files_written)));
  }
  return 0;
}

}  // namespace

void add_ledger_proofs(CLI::App& ledger, Run& run) {
  auto flags = std::make_shared<ProveFlags>();
  CLI::App* command = ledger.add_subcommand("prove",
                                            "A .tlog-proof that an entry is in its log\n\n"
                                            "  stillwatch ledger prove --ledger=ledger --leaf=5kx0q0m2b9GZ1rXvYt3uQA\n"
                                            "  stillwatch ledger prove --ledger=ledger --log=anchor-2026 --index=17 "
                                            "--out=17.tlog-proof --entry=17.bin\n");
  add_place_flags(*command, flags->ledger);
  command->add_option("--leaf", flags->leaf, "Id of a request or decision, as in stillwatch-leaf")->type_name("ID");
  command->add_option("--log", flags->log, "A log's folder name or origin")->type_name("NAME");
  command->add_option("--index", flags->index, "Number of the entry in that log")->type_name("N");
  command->add_option("--out", flags->out, "Where the proof goes; else standard output")->type_name("FILE");
  command->add_option("--entry", flags->entry, "Where the entry's bytes go")->type_name("FILE");
  command->callback([flags, &run] { run = [flags] { return finish_command([&] { return prove(*flags); }); }; });

  auto keys = std::make_shared<LedgerFlags>();
  command = ledger.add_subcommand("keys",
                                  "The public keys of all logs, as lines of a tlog-policy file\n\n"
                                  "  stillwatch ledger keys --ledger=ledger\n");
  add_place_flags(*command, *keys);
  add_json_flag(*command, *keys);
  command->callback([keys, &run] { run = [keys] { return finish_command([&] { return list_keys(*keys); }); }; });

  auto out = std::make_shared<PublishFlags>();
  command = ledger.add_subcommand("publish",
                                  "Write the anchor log as static files for any web server; again for what is new\n\n"
                                  "  stillwatch ledger publish --ledger=ledger --out=public\n"
                                  "  stillwatch ledger publish --ledger=ledger --log=all --out=for_the_auditor\n");
  add_place_flags(*command, out->ledger);
  command->add_option("--out", out->out, "Folder for the files")->required()->type_name("DIR");
  command->add_option("--log", out->log, "A log's folder name or origin, or `all`")->type_name("NAME");
  command->callback([out, &run] { run = [out] { return finish_command([&] { return publish(*out); }); }; });
}

}  // namespace stillwatch::app
