#!/usr/bin/env python3
"""Bad input: each kind ends with the documented exit code, a message that names file, place and next step, and outputs
that are complete or absent."""
import gzip
import json
import os
import resource
import shutil
import subprocess

import world_fixture
from world_fixture import BINARY, VERDICTS, at, record, records_of


def good(count, start=0):
    return [record(n, at(n)) for n in range(start, start + count)]


class BadLines(world_fixture.FolderTest):
    """One bad line among many good ones: refused with its reason, and nothing else changes."""

    def outcome(self, *bad, name="bad", code=0):
        """300 good lines with `bad` behind line 150: (rejects, summary)."""
        lines = good(300)
        log = self.write_log(f"{name}.ndjson", *lines[:150], *bad, *lines[150:])
        self.replay(log, out=name, code=code)
        self.assert_complete(name)
        summary = json.loads((self.folder / name / "summary.json").read_text())
        return records_of(self.folder / name / "rejects.ndjson"), summary

    def assert_refused(self, reason, line, records=300, field=None):
        rejects, summary = self.outcome(line, name=reason)
        self.assertEqual([(reject["file"], reject["line"], reject["reason"]) for reject in rejects],
                         [(f"{reason}.ndjson", 151, reason)])
        if field is not None:
            self.assertEqual(rejects[0]["field"], field)
        self.assertEqual((summary["records"], summary["rejected"]), (records, 1))

    def test_not_json(self):
        self.assert_refused("not_json", b"this is not JSON\n")

    def test_cut(self):
        rejects, _ = self.outcome(json.dumps(record(999, at(150))).encode()[:-9] + b"\n", name="cut")
        self.assertEqual([(reject["line"], reject["reason"]) for reject in rejects], [(151, "not_json")])

    def test_two_objects_on_a_line(self):
        line = json.dumps(record(998, at(150))).encode()
        rejects, _ = self.outcome(line + line + b"\n", name="two")
        self.assertEqual([(reject["line"], reject["reason"]) for reject in rejects], [(151, "not_json")])

    def test_too_long(self):
        self.assert_refused("line_too_long", json.dumps(record(999, at(150), key="k" * (8 << 20))).encode() + b"\n")

    def test_not_utf8(self):
        line = json.dumps(record(999, at(150), key="KEY")).encode()
        self.assert_refused("not_utf8", line.replace(b"KEY", b"\xff\xfe") + b"\n")

    def test_too_deep(self):
        nested = b"[" * 500 + b"]" * 500
        line = json.dumps(record(999, at(150), request={"model": "m", "prompt": "p", "x": "DEEP"})).encode()
        self.assert_refused("too_deep", line.replace(b'"DEEP"', nested) + b"\n")

    def test_wrong_type(self):
        self.assert_refused("wrong_type", record(999, at(150), account=17), field="account")

    def test_missing_required_fields(self):
        for field in ("id", "time", "account", "dialect", "request", "v"):
            rejects, _ = self.outcome(record(999, at(150), **{field: None}), name=f"no-{field}")
            self.assertEqual([(reject["line"], reject["reason"]) for reject in rejects], [(151, "missing_field")],
                             field)

    def test_another_version(self):
        self.assert_refused("bad_version", record(999, at(150), v=2))

    def test_no_time(self):
        self.assert_refused("bad_time", record(999, "2026-02-30T00:00:00Z"))

    def test_far_out_of_order(self):
        self.assert_refused("too_late", record(999, "2026-02-27T00:00:00Z"))
        self.assert_refused("too_early", record(999, "2031-01-01T00:00:00Z"))

    def test_a_little_out_of_order_is_put_in_order(self):
        straight = good(300)
        self.write_log("straight.ndjson", *straight)
        self.write_log("shuffled.ndjson", *(straight[n ^ 7] for n in range(296)), *straight[296:])
        self.replay("straight.ndjson", out="straight")
        self.replay("shuffled.ndjson", out="shuffled")
        self.assert_same("straight", "shuffled", VERDICTS)
        self.assertEqual(records_of(self.folder / "shuffled/rejects.ndjson"), [])

    def test_duplicate_id(self):
        self.assert_refused("duplicate_id", record(7, at(150)))

    def test_unknown_dialect(self):
        self.assert_refused("unknown_dialect", record(999, at(150), dialect="grpc.chat"))

    def test_unknown_fields_are_ignored_and_counted(self):
        rejects, summary = self.outcome(record(999, at(150), colour="green"), name="unknown-field")
        self.assertEqual((rejects, summary["records"], summary["unknown_fields"]), ([], 301, 1))

    def test_names_that_need_escaping(self):
        name = 'a "quoted" \\ name.ndjson'
        self.write_log(name, *good(200), b"broken\n")
        self.replay(name, out="escaped")
        self.assertEqual(records_of(self.folder / "escaped/rejects.ndjson")[0]["file"], name)

    def test_more_than_one_in_a_hundred_fails_the_run_and_keeps_its_outputs(self):
        rejects, summary = self.outcome(*[b"broken\n"] * 3, name="three")  # 3 of 303
        self.assertEqual((len(rejects), summary["rejected"]), (3, 3))
        self.write_log("four.ndjson", *good(300), *[b"broken\n"] * 4)  # 4 of 304
        self.replay("four.ndjson", out="four", code=3,
                    says=["4 of 304", "intake.reject_share_max", "four/rejects.ndjson"])
        self.assert_complete("four")
        # The setting moves the border, and is no part of the verdicts.
        (self.folder / "lax.toml").write_text(world_fixture.SETTINGS + "[intake]\nreject_share_max = 0.5\n")
        self.replay("four.ndjson", out="lax", settings="lax.toml")
        self.assert_same("four", "lax", VERDICTS)

    def test_bad_account_records(self):
        self.write_log("log.ndjson", *good(50))
        self.write_log("accounts.ndjson", {"v": 1, "account": "a1", "time": at(0)}, b"broken\n",
                       {"v": 1, "account": "a2"})
        self.replay("log.ndjson", accounts="accounts.ndjson", out="bad-accounts", code=3,
                    says=["accounts.ndjson: 2 of 3", "rejects.ndjson"])
        rejects = records_of(self.folder / "bad-accounts/rejects.ndjson")
        self.assertEqual([(reject["file"], reject["line"], reject["reason"]) for reject in rejects],
                         [("accounts.ndjson", 2, "not_json"), ("accounts.ndjson", 3, "missing_field")])


class BadFiles(world_fixture.FolderTest):
    def packed(self, name, content):
        (self.folder / "unpacked").write_bytes(content)
        subprocess.run(["zstd", "-qf", "unpacked", "-o", name], cwd=self.folder, check=True)
        return (self.folder / name).read_bytes()

    def log_bytes(self, count=2000):
        return b"".join(json.dumps(line).encode() + b"\n" for line in good(count))

    def test_empty_file(self):
        self.write_log("empty.ndjson")
        self.replay("empty.ndjson", out="empty")
        self.assert_complete("empty")
        self.assertEqual((self.folder / "empty/verdicts.ndjson").read_bytes(), b"")
        self.assertEqual(json.loads((self.folder / "empty/summary.json").read_text())["records"], 0)
        self.replay("-", out="no-input", run={"input": b""})
        self.assert_complete("no-input")

    def test_truncated_archives(self):
        whole = self.packed("whole.zst", self.log_bytes())
        (self.folder / "cut.zst").write_bytes(whole[:len(whole) // 2])
        (self.folder / "cut.gz").write_bytes(gzip.compress(self.log_bytes())[:3000])
        flipped = bytearray(whole)
        flipped[len(flipped) // 2] ^= 0xFF
        (self.folder / "flipped.zst").write_bytes(flipped)
        for name in ("cut.zst", "cut.gz", "flipped.zst"):
            self.replay(name, out=f"out-{name}", code=3, says=[f"{name}: ", "at byte ", "after line ", "again"])
            self.assert_complete(f"out-{name}")

    def test_a_bomb(self):
        # Zeros have no newline: one line that unpacks to far more than any log does.
        bomb = subprocess.run("head -c 400000000 /dev/zero | zstd -q -19 --long=27", shell=True, capture_output=True,
                              check=True).stdout
        (self.folder / "bomb.zst").write_bytes(bomb)
        done = self.replay("bomb.zst", out="bomb", code=3, says=["bomb.zst: ", "at byte "],
                           run={"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))})
        self.assertIn(b"1,000", done.stderr.replace(b"1000", b"1,000"))
        self.assert_complete("bomb")

    def test_missing_and_unreadable_logs(self):
        for log in ("missing.ndjson", "."):
            self.replay(log, out="unread", code=4, says=[f"cannot read {log}"])
            self.assert_absent("unread")

    def test_unreadable_accounts(self):
        self.write_log("log.ndjson", *good(50))
        (self.folder / "folder").mkdir()
        self.packed("accounts.zst", b"".join(b'{"v":1,"account":"a%d","time":"2026-03-01T00:00:00Z"}\n' % n
                                             for n in range(5000)))
        whole = (self.folder / "accounts.zst").read_bytes()
        (self.folder / "accounts-cut.zst").write_bytes(whole[:len(whole) // 2])
        for name in ("missing-accounts.ndjson", "folder", "accounts-cut.zst"):
            self.replay("log.ndjson", accounts=name, out="no-accounts", code=4, says=[name])
            self.assert_absent("no-accounts")
        # Not account records at all: too much bad input, as for a log.
        self.write_log("garbage", *[b"\x00\xff garbage\n"] * 50)
        self.replay("log.ndjson", accounts="garbage", out="garbage-out", code=3,
                    says=["garbage: 50 of 50", "garbage-out/rejects.ndjson"])
        self.assert_complete("garbage-out")

    def test_a_log_that_changes_while_it_is_read(self):
        """The reader has opened it and waits for accounts from a pipe: what the log becomes now is noticed."""
        content = self.log_bytes()
        for change, code, words in (("grows", 0, "grew while it was read"), ("shrinks", 4, "shrank while it was read"),
                                    ("replaced", 0, "was replaced while it was read")):
            log, pipe = self.folder / f"{change}.ndjson", self.folder / f"{change}.pipe"
            log.write_bytes(content)
            os.mkfifo(pipe)
            process = subprocess.Popen([BINARY, *self.arguments(log.name, accounts=pipe.name, out=f"out-{change}",
                                                                threads=1)],
                                       cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            with open(pipe, "wb") as accounts:  # opens when the reader does, which has the log open by then
                if change == "grows":
                    with open(log, "ab") as more:
                        more.write(content)
                elif change == "shrinks":
                    os.truncate(log, len(content) // 2)
                else:
                    shutil.copy(log, self.folder / "other")
                    os.rename(self.folder / "other", log)
                accounts.write(b'{"v":1,"account":"a1","time":"2026-03-01T00:00:00Z"}\n')
            errors = process.communicate(timeout=30)[1].decode()
            self.assertEqual(process.returncode, code, errors)
            self.assertIn(f"{log.name} {words}", errors)
            self.assert_complete(f"out-{change}")


class BadPlaces(world_fixture.WorldTest):
    """Disks and folders."""

    def limited(self, size):
        return {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))}

    def test_full_disk_at_any_size(self):
        """A limit on file sizes acts as a disk that fills up: in the verdicts, in the report, in a snapshot."""
        sizes = {name: (self.folder / "expected" / name).stat().st_size for name in world_fixture.OUTPUTS}
        for size in (1, 1000, sizes["report.html"] - 1, sizes["verdicts.ndjson"] - 1, sizes["verdicts.ndjson"] // 2):
            self.replay("queries.ndjson", accounts="world/accounts.ndjson", out="full", code=4, run=self.limited(size),
                        says=["cannot write full/", ".partial", "File too large", "choose another folder"])
            self.assert_absent("full")

    def test_full_disk_with_state(self):
        done = self.replay("queries.ndjson", accounts="world/accounts.ndjson", out="full-state", state="state-full",
                           code=4, run=self.limited(30_000), says=["state-full/", "File too large"])
        self.assertNotIn(b"abort", done.stderr)
        self.assert_absent("full-state")
        # Space was made: the same command ends as if nothing had been.
        self.replay("queries.ndjson", accounts="world/accounts.ndjson", out="full-state", state="state-full")
        self.assert_same("expected", "full-state")
        self.assertEqual(self.names_in("state-full"), [])

    def test_a_failed_run_leaves_the_outputs_of_an_earlier_one(self):
        shutil.copytree(self.folder / "expected", self.folder / "earlier")
        self.replay("queries.ndjson", out="earlier", code=4, run=self.limited(5000))
        self.assert_same("expected", "earlier")
        self.assert_complete("earlier")

    def test_a_full_file_system(self):
        (self.folder / "disk").mkdir()
        script = ("mount -t tmpfs -o size=64k tmpfs disk || exit 99; "
                  '"$@"; code=$?; ls -A disk/out; exit $code')
        done = self.in_namespace(script, self.arguments("queries.ndjson", accounts="world/accounts.ndjson",
                                                        out="disk/out"))
        self.check(done, 4, ["cannot write disk/out/", "No space left", "free some space"])
        self.assertEqual(done.stdout, b"")

    def test_a_read_only_file_system(self):
        (self.folder / "fixed").mkdir()
        script = 'mount -t tmpfs -o size=100k,ro tmpfs fixed || exit 99; "$@"; code=$?; ls -A fixed; exit $code'
        for flags in ({"out": "fixed/out"}, {"out": "fixed"}, {"out": "writable", "state": "fixed/state"}):
            done = self.in_namespace(script, self.arguments("queries.ndjson", **flags))
            self.check(done, 4, ["fixed", "Read-only file system", "may write to"])
            self.assertEqual(done.stdout, b"")

    def in_namespace(self, script, arguments):
        done = subprocess.run(["unshare", "--mount", "--map-root-user", "sh", "-c", script, "sh", BINARY, *arguments],
                              cwd=self.folder, capture_output=True, timeout=60, check=False)
        if done.returncode == 99 or b"unshare" in done.stderr:
            self.skipTest(f"no mounts in a namespace here: {done.stderr.decode().strip()}")
        return done

    def test_folders_that_cannot_be(self):
        (self.folder / "file").write_text("")
        for flags in ({"out": "file"}, {"out": "file/below"}, {"out": "unmade", "state": "file"},
                      {"out": "unmade", "state": "file/below"}):
            self.replay("queries.ndjson", code=4, says=["file"], **flags)
            self.assert_absent("unmade")
        (self.folder / "taken/report.html").mkdir(parents=True)
        self.replay("queries.ndjson", out="taken", code=4, says=["taken/report.html", "remove it"])
        self.assertEqual(self.names_in("taken"), ["report.html"])

    def test_bad_secrets(self):
        (self.folder / "short").write_text("abc\n")
        (self.folder / "open").write_text((self.folder / "secret").read_text())
        os.chmod(self.folder / "short", 0o600)
        os.chmod(self.folder / "open", 0o644)
        for name in ("short", "open"):
            self.run_program("replay", "queries.ndjson", "--out=no-secret", f"--secret={name}", code=4, says=[name])
            self.assert_absent("no-secret")
        self.assertEqual((self.folder / "secret").stat().st_mode & 0o777, 0o600)

    def test_nobody_reads_standard_output(self):
        reader, writer = os.pipe()
        os.close(reader)
        self.replay("queries.ndjson", accounts="world/accounts.ndjson", out="expected-2", code=4,
                    says=["standard output", "complete"], run={"capture_output": False, "stdout": writer,
                                                               "stderr": subprocess.PIPE})
        os.close(writer)
        self.assert_complete("expected-2")
        with open("/dev/full", "wb") as full:
            for arguments in (["evaluate", "--truth=world", "--verdicts=expected/verdicts.ndjson"],
                              ["explain", "--out=expected", "c-000001"]):
                self.run_program(*arguments, code=4, says=["standard output"],
                                 capture_output=False, stdout=full, stderr=subprocess.PIPE)


if __name__ == "__main__":
    world_fixture.main()
