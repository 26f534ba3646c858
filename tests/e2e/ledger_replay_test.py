#!/usr/bin/env python3
"""`replay --ledger`: a leaf for each record and verdict, the same for any number of threads and after any stop; nothing
readable in it; and the logs hold against the checker that is not ours."""
import random
import shutil
import signal
import subprocess
import time
import unittest

import leaves_fixture
import world_fixture
from leaves_fixture import KEY_ORDER, leaves_of, of_kind, repeated
from world_fixture import BINARY, OUTPUTS, lines_of, records_of

LOG, ACCOUNTS = "queries.ndjson", "world/accounts.ndjson"


class LedgerReplay(world_fixture.WorldTest):
    def with_ledger(self, ledger, out, log=LOG, **options):
        return self.replay(log, accounts=ACCOUNTS, out=out, more=[f"--ledger={ledger}"], **options)

    def give_keys(self, ledger, source):
        """What the bytes of leaves depend on beside the input."""
        shutil.copytree(self.folder / source / "keys/tenants", self.folder / ledger / "keys/tenants")
        shutil.copy(self.folder / source / "keys/master", self.folder / ledger / "keys/master")

    def assert_same_leaves(self, ledger, other):
        left, right = leaves_of(self.folder / ledger), leaves_of(self.folder / other)
        self.assertEqual(len(left), len(right))
        for one, two in zip(left, right):
            self.assertEqual(one, two)

    def test_leaves_of_every_record_and_verdict(self):
        self.replay(LOG, accounts=ACCOUNTS, out="plain")
        self.with_ledger("ledger", "out", threads=1)
        self.assert_same("out", "plain", [name for name in OUTPUTS if name not in ("summary.json", "report.html")])
        leaves = leaves_of(self.folder / "ledger")
        verdicts, records = records_of(self.folder / "out/verdicts.ndjson"), records_of(self.folder / LOG)
        queries, decisions = of_kind(leaves, "query"), of_kind(leaves, "decision")
        self.assertEqual(len(queries), len(records))
        self.assertEqual(len(decisions), len(verdicts))
        self.assertGreater(len(verdicts), 20)
        self.assertEqual(repeated(leaf["id"] for leaf in queries + decisions), [])
        for kind, found in (("query", queries), ("decision", decisions)):
            for leaf in found:
                self.assertEqual(list(leaf), KEY_ORDER[kind])
        self.assertEqual([leaf["t"] for leaf in queries], sorted(leaf["t"] for leaf in queries), "event order")
        tokens = [record["response"].get("usage", {}).get("output_tokens", 0)
                  for record in records_of(self.folder / "clean.ndjson")]
        self.assertEqual(sorted(leaf["out"] for leaf in queries if leaf["out"]), sorted(filter(None, tokens)))
        refused = [leaf for leaf in queries if ["unreadable", 1] in leaf["dv"]]
        self.assertEqual(len(refused), len(records) - len(tokens), "each line that intake refuses")
        self.assertEqual([(leaf["level"], leaf["class"], leaf["rule"]) for leaf in decisions],
                         [(one["level"], one.get("class", "unknown"), one.get("rule", "")) for one in verdicts])
        # A decision rests on everything before it and after the run's beginning; what it names is in the log.
        policies = of_kind(leaves, "policy")
        self.assertEqual(len(policies), 2, "before and after calibration")
        self.assertEqual(len(of_kind(leaves, "calibration")), 1)
        for place, (_, index, leaf) in enumerate(leaves):
            if leaf["k"] != "decision":
                continue
            self.assertIsNone(leaf["st"])
            self.assertEqual(leaf["pv"], policies[1]["pv"][:16])
            self.assertEqual(leaf["cal"], policies[1]["cal"][:16])
            last = leaf["in"][-1]
            self.assertLessEqual(last["to"], index)
            newest = max(entry["t"] for _, _, entry in leaves[:place] if entry["k"] == "query")
            self.assertLessEqual(leaf["t"], newest, "the record that closed the epoch is in the range")

        # Nothing readable: no account, key, prompt or secret in any file of the ledger.
        marks = {record["account"].encode() for record in records} | {record["id"].encode() for record in records}
        dice = random.Random(3)
        prompts = [str(record["request"])[60:100].encode() for record in dice.sample(records, 50)]
        for path in (path for path in (self.folder / "ledger").rglob("*") if path.is_file()):
            content = path.read_bytes()
            for mark in [*dice.sample(sorted(marks), min(60, len(marks))), *prompts]:
                self.assertNotIn(mark, content, path)
            if path.parent.name == "keys":
                self.assertEqual(path.stat().st_mode & 0o077, 0, path)

    def test_threads_change_no_leaf(self):
        self.with_ledger("one", "out-one", threads=1)
        self.give_keys("three", "one")
        self.with_ledger("three", "out-three", threads=3)
        self.assert_same_leaves("one", "three")

    def test_killed_at_random_moments_no_leaf_is_lost_or_doubled(self):
        self.with_ledger("whole", "out-whole")
        self.give_keys("killed", "whole")
        dice, kills = random.Random(7), 0
        arguments = self.arguments(LOG, accounts=ACCOUNTS, out="out-killed", state="state", more=["--ledger=killed"])
        while True:
            process = subprocess.Popen([BINARY, *arguments], cwd=self.folder, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE)
            try:
                # Each time a little longer, so that it comes to its end.
                _, errors = process.communicate(timeout=0.05 + dice.random() * (0.2 + kills * 0.05))
                self.assertEqual(process.returncode, 0, errors.decode())
                break
            except subprocess.TimeoutExpired:
                process.send_signal(dice.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))
                process.communicate(timeout=60)
                # Killed between its last output and its end: a run of its own would follow.
                if "summary.json" in self.names_in("out-killed"):
                    break
                kills += 1
                self.assertLess(kills, 60)
        self.assertGreater(kills, 2)
        self.assert_same("out-killed", "out-whole", ["verdicts.ndjson"])
        left, right = leaves_of(self.folder / "killed"), leaves_of(self.folder / "whole")
        for kind in ("query", "decision", "policy", "calibration"):
            self.assertEqual([leaf["id"] if "id" in leaf else leaf for leaf in of_kind(left, kind)],
                             [leaf["id"] if "id" in leaf else leaf for leaf in of_kind(right, kind)], kind)
        self.assertEqual(of_kind(left, "query"), of_kind(right, "query"))

    def test_a_state_folder_belongs_to_a_run_with_or_without_a_ledger(self):
        content = (self.folder / LOG).read_bytes()
        process = subprocess.Popen([BINARY, *self.arguments("-", accounts=ACCOUNTS, out="out-mixed",
                                                            state="state-mixed")],
                                   cwd=self.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        process.stdin.write(content[:len(content) // 2])
        process.stdin.flush()
        deadline = time.monotonic() + 30
        while "snapshot" not in self.names_in("state-mixed"):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.005)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        self.run_program(*self.arguments("-", accounts=ACCOUNTS, out="out-mixed", state="state-mixed",
                                         more=["--ledger=ledger-mixed"]), code=2, says=["without --ledger"],
                         input=content)

    def test_a_second_run_into_the_same_ledger_goes_on_behind_the_first(self):
        self.with_ledger("twice", "out-1")
        first = leaves_of(self.folder / "twice")
        self.with_ledger("twice", "out-2")
        both = leaves_of(self.folder / "twice")
        self.assertEqual(both[:len(first)], first)
        self.assertEqual(len(of_kind(both, "decision")), 2 * len(of_kind(first, "decision")))
        self.assertGreaterEqual(of_kind(both, "decision")[-1]["in"][0]["from"], len(first) - 1)

    @unittest.skipUnless(leaves_fixture.TLOG_VERIFY and leaves_fixture.LEDGER_WRITER, "the checker is not built")
    def test_the_checker_that_is_not_ours_accepts_the_logs(self):
        self.with_ledger("checked", "out-checked")
        for folder in leaves_fixture.log_folders(self.folder / "checked"):
            leaves_fixture.check_log(self, folder, self.folder / f"published-{folder.name}")

    def test_a_ledger_that_cannot_be_written_is_an_error_of_the_environment(self):
        (self.folder / "no-folder").write_text("a file")
        self.with_ledger("no-folder/ledger", "out-none", code=4)
        self.assert_absent("out-none")


if __name__ == "__main__":
    world_fixture.main()
