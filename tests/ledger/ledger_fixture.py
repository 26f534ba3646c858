"""Folders, the writer of test logs, and the checker that is not ours, for the tests of this folder."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

WRITER = os.environ["LEDGER_WRITER"]
CHECKER = os.environ.get("TLOG_VERIFY", "")
FAULTS = os.environ.get("LEDGER_DISK_FAULTS", "")

needs_checker = unittest.skipUnless(CHECKER and os.path.exists(CHECKER), "Go is not there: tools/setup.sh conformance")
needs_faults = unittest.skipUnless(FAULTS, "sanitizers want to be loaded first themselves")


class LedgerTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="stillwatch-ledger-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.log = self.folder / "log"
        self.public = self.folder / "public"

    def writer(self, *arguments, code=0, fault=None, at=0, kind="", count_file=""):
        """Standard output of the writer. With `fault` the calls are counted, and syncs are not done."""
        environment = dict(os.environ)
        if fault or FAULTS:
            environment.update(LD_PRELOAD=FAULTS, LEDGER_FAULT_AT=str(at), LEDGER_FAULT=str(kind),
                               LEDGER_FAULT_COUNT=str(count_file))
        done = subprocess.run([WRITER, *map(str, arguments)], env=environment, capture_output=True, text=True,
                              timeout=120)
        self.errors = done.stderr
        if code is not None:
            self.assertEqual(done.returncode, code, f"{arguments} {kind} at {at}\n{done.stdout}{done.stderr}")
        self.code = done.returncode
        return done.stdout

    def make_log(self, *sizes, batch=4096):
        """A log that grew to these sizes; the checkpoints of all but the last are kept."""
        kept, before = [], 0
        for size in sizes:
            self.writer("grow", self.log, size - before, batch)
            before = size
            kept.append(self.folder / f"checkpoint.{size}")
            shutil.copy(self.log / "checkpoint", kept[-1])
        self.writer("publish", self.log, self.public)
        return kept[:-1]

    def vkey(self, log=None):
        return self.writer("vkey", log or self.log).strip()

    def checker(self, *arguments):
        """(exit code, its one line)."""
        done = subprocess.run([CHECKER, *map(str, arguments)], capture_output=True, text=True, timeout=300)
        return done.returncode, done.stdout.strip() + done.stderr.strip()

    def assert_accepted(self, folder, vkey, *old, size=None):
        code, line = self.checker(folder, vkey, *old)
        self.assertEqual(code, 0, line)
        if size is not None:
            self.assertIn(f"ok size={size} ", line)
        self.assertIn(f"consistency={len(old)}", line)
