#!/usr/bin/env python3
"""Anchors and their manifests as somebody checks them who has the reference page and no code of ours, also after kills
and failures of the disk at every call."""
import base64
import datetime
import errno
import hashlib
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import time
import unittest

from ledger_fixture import FAULTS, LedgerTest, needs_checker, needs_faults

WRITER = os.environ["AUDIT_WRITER"]
ANCHOR, SHARD = "anchor-2026", "shard-s00-2026-11"


def entries(folder, size):
    """The entries of published static files."""
    found = []
    for number in range(0, size, 256):
        width = min(256, size - number)
        name = f"{number // 256:03}" + ("" if width == 256 else f".p/{width}")
        bundle = (folder / "tile" / "entries" / name).read_bytes()
        at = 0
        while at < len(bundle):
            length = struct.unpack_from(">H", bundle, at)[0]
            found.append(bundle[at + 2:at + 2 + length])
            at += 2 + length
    return found


def manifests(folder):
    """(index, salt, manifest) of each record, in order."""
    found = []
    for path in sorted(folder.glob("manifests-*")):
        data, at, text = path.read_bytes(), 0, b""
        while at + 4 <= len(data):
            length = struct.unpack_from(">I", data, at)[0]
            record = data[at + 4:at + 4 + length]
            if len(record) < length:
                break
            text = record[40:] or text
            found.append((struct.unpack(">Q", record[:8])[0], record[8:40], text))
            at += 4 + length
    return found


class Anchors(LedgerTest):
    def audit(self, *arguments, code=0, fault=None, at=0, kind="", count_file=""):
        environment = dict(os.environ)
        if fault:
            environment.update(LD_PRELOAD=FAULTS, LEDGER_FAULT_AT=str(at), LEDGER_FAULT=str(kind),
                               LEDGER_FAULT_COUNT=str(count_file))
        done = subprocess.run([WRITER, *map(str, arguments)], env=environment, capture_output=True, text=True,
                              timeout=120)
        self.errors, self.code = done.stderr, done.returncode
        if code is not None:
            self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout

    def published(self, ledger, log):
        """Static files of a log, its key, its size."""
        folder = self.folder / "public" / log
        shutil.rmtree(folder, ignore_errors=True)
        size = int(self.audit("publish", ledger, log, folder).split()[1])
        return folder, self.audit("vkey", ledger, log).strip(), size

    def check_chain(self, ledger):
        """Every anchor leaf opens to a manifest whose checkpoint the shard's log extends. Gives their number."""
        folder, vkey, size = self.published(ledger, ANCHOR)
        self.assert_accepted(folder, vkey, size=size)
        shard_folder, shard_vkey, _ = self.published(ledger, SHARD)
        records, notes = manifests(ledger / "manifests" / ANCHOR), []
        before = datetime.datetime(2000, 1, 1)
        for index, leaf in enumerate(entries(folder, size)):
            self.assertEqual(len(leaf), 160)
            self.assertEqual(leaf.rstrip(b" ") + b" " * (160 - len(leaf.rstrip(b" "))), leaf)
            told = json.loads(leaf)
            self.assertEqual(list(told), ["v", "t", "m", "p"])
            at = datetime.datetime.strptime(told["t"], "%Y-%m-%dT%H:%M:%SZ")
            self.assertGreaterEqual(at, before)
            before = at
            m = base64.urlsafe_b64decode(told["m"] + "=")
            self.assertEqual(base64.urlsafe_b64decode(told["p"] + "="), bytes(32))
            opened = [text for number, salt, text in records
                      if number == index and hashlib.sha256(b"aud1 anchor\0" + salt + text).digest() == m]
            self.assertEqual(len(opened), 1, f"anchor {index}")
            lines, _, rest = opened[0].partition(b"\n\n")
            self.assertEqual(len(lines.split(b"\n")), 1)
            origin, shard_size, root = lines.decode().split(" ")
            length, _, note = rest.partition(b"\n")
            self.assertEqual(length, b"note %d" % len(note))
            self.assertEqual(note.decode().split("\n")[:3], [origin, shard_size, root])
            if not notes or note != notes[-1].read_bytes():
                notes.append(self.folder / f"note-{index}")
                notes[-1].write_bytes(note)
        self.assert_accepted(shard_folder, shard_vkey, *notes)
        return size

    @needs_checker
    def test_manifests_open_and_their_checkpoints_are_of_one_growing_log(self):
        ledger = self.folder / "ledger"
        self.audit("anchor", ledger, 5, 100)
        self.audit("anchor", ledger, 3, 0)
        self.audit("anchor", ledger, 300, 1)
        self.assertEqual(self.check_chain(ledger), 308)

    @needs_checker
    def test_a_cosigned_proof_of_a_page_is_taken(self):
        ledger, proof = self.folder / "ledger", self.folder / "proof"
        self.audit("anchor", ledger, 300, 0)
        vkey = self.audit("vkey", ledger, ANCHOR).strip()
        for index in (0, 1, 255, 256, 299):
            self.assertEqual(self.audit("proof", ledger, index, proof), "status 200\n")
            self.assertIn("witness.example", proof.read_text(encoding="utf-8"))
            entry = self.folder / "proof.entry"
            self.assertEqual(self.checker("-proof", proof, entry, vkey)[0], 0)
            entry.write_bytes(entry.read_bytes().replace(b"1", b"2", 1))
            self.assertEqual(self.checker("-proof", proof, entry, vkey)[0], 1)

    @needs_faults
    @needs_checker
    def test_killed_at_every_call(self):
        counts = self.folder / "counts"
        self.audit("anchor", self.folder / "counted", 2, 3, fault=True, count_file=counts)
        calls = int(counts.read_text(encoding="utf-8").split()[0])
        self.assertGreater(calls, 60)
        for at in range(1, calls + 1, 3):
            ledger = self.folder / f"ledger-{at}"
            output = self.audit("anchor", ledger, 2, 3, fault=True, at=at, kind="kill", code=None)
            # Batches depend on time, so that a run may end before the call is reached.
            self.assertIn(self.code, (0, -signal.SIGKILL))
            promised = [int(line.split()[1]) for line in output.splitlines() if line.startswith("anchored ")]
            again = self.audit("anchor", ledger, 1, 1)
            opened = int(again.split()[1])
            self.assertGreaterEqual(opened, max(promised, default=0), f"killed at {at}")
            self.assertLessEqual(opened, max(promised, default=0) + 1)
            self.assertEqual(self.check_chain(ledger), opened + 1)
            shutil.rmtree(ledger)

    @needs_faults
    @needs_checker
    def test_each_call_fails_once(self):
        counts = self.folder / "counts"
        self.audit("anchor", self.folder / "counted", 2, 3, fault=True, count_file=counts)
        calls = int(counts.read_text(encoding="utf-8").split()[0])
        for kind, step in ((errno.EIO, 7), (errno.ENOSPC, 13), ("short", 11)):
            for at in range(1, calls + 1, step):
                ledger = self.folder / f"ledger-{kind}-{at}"
                output = self.audit("anchor", ledger, 2, 3, fault=True, at=at, kind=kind, code=None)
                self.assertIn(self.code, (0, 4), self.errors)
                promised = [int(line.split()[1]) for line in output.splitlines() if line.startswith("anchored ")]
                again = self.audit("anchor", ledger, 2, 1)
                self.assertEqual(again.count("anchored"), 2, self.errors)
                self.assertGreaterEqual(self.check_chain(ledger), max(promised, default=0) + 2)
                shutil.rmtree(ledger)

    @needs_checker
    def test_killed_at_random_moments(self):
        """Real syncs, real time."""
        ledger, chance, last = self.folder / "ledger", random.Random(5), 0
        for _ in range(8):
            process = subprocess.Popen([WRITER, "anchor", str(ledger), "100000", "20"], stdout=subprocess.PIPE,
                                       text=True)
            self.assertEqual(process.stdout.readline().split()[0], "opened")
            time.sleep(chance.random() * 0.5)
            process.kill()
            promised = [int(line.split()[1]) for line in process.stdout if line.startswith("anchored ")]
            process.stdout.close()
            process.wait()
            last = max([last, *promised])
            again = int(self.audit("anchor", ledger, 1, 0).split()[1])
            self.assertGreaterEqual(again, last)
            last = again + 1
        self.assertEqual(self.check_chain(ledger), last)

    @needs_faults
    def test_a_witness_killed_or_failing_at_any_call_never_signs_two_histories(self):
        state, counts = self.folder / "counted", self.folder / "counts"
        self.audit("witness", state, 0, 5)
        self.assertTrue(self.audit("witness", state, 5, 9, fault=True, count_file=counts).startswith("status 200"))
        calls = int(counts.read_text(encoding="utf-8").split()[0])
        self.assertGreater(calls, 5)
        for kind in ("kill", errno.EIO, errno.ENOSPC, "short"):
            for at in range(1, calls + 1):
                state = self.folder / f"witness-{kind}-{at}"
                self.assertTrue(self.audit("witness", state, 0, 5).startswith("status 200"))
                output = self.audit("witness", state, 5, 9, fault=True, at=at, kind=kind, code=None)
                given = output.startswith("status 200")
                # Another history of the same log, which agrees up to 5 entries.
                forked = self.audit("witness", state, 5, 9, 6)
                if forked.startswith("status 200"):
                    self.assertFalse(given, f"{kind} at {at}")
                else:
                    self.assertEqual(forked, "status 409\n9\n", f"{kind} at {at}")
                shutil.rmtree(state)


if __name__ == "__main__":
    unittest.main()
