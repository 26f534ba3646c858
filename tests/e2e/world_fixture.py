"""A small simulated world and the ways to run `stillwatch` over it, for the end-to-end tests.

The binary is named by the environment variable STILLWATCH_BINARY. Every test class has a folder of its own; programs
run inside it with relative names, so that outputs of different runs can be compared byte for byte.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

BINARY = os.path.abspath(os.environ.get("STILLWATCH_BINARY", "build/release/stillwatch"))
# Outputs of a replay, all of which must be the same bytes for the same input.
OUTPUTS = ["alarms.ndjson", "campaigns.ndjson", "members.ndjson", "rejects.ndjson", "report.html", "summary.json",
           "verdicts.ndjson"]
VERDICTS = ["alarms.ndjson", "campaigns.ndjson", "members.ndjson", "verdicts.ndjson"]
RUN_SECONDS_MAX = 60


def world_text(name, days, calibration_days, chat_accounts, campaign_accounts, templates):
    """A world file: six kinds of honest people, and a campaign of templates that starts when calibration ends."""
    return f"""
[world]
name = "{name}"
start = "2026-03-01T00:00:00Z"
days = {days}
calibration_days = {calibration_days}
[benign.chat_single]
accounts = {chat_accounts}
[benign.chat_multi]
accounts = {chat_accounts}
requests_per_day = 4
[benign.saas_tenant]
accounts = 80
requests_per_day = 5
[benign.developer]
accounts = 50
requests_per_day = 5
[benign.classroom]
accounts = 50
[benign.corporate_nat]
accounts = 50
[campaign.{name}-1]
family = "template_farm"
accounts = {campaign_accounts}
requests_per_account_day = 30
attack_share = 0.8
templates = {templates}
start_day = {calibration_days}
"""


WORLD = world_text("small", days=5, calibration_days=2, chat_accounts=120, campaign_accounts=70, templates=20)
# Calibration and tables as small as the world, so that a snapshot is cheap and often.
SETTINGS = """
[detect]
calibration_days = 2
first_seen_slots = 65536
conversation_slots = 65536
shared_tokens_max = 65536
[engine]
snapshot_seconds = 0.02
"""


def lines_of(path):
    return pathlib.Path(path).read_bytes().splitlines(keepends=True)


def records_of(path):
    return [json.loads(line) for line in lines_of(path)]


def record(number, when, **fields):
    """A query record of the `text` dialect; a field of None is left out."""
    out = {"v": 1, "id": f"r{number}", "time": when, "account": f"a{number % 7}", "dialect": "text",
           "request": {"model": "m", "prompt": f"prompt number {number}"}}
    out.update(fields)
    return {key: value for key, value in out.items() if value is not None}


def at(second):
    """The time that many seconds into 1 March 2026."""
    return f"2026-03-01T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"


class FolderTest(unittest.TestCase):
    """A folder a class, gone at its end, that programs run in."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="stillwatch-e2e-"))
        (cls.folder / "settings.toml").write_text(SETTINGS)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder, ignore_errors=True)

    def run_program(self, *arguments, code=0, says=(), **options):
        """Runs `stillwatch ARGUMENTS`; its exit code must be `code` and standard error must contain all of `says`."""
        options = {"capture_output": True, "timeout": RUN_SECONDS_MAX, **options}
        return self.check(subprocess.run([BINARY, *arguments], cwd=self.folder, check=False, **options), code, says)

    def check(self, done, code, says=()):
        errors = done.stderr.decode("utf-8", "replace")
        self.assertEqual(done.returncode, code, f"{done.args}\n{errors}")
        for text in says:
            self.assertIn(text, errors)
        return done

    def arguments(self, *logs, out, accounts="", state="", threads=2, settings="settings.toml", more=()):
        return ["replay", *logs, f"--out={out}", f"--config={settings}", "--secret=secret", f"--threads={threads}",
                *([f"--accounts={accounts}"] if accounts else []), *([f"--state={state}"] if state else []), *more]

    def replay(self, *logs, code=0, says=(), run=None, **options):
        return self.run_program(*self.arguments(*logs, **options), code=code, says=says, **(run or {}))

    def names_in(self, folder):
        path = self.folder / folder
        return sorted(entry.name for entry in path.iterdir()) if path.is_dir() else []

    def assert_complete(self, out):
        self.assertEqual(self.names_in(out), OUTPUTS)
        for name in OUTPUTS:
            content = (self.folder / out / name).read_bytes()
            if name.endswith(".ndjson") and content:
                self.assertTrue(content.endswith(b"\n"), name)
                for line in content.splitlines():
                    json.loads(line)
        json.loads((self.folder / out / "summary.json").read_text())
        self.assertIn("</html>", (self.folder / out / "report.html").read_text())

    def assert_absent(self, out):
        self.assertEqual(self.names_in(out), [])

    def assert_same(self, out, other, names=OUTPUTS):
        for name in names:
            self.assertEqual((self.folder / out / name).read_bytes(), (self.folder / other / name).read_bytes(),
                             f"{name} differs between {out} and {other}")

    def write_log(self, name, *lines):
        """Lines as bytes, or records as dicts."""
        with open(self.folder / name, "wb") as log:
            for line in lines:
                log.write(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n")
        return name


class WorldTest(FolderTest):
    """`world/`, its log with some bad lines as `queries.ndjson`, and the outputs of one plain run in `expected/`."""
    world = WORLD

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        (cls.folder / "world.toml").write_text(cls.world)
        test = cls()
        test.run_program("simulate", "--world=world.toml", "--seed=1", "--out=world")
        subprocess.run(["zstd", "-dqf", "world/queries.ndjson.zst", "-o", "clean.ndjson"], cwd=cls.folder, check=True)
        cls.write_noisy_log()
        test.replay("queries.ndjson", accounts="world/accounts.ndjson", out="expected")
        test.assert_complete("expected")
        verdicts = records_of(cls.folder / "expected" / "verdicts.ndjson")
        assert len(verdicts) > 50, "the world is too tame to test with"
        assert len(lines_of(cls.folder / "expected" / "rejects.ndjson")) > 50

    @classmethod
    def write_noisy_log(cls):
        """queries.ndjson: the world's log, with a repeated line and one of an unknown dialect after every 400."""
        with open(cls.folder / "queries.ndjson", "wb") as log:
            for number, line in enumerate(lines_of(cls.folder / "clean.ndjson")):
                log.write(line)
                if number % 400 == 399:
                    log.write(line)
                    log.write(json.dumps({**json.loads(line), "id": f"x{number}", "dialect": "x"}).encode() + b"\n")

    def runTest(self):
        """Lets setUpClass use the methods of a test."""


def main():
    if not os.access(BINARY, os.X_OK):
        sys.exit(f"{BINARY} is not there; build it, or name it with STILLWATCH_BINARY")
    unittest.main(verbosity=2)
