"""The command line of `bench/quality`."""
import argparse
import os
import pathlib
import subprocess
import sys

from . import cells, figures, jobs, page, pool, tables, world_file

TOP = world_file.TOP
EXAMPLES = """examples:
  bench/quality                          a quick look: one seed of three families, two attack-free worlds
  bench/quality --table=error            one table whole; again after an interruption: what is left of it
  bench/quality --table=redteam          all tables whose name begins with redteam-
  bench/quality --full                   every table
  bench/quality --report                 what results there are into docs/quality.md and docs/plots

Worlds with `prompts = "corpora"` read the folder that STILLWATCH_DATA names, and built-in text without it.
"""


def parsed(arguments):
    parser = argparse.ArgumentParser(prog="bench/quality", description="Detection quality over simulated worlds.",
                                     epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="all tables at their full number of seeds")
    parser.add_argument("--table", default="", metavar="NAME,...", help="only these, at their full number of seeds")
    parser.add_argument("--group", default="", help="only cells whose group or name contains this")
    parser.add_argument("--seeds", type=int, metavar="N", help="seeds of each cell, instead of the table's own number")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="runs side by side, one thread each (2)")
    parser.add_argument("--minutes", type=float, metavar="N", help="start no run after this time; call again to go on")
    parser.add_argument("--out", default=str(TOP / "out/quality"), metavar="DIR", help="results (out/quality)")
    parser.add_argument("--binary", default=os.environ.get("STILLWATCH_BINARY", str(TOP / "build/release/stillwatch")),
                        metavar="FILE", help="what is judged (STILLWATCH_BINARY, else build/release/stillwatch)")
    parser.add_argument("--list", action="store_true", help="tables, cells and what is done of them")
    parser.add_argument("--report", action="store_true", help="write the page and the plots, run nothing")
    parser.add_argument("--docs", default=str(TOP / "docs/quality.md"), metavar="FILE",
                        help="the page (docs/quality.md)")
    parser.add_argument("--build", metavar="ID", help="with --report or --list: results of another build")
    flags = parser.parse_args(arguments)
    if flags.jobs < 1 or (flags.seeds is not None and flags.seeds < 1):
        parser.error("--jobs and --seeds are at least 1")
    return flags


def chosen_tables(flags):
    names = [name for name in flags.table.split(",") if name]
    if not names and not (flags.full or flags.report or flags.list):
        names = ["smoke"]
    found = cells.chosen(names)
    if flags.list and not names:
        found.insert(0, cells.tables()["smoke"])
    if not flags.group:
        return found
    return [cells.Table(table.name, table.title, kept) for table in found
            if (kept := tuple(cell for cell in table.cells if flags.group in f"{cell.group}: {cell.name}"))]


def version_of(at):
    done = subprocess.run([at.binary, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "version unknown"


def states_of(table, at, seeds):
    return [figures.state_of(cell, at, seeds) for cell in table.cells]


def show(table, states, everything):
    print(f"\n## {table.title} ({table.name})\n")
    ours = everything if table.name == "baselines" else ()
    print("\n".join(tables.lines_of(table, states, ours)))


def list_tables(found, at, seeds):
    for table in found:
        runs = [run for cell in table.cells for run in cell.runs(seeds)]
        records = sum(world_file.records_expected(run.world, run.settings) for run in runs) / 1e6
        seconds = sum(pool.cost_of(run) for run in runs) * pool.SECONDS_PER_MILLION
        states = states_of(table, at, seeds)
        print(f"{table.name}: {table.title}. {len(table.cells)} cells, {len(runs)} runs, "
              f"{sum(state.done for state in states)} done; {records:.0f} million records, about "
              f"{pool.in_words(seconds)} of one processor")
        for state in states:
            print(f"  {state.cell.group}: {state.cell.name}: {state.note() or 'done'}")


def place_of(flags):
    if flags.build and (flags.report or flags.list):
        out = pathlib.Path(flags.out).resolve()
        return jobs.Place(pathlib.Path(flags.binary), flags.build, out, jobs.prompts_there())
    if not os.access(flags.binary, os.X_OK):
        sys.exit(f"{flags.binary} is not there; build first: make build")
    return jobs.place(flags.binary, flags.out)


def main(arguments):
    flags = parsed(arguments)
    try:
        found = chosen_tables(flags)
    except KeyError as error:
        print(f"bench/quality: no table {error}; there are {', '.join(cells.tables())}", file=sys.stderr)
        return 2
    at = place_of(flags)
    say = lambda words: print(words, file=sys.stderr, flush=True)  # noqa: E731
    if flags.list:
        list_tables(found, at, flags.seeds)
        return 0
    if flags.report:
        states = {name: states_of(table, at, flags.seeds) for name, table in cells.tables().items()}
        version = "results only" if flags.build else version_of(at)
        page.write(pathlib.Path(flags.docs), found, states, at, version, say)
        return 0
    jobs.remove_leftovers(at)
    jobs.keep_program(at)
    work = pool.Pool(at, flags.jobs, say, flags.minutes)
    try:
        complete = work.perform([(f"{table.name}, {cell.group}: {cell.name},", run) for table in found
                                 for cell in table.cells for run in cell.runs(flags.seeds)])
    except KeyboardInterrupt:
        say("stopped; what is complete is kept, the same call goes on")
        return 130
    ours = states_of(cells.tables()["families"], at, flags.seeds)
    for table in found:
        show(table, states_of(table, at, flags.seeds), ours)
    return 0 if complete else 1
