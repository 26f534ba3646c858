#!/usr/bin/env python3
"""The same log gives the same bytes, however it is split, packed, fed or cut."""
import gzip
import json
import pathlib
import shutil
import subprocess
import zlib

import world_fixture
from world_fixture import BINARY, VERDICTS, at, lines_of, records_of


class SameBytes(world_fixture.WorldTest):
    def test_any_number_of_threads(self):
        # The names of log and output folder are in the report: so the outputs of each run are moved away.
        for threads in (1, 2, 4):
            self.replay("queries.ndjson", accounts="world/accounts.ndjson", out="expected", threads=threads)
            shutil.copytree(self.folder / "expected", self.folder / f"threads-{threads}")
        for threads in (2, 4):
            self.assert_same("threads-1", f"threads-{threads}")

    def test_a_rerun_is_the_same_with_a_state_folder(self):
        self.replay("queries.ndjson", accounts="world/accounts.ndjson", out="stateful", state="state")
        self.assert_same("expected", "stateful")
        self.assertEqual(self.names_in("state"), [])

    def test_plain_zstd_gzip_and_standard_input(self):
        plain = (self.folder / "queries.ndjson").read_bytes()
        (self.folder / "queries.gz").write_bytes(gzip.compress(plain, 1))
        subprocess.run(["zstd", "-qf", "queries.ndjson", "-o", "queries.packed"], cwd=self.folder, check=True)
        self.replay("queries.packed", accounts="world/accounts.ndjson", out="zstd")
        self.replay("queries.gz", accounts="world/accounts.ndjson", out="gzip")
        with open(self.folder / "queries.ndjson", "rb") as log:
            self.replay("-", accounts="world/accounts.ndjson", out="file-as-input", run={"stdin": log})
        self.replay("-", accounts="world/accounts.ndjson", out="pipe", run={"input": plain})
        for out in ("zstd", "gzip", "file-as-input", "pipe"):
            self.assert_same("expected", out, VERDICTS)

    def test_simulate_streams_into_replay(self):
        command = [BINARY, "simulate", "--world=world.toml", "--seed=1", "--out=streamed", "--stream"]
        producer = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.replay("-", accounts="streamed/accounts.ndjson", out="stream-out", run={"stdin": producer.stdout})
        producer.stdout.close()
        self.assertEqual(producer.wait(), 0)
        self.replay("world/queries.ndjson.zst", accounts="world/accounts.ndjson", out="file-out")
        self.assert_same("file-out", "stream-out", VERDICTS)

    def test_files_split_by_time_and_by_account(self):
        lines = lines_of(self.folder / "queries.ndjson")
        third = len(lines) // 3
        self.write_log("time-1", *lines[:third])
        self.write_log("time-2", *lines[third:2 * third])
        self.write_log("time-3", *lines[2 * third:])
        self.replay("time-3", "time-1", "time-2", accounts="world/accounts.ndjson", out="by-time")
        parts = [[], [], []]
        for line in lines:
            parts[zlib.crc32(json.loads(line)["account"].encode()) % 3].append(line)
        for number, part in enumerate(parts):
            self.write_log(f"account-{number}", *part)
        self.replay("account-0", "account-1", "account-2", accounts="world/accounts.ndjson", out="by-account",
                    threads=4)
        self.assert_same("expected", "by-time", VERDICTS)
        self.assert_same("expected", "by-account", VERDICTS)

    def test_another_secret_gives_the_same_accounts(self):
        self.run_program("replay", "queries.ndjson", "--accounts=world/accounts.ndjson", "--out=other-secret",
                         "--config=settings.toml", "--secret=secret-2")
        members = {line["account"] for line in records_of(self.folder / "expected/members.ndjson")}
        others = {line["account"] for line in records_of(self.folder / "other-secret/members.ndjson")}
        self.assertGreater(len(members & others), 0.9 * max(len(members), len(others)))

    def test_full_tables_change_nothing_about_that(self):
        """With every bound met the bytes still do not depend on threads, and every counter has words."""
        settings = (self.folder / "settings.toml").read_text()
        bounds = ("accounts_max = 4096\nlink_events_max = 1024\nlink_edges_max = 1024\nhandoff_events_max = 1024\n"
                  "handoff_pairs_max = 1024\ngroups_max = 16\nclose_work_per_query = 4\nclose_work_per_epoch = 1000\n")
        self.assertIn("[detect]", settings)
        (self.folder / "small.toml").write_text(settings.replace("[detect]", "[detect]\n" + bounds, 1))
        for threads in (1, 3):
            self.run_program("replay", "queries.ndjson", "--accounts=world/accounts.ndjson", "--out=small",
                             "--config=small.toml", "--secret=secret", f"--threads={threads}")
            shutil.copytree(self.folder / "small", self.folder / f"small-{threads}")
        self.assert_same("small-1", "small-3")
        summary = json.loads((self.folder / "small-1/summary.json").read_text())
        self.assertGreater(summary["counters"]["epochs_deferred"], 0)
        page = (pathlib.Path(__file__).resolve().parents[2] / "docs/operate.md").read_text()
        for name in summary["counters"]:
            self.assertIn(f"| `{name}` |", page)
        for name, words in summary["bounds_met"].items():
            self.assertGreater(len(words), 20, name)

    def test_no_look_ahead(self):
        """The log cut at t gives exactly the verdicts up to t."""
        expected = lines_of(self.folder / "expected/verdicts.ndjson")
        moments = sorted({json.loads(line)["time"] for line in expected})
        log = [(json.loads(line)["time"], line) for line in lines_of(self.folder / "queries.ndjson")]
        times = sorted(time for time, _ in log)
        # At a verdict, just before one, at the first and the last, and at any record.
        cuts = [moments[0], moments[len(moments) // 2], moments[-1],
                max(time for time in times if time < moments[0]), times[len(times) // 2], times[len(times) * 4 // 5]]
        for cut in cuts:
            self.write_log("cut", *[line for time, line in log if time <= cut])
            self.replay("cut", accounts="world/accounts.ndjson", out="cut-out")
            self.assertEqual(lines_of(self.folder / "cut-out/verdicts.ndjson"),
                             [line for line in expected if json.loads(line)["time"] <= cut], f"cut at {cut}")

    def test_verdicts_are_ordered_and_rest_on_the_past(self):
        verdicts = records_of(self.folder / "expected/verdicts.ndjson")
        keys = [(line["time"], line["subject"]["kind"], line["subject"]["id"]) for line in verdicts]
        self.assertEqual(keys, sorted(keys))
        times = {json.loads(line)["time"] for line in lines_of(self.folder / "queries.ndjson")}
        self.assertLessEqual({line["time"] for line in verdicts}, times)

    def test_outputs_agree_with_each_other_and_with_the_world(self):
        summary = json.loads((self.folder / "expected/summary.json").read_text())
        self.assertEqual(summary["records"], len(lines_of(self.folder / "clean.ndjson")))
        self.assertEqual(summary["rejected"], len(lines_of(self.folder / "expected/rejects.ndjson")))
        campaigns = records_of(self.folder / "expected/campaigns.ndjson")
        members = records_of(self.folder / "expected/members.ndjson")
        for campaign in campaigns:
            own = [line for line in members if line["campaign"] == campaign["id"]]
            self.assertEqual(campaign["accounts_count"], len(own))
        hostile = {line["account"] for line in records_of(self.folder / "world/truth.ndjson") if line["hostile"]}
        self.assertGreater(len(hostile & {line["account"] for line in members}), len(hostile) // 2)

    def test_the_report_needs_no_network(self):
        page = (self.folder / "expected/report.html").read_text()
        for text in ("src=\"http", "href=\"http", "@import", "url(http", "<script src"):
            self.assertNotIn(text, page)

    def test_calibration_on_another_log(self):
        lines = lines_of(self.folder / "queries.ndjson")
        days = [line for line in lines if json.loads(line)["time"] < "2026-03-03"]
        self.write_log("first-days", *days)
        self.write_log("later-days", *lines[len(days):])
        self.replay("later-days", accounts="world/accounts.ndjson", out="calibrated", more=["--calibrate=first-days"])
        self.assert_complete("calibrated")
        self.write_log("nothing")
        self.replay("later-days", out="uncalibrated", more=["--calibrate=nothing"], code=2,
                    says=["nothing", "calibrate"])
        self.assert_absent("uncalibrated")


class OtherCommands(world_fixture.WorldTest):
    def test_evaluate(self):
        table = self.run_program("evaluate", "--truth=world", "--verdicts=expected/verdicts.ndjson")
        self.assertIn(b"template_farm", table.stdout)
        done = self.run_program("evaluate", "--truth=world", "--verdicts=expected/verdicts.ndjson",
                                "--verdicts=expected/verdicts.ndjson", "--json")
        self.assertIsInstance(json.loads(done.stdout), dict)
        self.run_program("evaluate", "--truth=world", code=2, says=["--verdicts"])
        self.run_program("evaluate", "--truth=nowhere", "--verdicts=expected/verdicts.ndjson", code=2,
                         says=["nowhere"])
        self.run_program("evaluate", "--truth=world", "--verdicts=missing.ndjson", code=4, says=["missing.ndjson"])
        self.write_log("not-verdicts", b"this is no verdict\n")
        self.run_program("evaluate", "--truth=world", "--verdicts=not-verdicts", code=2,
                         says=["not-verdicts", "1 line"])

    def test_explain(self):
        campaign = records_of(self.folder / "expected/campaigns.ndjson")[0]["id"]
        account = records_of(self.folder / "expected/members.ndjson")[0]["account"]
        for name in (campaign, account):
            done = self.run_program("explain", "--out=expected", name)
            self.assertIn(name.encode(), done.stdout)
            done = self.run_program("explain", "--out=expected", name, "--json")
            self.assertIsInstance(json.loads(done.stdout), dict)
        self.run_program("explain", "--out=expected", "no-such-account", code=2, says=["no-such-account"])
        self.run_program("explain", "--out=nowhere", account, code=4, says=["nowhere"])

    def test_truth_in_the_report(self):
        self.replay("queries.ndjson", accounts="world/accounts.ndjson", out="with-truth", more=["--truth=world"])
        self.assert_complete("with-truth")
        self.assertIn("template_farm", (self.folder / "with-truth/summary.json").read_text())
        self.assert_same("expected", "with-truth", VERDICTS)
        self.replay("queries.ndjson", out="without-truth", more=["--truth=nowhere"], code=2, says=["nowhere"])
        self.assert_absent("without-truth")

    def test_json_on_standard_output_is_the_summary(self):
        done = self.replay("queries.ndjson", accounts="world/accounts.ndjson", out="expected", more=["--json"])
        self.assertEqual(done.stdout, (self.folder / "expected/summary.json").read_bytes())
        self.assertEqual(done.stderr, b"")

    def test_help_shows_an_example_first(self):
        for command in ("replay", "simulate", "evaluate", "explain", "bench"):
            text = self.run_program(command, "--help").stdout.decode()
            self.assertIn(f"stillwatch {command} ", text)
            self.assertLess(text.index(f"stillwatch {command} "), text.index("Usage:"), command)
        text = self.run_program("--help").stdout.decode()
        self.assertLess(text.index("stillwatch replay "), text.index("Usage:"))
        self.run_program("--version")

    def test_bad_arguments(self):
        for arguments in ([], ["unknown"], ["replay"], ["replay", "queries.ndjson"], ["replay", "--out=o"],
                          ["replay", "queries.ndjson", "--out=o", "--no-such-flag"],
                          ["replay", "queries.ndjson", "--out=o", "--threads=many"],
                          ["replay", "queries.ndjson", "--out=o", "--secret=secret", "--format=parquet"],
                          ["replay", "-", "-", "--out=o", "--secret=secret"],
                          ["simulate", "--world=world.toml"], ["evaluate"], ["explain", "x"], ["bench"],
                          ["bench", "x"]):
            done = self.run_program(*arguments, code=2, stdin=subprocess.DEVNULL)
            self.assertIn(b"stillwatch: ", done.stderr, arguments)
        self.assert_absent("o")

    def test_bad_settings(self):
        for text, place, what in (("[intake]\nlatenes_minutes = 3\n", "bad.toml:2", "intake.latenes_minutes"),
                                  ("[intake]\n\nlateness_minutes = -1\n", "bad.toml:3", "between"),
                                  ("[detect]\ncalibration_days = \"two\"\n", "bad.toml:2", "number"),
                                  ("[policy]\ndry_run = 1\n", "bad.toml:2", "true or false"),
                                  ("top = 1\n", "bad.toml:1", "top"),
                                  ("[intake\n", "bad.toml:1", "")):
            (self.folder / "bad.toml").write_text(text)
            self.replay("queries.ndjson", out="unset", settings="bad.toml", code=2, says=[place, what])
        self.assert_absent("unset")
        self.replay("queries.ndjson", out="unset", settings="missing.toml", code=4, says=["missing.toml"])
        self.write_log("bad.map.toml", b"v = 1\n[paths]\nid = \"id\"\ncolour = \"x\"\n")
        self.replay("queries.ndjson", out="unset", more=["--format=map:bad.map.toml"], code=2, says=["bad.map.toml:4"])
        (self.folder / "bad-world.toml").write_text("[world]\nday = 3\n")
        self.run_program("simulate", "--world=bad-world.toml", "--out=bad-world", code=2,
                         says=["bad-world.toml:2", "day"])
        self.assert_absent("bad-world")


class OtherFormats(world_fixture.FolderTest):
    def test_litellm(self):
        self.write_log("litellm.ndjson", *[
            {"id": f"r{n}", "startTime": 1772323200 + n, "endTime": 1772323201 + n, "call_type": "acompletion",
             "metadata": {"user_api_key_user_id": f"a{n % 3}", "user_api_key_hash": "k"}, "model": "m-large",
             "messages": [{"role": "user", "content": f"question {n}"}], "model_parameters": {"temperature": 1},
             "status": "success", "prompt_tokens": 5, "completion_tokens": 7} for n in range(50)])
        self.replay("litellm.ndjson", out="litellm", more=["--format=litellm"])
        self.assert_complete("litellm")
        summary = json.loads((self.folder / "litellm/summary.json").read_text())
        self.assertEqual((summary["records"], summary["rejected"], summary["accounts"]), (50, 0, 3))
        # Read as what it is not: every line is refused, which fails the run at its end.
        self.replay("litellm.ndjson", out="native", code=3, says=["50 of 50", "rejects.ndjson"])
        self.assert_complete("native")

    def test_map_gives_the_verdicts_of_the_native_format(self):
        (self.folder / "gateway.toml").write_text(
            'v = 1\n[paths]\nid = "rid"\ntime = "ts"\naccount = "who.id"\n"request.prompt" = "text"\n'
            '"request.model" = "model"\n[constants]\ndialect = "text"\n[times]\ntime = "unix_ms"\n')
        self.write_log("gateway.ndjson", *[
            {"rid": f"r{n}", "ts": 1772323200000 + 1000 * n, "who": {"id": f"a{n % 7}"}, "model": "m",
             "text": f"prompt number {n}"} for n in range(50)])
        self.write_log("native.ndjson", *[world_fixture.record(n, at(n)) for n in range(50)])
        self.replay("gateway.ndjson", out="map", more=["--format=map:gateway.toml"])
        self.replay("native.ndjson", out="native-twin")
        self.assert_complete("map")
        self.assert_same("map", "native-twin", VERDICTS)
        summaries = [json.loads((self.folder / out / "summary.json").read_text()) for out in ("map", "native-twin")]
        for key in ("records", "rejected", "accounts"):
            self.assertEqual(summaries[0][key], summaries[1][key])
        self.assertEqual(summaries[0]["records"], 50)


if __name__ == "__main__":
    world_fixture.main()
