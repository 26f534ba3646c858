#!/usr/bin/env python3
"""bench/quality with a stand-in for the program: resuming, unknown keys, failures, tables, plots, statistics."""
import json
import math
import os
import pathlib
import random
import signal
import stat
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree as ElementTree

sys.dont_write_bytecode = True
BENCH = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(BENCH))

from quality_lib import cells, figures, intervals, jobs, page, plots, svg_chart, tables, words, world_file  # noqa: E402

# Knows all of the command line that the bench uses, and no key named world.strip_affixes. Counts its calls.
STAND_IN = '''#!PYTHON
import json, os, pathlib, sys, time
arguments = sys.argv[1:]
flags = dict(a[2:].split("=", 1) for a in arguments if a.startswith("--") and "=" in a)
with open(os.environ["CALLS"], "a") as calls:
    calls.write(" ".join(arguments) + "\\n")
kind, behaviour = arguments[0], os.environ.get("BEHAVIOUR", "")
def error(name):
    return {"name": name, "accounts": 100, "actioned": 1, "alerted": 2, "units": 10, "units_actioned": 1}
def theft(name, seed):
    return {"name": name, "accounts": 10, "actioned": 9, "queries": 1000, "prevented_queries": 700 + 10 * seed,
            "hours_to_first_alert": 5.0, "hours_to_half_actioned": 9.0, "hours_to_90_actioned": None}
if kind == "--version":
    print("stillwatch 9.9.9")
elif kind == "simulate":
    if any(a.startswith("--set=world.strip_affixes") for a in arguments):
        print("stillwatch: --set=world.strip_affixes=true:1: unknown key 'strip_affixes' in [world]; docs/x lists",
              file=sys.stderr)
        sys.exit(2)
    out = pathlib.Path(flags["out"])
    out.mkdir(parents=True)
    (out / "seed").write_text(flags["seed"])
    (out / "queries.ndjson.zst").write_text("log")
    print("records" if "--stream" in arguments else "")
elif kind == "replay":
    if behaviour == "slow":
        time.sleep(60)
    if behaviour == "full":
        print("stillwatch: no space left", file=sys.stderr)
        sys.exit(4)
    if arguments[1] == "-":
        assert sys.stdin.read() == "records\\n"
    else:
        assert pathlib.Path(arguments[1]).read_text() == "log"
    out = pathlib.Path(flags["out"])
    out.mkdir()
    (out / "verdicts.ndjson").write_text("{}\\n")
    (out / "summary.json").write_text(json.dumps({
        "records": 5000, "calibrated_until": "2026-03-08T00:00:00Z", "last": "2026-03-23T00:00:00.5Z",
        "promised_false_campaigns_per_month": 1}))
elif kind == "bench":
    print(json.dumps({"yield_kept": 0.25, "hours_to_first_ban": -1, "accounts_spent": 30, "accounts_left_alone": 20,
                      "accounts_per_1000_answers": 9, "accounts_per_1000_answers_left_alone": 3, "evasion_steps": 2,
                      "honest_banned": 1, "honest_accounts": 100,
                      "half_yield": {"reached": True, "runs": int(flags["search"]), "cost": 4.5 + int(flags["seed"])}}))
elif kind == "evaluate":
    seed = int((pathlib.Path(flags["truth"]) / "seed").read_text())
    names = ["stillwatch"] + (["rate limit", "rate limit, oracle"] if "baselines" in flags else [])
    print(json.dumps({"v": 1, "detectors": [
        {"name": name, "overall": theft("all", seed), "honest": error("all"), "campaigns": [theft("one", seed)],
         "strata": [error("judge"), error("batch")], "languages": [], "false_campaigns": 1} for name in names]}))
'''


class Intervals(unittest.TestCase):
    def test_against_published_values(self):
        for value, expected in ((intervals.binomial_upper(0, 100), 0.0295130),
                                (intervals.binomial_upper(1, 10, 0.975), 0.4450161),
                                (intervals.binomial_lower(1, 10, 0.975), 0.0025286),
                                (intervals.binomial_upper(5, 10, 0.975), 0.8129139),
                                (intervals.binomial_lower(5, 10, 0.975), 0.1870861),
                                (intervals.poisson_upper(0), 2.9957323), (intervals.poisson_upper(1), 4.7438645),
                                (intervals.poisson_upper(10), 16.9622192), (intervals.poisson_lower(1), 0.0512933),
                                (intervals.poisson_lower(10), 5.4254057)):
            self.assertAlmostEqual(value, expected, places=6)
        self.assertEqual((intervals.binomial_upper(3, 3), intervals.binomial_lower(0, 3)), (1.0, 0.0))
        self.assertIsNone(intervals.binomial_upper(0, 0))

    def test_bounds_by_another_road(self):
        """At the bound, as many events or fewer have a chance of exactly 5 %, by adding up the binomial."""
        for events, trials in ((0, 7), (1, 50), (3, 40), (17, 60), (2, 400000)):
            p = intervals.binomial_upper(events, trials)
            chance = math.fsum(math.exp(math.lgamma(trials + 1) - math.lgamma(n + 1) - math.lgamma(trials - n + 1)
                                        + n * math.log(p) + (trials - n) * math.log1p(-p)) for n in range(events + 1))
            self.assertAlmostEqual(chance, 0.05, places=7)
        self.assertAlmostEqual(intervals.poisson_cdf(300, intervals.poisson_upper(300)), 0.05, places=7)

    def test_bootstrap(self):
        self.assertIsNone(intervals.bootstrap([0.5]))
        self.assertEqual(intervals.bootstrap([0.5, 0.5, 0.5]), (0.5, 0.5))
        random_numbers = random.Random(1)
        covered = 0
        for _ in range(100):
            low, high = intervals.bootstrap([random_numbers.gauss(3, 1) for _ in range(20)])
            covered += low <= 3 <= high
        self.assertGreater(covered, 85)   # a percentile interval of 20 is a little too short
        self.assertLess(covered, 100)
        values = [1.0, 2.0, 4.0]
        self.assertEqual(intervals.bootstrap(values), intervals.bootstrap(values))

    def test_median_with_never(self):
        self.assertEqual(intervals.median([1, 3]), 2)
        self.assertEqual(intervals.median([1, 3, math.inf]), 3)
        self.assertEqual(intervals.median([1, math.inf]), math.inf)


class Lists(unittest.TestCase):
    def test_cells_are_distinct_and_their_worlds_are_there(self):
        for table in cells.tables().values():
            names = [(cell.group, cell.name) for cell in table.cells]
            self.assertEqual(len(names), len(set(names)), table.name)
            for cell in table.cells:
                self.assertTrue(world_file.exists(cell.world), cell.world)
                self.assertGreater(world_file.records_expected(cell.world, cell.settings), 1000)
                for setting in cell.settings:
                    self.assertRegex(setting, r"^(world|campaign\.[\w*-]+)\.\w+=\S+$")

    def test_promised_sizes(self):
        every = cells.tables()
        self.assertGreaterEqual(min(cell.seeds for cell in every["families"].cells + every["baselines"].cells), 20)
        months = {cell.name: cell.seeds for cell in every["error"].cells}
        self.assertGreaterEqual(months["2,000 accounts"], 200)
        self.assertGreaterEqual(months["50,000 accounts"], 10)

    def test_choice(self):
        self.assertEqual([table.name for table in cells.chosen(["redteam", "grid"])],
                         ["redteam-work", "redteam-accounts", "redteam-combined", "grid"])
        self.assertNotIn("smoke", [table.name for table in cells.chosen([])])
        with self.assertRaises(KeyError):
            cells.chosen(["red"])

    def test_worlds_extend(self):
        values = world_file.read("worlds/family_evolution.toml")
        self.assertEqual(values["world"]["days"], 14)
        self.assertEqual(values["benign"]["classroom"]["accounts"], 1000)
        self.assertEqual(world_file.value_of(values, ("world.days=3", "world.days=4"), "world", "days", 1), 4)
        self.assertEqual(world_file.value_of(values, (), "campaign.none", "accounts", 7), 7)
        few, many = (world_file.records_expected("worlds/family_evolution.toml", (f"campaign.*.accounts={accounts}",))
                     for accounts in (0, 1000))
        self.assertAlmostEqual(many - few, 1000 * 26 * 9 * 0.15)


class Runs(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.binary = self.folder / "stillwatch"
        self.binary.write_text(STAND_IN.replace("PYTHON", sys.executable))
        self.binary.chmod(self.binary.stat().st_mode | stat.S_IXUSR)

    def command(self, *arguments):
        where = (f"--binary={self.binary}", f"--out={self.folder / 'out'}")
        return [sys.executable, BENCH / "quality", *where, *arguments]

    def environment(self, behaviour=""):
        return {**os.environ, "CALLS": str(self.folder / "calls"), "BEHAVIOUR": behaviour}

    def bench(self, *arguments, behaviour="", code=0):
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False,
                              env=self.environment(behaviour))
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def calls(self, kind):
        path = self.folder / "calls"
        return [line for line in path.read_text().splitlines() if line.startswith(kind)] if path.exists() else []

    def leftovers(self):
        return list((self.folder / "out").glob("running-*"))

    def place(self):
        return jobs.place(self.binary, self.folder / "out")

    def test_work_is_done_once(self):
        done = self.bench()
        self.assertIn("| template_farm | 71.0 % | 5.0 h | never | 9 of 10 | 1 of 100 | 0.047 |", done.stdout)
        self.assertIn("| no campaign | no campaign |  |  |  | 2 of 200 |", done.stdout)
        self.assertIn("smoke, no campaign: 2 judge, 2 batch.", done.stdout)
        self.assertEqual(len(self.calls("replay")), 5)
        self.assertEqual(self.leftovers(), [])
        self.assertEqual(self.bench().stdout, done.stdout)
        self.assertEqual(len(self.calls("replay")), 5)
        # Another binary is other work; the one before is kept.
        before = self.place().build
        self.binary.write_text(self.binary.read_text() + "# changed\n")
        self.bench()
        self.assertEqual(len(self.calls("replay")), 10)
        self.bench(f"--binary={self.folder / 'out' / before / 'stillwatch'}")
        self.assertEqual(len(self.calls("replay")), 10)

    def test_a_failure_is_told_and_tried_again(self):
        done = self.bench(behaviour="full", code=1)
        self.assertIn("FAILED: replay: stillwatch: no space left", done.stderr)
        self.assertIn("Not run: smoke.", done.stdout)
        self.assertEqual(self.leftovers(), [])
        self.bench()

    def test_stopping_keeps_what_is_complete(self):
        self.bench("--table=dilution", "--seeds=1", "--group=10 times")
        process = subprocess.Popen(self.command("--table=dilution", "--seeds=1"), env=self.environment("slow"),
                                   stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        while not self.leftovers():
            self.assertIsNone(process.poll())
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        self.assertIn("stopped", process.communicate()[1])
        self.assertEqual(process.returncode, 130)
        self.assertEqual(self.leftovers(), [])
        done = self.bench("--table=dilution", "--seeds=1")
        self.assertIn("3 runs, 2 of them to do", done.stderr)

    def test_leftovers_of_the_dead_are_removed(self):
        dead = subprocess.run(["true"], check=True) and self.folder / "out/running-99999999-x"
        dead.mkdir(parents=True)
        self.bench("--group=evolution")
        self.assertEqual(self.leftovers(), [])

    def test_an_unknown_key_is_not_available(self):
        done = self.bench("--table=shortcuts", "--seeds=2", "--group=evolution", "--jobs=1")
        row = next(line for line in done.stdout.splitlines() if line.startswith("| evolution |"))
        self.assertEqual(row.count("not available"), 2)
        self.assertEqual(row.count("71.5 % (71.0-72.0)"), 4)
        self.assertIn("unknown key 'strip_affixes' in [world] (2 of the cells above).", done.stdout)
        # It was asked once a cell, and not again by the next call.
        self.assertEqual(len([call for call in self.calls("simulate") if "strip_affixes" in call]), 2)
        self.bench("--table=shortcuts", "--seeds=2", "--group=evolution", "--jobs=1")
        self.assertEqual(len([call for call in self.calls("simulate") if "strip_affixes" in call]), 2)

    def test_time_is_over(self):
        done = self.bench("--minutes=0.000001", code=1)
        self.assertIn("5 runs left", done.stderr)
        self.bench()

    def test_baselines_beside_the_detector(self):
        self.bench("--table=families,baselines", "--seeds=2", "--group=judge_loop")
        done = self.bench("--table=baselines", "--seeds=2")
        self.assertEqual(done.stdout.count("| stillwatch |"), 3)
        # One honest account in a hundred is too much for any of them to be called the best.
        self.assertNotIn("**", done.stdout)
        self.assertIn("| rate limit, oracle |", done.stdout)
        self.assertIn("--oracle", self.calls("evaluate")[-1])

    def test_baselines_do_our_replay_of_the_same_log_once(self):
        """And it is the result that the table of families asks for."""
        self.bench("--table=baselines", "--seeds=2", "--group=judge_loop")
        self.assertEqual((len(self.calls("simulate")), len(self.calls("replay"))), (2, 2))
        done = self.bench("--table=families", "--seeds=2", "--group=judge_loop")
        self.assertIn("2 runs, 0 of them to do", done.stderr)
        results = {path.name.split("-")[1]: json.loads(path.read_text()) for path in self.folder.rglob("*-1-*.json")}
        self.assertEqual([one["name"] for one in results["replay"]["evaluation"]["detectors"]], ["stillwatch"])
        self.assertEqual([one["name"] for one in results["baselines"]["evaluation"]["detectors"]],
                         ["rate limit", "rate limit, oracle"])

    def test_closed_loop(self):
        done = self.bench("--table=closed-loop", "--seeds=1", "--group=2,000 spare accounts, evading")
        self.assertIn("| 25.0 % | 30, 20 | 9.00, 3.00 | never | 2.0 | 5.5 times | 1 of 100 |", done.stdout)
        self.assertIn("--evade-after=50 --search=6", self.calls("bench")[0])

    def test_report_rewrites_only_its_places(self):
        docs = self.folder / "docs/quality.md"
        docs.parent.mkdir()
        docs.write_text("# Quality\n\nkept\n<!-- begin error -->\nold\n<!-- end error -->\nkept too\n"
                        "<!-- begin plot-promise -->\n<!-- end plot-promise -->\n"
                        "<!-- begin grid -->\nstays\n<!-- end grid -->\n")
        self.bench("--table=error", "--seeds=2")
        done = self.bench("--report", f"--docs={docs}")
        text = docs.read_text()
        self.assertTrue(text.startswith("# Quality\n\nkept\n<!-- begin error -->\n\nBuild `"))
        self.assertNotIn("old", text)
        self.assertIn("\n<!-- end error -->\nkept too\n", text)
        self.assertIn("4 of 210 runs", text)
        self.assertIn("| 2,000 accounts, 2 of 200 seeds | 2 |", text)
        self.assertIn("stays", text)
        self.assertIn("grid: no result", done.stderr)
        self.assertIn("](plots/promise.svg)", text)
        self.assertIn("no place for plot-error_by_stratum", done.stderr)
        ElementTree.parse(docs.parent / "plots/promise.svg")

    def test_report_of_another_build(self):
        self.bench("--group=evolution")
        build = self.place().build
        self.binary.write_text(self.binary.read_text() + "# changed\n")
        self.assertIn("smoke: evolution: not run", self.bench("--list").stdout)
        self.assertIn("smoke: evolution: done", self.bench("--list", f"--build={build}").stdout)

    def test_wrong_arguments(self):
        self.assertIn("families", self.bench("--table=nothing", code=2).stderr)
        self.bench("--jobs=0", code=2)
        self.bench("--seeds=some", code=2)
        self.binary.unlink()
        self.assertIn("make build", self.bench(code=1).stderr)

    def test_figures(self):
        self.bench("--table=error", "--seeds=3")
        at = self.place()
        state = figures.state_of(cells.tables()["error"].cells[0], at)
        of = state.figures
        self.assertEqual((state.done, state.note()), (3, "3 of 200 seeds"))
        self.assertEqual((of.honest.accounts, of.honest.actioned, of.honest.units), (300, 3, 30))
        self.assertEqual(of.worlds_with_error(), 3)
        self.assertAlmostEqual(of.million_months(), 3 * 100 * 15 / 30 / 1e6)
        self.assertEqual(of.strata["judge"].actioned, 3)
        for run in cells.tables()["error"].cells[0].runs(3):
            self.assertTrue(jobs.result_of(run, at))
        for part in (at.folder()).glob("*.json"):
            self.assertEqual(json.loads(part.read_text())["v"], 1)


class Pictures(unittest.TestCase):
    def numbers_inside(self, drawing):
        root = ElementTree.fromstring(drawing)
        height = float(root.get("height"))
        for node in root.iter():
            for key, most in (("x", svg_chart.WIDTH), ("cx", svg_chart.WIDTH), ("x1", svg_chart.WIDTH),
                              ("x2", svg_chart.WIDTH), ("y", height), ("cy", height), ("y1", height), ("y2", height)):
                if node.get(key) is not None:
                    self.assertTrue(0 <= float(node.get(key)) <= most, ElementTree.tostring(node))
        return root

    def test_lines(self):
        series = [(f"series & {n}", [(1, 0.1 * n, None, None), (10, 0.5, 0.4, 0.6), (100, 1.0, 0.9, 1.0)])
                  for n in range(5)]
        ticks = [(x, str(x)) for x in (1, 10, 100)]
        drawing = svg_chart.line_chart("A <title>", "below", "x", "y", series, ticks, True)
        root = self.numbers_inside(drawing)
        self.assertEqual(len([node for node in root.iter() if "band" in node.get("class", "")]), 5)
        self.assertIn("prefers-color-scheme:dark", drawing)
        self.assertIn("series &amp; 4", drawing)

    def test_nothing_is_drawn_as_a_hollow_mark_at_the_edge(self):
        drawing = svg_chart.interval_chart("t", "s", "x", [("none", [(0, 0.0, 0.0, 3e-4)], "0 of 10,000")],
                                           plots.decades(1e-6, 1e-3), log=True, lines=[(1e-3, "aim")])
        marks = [node for node in self.numbers_inside(drawing).iter() if node.get("class") == "hollow0"]
        self.assertEqual(len(marks), 1)

    def test_ticks(self):
        self.assertEqual([label for _, label in plots.decades(1e-4, 0.02)], ["1e-4", "1e-3", "0.01", "0.1"])
        axis = svg_chart.Axis(1, 1000, 0, 300, True)
        self.assertAlmostEqual(axis(10), 100)
        self.assertEqual((axis(0), axis(1e9)), (0, 300))
        kept = [axis(value) for value, _ in svg_chart.spaced([(n, "long label") for n in range(1, 100)], axis)]
        self.assertGreater(min(after - before for before, after in zip(kept, kept[1:])), 10 * svg_chart.LETTER)


class Words(unittest.TestCase):
    def test_figures_as_words(self):
        self.assertEqual([words.rate(value) for value in (None, 0, 0.25, 0.00123, 0.00002)],
                         ["-", "0", "0.25", "0.0012", "2.0e-5"])
        self.assertEqual([words.hours(value) for value in (None, math.inf, 0.52, 25.2)],
                         ["-", "never", "0.5 h", "25 h"])

    def test_wrapping_leaves_tables_alone(self):
        row = "| " + "x" * 200 + " |"
        lines = page.wrapped(["word " * 60 + "end", "", row])
        self.assertEqual(lines[-1], row)
        self.assertLessEqual(max(map(len, lines[:-1])), 118)
        self.assertIn("", lines)

    def test_incomplete_cells_are_told(self):
        cell = cells.Cell("g", "n", "worlds/base.toml")
        state = figures.State(cell, None, 0, 20)
        state.results = []
        self.assertEqual(tables.measured(state)[0], "not run")
        state.unavailable = "unknown key 'x'"
        self.assertEqual(tables.measured(state)[0], "not available")


if __name__ == "__main__":
    unittest.main()
