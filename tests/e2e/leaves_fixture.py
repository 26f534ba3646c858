"""The leaves of a ledger folder, read without any code of ours; and the independent checker, where it is built.

The environment variable TLOG_VERIFY names the checker (tools/tlog_verify, built with Go), LEDGER_WRITER what publishes
a log for it (tests/ledger); tests of what it says skip without them.
"""
import base64
import collections
import json
import os
import pathlib
import re
import struct
import subprocess

TLOG_VERIFY, LEDGER_WRITER = os.environ.get("TLOG_VERIFY", ""), os.environ.get("LEDGER_WRITER", "")
KEY_ORDER = {
    "query": ["v", "k", "t", "id", "tn", "ak", "md", "ep", "in", "out", "cp", "ch", "kp", "dv", "ac", "pv", "rc"],
    "decision": ["v", "k", "t", "id", "ak", "sk", "rule", "level", "class", "campaign", "dry", "auto", "vh", "sw", "cf",
                 "cal", "in", "st", "pv"],
}


def log_folders(ledger, shard="s00"):
    def order(path):
        period = path.name[len(f"shard-{shard}-"):]
        return period[:7], int(period[8:] or 1)
    return sorted((path for path in (pathlib.Path(ledger) / "logs").glob(f"shard-{shard}-*") if path.is_dir()),
                  key=order)


def entries_of(folder):
    """Of one log, as its segment files have them: a length of two bytes, then the entry."""
    out = []
    for path in sorted(folder.glob("entries-*"), key=lambda path: int(re.search(r"\d+$", path.name)[0])):
        data, at = path.read_bytes(), 0
        while at < len(data):
            size = struct.unpack_from(">H", data, at)[0]
            out.append(data[at + 2:at + 2 + size])
            at += 2 + size
        assert at == len(data), path
    return out


def leaves_of(ledger, shard="s00"):
    """[(log, index, leaf)] of a ledger that nobody writes to."""
    out = []
    for folder in log_folders(ledger, shard):
        for index, entry in enumerate(entries_of(folder)):
            leaf = json.loads(entry)
            assert json.dumps(leaf, separators=(",", ":"), ensure_ascii=False).encode() == entry or b"." in entry, entry
            out.append((folder.name, index, leaf))
    return out


def of_kind(leaves, kind):
    return [leaf for _, _, leaf in leaves if leaf["k"] == kind]


def repeated(ids):
    return [one for one, count in collections.Counter(ids).items() if count > 1]


def letters(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def check_log(test, folder, published):
    """Publishes a log as static files, and has the independent checker look at every entry."""
    subprocess.run([LEDGER_WRITER, "publish", folder, published], check=True, capture_output=True)
    vkey = subprocess.run([LEDGER_WRITER, "vkey", folder], check=True, capture_output=True).stdout.decode().strip()
    done = subprocess.run([TLOG_VERIFY, published, vkey], capture_output=True, check=False)
    test.assertEqual(done.returncode, 0, (done.stdout + done.stderr).decode())
    return done.stdout.decode()
