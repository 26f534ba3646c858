#!/usr/bin/env python3
"""A log that was killed at any point, or whose disk failed at any call, goes on with what it promised, and an
independent checker accepts it with every checkpoint that was ever signed."""
import errno
import os
import random
import shutil
import signal
import subprocess
import time
import unittest

from ledger_fixture import WRITER, LedgerTest, needs_checker, needs_faults

PROGRAM_CALLS = ("grow", 70, 17)   # five batches


def promised(output, word):
    """The last number that the writer promised."""
    numbers = [int(line.split()[1]) for line in output.splitlines() if line.startswith(word + " ")]
    return max(numbers, default=0)


class Faults(LedgerTest):
    def calls_of(self, command, *arguments):
        """How many calls a run makes that meets no fault, and how many of them are syncs."""
        counts = self.folder / "counts"
        shutil.rmtree(self.folder / "counted", ignore_errors=True)
        self.writer(command, self.folder / "counted", *arguments, fault=True, count_file=counts)
        return tuple(map(int, counts.read_text(encoding="utf-8").split()))

    def assert_whole(self, log, size):
        """Nothing is wrong in any file, and every entry is the one that was written there."""
        self.writer("fsck", log)
        self.assertIn(f"size {size}\nwrong 0", self.writer("dump", log))

    @needs_faults
    def test_each_call_fails_once(self):
        calls, _ = self.calls_of(*PROGRAM_CALLS)
        self.assertGreater(calls, 100)
        for kind in (errno.EIO, errno.ENOSPC):
            for at in range(1, calls + 1, 1 if kind == errno.EIO else 3):
                log = self.folder / f"log-{kind}-{at}"
                output = self.writer(PROGRAM_CALLS[0], log, *PROGRAM_CALLS[1:], fault=True, at=at, kind=kind, code=None)
                # One fault is survived by reopening; where the last word could not be given, it is an error.
                self.assertIn(self.code, (0, 4), self.errors)
                if self.errors:
                    self.assertRegex(self.errors, r"cannot |is missing|ends at byte|damaged|failed before",
                                     f"{kind} at {at}")
                if self.code == 0:
                    self.assertEqual(promised(output, "signed"), 70, f"{kind} at {at}")
                    self.assert_whole(log, 70)
                else:
                    self.writer("grow", log, 0, 1)
                    self.assertGreaterEqual(int(self.writer("fsck", log).split()[-1]), promised(output, "committed"))
                shutil.rmtree(log)

    @needs_faults
    def test_short_reads_and_writes_are_gone_on_with(self):
        calls, _ = self.calls_of(*PROGRAM_CALLS)
        for at in range(1, calls + 1):
            log = self.folder / f"log-{at}"
            self.writer(PROGRAM_CALLS[0], log, *PROGRAM_CALLS[1:], fault=True, at=at, kind="short")
            self.assertEqual(self.errors, "", f"short at {at}")
            self.assert_whole(log, 70)
            shutil.rmtree(log)

    @needs_faults
    @needs_checker
    def test_killed_at_every_call(self):
        calls, _ = self.calls_of(*PROGRAM_CALLS)
        for at in range(1, calls + 1):
            log, public = self.folder / f"log-{at}", self.folder / f"public-{at}"
            output = self.writer(PROGRAM_CALLS[0], log, *PROGRAM_CALLS[1:], fault=True, at=at, kind="kill", code=None)
            self.assertEqual(self.code, -signal.SIGKILL)
            kept = []
            if (log / "checkpoint").exists():
                kept = [self.folder / "kept"]
                shutil.copy(log / "checkpoint", kept[0])
            after = self.writer("grow", log, 5, 5)
            opened = int(after.split()[1])
            self.assertGreaterEqual(opened, promised(output, "committed"), f"killed at {at}")
            self.assertLessEqual(opened, promised(output, "committed") + 17)
            self.assert_whole(log, opened + 5)
            self.writer("publish", log, public)
            old = [note for note in kept if b"\n0\n" not in note.read_bytes()[:50]]
            self.assert_accepted(public, self.vkey(log), *old, size=opened + 5)
            shutil.rmtree(log)
            shutil.rmtree(public)

    @needs_faults
    @needs_checker
    def test_killed_at_every_call_of_a_change_of_months(self):
        calls, _ = self.calls_of("months", 1)
        for at in range(1, calls + 1):
            ledger = self.folder / f"ledger-{at}"
            self.writer("months", ledger, 1, fault=True, at=at, kind="kill", code=None)
            self.assertEqual(self.code, -signal.SIGKILL)
            self.writer("months", ledger, 1)
            logs = sorted((ledger / "logs").glob("shard-*"))
            for log in logs:
                public = self.folder / "public-of-months"
                shutil.rmtree(public, ignore_errors=True)
                self.writer("fsck", log)
                self.writer("publish", log, public)
                self.assert_accepted(public, self.vkey(log))
            # Only the log that is still open has a key.
            self.assertEqual([seed.stem for seed in (ledger / "keys").iterdir() if seed.suffix == ".seed"],
                             [logs[-1].name], f"killed at {at}")
            shutil.rmtree(ledger)

    @needs_faults
    def test_calls_of_a_change_of_months_fail_once(self):
        calls, _ = self.calls_of("months", 1)
        for at in range(1, calls + 1, 4):
            ledger = self.folder / f"ledger-{at}"
            self.writer("months", ledger, 1, fault=True, at=at, kind=errno.EIO)
            self.writer("months", ledger, 1)
            for log in (ledger / "logs").glob("shard-*"):
                self.writer("fsck", log)
            self.assertEqual(len(list((ledger / "keys").glob("*.seed"))), 1, f"failed at {at}")
            shutil.rmtree(ledger)

    @needs_faults
    @needs_checker
    def test_publishing_killed_at_every_third_call(self):
        """What is published is whole at any moment: the checkpoint comes after the files that it covers."""
        self.make_log(250)
        before = self.folder / "before"
        shutil.copytree(self.public, before)
        self.writer("grow", self.log, 300, 300)
        counts = self.folder / "counts"
        shutil.copytree(before, self.folder / "counted")
        self.writer("publish", self.log, self.folder / "counted", fault=True, count_file=counts)
        calls, key = int(counts.read_text(encoding="utf-8").split()[0]), self.vkey()
        self.assertGreater(calls, 30)
        for at in range(1, calls + 1, 3):
            shutil.rmtree(self.public)
            shutil.copytree(before, self.public)
            self.writer("publish", self.log, self.public, fault=True, at=at, kind="kill", code=None)
            self.assertEqual(self.code, -signal.SIGKILL)
            self.assert_accepted(self.public, key)
            self.writer("publish", self.log, self.public)
            self.assert_accepted(self.public, key, before / "checkpoint", size=550)
            self.assertEqual(list(self.public.rglob("*.partial")), [], f"killed at {at}")

    @needs_checker
    def test_killed_at_random_moments(self):
        """Real syncs, real time: the writer is killed while it runs at full speed."""
        chance = random.Random(11)
        checkpoints, size = [], 0
        for number in range(12):
            process = subprocess.Popen([WRITER, "grow", str(self.log), "1000000", str(chance.choice([1, 100, 4096]))],
                                       stdout=subprocess.PIPE, text=True)
            self.assertTrue(process.stdout.readline().startswith("opened "))
            time.sleep(chance.uniform(0.0, 0.2))
            process.kill()
            output = process.stdout.read()
            process.wait()
            process.stdout.close()
            committed = promised(output, "committed")
            opened = int(self.writer("grow", self.log, 0, 1).split()[1])
            self.assertGreaterEqual(opened, max(size, committed))
            size = opened
            if (self.log / "checkpoint").exists() and int((self.log / "checkpoint").read_text().split("\n")[1]) > 0:
                checkpoints.append(self.folder / f"checkpoint.{number}")
                shutil.copy(self.log / "checkpoint", checkpoints[-1])
        self.writer("grow", self.log, 1, 1)
        self.assert_whole(self.log, size + 1)
        self.writer("publish", self.log, self.public)
        self.assert_accepted(self.public, self.vkey(), *checkpoints, size=size + 1)

    @needs_faults
    def test_syncs_before_each_promise(self):
        """Entries, state and its name for a batch; the signed one, its name and the published one for a checkpoint."""
        _, without = self.calls_of("grow", 0, 1)
        _, syncs = self.calls_of("grow", 70, 17)
        self.assertEqual(syncs - without, 5 * 6)

    @unittest.skipIf(os.geteuid() == 0, "root may write anywhere")
    def test_a_folder_that_may_not_be_written(self):
        self.writer("grow", self.log, 5, 5)
        self.log.chmod(0o500)
        self.addCleanup(self.log.chmod, 0o700)
        self.writer("grow", self.log, 5, 5, code=4)
        self.assertIn("needs to be allowed to write", self.errors)

    def test_two_writers(self):
        process = subprocess.Popen([WRITER, "grow", str(self.log), "100000000", "10"], stdout=subprocess.PIPE,
                                   text=True)
        self.assertTrue(process.stdout.readline().startswith("opened "))
        self.writer("grow", self.log, 5, 5, code=4)
        self.assertIn("in use by another run", self.errors)
        process.kill()
        process.stdout.close()
        process.wait()


if __name__ == "__main__":
    unittest.main(verbosity=2)
