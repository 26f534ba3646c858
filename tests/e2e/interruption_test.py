#!/usr/bin/env python3
"""Stopped at any moment and started again, a replay gives the bytes of a run that was never stopped; what is under the
final names is always the whole set of one run."""
import os
import random
import shutil
import signal
import subprocess
import time
import unittest

import world_fixture
from world_fixture import BINARY, OUTPUTS

CRASH_POINTS = os.environ.get("STILLWATCH_CRASH_POINTS", "")
LOG = "queries.ndjson"
ACCOUNTS = "world/accounts.ndjson"


class Interruption(world_fixture.WorldTest):
    def start(self, log=LOG, out="out", state="", **options):
        return subprocess.Popen([BINARY, *self.arguments(log, accounts=ACCOUNTS, out=out, state=state, **options)],
                                cwd=self.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def wait_until(self, condition, what):
        deadline = time.monotonic() + 30
        while not condition():
            self.assertLess(time.monotonic(), deadline, f"waited too long until {what}")
            time.sleep(0.002)

    def end(self, process):
        """(exit code, standard error). Standard input stays open until then: the program must not wait for its end."""
        stream, process.stdin = process.stdin, None
        _, errors = process.communicate(timeout=30)
        try:
            stream.close()
        except BrokenPipeError:
            pass
        return process.returncode, errors.decode()

    def feed_half(self, process):
        """Gives the process half of the log and lets it wait for the rest."""
        content = (self.folder / LOG).read_bytes()
        process.stdin.write(content[:len(content) // 2])
        process.stdin.flush()

    def test_signals_with_a_state_folder(self):
        """Standard input stalls in the middle of the log, so that the signal finds the run there for certain."""
        content = (self.folder / LOG).read_bytes()
        for number in (signal.SIGTERM, signal.SIGINT):
            out, state = f"out-{number}", f"state-{number}"
            process = self.start("-", out, state)
            self.feed_half(process)
            self.wait_until(lambda: "snapshot" in self.names_in(state), "there is a snapshot")
            process.send_signal(number)
            code, errors = self.end(process)
            self.assertEqual(code, 4, errors)
            self.assertIn(f"interrupted; run the same command again to go on from {state}", errors)
            self.assert_absent(out)
            self.assertEqual(self.names_in(state), ["rejects.ndjson.journal", "snapshot", "verdicts.ndjson.journal"])
            self.replay("-", accounts=ACCOUNTS, out=out, state=state, run={"input": content})
            self.assert_same("expected", out, world_fixture.VERDICTS)
            self.assert_complete(out)
            self.assertEqual(self.names_in(state), [])

    def test_signals_without_a_state_folder(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            process = self.start("-", "stateless")
            self.feed_half(process)
            self.wait_until(lambda: "verdicts.ndjson.partial" in self.names_in("stateless"), "it has begun")
            process.send_signal(number)
            code, errors = self.end(process)
            self.assertEqual(code, 4, errors)
            self.assertIn("interrupted; nothing was written", errors)
            self.assertIn("--state=DIR", errors)
            self.assert_absent("stateless")

    def test_a_signal_before_the_first_byte(self):
        process = self.start("-", "early")
        self.wait_until(lambda: (self.folder / "early").is_dir(), "it has begun")
        time.sleep(0.05)
        process.terminate()
        code, errors = self.end(process)
        self.assertEqual(code, 4, errors)
        self.assertIn("interrupted", errors)
        self.assert_absent("early")

    def test_many_stops_of_one_run(self):
        """Signals and kill -9 at random moments, with other numbers of threads each time, until it is done."""
        for seed in (1, 2):
            dice = random.Random(seed)
            self.stop_again_and_again(dice, f"many-{seed}", f"many-state-{seed}")

    def stop_again_and_again(self, dice, out, state):
        stops = 0
        while True:
            process = self.start(out=out, state=state, threads=dice.choice([1, 2, 4]))
            time.sleep(dice.uniform(0.005, 0.05 + 0.01 * stops))
            stopped = process.poll() is None
            if stopped:
                process.send_signal(dice.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))
            code, errors = self.end(process)
            if code == 0:
                break
            self.assertIn(code, (4, -9, -2, -15), errors)  # -2, -15: before it could say what to do with signals
            stops += 1
            self.assertLess(stops, 300, "it makes no progress")
            names = self.names_in(out)
            if "summary.json" in names:
                self.assertEqual([name for name in names if name in OUTPUTS], OUTPUTS)
        self.assertGreater(stops, 2)
        self.assert_complete(out)
        self.assert_same("expected", out)
        self.assertEqual(self.names_in(state), [])

    def test_kill_without_a_state_folder(self):
        """What a killed run leaves aside is taken over by the next one."""
        process = self.start("-", "killed")
        self.feed_half(process)
        self.wait_until(lambda: "verdicts.ndjson.partial" in self.names_in("killed"), "it has begun")
        process.kill()
        self.assertEqual(self.end(process)[0], -9)
        self.assertEqual([name for name in self.names_in("killed") if name in OUTPUTS], [])
        self.replay(LOG, accounts=ACCOUNTS, out="killed")
        self.assert_complete("killed")
        self.assert_same("expected", "killed")

    def test_a_run_in_progress_leaves_the_earlier_outputs(self):
        shutil.copytree(self.folder / "expected", self.folder / "earlier")
        process = self.start("-", "earlier")
        self.feed_half(process)
        self.wait_until(lambda: "verdicts.ndjson.partial" in self.names_in("earlier"), "it has begun")
        process.terminate()
        self.assertEqual(self.end(process)[0], 4)
        self.assert_complete("earlier")
        self.assert_same("expected", "earlier")

    def test_two_runs_at_once(self):
        """In one output or state folder they would write into each other's files."""
        process = self.start("-", "busy", "busy-state")
        self.feed_half(process)
        self.wait_until(lambda: "verdicts.ndjson.journal" in self.names_in("busy-state"), "it has begun")
        self.replay(LOG, out="busy", code=4, says=["busy", "another run"])
        self.replay(LOG, out="not-busy", state="busy-state", code=4, says=["busy-state", "another run"])
        process.kill()
        self.end(process)
        self.replay(LOG, accounts=ACCOUNTS, out="busy")
        self.assert_same("expected", "busy")

    @unittest.skipUnless(CRASH_POINTS, "STILLWATCH_CRASH_POINTS names no library (sanitizer builds have none)")
    def test_every_point_at_which_files_change(self):
        """Killed before the 1st, 2nd, ... call that changes names on the disk, then run again."""
        lines = world_fixture.lines_of(self.folder / LOG)
        self.write_log("other.ndjson", *lines[:100])
        self.write_log("short.ndjson", *lines[:2000])
        self.replay("other.ndjson", out="old")
        # Snapshots are taken by the clock: none here but the last, so that every run counts the same calls.
        (self.folder / "rare.toml").write_text(world_fixture.SETTINGS.replace("0.02", "3600"))
        self.replay("short.ndjson", accounts=ACCOUNTS, out="whole", settings="rare.toml")
        for state in ("", "crash-state"):
            point, seen = 0, set()
            while True:
                point += 1
                out = f"crash-{point}{'-state' if state else ''}"
                shutil.copytree(self.folder / "old", self.folder / out)
                environment = dict(os.environ, LD_PRELOAD=CRASH_POINTS, STILLWATCH_CRASH_AT=str(point))
                arguments = self.arguments("short.ndjson", accounts=ACCOUNTS, out=out, state=state,
                                           settings="rare.toml")
                done = subprocess.run([BINARY, *arguments], cwd=self.folder, env=environment, capture_output=True,
                                      timeout=60, check=False)
                names = [name for name in self.names_in(out) if name in OUTPUTS]
                if names == OUTPUTS:
                    seen.add(self.which(out))
                else:
                    # Between two sets: the mark of a complete one is missing.
                    self.assertNotIn("summary.json", names)
                    seen.add("between")
                if done.returncode == 0:
                    break
                self.assertEqual(done.returncode, -9, done.stderr)
                self.run_program(*arguments)
                self.assert_complete(out)
                self.assertEqual(self.which(out), "new")
                if state:
                    self.assertEqual(self.names_in(state), [])
                self.assertLess(point, 100)
            self.assertEqual(seen, {"old", "between", "new"})
            self.assertGreater(point, 15)

    def which(self, out):
        """Whose outputs these are; the files of two runs together are an error."""
        for name, source in (("old", "old"), ("new", "whole")):
            if all((self.folder / out / file).read_bytes() == (self.folder / source / file).read_bytes()
                   for file in OUTPUTS):
                return name
        return self.fail(f"{out} has files of two runs")


class DamagedState(world_fixture.WorldTest):
    """A state folder that is damaged, or belongs to another run: refused by name, and nothing written."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        log = (cls.folder / LOG).read_bytes()
        # Stopped for certain where there are verdicts: the log is a pipe that stalls. Then a file takes its place.
        pipe, journal = cls.folder / "fed.ndjson", cls.folder / "made-state/verdicts.ndjson.journal"
        os.mkfifo(pipe)
        arguments = cls().arguments("fed.ndjson", accounts=ACCOUNTS, out="made", state="made-state")
        process = subprocess.Popen([BINARY, *arguments], cwd=cls.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with open(pipe, "wb") as stream:
            stream.write(log[:len(log) * 9 // 10])
            deadline = time.monotonic() + 30
            while not (journal.exists() and journal.stat().st_size > 0) and time.monotonic() < deadline:
                time.sleep(0.002)
            process.terminate()
            process.communicate(timeout=30)
        assert process.returncode == 4 and journal.stat().st_size > 0
        pipe.unlink()
        pipe.write_bytes(log)
        cls().replay("fed.ndjson", accounts=ACCOUNTS, out="expected")

    def copy(self, name):
        shutil.rmtree(self.folder / name, ignore_errors=True)
        shutil.copytree(self.folder / "made-state", self.folder / name)
        return self.folder / name

    def refused(self, state, code, says, log="fed.ndjson", accounts=ACCOUNTS, **options):
        self.replay(log, accounts=accounts, out="refused", state=state, code=code, says=says, **options)
        self.assert_absent("refused")
        shutil.rmtree(self.folder / "refused", ignore_errors=True)

    def test_an_undamaged_one_goes_on(self):
        self.copy("good")
        self.replay("fed.ndjson", accounts=ACCOUNTS, out="resumed", state="good")
        self.assert_same("expected", "resumed")

    def test_damaged_snapshots(self):
        whole = (self.folder / "made-state/snapshot").read_bytes()
        dice = random.Random(1)
        damaged = [b"", whole[:10], whole[:-1], whole[:len(whole) // 2], whole + b"x", b"x" * len(whole)]
        for at in [0, 25, 90, len(whole) - 1] + [dice.randrange(len(whole)) for _ in range(8)]:
            flipped = bytearray(whole)
            flipped[at] ^= 1 << dice.randrange(8)
            damaged.append(bytes(flipped))
        for content in damaged:
            (self.copy("damaged") / "snapshot").write_bytes(content)
            self.refused("damaged", 4, ["damaged/snapshot is damaged", "remove the state folder to start over"])
        # What the message says helps.
        shutil.rmtree(self.folder / "damaged")
        self.replay("fed.ndjson", accounts=ACCOUNTS, out="after-damage", state="damaged")
        self.assert_same("expected", "after-damage")

    def test_damaged_journals(self):
        name = "verdicts.ndjson.journal"
        whole = (self.folder / "made-state" / name).read_bytes()
        flipped = whole[:100] + bytes([whole[100] ^ 1]) + whole[101:]
        for content in (b"", whole[:-1], flipped):
            (self.copy("bad-journal") / name).write_bytes(content)
            self.refused("bad-journal", 4, [f"bad-journal/{name}", "remove the state folder to start over"])
        os.unlink(self.copy("no-journal") / name)
        self.refused("no-journal", 4, [f"no-journal/{name}", "remove the state folder to start over"])

    def test_a_longer_journal_is_cut_back(self):
        """A crash after lines were written and before the snapshot that counts them."""
        with open(self.copy("longer") / "verdicts.ndjson.journal", "ab") as journal:
            journal.write(b'{"half a li')
        self.replay("fed.ndjson", accounts=ACCOUNTS, out="cut-back", state="longer")
        self.assert_same("expected", "cut-back")

    def test_the_state_of_another_run(self):
        content = (self.folder / "fed.ndjson").read_bytes()
        (self.folder / "other.ndjson").write_bytes(content)
        (self.folder / "policy.toml").write_text(world_fixture.SETTINGS + "[policy]\nexpiry_days = 3\n")
        (self.folder / "fewer-accounts.ndjson").write_bytes(b'{"v":1,"account":"a","time":"2026-03-01T00:00:00Z"}\n')
        self.copy("foreign")
        self.refused("foreign", 2, ["foreign/snapshot", "other logs", "start over"], log="other.ndjson")
        self.refused("foreign", 2, ["foreign/snapshot", "start over"], accounts="fewer-accounts.ndjson")
        self.refused("foreign", 2, ["foreign/snapshot", "other settings"], settings="policy.toml")
        self.run_program("replay", "fed.ndjson", f"--accounts={ACCOUNTS}", "--out=refused", "--config=settings.toml",
                         "--secret=another", "--state=foreign", code=2, says=["foreign/snapshot", "secret"])
        self.assert_absent("refused")

    def test_the_log_changed_between_stop_and_start(self):
        content = (self.folder / "fed.ndjson").read_bytes()
        try:
            self.copy("changed")
            (self.folder / "fed.ndjson").write_bytes(b"x" + content[1:])
            self.refused("changed", 4, ["fed.ndjson", "remove the state folder"])
            (self.folder / "fed.ndjson").write_bytes(content[:1000])
            self.refused("changed", 4, ["fed.ndjson", "remove the state folder"])
        finally:
            (self.folder / "fed.ndjson").write_bytes(content)


if __name__ == "__main__":
    world_fixture.main()
