"""A replay of a small world that writes an audit log, for the tests of `stillwatch ledger`.

Every class has the log and the ledger of one replay, in `ledger/`, with its outputs in `found/`; tests that change a
ledger take a copy. What is checked by others' programs is checked by openssl, and by the Go checker where Go is.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess

import world_fixture
from world_fixture import records_of

GO_PACKAGES = "/usr/share/gocode/src/golang.org/x/mod/sumdb/note"


def has_checker():
    return shutil.which("go") is not None and os.path.isdir(GO_PACKAGES)


def commands_of(document):
    """The ```sh blocks of a VERIFY.md as one script."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", document.read_text(), re.MULTILINE | re.DOTALL)
    return "".join(blocks)


def run_verify(bundle, path, script=None):
    """Runs VERIFY.md with an empty environment, and without stillwatch."""
    path.write_text(commands_of(bundle / "VERIFY.md") if script is None else script)
    return subprocess.run(["env", "-i", "PATH=/usr/bin:/bin", "sh", str(path)], cwd=bundle, capture_output=True,
                          timeout=120, check=False)


class LedgerTest(world_fixture.WorldTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        test = cls()
        test.replay("queries.ndjson", accounts="world/accounts.ndjson", out="found", more=["--ledger=ledger"])
        verdicts = records_of(cls.folder / "found" / "verdicts.ndjson")
        found = [verdict["subject"]["id"] for verdict in verdicts
                 if verdict["subject"]["kind"] == "campaign" and verdict["level"] != "clear"]
        assert found, "the world's campaign was not found"
        cls.case = found[0]
        cls.members = [member["account"] for member in records_of(cls.folder / "found" / "members.ndjson")
                       if member["campaign"] == cls.case]

    def ledger(self, command, *arguments, ledger="ledger", **options):
        return self.run_program("ledger", *command.split(), *arguments, f"--ledger={ledger}", **options)

    def ledger_json(self, command, *arguments, **options):
        return json.loads(self.ledger(command, *arguments, "--json", **options).stdout)

    def verify(self, ledger="ledger", more=(), code=0):
        return json.loads(self.run_program("ledger", "verify", ledger, *more, "--json", code=code).stdout)

    def copy_of_ledger(self, name):
        """A ledger of its own, with the files that an erasure rewrites."""
        for what in ("ledger", "found"):
            shutil.copytree(self.folder / what, self.folder / f"{name}-{what}")
        shutil.copy(self.folder / "queries.ndjson", self.folder / f"{name}-queries.ndjson")
        shutil.copy(self.folder / "world/accounts.ndjson", self.folder / f"{name}-accounts.ndjson")
        return f"{name}-ledger"

    def entries(self, ledger="ledger", shard="shard-s00"):
        """All leaves of a shard's logs, with the log's folder name and the index, read as an outsider would."""
        out = []
        for folder in sorted((self.folder / ledger / "logs").glob(f"{shard}-*")):
            published = self.folder / f"published-{ledger}-{folder.name}"
            self.ledger("publish", f"--log={folder.name}", f"--out={published}", ledger=ledger)
            widest = {}
            for path in (path for path in published.rglob("tile/entries/**/*") if path.is_file()):
                number, _, width = path.as_posix().split("tile/entries/")[1].partition(".p/")
                number = int(number.replace("/", "").replace("x", ""))
                widest[number] = max(widest.get(number, (0, None)), (int(width or 256), path))
            for number, (_, path) in sorted(widest.items()):
                bundle, index = path.read_bytes(), number * 256
                while bundle:
                    length = int.from_bytes(bundle[:2], "big")
                    out.append((folder.name, index, json.loads(bundle[2:2 + length])))
                    bundle, index = bundle[2 + length:], index + 1
        return out

    def decisions(self, **options):
        return [leaf for _, _, leaf in self.entries(**options) if leaf["k"] == "decision"]

    def export(self, out, *more, ledger="ledger", findings="found", code=0, says=()):
        return self.ledger("export", f"--case={self.case}", f"--findings={findings}", "--reason=matter 7",
                           "--who=J. Doe", f"--out={out}", *more, ledger=ledger, code=code, says=says)

    def run_verify(self, bundle, script=None):
        return run_verify(pathlib.Path(bundle), self.folder / "verify.sh", script)
