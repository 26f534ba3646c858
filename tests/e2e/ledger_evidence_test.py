#!/usr/bin/env python3
"""Evidence bundles: others verify them with their own programs, and see whatever is changed."""
import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
import unittest

import ledger_fixture
import world_fixture


class Bundle(ledger_fixture.LedgerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        test = cls()
        test.export("bundle", "--requests-max=40")
        cls.bundle = cls.folder / "bundle"

    def copy(self, name):
        return shutil.copytree(self.bundle, self.folder / name)

    def assert_rejected(self, bundle, script=None):
        done = self.run_verify(bundle, script)
        self.assertNotEqual(done.returncode, 0, done.stdout.decode() + done.stderr.decode())

    def test_manifest_names_every_file_and_the_log_names_the_manifest(self):
        manifest = json.loads((self.bundle / "manifest.json").read_text())
        files = {str(path.relative_to(self.bundle)) for path in self.bundle.rglob("*") if path.is_file()}
        named = {entry["path"] for entry in manifest["files"]}
        self.assertEqual(files - named, {"manifest.json", "export/entry.bin", "export/entry.tlog-proof"})
        for entry in manifest["files"]:
            content = (self.bundle / entry["path"]).read_bytes()
            self.assertEqual((len(content), hashlib.sha256(content).hexdigest()), (entry["bytes"], entry["sha256"]))
        digest = hashlib.sha256((self.bundle / "manifest.json").read_bytes()).digest()
        leaf = json.loads((self.bundle / "export/entry.bin").read_text())
        self.assertEqual(leaf["h"], base64.urlsafe_b64encode(digest).decode().rstrip("="))
        self.assertEqual((leaf["case"], leaf["by"]), (self.case, "J. Doe"))

    def test_has_all_decisions_of_the_case_and_no_other_account(self):
        wanted = [leaf["id"] for leaf in self.decisions() if leaf["campaign"] == self.case]
        found, names = [], set()
        for path in self.bundle.glob("entries/shard-*/*.bin"):
            leaf = json.loads(path.read_text())
            if leaf["k"] == "decision":
                found.append(leaf["id"])
            if leaf["k"] == "query":
                names.add(leaf["ak"])
        self.assertEqual(sorted(found), sorted(wanted))
        known = {line["ak"]: line["account"] for line in
                 world_fixture.records_of(self.bundle / "case/accounts.ndjson")}
        self.assertTrue(names)
        self.assertLessEqual(names, set(known))
        judged = {verdict["subject"].get("account", verdict["subject"]["id"])
                  for verdict in world_fixture.records_of(self.folder / "found/verdicts.ndjson")
                  if verdict.get("campaign") == self.case}
        self.assertLessEqual(set(known.values()), set(self.members) | judged)
        self.assertEqual(sum(1 for _ in self.bundle.glob("entries/shard-*/*.bin")),
                         sum(1 for _ in self.bundle.glob("proofs/shard-*/*.tlog-proof")))

    def test_page_stands_alone_and_shows_plots(self):
        page = (self.bundle / "case.html").read_text()
        for part in ("<svg", self.case, "Traffic over time", "What is missing"):
            self.assertIn(part, page)
        for part in ("http://", "https://", "<script"):
            self.assertNotIn(part, page)

    @unittest.skipUnless(ledger_fixture.has_checker(), "Go and golang.org/x/mod are not installed")
    def test_every_command_of_verify_passes_without_stillwatch(self):
        script = ledger_fixture.commands_of(self.bundle / "VERIFY.md")
        self.assertNotIn("stillwatch", script)
        done = self.run_verify(self.bundle)
        self.assertEqual(done.returncode, 0, done.stdout.decode() + done.stderr.decode())
        self.assertIn("everything holds", done.stdout.decode())

    @unittest.skipUnless(ledger_fixture.has_checker(), "Go and golang.org/x/mod are not installed")
    def test_any_changed_missing_or_added_file_is_seen(self):
        # The commands as they were: whoever changes them has VERIFY.md from somewhere else.
        script = ledger_fixture.commands_of(self.bundle / "VERIFY.md")
        kinds = {}
        for path in sorted(self.bundle.rglob("*")):
            if path.is_file():
                relative = path.relative_to(self.bundle)
                kinds.setdefault((relative.parts[0], path.suffix), relative)
        for number, relative in enumerate(kinds.values()):
            with self.subTest(file=str(relative)):
                changed = self.copy(f"changed-{number}")
                content = bytearray((changed / relative).read_bytes())
                content[len(content) // 2] ^= 1
                (changed / relative).write_bytes(content)
                self.assert_rejected(changed, script)
                shutil.rmtree(changed)
        missing = self.copy("missing")
        next(missing.glob("entries/shard-*/*.bin")).unlink()
        self.assert_rejected(missing, script)
        added = self.copy("added")
        (added / "case" / "note.txt").write_text("of no one\n")
        self.assert_rejected(added, script)

    @unittest.skipUnless(ledger_fixture.has_checker(), "Go and golang.org/x/mod are not installed")
    def test_an_entry_changed_together_with_the_manifest_is_seen(self):
        script = ledger_fixture.commands_of(self.bundle / "VERIFY.md")
        forged = self.copy("forged")
        path = next(path for path in sorted(forged.glob("entries/shard-*/*.bin"))
                    if b'"k":"query"' in path.read_bytes())
        before = path.read_bytes()
        after = before.replace(b'"ac":"', b'"ac":"x', 1)[:len(before)]
        path.write_bytes(after)
        manifest = (forged / "manifest.json").read_bytes()
        manifest = manifest.replace(hashlib.sha256(before).hexdigest().encode(),
                                    hashlib.sha256(after).hexdigest().encode())
        (forged / "manifest.json").write_bytes(manifest)
        self.assert_rejected(forged, script)
        # Even with its proof left out of the game, the log's own record of the bundle speaks.
        digest = base64.urlsafe_b64encode(hashlib.sha256(manifest).digest()).decode().rstrip("=").encode()
        leaf = json.loads((forged / "export/entry.bin").read_text())
        content = (forged / "export/entry.bin").read_bytes().replace(leaf["h"].encode(), digest)
        (forged / "export/entry.bin").write_bytes(content)
        self.assert_rejected(forged, script)

    def test_tar_has_the_same_and_plain_tar_reads_it(self):
        self.export("out.tar", "--requests-max=5")
        with tarfile.open(self.folder / "out.tar", "r:") as archive:
            names = archive.getnames()
            self.assertTrue(all(name.startswith("out/") for name in names))
            self.assertTrue(all(member.isreg() and member.uid == 0 for member in archive.getmembers()))
        done = subprocess.run(["tar", "-tf", "out.tar"], cwd=self.folder, capture_output=True, check=True)
        self.assertEqual(done.stdout.decode().split(), names)

    def test_says_what_it_cannot_do(self):
        self.export("bundle", code=2, says=["exists already"])
        self.ledger("export", "--case=c-999999", "--findings=found", "--reason=x", "--out=none", code=2,
                    says=["no campaign c-999999"])
        self.assertFalse((self.folder / "none").exists())
        self.export("none", "--open=5kx0q0m2b9GZ1rXvYt3uQA", code=2, says=["no vault"])


if __name__ == "__main__":
    world_fixture.main()
