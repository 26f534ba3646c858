// `stillwatch keys`: lines of the gateway's key file.
#include <cstdio>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>

#include "app/commands.h"
#include "base/event_time.h"
#include "base/limits.h"
#include "gateway/key_file.h"

namespace stillwatch::app {
namespace {

using base::Fault;

constexpr std::size_t kKeyBytesMin = 16;  // 128 bits; the hash of less could be guessed

struct Flags {
  gateway::KeyEntry entry;
  std::string expires;
};

// The key on standard input, without the end of its line.
base::Result<std::string> read_key() {
  std::string key(gateway::kApiKeyBytesMax + 3, '\0');
  key.resize(std::fread(key.data(), 1, key.size(), stdin));
  while (!key.empty() && (key.back() == '\n' || key.back() == '\r')) key.pop_back();
  if (key.size() < kKeyBytesMin || key.size() > gateway::kApiKeyBytesMax ||
      key.find_first_of(" \t\r\n") != std::string::npos) {
    return base::fail(Fault::caller, "standard input must be one API key of 16 to 512 bytes, without blanks");
  }
  return key;
}

base::Status print_line(Flags flags) {
  for (const std::string* id : {&flags.entry.key, &flags.entry.account, &flags.entry.tier, &flags.entry.organisation}) {
    if (id->size() > base::limits::kIdBytesMax) return base::fail(Fault::caller, "an id has at most 128 bytes");
  }
  if (!flags.expires.empty()) {
    const auto time = base::parse_time(flags.expires);
    if (!time) return base::fail(Fault::caller, "--expires must be a time such as 2027-01-01T00:00:00Z");
    flags.entry.expires_us = *time;
  }
  STILLWATCH_TRY(key, read_key());
  const std::string line = gateway::key_line(key, flags.entry) + "\n";
  if (std::fwrite(line.data(), 1, line.size(), stdout) != line.size() || std::fflush(stdout) != 0) {
    return base::fail(Fault::environment, "cannot write to standard output");
  }
  return {};
}

}  // namespace

void add_keys(CLI::App& app, Run& run) {
  CLI::App* keys = app.add_subcommand("keys", "The gateway's key file");
  keys->require_subcommand(1);
  auto flags = std::make_shared<Flags>();
  CLI::App* add = keys->add_subcommand(
      "add",
      "Print the line of the key file for the API key on standard input\n\n"
      "  printf %s \"$KEY\" | stillwatch keys add --key=key_19 --account=acct_7f3a >>keys.ndjson\n");
  add->add_option("--key", flags->entry.key, "Id of the key, for logs and verdicts")->required()->type_name("ID");
  add->add_option("--account", flags->entry.account, "Whose it is")->required()->type_name("ID");
  add->add_option("--tier", flags->entry.tier, "Its tier; else \"default\"")->type_name("NAME");
  add->add_option("--org", flags->entry.organisation, "Organisation of the account")->type_name("ID");
  add->add_option("--expires", flags->expires, "When it ends (RFC 3339)")->type_name("TIME");
  add->callback([flags, &run] {
    run = [flags] {
      const auto status = print_line(*flags);
      return status ? 0 : report_error(status.error());
    };
  });
}

}  // namespace stillwatch::app
