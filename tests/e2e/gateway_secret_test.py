#!/usr/bin/env python3
"""A rotation of the deployment secret under traffic: no level is lost, overrides and declared uses go on, and what the
engine under the new secret says is what a replay of the log says, over kill -9 and the end of the overlap."""
import json

import gateway_world
import world_fixture
from gateway_fixture import key_line, records_in
from gateway_traffic import TIME_FIELD, Traffic
from gateway_world import STRONG
from leaves_fixture import leaves_of, of_kind, repeated

DECLARED = {"v": 1, "account": "declared_1", "time": "2026-03-01T00:00:00Z", "declared": [
    {"purpose": "evaluation", "from": "2026-03-01T00:00:00Z", "until": "2027-03-01T00:00:00Z"}]}


class SecretRotation(gateway_world.LiveWorld):
    def strong(self, levels):
        return {place: level[0] for place, level in levels.items() if level[0] in STRONG}

    def assert_none_lost(self, before, after):
        """Levels go up, or end when their time is over (none is, within a moment)."""
        order = ["clear", "observe", "notice", *STRONG]
        lost = {place: (level[0], after.get(place)) for place, level in before.items()
                if place not in after or order.index(after[place][0]) < order.index(level[0])}
        self.assertEqual(lost, {})

    def replay_under(self, gateway, secret, logs, accounts, out):
        (self.folder / f"{out}.secret").write_text(secret + "\n")
        (self.folder / f"{out}.secret").chmod(0o600)
        self.run_program("replay", *map(str, sorted(logs.glob("*.zst"))), f"--out={out}",
                         f"--config={gateway.path('replay.toml')}", f"--secret={self.folder}/{out}.secret",
                         f"--accounts={accounts}")
        return (self.folder / out / "verdicts.ndjson").read_bytes()

    def test_rotation_under_traffic(self):
        gateway = self.begin_world("rotated")
        self.assertEqual(gateway.stop(), 0)
        gateway.change({"ledger": {"folder": gateway.path("ledger"), "host": "audit.example", "anchor_seconds": 1}})
        gateway.start()
        total = len(Traffic(0, self.requests).records)
        steps, starts, seen = {int(total * 0.55): self.rotate, int(total * 0.65): self.kill}, [0], {}
        with open(gateway.folder / "accounts.ndjson", "a", encoding="utf-8") as accounts:
            accounts.write(json.dumps(DECLARED) + "\n")

        def on_answer(count):
            self.keep_pace(gateway, count, starts[-1])
            step = steps.pop(count, None)
            if step is None:
                return
            before = gateway.levels()
            seen[step.__name__] = before
            step(gateway)
            starts.append(count)
            # The clients are this thread's coroutines: none has sent anything yet.
            self.assert_none_lost(before, gateway.levels())

        traffic = Traffic(gateway.port, self.requests, on_answer, again=True).run()
        self.assertEqual(steps, {})
        self.assertEqual(traffic.refused - self.hostile, set())
        self.assertGreater(len(self.strong(seen["rotate"])), 10, "rotated where nothing could be lost")
        self.assertEqual(gateway.metric("stillwatch_secret_overlap"), 1)
        # A person's decision and a customer's declared use do not hang on the secret.
        last = {TIME_FIELD: traffic.records[-1]["time"]}
        self.assertEqual(gateway.ask("acct_overridden", fields=last)[0], 403)
        for state in ("state", "state/previous"):
            self.assertIn('"declared_1"', (gateway.folder / state / "accounts.ndjson").read_text())
        levels = gateway.levels()
        self.assertEqual(gateway.stop(), 0)

        current, previous = (gateway.folder / "secret").read_text().splitlines()
        previous = previous.split(" ")[1]
        own = gateway.replay(self, "own")
        self.assertEqual(self.journal(gateway), (own / "verdicts.ndjson").read_bytes())
        self.assertEqual(self.journal(gateway), self.replay_under(
            gateway, current, gateway.folder / "log", gateway.folder / "state/accounts.ndjson", "current"))
        before = gateway.folder / "state/previous"
        self.assertEqual((before / "verdicts.ndjson").read_bytes(), self.replay_under(
            gateway, previous, gateway.folder / "log/previous", before / "accounts.ndjson", "previous"))

        self.assert_leaves(gateway, previous=before)

        # The end of the overlap: what stands goes on by name, nothing under the old secret is left to look up.
        self.run_program("secret", "end-overlap", f"--secret={gateway.path('secret')}")
        gateway.start()
        self.assertEqual(gateway.metric("stillwatch_secret_overlap"), 0)
        self.assert_none_lost(levels, gateway.levels())
        self.assertFalse(before.exists())
        self.assertEqual(list((gateway.folder / "state").rglob("previous/*")), [])
        account = next(place[0] for place in self.strong(seen["rotate"]) if place in levels and not place[1])
        answer = json.loads(gateway.admin("POST", "/v1/decisions/check", {"account": account})[1])
        self.assertIn(answer["level"], STRONG)
        self.assertEqual(gateway.stop(), 0)
        # And once more: what was inherited is kept by name.
        self.run_program("secret", "rotate", f"--secret={gateway.path('secret')}")
        gateway.start()
        self.assert_none_lost(levels, gateway.levels())
        self.assertEqual(gateway.stop(), 0)

    def assert_leaves(self, gateway, previous):
        """Each decision of both engines is a leaf, once, over a rotation and a kill; and each record. Those of the
        engine of before name inputs until the rotation."""
        leaves = leaves_of(gateway.folder / "ledger")
        queries, decisions = of_kind(leaves, "query"), of_kind(leaves, "decision")
        records = records_in(sorted((gateway.folder / "log/previous").glob("*.zst")))
        self.assertEqual({"req_" + leaf["id"] for leaf in queries}, {record["id"] for record in records})
        lines = [json.loads(line) for path in (previous / "verdicts.ndjson", gateway.folder / "state/verdicts.ndjson")
                 for line in path.read_text().splitlines()]
        for found in (queries, decisions):
            self.assertEqual(repeated(leaf["id"] for leaf in found), [])
        self.assertEqual(sorted((leaf["level"], leaf["rule"]) for leaf in decisions),
                         sorted((line["level"], line.get("rule", "")) for line in lines))
        # What is deployed is told anew when the new engine begins.
        [rotated] = [i for i, (_, _, leaf) in enumerate(leaves) if leaf["k"] == "policy"][2:]
        for i, (_, _, leaf) in enumerate(leaves):
            if leaf["k"] == "decision":
                self.assertEqual(leaf["in"] == [], i > rotated, "the new engine still calibrates")
                self.assertEqual(leaf["cal"] is None, i > rotated)
        self.assertGreater(len([leaf for leaf in decisions if leaf["in"] == []]), 5)

    def rotate(self, gateway):
        with open(gateway.folder / "keys.ndjson", "a", encoding="utf-8") as keys:
            keys.write(key_line("acct_overridden"))
        gateway.hang_up()
        gateway.override("acct_overridden", "verify")
        self.assertEqual(gateway.stop(), 0)
        self.run_program("secret", "rotate", f"--secret={gateway.path('secret')}")
        gateway.start()
        self.assertEqual(gateway.metric("stillwatch_secret_overlap"), 1)

    def kill(self, gateway):
        gateway.kill()
        gateway.start()
        self.assertEqual(gateway.metric("stillwatch_secret_overlap"), 1)

    def test_a_reload_with_another_secret_waits_for_a_start(self):
        gateway = self.make("reloaded").start()
        self.run_program("secret", "rotate", f"--secret={gateway.path('secret')}")
        gateway.hang_up()
        self.assertIn('"event":"secret_changed"', gateway.run_log())
        self.assertEqual(gateway.metric("stillwatch_secret_overlap"), 0)
        self.assertEqual(gateway.ask()[0], 200)
        self.assertEqual(gateway.stop(), 0)


if __name__ == "__main__":
    world_fixture.main()
