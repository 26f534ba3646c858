#!/usr/bin/env python3
"""Tests of demo.sh, demo_summary.py and setup.sh with stand-ins for the programs that they call."""
import json
import os
import pathlib
import stat
import subprocess
import sys
import tempfile
import unittest

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tools"))
import demo_summary  # noqa: E402

STAND_IN = r'''#!/usr/bin/env python3
import json, pathlib, sys
flags = dict(a[2:].split("=", 1) for a in sys.argv[2:] if a.startswith("--"))
def write(path, *records):
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(r) + "\n" for r in records))
if sys.argv[1] == "simulate":
    assert flags["seed"] == "1" and pathlib.Path(flags["world"]).is_file()
    write(flags["out"] + "/queries.ndjson.zst")
    write(flags["out"] + "/accounts.ndjson")
    write(flags["out"] + "/truth.ndjson", {"account": "a", "hostile": True}, {"account": "b", "hostile": False})
elif sys.argv[1] == "replay":
    if FAIL:
        print("stillwatch: no space left", file=sys.stderr)
        sys.exit(4)
    assert pathlib.Path(sys.argv[2]).is_file() and pathlib.Path(flags["accounts"]).is_file()
    write(flags["out"] + "/verdicts.ndjson")
    write(flags["out"] + "/members.ndjson", {"campaign": "c-000001", "account": "a"})
elif sys.argv[1:3] == ["ledger", "export"]:
    entries = pathlib.Path(flags["out"]) / "entries/shard-s00-2026-04"
    entries.mkdir(parents=True)
    (entries / "0.bin").write_text('{"v":1,"k":"decision","t":1,"id":"abc"}')
    (entries.parents[1] / "VERIFY.md").write_text("```sh\ntest -d entries && echo everything holds\n```\n")
elif sys.argv[1:3] == ["ledger", "replay-decision"]:
    assert sys.argv[3] == "abc"
    print("entry 0\nequal: 1 of 1 inputs found")
elif sys.argv[1:3] == ["ledger", "erase"]:
    print("destroyed: 1 keys")
elif sys.argv[1:3] == ["ledger", "verify"]:
    print("all of it holds")
elif sys.argv[1] == "evaluate":
    assert pathlib.Path(flags["verdicts"]).is_file() and pathlib.Path(flags["truth"]).is_dir()
'''


def write_program(path, text):
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def write_records(path, *records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


class DemoScript(unittest.TestCase):
    def run_demo(self, folder, fail):
        write_program(folder / "stillwatch", STAND_IN.replace("FAIL", str(fail)))
        environment = dict(os.environ, STILLWATCH=str(folder / "stillwatch"), OUT=str(folder / "out"), LIVE="no")
        return subprocess.run([TOP / "tools/demo.sh"], env=environment, capture_output=True, text=True, check=False)

    def setUp(self):
        if not (TOP / "worlds/demo.toml").exists():
            self.skipTest("worlds/demo.toml is not there")

    def test_ends_with_report_and_findings(self):
        with tempfile.TemporaryDirectory() as name:
            done = self.run_demo(pathlib.Path(name), fail=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(f"{name}/out/report/report.html", done.stdout)
            self.assertIn("Hidden campaign: 0 of 1 account actioned", done.stdout)
            # A second run replaces the first.
            self.assertEqual(self.run_demo(pathlib.Path(name), fail=False).returncode, 0)

    def test_failure_keeps_exit_code_and_message(self):
        with tempfile.TemporaryDirectory() as name:
            done = self.run_demo(pathlib.Path(name), fail=True)
            self.assertEqual(done.returncode, 4)
            self.assertIn("no space left", done.stderr)
            self.assertIn("replay", done.stderr)


class Summary(unittest.TestCase):
    def test_counts_what_was_prevented(self):
        with tempfile.TemporaryDirectory() as name:
            world = report = pathlib.Path(name)
            write_records(world / "truth.ndjson", {"account": "h1", "hostile": True},
                          {"account": "h2", "hostile": True}, {"account": "b", "hostile": False})
            # Before, with, and after the verdict; after it expired; and of an account never actioned.
            write_records(world / "queries_truth.ndjson",
                          *({"account": account, "time": f"2026-04-22T{time}Z"} for account, time in
                            (("h1", "00:00:00"), ("h1", "05:00:00"), ("h1", "05:00:00.5"), ("h1", "09:00:00"),
                             ("h2", "10:00:00"))))
            subject = {"kind": "account", "id": "h1"}
            write_records(report / "verdicts.ndjson",
                          {"time": "2026-04-22T03:00:00Z", "subject": subject, "level": "observe"},
                          {"time": "2026-04-22T05:00:00Z", "subject": subject, "level": "verify"},
                          {"time": "2026-04-22T08:00:00Z", "subject": subject, "level": "clear"},
                          {"time": "2026-04-22T09:00:00Z", "subject": {"kind": "campaign", "id": "b"},
                           "level": "verify"})
            write_records(report / "campaigns.ndjson", {"id": "c-000001", "class": "distiller", "accounts_count": 1,
                                                        "queries": 1200, "channels": ["template", "egress"]})
            write_records(report / "members.ndjson", {"campaign": "c-000001", "account": "h1"})
            lines = demo_summary.summarise(world, report)
        self.assertEqual(lines, [
            "Found 1 campaign.",
            "  c-000001  distiller: 1 account, 1,200 requests, by template, egress; "
            "1 of its 1 members are hostile in truth",
            "Hidden campaign: 1 of 2 accounts actioned, 20 % of its 5 requests prevented.",
            "First alert 3.0 hours after its first request.",
            "Everybody else: 0 of 1 account actioned (dry run: nobody is refused).",
        ])

    def test_empty_report(self):
        with tempfile.TemporaryDirectory() as name:
            lines = demo_summary.summarise(pathlib.Path(name), pathlib.Path(name))
        self.assertEqual(lines[0], "Found no campaign.")


class Setup(unittest.TestCase):
    """setup.sh with a PATH whose dpkg-query, id, sudo and apt-get are ours."""

    def run_setup(self, folder, user, programs, installed=()):
        for program in ("bash", "env", "awk", "sed", "sort", "comm", "dirname", "mktemp", "rm", "tail"):
            source = next(path for path in (f"/usr/bin/{program}", f"/bin/{program}") if os.path.exists(path))
            os.symlink(source, folder / program)
        write_program(folder / "id", f"#!/bin/sh\necho {user}\n")
        write_program(folder / "dpkg-query", "#!/bin/sh\n" + "".join(f"echo installed {name}\n" for name in installed))
        for program, text in programs.items():
            write_program(folder / program, "#!/bin/sh\n" + text)
        return subprocess.run([folder / "bash", TOP / "tools/setup.sh"], env={"PATH": str(folder)}, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)

    def test_without_sudo_names_the_packages(self):
        with tempfile.TemporaryDirectory() as name:
            done = self.run_setup(pathlib.Path(name), user=1000, programs={})
        self.assertEqual(done.returncode, 4)
        self.assertIn("apt-get install -y --no-install-recommends build-essential", done.stderr)
        self.assertIn("libsimdjson-dev", done.stderr)

    def test_quick_and_silent_when_all_is_there(self):
        packages = (TOP / "deploy/packages.txt").read_text().split("[build]")[1].split("[lint]")[0]
        names = [line for line in packages.splitlines() if line and not line.startswith("#")]
        with tempfile.TemporaryDirectory() as name:
            done = self.run_setup(pathlib.Path(name), user=1000, programs={"apt-get": "exit 1\n"}, installed=names)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_installs_only_what_is_missing(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            done = self.run_setup(folder, user=0, installed=["build-essential", "cmake"],
                                  programs={"apt-get": f'echo "$@" >>"{folder}/calls"\n'})
            calls = (folder / "calls").read_text().splitlines()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(calls), 2)
        self.assertIn("update", calls[0])
        self.assertIn("ninja-build", calls[1])
        self.assertNotIn("build-essential", calls[1])

    def test_failure_shows_what_apt_said(self):
        with tempfile.TemporaryDirectory() as name:
            done = self.run_setup(pathlib.Path(name), user=0,
                                  programs={"apt-get": "echo E: Unable to locate package\nexit 100\n"})
        self.assertEqual(done.returncode, 4)
        self.assertIn("Unable to locate package", done.stderr)


if __name__ == "__main__":
    unittest.main()
