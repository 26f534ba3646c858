#!/usr/bin/env python3
"""States of the engine that decisions rest on: a world that crosses the border of a month. Its later decisions are made
again from the state and the records of their month alone, and what is erased, missing or damaged is told apart."""
import base64
import hashlib
import json
import random
import shutil
import subprocess

import ledger_fixture
import world_fixture
from leaves_fixture import leaves_of, letters, of_kind
from world_fixture import BINARY, lines_of

MARCH_MS = 1_772_323_200_000


def hex_of(state):
    return base64.urlsafe_b64decode(state + "=").hex()


class States(ledger_fixture.LedgerTest):
    world = world_fixture.WORLD.replace("2026-03-01T00:00", "2026-02-25T06:00")

    @classmethod
    def write_noisy_log(cls):
        """Also with a line of March that repeats the id of the last one of February: it is refused only by who has
        read that."""
        super().write_noisy_log()
        lines = lines_of(cls.folder / "queries.ndjson")
        records = [json.loads(line) for line in lines]
        last = max((one for one in records if one["time"] < "2026-03"), key=lambda one: one["time"])
        at = next(number for number, one in enumerate(records) if one["time"] >= "2026-03-01T00:05")
        repeat = {**records[at], "id": last["id"]}
        lines.insert(at + 1, json.dumps(repeat).encode() + b"\n")
        (cls.folder / "queries.ndjson").write_bytes(b"".join(lines))

    def march_only(self):
        return self.write_log("march.ndjson", *[line for line in lines_of(self.folder / "queries.ndjson")
                                                if json.loads(line)["time"] >= "2026-03"])

    def decide(self, leaf, ledger="ledger", queries="queries.ndjson", accounts="world/accounts.ndjson", code=0):
        done = self.ledger("replay-decision", "req_" + leaf["id"], f"--log={queries}", f"--accounts={accounts}",
                           "--secret=secret", "--settings=settings.toml", "--json", ledger=ledger, code=code)
        return json.loads(done.stdout)

    def fsck(self, ledger, code=0):
        return self.ledger_json("fsck", ledger=ledger, code=code)["findings"]

    def states_of(self, ledger="ledger"):
        return sorted(path for path in (self.folder / ledger / "states").iterdir() if not path.suffix)

    def late(self, ledger="ledger"):
        """Decisions that rest on a state."""
        return [leaf for leaf in of_kind(leaves_of(self.folder / ledger), "decision") if leaf["st"]]

    def test_decisions_rest_on_the_state_that_their_month_began_with(self):
        leaves = leaves_of(self.folder / "ledger")
        decisions = of_kind(leaves, "decision")
        early = [leaf for leaf in decisions if leaf["t"] < MARCH_MS]
        late = [leaf for leaf in decisions if leaf["t"] >= MARCH_MS]
        self.assertGreater(min(len(early), len(late)), 10)
        for leaf in early:
            self.assertEqual((leaf["st"], leaf["in"][0]["from"]), (None, 1), "behind the leaf that opens the log")
        [state] = self.states_of()
        for leaf in late:
            self.assertEqual(leaf["st"], letters(hashlib.sha256(state.read_bytes()).digest()))
            self.assertEqual(hex_of(leaf["st"]), state.name)
            [place] = leaf["in"]
            self.assertTrue(place["log"].endswith("/2026-03"), place)
            self.assertEqual(place["from"], 1)
        # The place is the border of the month in the order of event time.
        months = {log: [leaf["t"] for name, _, leaf in leaves if name == log and leaf["k"] == "query"]
                  for log in ("shard-s00-2026-02", "shard-s00-2026-03")}
        self.assertLess(max(months["shard-s00-2026-02"]), MARCH_MS)
        self.assertGreaterEqual(min(months["shard-s00-2026-03"]), MARCH_MS)
        self.assertEqual(self.fsck("ledger"), [])
        self.assertTrue(self.verify()["holds"])
        for path in (self.folder / "ledger/states").iterdir():
            content = path.read_bytes()
            self.assertEqual(path.stat().st_mode & 0o077, 0, path)
            for account in self.members:
                self.assertNotIn(account.encode(), content, path)

    def test_both_roads_lead_to_the_same_verdict(self):
        decisions, march = of_kind(leaves_of(self.folder / "ledger"), "decision"), self.march_only()
        late = self.late()
        for leaf in (late[0], late[len(late) // 2], late[-1]):
            whole, alone = self.decide(leaf), self.decide(leaf, queries=march)
            for answer in (whole, alone):
                self.assertEqual(answer["answer"], "equal", answer)
                self.assertEqual(answer["inputs"], answer["inputs_matched"])
                self.assertTrue(answer["from_state"].startswith("2026-02-28T23:"), answer)
            self.assertEqual(whole["verdict"], alone["verdict"])
            # Those of February are read, and kept from it.
            self.assertGreater(whole["records_other"] - alone["records_other"], 1_000)
        # Those of February rest on the beginning, and the log of March is not enough for them.
        self.assertEqual(self.decide(decisions[0])["from_state"], None)
        self.assertEqual(self.decide(decisions[0], queries=march, code=3)["answer"], "not replayable")

    def test_threads_and_batches_change_neither_leaves_nor_states(self):
        keys = ("keys/tenants", "keys/master")
        for threads in (1, 3):
            ledger = self.folder / f"ledger-{threads}"
            (ledger / "keys").mkdir(parents=True)
            shutil.copytree(self.folder / "ledger" / keys[0], ledger / keys[0])
            shutil.copy(self.folder / "ledger" / keys[1], ledger / keys[1])
            self.replay("queries.ndjson", accounts="world/accounts.ndjson", out=f"found-{threads}", threads=threads,
                        more=[f"--ledger={ledger}"])
            self.assertEqual(*([state.name for state in self.states_of(one)] for one in (ledger, "ledger")))
            self.assertEqual(leaves_of(ledger), leaves_of(self.folder / "ledger"))

    def test_killed_at_any_moment_every_state_that_is_named_is_there(self):
        dice, kills = random.Random(5), 0
        arguments = self.arguments("queries.ndjson", accounts="world/accounts.ndjson", out="killed-found",
                                   state="killed-state", more=["--ledger=killed"])
        while kills < 60:
            process = subprocess.Popen([BINARY, *arguments], cwd=self.folder, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE)
            try:
                _, errors = process.communicate(timeout=0.02 + dice.random() * (0.15 + kills * 0.1))
                self.assertEqual(process.returncode, 0, errors.decode())
                break
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate(timeout=60)
                if "summary.json" in self.names_in("killed-found"):
                    break
                kills += 1
        self.assertGreater(kills, 0)
        self.assertEqual(self.fsck("killed"), [])
        decisions = of_kind(leaves_of(self.folder / "killed"), "decision")
        for leaf in (decisions[0], decisions[-1]):
            self.assertEqual(self.decide(leaf, ledger="killed")["answer"], "equal")

    def test_an_erased_customer_takes_the_states_that_know_him(self):
        ledger = self.copy_of_ledger("erased")
        leaf, account = self.late()[-1], self.members[0]
        # Nobody of that name is in it.
        self.ledger("erase", "--account=nobody", "--reason=request", ledger=ledger)
        self.assertEqual(len(self.states_of(ledger)), 1)
        # A hold on anybody of these days keeps it, and the erasure is not complete.
        self.ledger("hold add", "--name=h1", "--case=matter 7", f"--account={self.members[1]}", "--why=letter",
                    "--from=2026-02-27", "--until=2026-02-27", ledger=ledger)
        held = self.ledger_json("erase", f"--account={account}", "--reason=request", ledger=ledger, code=1)
        self.assertEqual((held["complete"], held["files_held"]), (False, 2))
        self.assertEqual(len(self.states_of(ledger)), 1)
        self.ledger("hold release", "--name=h1", "--why=settled", ledger=ledger)
        erased = self.ledger("erase", f"--account={account}", "--reason=request", ledger=ledger).stdout.decode()
        self.assertIn("removed: 1 states of the engine", erased)
        self.assertEqual(list((self.folder / ledger / "states").iterdir()), [])
        erasures = of_kind(leaves_of(self.folder / ledger, "desk"), "erase")
        self.assertIn(("states: request", [leaf["st"][:16]]), [(one["why"], one["kp"]) for one in erasures])
        answer = self.decide(leaf, ledger=ledger, code=3)
        self.assertEqual(answer["answer"], "not replayable")
        self.assertTrue(any("inputs were erased: the state" in reason for reason in answer["reasons"]), answer)
        self.assertEqual(self.fsck(ledger), [])
        self.assertTrue(self.verify(ledger)["holds"])

    def test_missing_and_damaged_are_not_erased(self):
        ledger, leaf = self.copy_of_ledger("broken"), self.late()[-1]
        [state] = self.states_of(ledger)
        good = state.read_bytes()
        state.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        self.assertIn("damaged", self.decide(leaf, ledger=ledger, code=3)["reasons"][0])
        [finding] = self.fsck(ledger, code=1)
        self.assertEqual(finding["file"], f"states/{state.name}")
        self.assertIn("damaged", finding["what"])
        state.unlink()
        self.assertIn("is missing, and no entry says that it was erased",
                      self.decide(leaf, ledger=ledger, code=3)["reasons"][0])
        [finding] = self.fsck(ledger, code=1)
        self.assertIn("is missing", finding["what"])
        # As good as new when it is restored.
        state.write_bytes(good)
        self.assertEqual(self.decide(leaf, ledger=ledger)["answer"], "equal")
        # A file of accounts that has lost lines is another input.
        lines = lines_of(self.folder / "world/accounts.ndjson")
        self.write_log("fewer.ndjson", *lines[1:])
        answer = self.decide(leaf, ledger=ledger, accounts="fewer.ndjson", code=3)
        self.assertTrue(any("account records" in reason for reason in answer["reasons"]), answer)


if __name__ == "__main__":
    world_fixture.main()
