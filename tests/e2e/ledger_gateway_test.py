#!/usr/bin/env python3
"""The audit log of a gateway under load: one leaf for each line of its query log and one for each verdict, however
often the process is killed; and what happens while its disk refuses."""
import json
import random

import gateway_fixture
import gateway_world
import leaves_fixture
import world_fixture
from gateway_fixture import chat_body, wait_until
from gateway_traffic import Traffic
from leaves_fixture import KEY_ORDER, leaves_of, of_kind, repeated

KILLS = 6


def ledger_settings(gateway, **more):
    return {"ledger": {"folder": gateway.path("ledger"), "host": "audit.example", "anchor_seconds": 1, **more}}


class UnderLoad(gateway_world.LiveWorld):
    def begin_world(self, name, **ledger):
        gateway = super().begin_world(name)
        gateway.stop()
        gateway.change(ledger_settings(gateway, **ledger))
        return gateway.start()

    def assert_one_leaf_each(self, gateway):
        leaves = leaves_of(gateway.folder / "ledger")
        queries, decisions = of_kind(leaves, "query"), of_kind(leaves, "decision")
        for kind, found in (("query", queries), ("decision", decisions)):
            for leaf in found:
                self.assertEqual(list(leaf), KEY_ORDER[kind])
        records = [record for record in gateway.records() if "gap" not in record]
        self.assertEqual(repeated(leaf["id"] for leaf in queries), [])
        self.assertEqual({"req_" + leaf["id"] for leaf in queries}, {record["id"] for record in records})
        by_id = {leaf["id"]: leaf for leaf in queries}
        for record in records:
            leaf = by_id[record["id"][4:]]
            self.assertEqual(leaf["out"], record["response"].get("usage", {}).get("output_tokens", 0))
            self.assertEqual(["shed", 1] in leaf["dv"], record.get("shed", False))
        verdicts = [json.loads(line) for line in self.journal(gateway).splitlines()]
        self.assertEqual(len(decisions), len(verdicts))
        self.assertEqual(repeated(leaf["id"] for leaf in decisions), [])
        self.assertEqual(sorted((leaf["level"], leaf["rule"]) for leaf in decisions),
                         sorted((one["level"], one.get("rule", "")) for one in verdicts))
        self.assertEqual(sum(leaf["n"] for leaf in of_kind(leaves, "gap")), 0, "nothing was lost")
        for _, index, leaf in leaves:
            if leaf["k"] == "decision":
                self.assertLessEqual(leaf["in"][-1]["to"], index)
                self.assertEqual(leaf["in"][0]["from"], 0)
        anchors = leaves_fixture.entries_of(next((gateway.folder / "ledger/logs").glob("anchor-*")))
        self.assertEqual({len(entry) for entry in anchors}, {160})
        return queries, decisions

    def assert_checker_accepts(self, gateway, name):
        if not (leaves_fixture.TLOG_VERIFY and leaves_fixture.LEDGER_WRITER):
            return
        for folder in sorted((gateway.folder / "ledger/logs").iterdir()):
            leaves_fixture.check_log(self, folder, self.folder / f"{name}-{folder.name}")

    def assert_nothing_readable(self, gateway):
        dice = random.Random(2)
        marks = dice.sample(sorted({record["account"].encode() for record in self.requests}), 80)
        texts = [json.dumps(one["request"])[-120:-60].encode() for one in dice.sample(self.requests, 40)]
        marks += [text for text in texts if len(text) > 40]
        for path in (path for path in (gateway.folder / "ledger").rglob("*") if path.is_file()):
            content = path.read_bytes()
            for mark in marks:
                self.assertNotIn(mark, content, path)

    def test_every_line_and_every_verdict_has_its_leaf(self):
        gateway = self.begin_world("load")
        Traffic(gateway.port, self.requests, lambda count: self.keep_pace(gateway, count)).run()
        self.assertEqual(gateway.stop(), 0)
        _, decisions = self.assert_one_leaf_each(gateway)
        self.assertGreater(len(decisions), 20)
        self.assert_nothing_readable(gateway)
        self.assert_checker_accepts(gateway, "load")
        # Started again, nothing is written twice.
        gateway.start()
        self.assertEqual(gateway.stop(), 0)
        self.assert_one_leaf_each(gateway)

    def test_kill_nine_leaves_one_leaf_each(self):
        gateway = self.begin_world("killed-ledger")
        dice = random.Random(8)
        total = len(Traffic(0, self.requests).records)
        marks, starts = sorted(dice.sample(range(300, total - 200), KILLS)), [0]

        def on_answer(count):
            self.keep_pace(gateway, count, starts[-1])
            if marks and count >= marks[0]:
                marks.pop(0)
                gateway.kill()
                gateway.start()
                starts.append(count)

        Traffic(gateway.port, self.requests, on_answer, again=True).run()
        self.assertEqual(marks, [])
        self.assertEqual(gateway.stop(), 0)
        self.assert_one_leaf_each(gateway)
        self.assert_checker_accepts(gateway, "killed-ledger")


class Settings(gateway_fixture.GatewayTest):
    def with_ledger(self, name, **more):
        gateway = self.make(name, [self.model.url])
        gateway.change(ledger_settings(gateway, **more))
        return gateway.start()

    def test_the_leaf_id_returns_to_the_customer(self):
        gateway = self.with_ledger("header")
        status, fields, _ = gateway.ask()
        self.assertEqual(status, 200)
        fields = {name.lower(): value for name, value in fields.items()}
        self.assertEqual("req_" + fields["stillwatch-leaf"], fields["stillwatch-request-id"])
        self.assertEqual(gateway.stop(), 0)
        queries = of_kind(leaves_of(gateway.folder / "ledger"), "query")
        self.assertEqual([leaf["id"] for leaf in queries], [fields["stillwatch-leaf"]])
        self.assertEqual(queries[0]["ac"], "answered")
        gateway.change({"ledger": {"leaf_header": False}})
        gateway.start()
        self.assertNotIn("stillwatch-leaf", {name.lower() for name in gateway.ask()[1]})

    def test_while_the_disk_refuses_requests_pass_or_not_by_setting(self):
        for answer in ("pass", "refuse"):
            with self.subTest(answer):
                gateway = self.with_ledger(f"failing-{answer}", on_overflow=answer)
                self.assertEqual(gateway.ask()[0], 200)
                logs = gateway.folder / "ledger/logs"
                logs.rename(gateway.folder / "ledger/gone")
                gateway.ask()
                wait_until(lambda: gateway.metric("stillwatch_alarm_active", alarm="ledger") == 1, "there is an alarm")
                status, _, body = gateway.ask()
                self.assertEqual(status, 200 if answer == "pass" else 503)
                if answer == "refuse":
                    self.assertIn(b"audit log", body)
                    self.assertGreater(gateway.metric("stillwatch_refusals_total", reason="ledger_failed"), 0)
                (gateway.folder / "ledger/gone").rename(logs)
                wait_until(lambda: gateway.metric("stillwatch_alarm_active", alarm="ledger") == 0, "the alarm ends")
                self.assertEqual(gateway.ask()[0], 200)
                self.assertEqual(gateway.stop(), 0)
                leaves = leaves_of(gateway.folder / "ledger")
                self.assertEqual({"req_" + leaf["id"] for leaf in of_kind(leaves, "query")},
                                 {record["id"] for record in gateway.records()})

    def test_bodies_are_sealed_and_nothing_of_them_is_readable(self):
        """That no file holds a mark of a prompt is looked for after the class."""
        gateway = self.with_ledger("vault", vault=True)
        for number in range(20):
            self.assertEqual(gateway.ask(body=chat_body(f"number {number}"))[0], 200)
        self.assertEqual(gateway.stop(), 0)
        queries = of_kind(leaves_of(gateway.folder / "ledger"), "query")
        self.assertEqual(len(queries), 20)
        for leaf in queries:
            self.assertEqual([len(leaf[key]) for key in ("cp", "ch", "kp")], [43, 43, 16])
        self.assertEqual(len({leaf["ch"] for leaf in queries}), 20)

    def test_mistakes_are_told_before_anything_runs(self):
        gateway = self.make("mistakes", [self.model.url])
        gateway.change({"ledger": {"folder": gateway.path("ledger"), "host": "", "shard": "S 1",
                                   "witness_policy": gateway.path("absent")}})
        self.run_program("serve", f"--config={gateway.path('gateway.toml')}", code=2,
                         says=["ledger.host", "ledger.shard", "ledger.witness_policy"])
        gateway.change({"ledger": {"host": "a.example", "shard": "s00", "witness_policy": ""}})
        gateway.start()
        gateway.change({"ledger": {"host": "b.example"}})
        gateway.hang_up()
        self.assertEqual(gateway.metric("stillwatch_reloads_total", result="refused"), 1)
        self.assertEqual(gateway.stop(), 0)


if __name__ == "__main__":
    world_fixture.main()
