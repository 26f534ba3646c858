#!/usr/bin/env python3
"""Sigstore's verifier accepts our checkpoints and inclusion proofs, and refuses tampered ones."""
import base64
import pathlib
import shutil
import subprocess
import unittest

from ledger_fixture import LedgerTest

HERE = pathlib.Path(__file__).resolve().parent / "sigstore"
INSTALLED = shutil.which("node") and (HERE / "node_modules" / "@sigstore" / "verify").is_dir()


@unittest.skipUnless(INSTALLED, "Sigstore's verifier is not installed: tools/setup_npm.sh tests/ledger/sigstore")
class Sigstore(LedgerTest):
    def setUp(self):
        super().setUp()
        self.make_log(700)
        self.key = self.vkey()
        self.proof = self.folder / "p.tlog-proof"
        self.entry = self.folder / "p.tlog-proof.entry"

    def check(self):
        done = subprocess.run(["node", str(HERE / "check.mjs"), str(self.proof), str(self.entry), self.key],
                              capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr

    def test_accepts_entries_anywhere(self):
        for index in (0, 255, 256, 511, 512, 699):
            self.writer("proof", self.log, index, self.proof)
            code, line = self.check()
            self.assertEqual((code, line), (0, f"ok index={index} size=700\n"))

    def test_refuses_what_was_tampered_with(self):
        self.writer("proof", self.log, 600, self.proof)
        good = self.proof.read_text(encoding="utf-8")
        lines = good.split("\n")
        flipped = bytearray(base64.b64decode(lines[3]))
        flipped[0] ^= 1
        signature = lines[-2]
        changes = {
            "another index": good.replace("index 600", "index 601"),
            "another hash": good.replace(lines[3], base64.b64encode(bytes(flipped)).decode()),
            "a hash left out": good.replace(lines[3] + "\n", ""),
            "another size": good.replace("\n700\n", "\n699\n"),
            "another signature": good.replace(signature, signature[:-8] + "AAAA" + signature[-4:]),
            "another origin": good.replace("audit.example/audit/s00/2026-11\n", "audit.example/audit/s01/2026-11\n"),
        }
        for what, text in changes.items():
            self.assertNotEqual(text, good, what)
            self.proof.write_text(text, encoding="utf-8")
            code, line = self.check()
            self.assertEqual(code, 1, f"{what}: {line}")
        self.proof.write_text(good, encoding="utf-8")
        self.entry.write_bytes(self.entry.read_bytes()[:-1])
        self.assertEqual(self.check()[0], 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
