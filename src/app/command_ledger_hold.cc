// `stillwatch ledger hold`: what may not be erased, for which case.
#include <cstdio>
#include <memory>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "app/command_ledger.h"
#include "app/ledger_access.h"
#include "audit/desk_log.h"
#include "audit/ledger_paths.h"
#include "base/event_time.h"
#include "base/json_text.h"
#include "ledger/hold_book.h"
#include "ledger/retention.h"

namespace stillwatch::app {
namespace {

using base::Fault;

struct Flags {
  LedgerFlags ledger;
  ledger::HoldRequest request;
  std::string record;
  std::string from = "1970-01-01", until = "2260-12-31";
};

/// "2026-11-28" as days since 1970.
base::Result<std::int64_t> day_of_text(const std::string& text, const char* flag) {
  const auto time = base::parse_time(text + "T00:00:00Z");
  if (!time) return base::fail(Fault::caller, fmt::format("{} must be a day such as 2026-11-28", flag));
  return ledger::day_of(*time);
}

std::string day_text(std::int64_t day) { return base::format_time(day * base::kDayUs).substr(0, 10); }

/// The leaf first makes sure that it can be logged: a hold that nobody can see in the log would be half a hold.
struct Desk {
  LedgerPlace place;
  LedgerKeys keys;
  audit::DeskLog log;
  ledger::HoldBook book;

  static base::Result<Desk> open(const LedgerFlags& flags) {
    STILLWATCH_TRY(place, find_ledger(flags));
    STILLWATCH_TRY(keys, open_ledger_keys(place, true));
    STILLWATCH_TRY(log, audit::DeskLog::open(place.folder, place.signed_folder, now_ms()));
    STILLWATCH_TRY(book, ledger::HoldBook::open(audit::holds_path(place.folder), *keys.book));
    return Desk{std::move(place), std::move(keys), std::move(log), std::move(book)};
  }
};

base::Result<int> log_change(Desk& desk, const ledger::HoldChange& change, std::string_view by) {
  ledger::HoldLeaf leaf;
  leaf.time_ms = desk.log.leaf_time_ms(now_ms());
  leaf.case_id = change.hold.case_id;
  leaf.is_on = !change.released;
  leaf.terms = change.terms;
  leaf.keys = change.keys;
  leaf.from_ms = change.hold.from_day * (base::kDayUs / 1'000);
  leaf.to_ms = (change.hold.until_day + 1) * (base::kDayUs / 1'000) - 1;
  leaf.by = by;
  const auto place = desk.log.append(leaf, now_ms());
  if (!place) {
    base::Error error = place.error();
    error.message += fmt::format("; the hold {} is {} all the same, but no leaf says so", change.hold.name,
                                 change.released ? "released" : "in force");
    return base::fail(std::move(error));
  }
  STILLWATCH_CHECK(desk.log.anchor(now_ms()));
  STILLWATCH_CHECK(
      print_text(fmt::format("hold {} {}: {} keys; entry {} of {}\n", change.hold.name,
                             change.released ? "released" : "in force", change.keys, place->index, place->origin)));
  return 0;
}

base::Result<int> add(Flags flags) {
  STILLWATCH_TRY(from, day_of_text(flags.from, "--from"));
  STILLWATCH_TRY(until, day_of_text(flags.until, "--until"));
  flags.request.from_day = from;
  flags.request.until_day = until;
  if (flags.request.who.empty()) flags.request.who = default_operator();
  STILLWATCH_TRY(desk, Desk::open(flags.ledger));
  if (!flags.record.empty())
    STILLWATCH_CHECK(audit::narrow_to_record(desk.place.folder, *desk.keys.book, flags.record, flags.request));
  STILLWATCH_TRY(change, desk.book.place(flags.request));
  return log_change(desk, change, flags.request.who);
}

base::Result<int> release(Flags flags) {
  if (flags.request.who.empty()) flags.request.who = default_operator();
  STILLWATCH_TRY(desk, Desk::open(flags.ledger));
  STILLWATCH_TRY(change, desk.book.release(flags.request.name, flags.request.who, flags.request.why));
  return log_change(desk, change, flags.request.who);
}

base::Result<int> list(const LedgerFlags& flags) {
  STILLWATCH_TRY(place, find_ledger(flags));
  STILLWATCH_TRY(keys, open_ledger_keys(place, true));
  STILLWATCH_TRY(book, ledger::HoldBook::open(audit::holds_path(place.folder), *keys.book));
  std::string text, lines;
  for (const ledger::Hold& hold : book.holds()) {
    const std::string subjects =
        hold.subjects.empty() ? std::string("everybody") : fmt::format("{} subjects", hold.subjects.size());
    text += fmt::format("{}: case {}, {}, records of {} to {}, by {}: {}\n", hold.name, hold.case_id, subjects,
                        day_text(hold.from_day), day_text(hold.until_day), hold.who, hold.why);
    if (!hold.holds())
      text += fmt::format("  released {} by {}: {}\n", base::format_time(hold.released_us), hold.released_by,
                          hold.released_why);
    lines += lines.empty() ? "{\"name\":" : ",{\"name\":";
    base::append_json_string(lines, hold.name);
    lines += ",\"case\":";
    base::append_json_string(lines, hold.case_id);
    lines += fmt::format(",\"subjects\":{},\"from\":\"{}\",\"until\":\"{}\",\"placed\":\"{}\",\"holds\":{}}}",
                         hold.subjects.size(), day_text(hold.from_day), day_text(hold.until_day),
                         base::format_time(hold.placed_us), hold.holds());
  }
  if (text.empty()) text = "no hold was ever placed\n";
  STILLWATCH_CHECK(print_text(flags.json ? fmt::format("{{\"v\":1,\"holds\":[{}]}}\n", lines) : text));
  return 0;
}

}  // namespace

void add_ledger_hold(CLI::App& ledger, Run& run) {
  CLI::App* hold = ledger.add_subcommand("hold",
                                         "Legal holds: what may not be erased\n\n"
                                         "  stillwatch ledger hold add --ledger=ledger --name=h1 --case=\"matter 7\" "
                                         "--account=acct_7f3a --why=\"letter of 3 May\"\n"
                                         "  stillwatch ledger hold release --ledger=ledger --name=h1 --why=settled\n");
  hold->require_subcommand(1);
  auto flags = std::make_shared<Flags>();
  CLI::App* command = hold->add_subcommand("add", "Nothing of these accounts and days is erased from now on");
  add_place_flags(*command, flags->ledger);
  add_key_flags(*command, flags->ledger);
  command->add_option("--name", flags->request.name, "What releases it")->required();
  command->add_option("--case", flags->request.case_id, "Matter that it is for")->required();
  command->add_option("--account", flags->request.subjects, "Whose records; may be given again; else everybody's")
      ->type_name("ID");
  command->add_option("--record", flags->record, "A request of the one account: its day is held")->type_name("ID");
  command->add_option("--from", flags->from, "First day of the records")->type_name("DAY")->capture_default_str();
  command->add_option("--until", flags->until, "Last day")->type_name("DAY")->capture_default_str();
  command->add_option("--who", flags->request.who, "Who orders it; else your user name");
  command->add_option("--why", flags->request.why, "By what right")->required();
  command->callback([flags, &run] { run = [flags] { return finish_command([&] { return add(*flags); }); }; });

  auto ending = std::make_shared<Flags>();
  command = hold->add_subcommand("release", "End a hold");
  add_place_flags(*command, ending->ledger);
  add_key_flags(*command, ending->ledger);
  command->add_option("--name", ending->request.name, "Of the hold")->required();
  command->add_option("--who", ending->request.who, "Who orders it; else your user name");
  command->add_option("--why", ending->request.why, "Why it ends")->required();
  command->callback([ending, &run] { run = [ending] { return finish_command([&] { return release(*ending); }); }; });

  auto listing = std::make_shared<LedgerFlags>();
  command = hold->add_subcommand("list", "All holds, released ones too");
  add_place_flags(*command, *listing);
  add_key_flags(*command, *listing);
  add_json_flag(*command, *listing);
  command->callback([listing, &run] { run = [listing] { return finish_command([&] { return list(*listing); }); }; });
}

}  // namespace stillwatch::app
