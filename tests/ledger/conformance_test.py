#!/usr/bin/env python3
"""Logs of ours are accepted, and tampered ones refused, by golang.org/x/mod and by openssl."""
import base64
import shutil
import subprocess
import unittest

from ledger_fixture import LedgerTest, needs_checker


def read_bundle(path):
    """The entries of a bundle."""
    raw, entries = path.read_bytes(), []
    while raw:
        length = int.from_bytes(raw[:2], "big")
        entries.append(raw[2:2 + length])
        raw = raw[2 + length:]
    return entries


def write_bundle(path, entries):
    path.write_bytes(b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries))


@needs_checker
class Logs(LedgerTest):
    def test_every_size_up_to_600(self):
        self.writer("sizes", self.log, self.public, 0, 600)
        folders = sorted(self.public.iterdir())
        self.assertEqual(len(folders), 601)
        code, line = self.checker("-growing", self.vkey(), *folders)
        self.assertEqual(code, 0, line)
        # Every 7th entry and the last at each size, and each size with the one before; nothing is proven about size 0.
        proofs = sum(len({i for i in range(size) if i % 7 == size % 7} | {size - 1}) for size in range(1, 601))
        self.assertEqual(line, f"ok logs=601 inclusion={proofs} consistency=599")

    def test_large_sizes(self):
        kept = self.make_log(1, 256, 65_535)
        for size in (65_535, 65_536, 65_537, 70_000):
            self.writer("grow", self.log, max(0, size - 65_535 - self.grown), 1_000)
            self.grown = size - 65_535
            self.writer("publish", self.log, self.public)
            self.assert_accepted(self.public, self.vkey(), *kept, size=size)
            kept.append(self.folder / f"checkpoint.{size}")
            shutil.copy(self.log / "checkpoint", kept[-1])
    grown = 0

    def test_single_proofs(self):
        self.make_log(700)
        vkey, proof = self.vkey(), self.folder / "p.tlog-proof"
        entry = self.folder / "p.tlog-proof.entry"
        for index in (0, 1, 255, 256, 511, 512, 698, 699):
            self.writer("proof", self.log, index, proof)
            self.assertEqual(self.checker("-proof", proof, entry, vkey)[0], 0)
        good = proof.read_text(encoding="utf-8")
        head, checkpoint = good.split("\n\n", 1)
        lines = head.split("\n")
        hashes = [line for line in lines if len(line) == 44]
        self.assertGreater(len(hashes), 5)
        wrong = [good.replace("index 699", "index 698"), good.replace("index 699", "index 700"),
                 good.replace(hashes[0] + "\n", "", 1), good.replace(hashes[0], hashes[0] + "\n" + hashes[0], 1),
                 "\n".join(lines[:-1]) + "\n\n" + checkpoint, good.replace("\n700\n", "\n701\n"),
                 good.replace("@v1", "@v2"), head + "\n"]
        for hash_text in hashes:
            raw = bytearray(base64.b64decode(hash_text))
            raw[7] ^= 1
            wrong.append(good.replace(hash_text, base64.b64encode(bytes(raw)).decode()))
        for text in wrong:
            self.assertNotEqual(text, good)
            proof.write_text(text, encoding="utf-8")
            self.assertEqual(self.checker("-proof", proof, entry, vkey)[0], 1, text)
        proof.write_text(good, encoding="utf-8")
        self.assertEqual(self.checker("-proof", proof, entry, vkey)[0], 0)
        entry.write_bytes(entry.read_bytes() + b" ")
        self.assertEqual(self.checker("-proof", proof, entry, vkey)[0], 1)

    def test_what_retention_leaves_of_a_log_still_verifies(self):
        ledger, proof = self.folder / "ledger", self.folder / "p.tlog-proof"
        self.writer("months", ledger, 3)
        logs = sorted((ledger / "logs").glob("shard-*"))
        log, public = logs[1], self.folder / "public"
        self.writer("publish", log, public)
        vkey, kept = self.vkey(log), self.folder / "kept"
        shutil.copy(public / "checkpoint", kept)
        self.writer("proof", log, 1, proof)
        pruned = dict(line.split()[1:] for line in self.writer("prune", ledger).splitlines())
        self.assertEqual(len(pruned), len(logs) - 1, "all but the one that is written to")
        minimum = next(size for origin, size in pruned.items() if log.name.endswith(origin[-7:]))
        self.writer("publish", log, public)
        self.assertFalse([path for path in public.rglob("tile/entries/**/*") if path.is_file()])
        # The checker that is not ours: the tree from its hashes, the old checkpoint, and a proof of before.
        code, line = self.checker("-pruned", minimum, public, vkey, kept)
        self.assertEqual(code, 0, line)
        self.assertIn(f"ok size={minimum} inclusion={minimum} consistency=1", line)
        self.assertEqual(self.checker("-proof", proof, self.folder / "p.tlog-proof.entry", vkey)[0], 0)
        self.assertEqual(self.checker(public, vkey)[0], 1, "unless it is told so, entries must be there")
        self.writer("fsck", log)
        # A hash that is changed is found without its entry.
        tile = next(path for path in public.rglob("tile/0/**/*") if path.is_file())
        tile.write_bytes(bytes([tile.read_bytes()[0] ^ 1]) + tile.read_bytes()[1:])
        self.assertEqual(self.checker("-pruned", minimum, public, vkey)[0], 1)
        # The shard goes on.
        self.writer("months", ledger, 1)

    def test_after_a_crash_free_life_of_months(self):
        self.writer("months", self.folder / "ledger", 3)
        for log in sorted((self.folder / "ledger" / "logs").glob("shard-*")):
            public = self.folder / ("public-" + log.name)
            self.writer("publish", log, public)
            self.assert_accepted(public, self.vkey(log))


@needs_checker
class TamperedLogs(LedgerTest):
    """Each kind of change to a published log is refused, by the checker and by our own verifier alike."""

    def setUp(self):
        super().setUp()
        self.old = self.make_log(300, 600)
        self.key = self.vkey()

    def assert_refused(self, what, change, *old):
        folder = self.folder / "changed"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.public, folder)
        change(folder)
        code, line = self.checker(folder, self.key, *old)
        self.assertEqual(code, 1, f"{what}: {line}")
        if not old:
            self.writer("verify", folder, self.key, code=None)
            self.assertNotEqual(self.code, 0, f"our own verifier accepts: {what}")

    def test_the_good_one_is_accepted(self):
        self.assert_accepted(self.public, self.key, *self.old, size=600)
        self.writer("verify", self.public, self.key)

    def test_entries(self):
        def bundle(change):
            def apply(folder):
                path = folder / "tile/entries/001"
                entries = read_bundle(path)
                change(entries)
                write_bundle(path, entries)
            return apply

        def flip(entries):
            entries[7] = entries[7][:-1] + bytes([entries[7][-1] ^ 1])

        def swap(entries):
            entries[3], entries[4] = entries[4], entries[3]
        self.assert_refused("a flipped bit", bundle(flip))
        self.assert_refused("two entries exchanged", bundle(swap))
        self.assert_refused("an entry left out", bundle(lambda entries: entries.pop(9)))
        self.assert_refused("an entry put in", bundle(lambda entries: entries.insert(9, b"{}")))
        self.assert_refused("an entry behind the last", bundle(lambda entries: entries.append(b"{}")))
        self.assert_refused("a bundle cut", lambda folder: (folder / "tile/entries/001").write_bytes(
            (self.public / "tile/entries/001").read_bytes()[:-1]))
        self.assert_refused("a bundle missing", lambda folder: (folder / "tile/entries/000").unlink())
        self.assert_refused("a partial bundle missing",
                            lambda folder: shutil.rmtree(folder / "tile/entries/002.p"))

    def test_tiles(self):
        for tile in ("tile/0/000", "tile/0/002.p/88", "tile/1/000.p/2"):
            def flip(folder, tile=tile):
                raw = bytearray((folder / tile).read_bytes())
                raw[33] ^= 4
                (folder / tile).write_bytes(bytes(raw))
            self.assert_refused(f"a flipped bit in {tile}", flip)
            self.assert_refused(f"{tile} cut", lambda folder, tile=tile: (folder / tile).write_bytes(
                (folder / tile).read_bytes()[:-32]))
            self.assert_refused(f"{tile} missing", lambda folder, tile=tile: (folder / tile).unlink())

    def test_a_rewritten_entry_with_all_its_hashes(self):
        """Everything made to match but the signature, which needs the key."""
        other = self.folder / "other"
        self.writer("grow", other, 601, 601)   # another history: one more entry
        self.writer("publish", other, self.folder / "rewritten")

        def replace(folder):
            shutil.rmtree(folder)
            shutil.copytree(self.folder / "rewritten", folder)
            (folder / "checkpoint").write_bytes((self.public / "checkpoint").read_bytes())
            lines = (folder / "checkpoint").read_text(encoding="utf-8").split("\n")
            rewritten = (self.folder / "rewritten/checkpoint").read_text(encoding="utf-8").split("\n")
            (folder / "checkpoint").write_text("\n".join(rewritten[:3] + lines[3:]), encoding="utf-8")
        self.assert_refused("another history under the old signature", replace)

    def test_checkpoints(self):
        def line(number, text):
            def apply(folder):
                lines = (folder / "checkpoint").read_text(encoding="utf-8").split("\n")
                self.assertNotEqual(lines[number], text)
                lines[number] = text
                (folder / "checkpoint").write_text("\n".join(lines), encoding="utf-8")
            return apply
        note = (self.public / "checkpoint").read_text(encoding="utf-8").split("\n")
        self.assert_refused("another origin", line(0, "audit.example/audit/s01/2026-11"))
        self.assert_refused("a smaller size", line(1, "599"))
        self.assert_refused("a larger size", line(1, "601"))
        self.assert_refused("another root", line(2, base64.b64encode(bytes(32)).decode()))
        self.assert_refused("no signature", line(4, ""))
        self.assert_refused("a changed signature", line(4, note[4][:-9] + ("A" if note[4][-9] != "A" else "B")
                                                        + note[4][-8:]))
        self.assert_refused("no checkpoint", lambda folder: (folder / "checkpoint").unlink())

    def test_a_checkpoint_of_another_history(self):
        fork = self.folder / "fork"
        self.writer("sizes", fork, self.folder / "fork-sizes", 299, 299)
        self.writer("months", self.folder / "unrelated", 1)
        shutil.copy(fork / "checkpoint", self.folder / "kept")
        self.assert_accepted(self.public, self.key, self.folder / "kept")   # the same entries: no fork
        text = self.old[0].read_text(encoding="utf-8").replace("\n300\n", "\n298\n")
        (self.folder / "kept").write_text(text, encoding="utf-8")
        self.assert_refused("a checkpoint whose size was changed", lambda folder: None, self.folder / "kept")


class Signatures(LedgerTest):
    @unittest.skipUnless(shutil.which("openssl"), "openssl is not there")
    def test_openssl_accepts_the_signature_of_a_checkpoint(self):
        self.make_log(5)
        note = (self.public / "checkpoint").read_bytes()
        text, _, lines = note.rpartition(b"\n\n")
        signature = base64.b64decode(lines.split(b" ")[2])[4:]
        public_key = base64.b64decode(self.vkey().rsplit("+", 1)[-1] if self.vkey().count("+") == 2
                                      else self.vkey().split("+", 2)[2])[1:]
        self.assertEqual((len(signature), len(public_key)), (64, 32))
        # SubjectPublicKeyInfo of Ed25519 (RFC 8410): a fixed head and the key.
        der = bytes.fromhex("302a300506032b6570032100") + public_key
        for name, content in (("key.der", der), ("text", text + b"\n"), ("signature", signature)):
            (self.folder / name).write_bytes(content)

        def verify():
            return subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key.der",
                                   "-rawin", "-in", "text", "-sigfile", "signature"], cwd=self.folder,
                                  capture_output=True, text=True)
        done = verify()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("Verified Successfully", done.stdout)
        (self.folder / "text").write_bytes(text.replace(b"\n5\n", b"\n6\n") + b"\n")
        self.assertNotEqual(verify().returncode, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
