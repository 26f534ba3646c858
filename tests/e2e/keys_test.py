#!/usr/bin/env python3
"""`stillwatch keys` and `stillwatch secret`: what they print and write, their exit codes, and no secret shown."""
import hashlib
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

from world_fixture import BINARY

KEY = "sk-live-0123456789abcdef"


class Command(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.folder = pathlib.Path(self.temporary.name)

    def run_it(self, *arguments, code=0, text=""):
        done = subprocess.run([BINARY, *arguments], cwd=self.folder, input=text, capture_output=True, text=True,
                              timeout=60, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done


class Keys(Command):
    def test_line_has_the_hash_and_never_the_key(self):
        done = self.run_it("keys", "add", "--key=key_19", "--account=acct_1", "--tier=free",
                           "--expires=2027-01-01T00:00:00Z", text=KEY + "\n")
        self.assertEqual(json.loads(done.stdout), {
            "v": 1, "key_sha256": hashlib.sha256(KEY.encode()).hexdigest(), "key": "key_19", "account": "acct_1",
            "tier": "free", "expires": "2027-01-01T00:00:00Z"})
        self.assertNotIn(KEY, done.stdout + done.stderr)

    def test_what_is_no_key_is_refused_and_not_repeated(self):
        for text in ("", "short-secret", "two words-0123456789", KEY + "\n" + KEY, "k" * 513):
            done = self.run_it("keys", "add", "--key=k", "--account=a", code=2, text=text)
            self.assertEqual(done.stdout, "")
            self.assertNotIn(text.split()[0][:12] if text else "no text", done.stderr)
        self.run_it("keys", "add", "--key=k", code=2, text=KEY)
        self.run_it("keys", "add", "--key=k", "--account=a", "--expires=soon", code=2, text=KEY)


class Secret(Command):
    def setUp(self):
        super().setUp()
        self.secret = self.folder / "secret"
        self.first = "a1" * 32
        self.secret.write_text(self.first + "\n")
        self.secret.chmod(0o600)

    def test_rotation_with_an_overlap(self):
        self.run_it("secret", "backup", "--secret=secret", "--to=backup")
        done = self.run_it("secret", "rotate", "--secret=secret")
        current, previous = self.secret.read_text().splitlines()
        self.assertNotEqual(current, self.first)
        self.assertEqual(previous.split()[:2], ["previous", self.first])
        for text in (current, self.first):
            self.assertNotIn(text, done.stdout + done.stderr)
        self.assertIn("previous secret", done.stdout)

        self.run_it("secret", "rotate", "--secret=secret", code=2)
        done = self.run_it("secret", "end-overlap", "--secret=secret")
        self.assertEqual(self.secret.read_text(), current + "\n")
        self.assertNotIn("previous secret", done.stdout)
        self.run_it("secret", "end-overlap", "--secret=secret", code=2)
        self.assertEqual((self.folder / "backup").read_text(), self.first + "\n")
        self.assertEqual(os.stat(self.secret).st_mode & 0o777, 0o600)

    def test_a_backup_replaces_nothing(self):
        (self.folder / "there").write_text("mine")
        self.run_it("secret", "backup", "--secret=secret", "--to=there", code=2)
        self.assertEqual((self.folder / "there").read_text(), "mine")
        self.run_it("secret", "backup", "--secret=none", "--to=new", code=4)
        self.assertFalse((self.folder / "new").exists())


if __name__ == "__main__":
    unittest.main()
