#!/usr/bin/env python3
"""The ledger's commands beside a gateway that runs, and on what it left: contents, evidence, decisions, erasure."""
import json
import subprocess
import time

import gateway_fixture
import gateway_world
import ledger_fixture
import world_fixture
from gateway_fixture import chat_body, wait_until
from gateway_traffic import Traffic
from leaves_fixture import leaves_of, of_kind
from stamp_authority import StampAuthority
from world_fixture import BINARY


def ledger_settings(gateway, **more):
    return {"ledger": {"folder": gateway.path("ledger"), "host": "audit.example", "anchor_seconds": 1, **more}}


class Ledger(gateway_fixture.GatewayTest):
    def of(self, gateway, *arguments, code=0, says=()):
        return self.run_program("ledger", *arguments, f"--config={gateway.path('gateway.toml')}", code=code, says=says)


class Contents(Ledger):
    def test_an_opening_is_logged_and_a_shredded_key_is_an_answer(self):
        gateway = self.make("vault", [self.model.url])
        gateway.change(ledger_settings(gateway, vault=True))
        gateway.start()
        _, fields, _ = gateway.ask(body=chat_body("the content asked for"))
        leaf = {name.lower(): value for name, value in fields.items()}["stillwatch-leaf"]
        self.assertEqual(gateway.stop(), 0)
        opened = self.of(gateway, "open", f"--record={leaf}", "--reason=complaint 12", "--who=J. Doe").stdout
        self.assertIn(b"the content asked for", opened)
        access = of_kind(leaves_of(gateway.folder / "ledger", "desk"), "access")
        self.assertEqual([(one["id"], one["by"], one["why"]) for one in access], [(leaf, "J. Doe", "complaint 12")])
        self.of(gateway, "open", f"--record={leaf}", code=2)
        erased = json.loads(self.of(gateway, "erase", "--account=acct_1", "--reason=request", "--json").stdout)
        self.assertEqual((erased["records"], erased["lines"], erased["complete"]), (1, 1, True))
        self.assertGreaterEqual(erased["keys"], 2)
        self.of(gateway, "open", f"--record={leaf}", "--reason=again", code=1, says=["was erased", "destroyed on"])
        check = json.loads(self.run_program("ledger", "verify", gateway.path("ledger"), "--json").stdout)
        self.assertTrue(check["holds"], check)
        self.assertEqual(gateway.records(), [])
        # It starts again on what is left.
        gateway.start()
        self.assertEqual(gateway.ask()[0], 200)
        self.assertEqual(gateway.stop(), 0)


class Erasure(gateway_world.LiveWorld, Ledger):
    """A customer goes while the others' traffic goes on; what is left is as if he had never been."""

    def test_beside_traffic_and_over_kill_nine(self):
        gateway = self.begin_world("erased")
        gateway.stop()
        gateway.change(ledger_settings(gateway))
        gateway.start()
        records = Traffic(0, self.requests).records
        # Those who send nothing in the last third, so that what is there afterwards was there before.
        late = {record["account"] for record in records[len(records) * 2 // 3:]}
        gone = [account for account in dict.fromkeys(record["account"] for record in records)
                if account not in late and not account.startswith("farm")][:2]
        self.assertEqual(len(gone), 2)
        told, starts = {}, [0]

        def on_answer(count):
            self.keep_pace(gateway, count, starts[-1])
            if count == len(records) * 7 // 10:
                accounts = gateway.folder / "accounts.ndjson"
                kept = [line for line in accounts.read_text().splitlines(True)
                        if json.loads(line)["account"] not in gone]
                accounts.write_text("".join(kept))
                order = json.loads(gateway.admin("POST", "/v1/admin/ledger/erasures", {
                    "account": gone[0], "reason": "request of 3 May", "who": "J. Doe"})[1])
                told["order"] = order["order"]
            if count == len(records) * 8 // 10:
                # An order that is on the disk outlives the process.
                json.loads(gateway.admin("POST", "/v1/admin/ledger/erasures", {
                    "account": gone[1], "reason": "request of 4 May"})[1])
                gateway.kill()
                gateway.start()
                starts.append(count)

        traffic = Traffic(gateway.port, self.requests, on_answer, again=True).run()
        self.assertEqual(traffic.refused - self.hostile, set())

        def is_done():
            orders = json.loads(gateway.admin("GET", "/v1/admin/ledger/erasures")[1])["erasures"]
            return all(order["state"] == "done" for order in orders) and not list(
                (gateway.folder / "ledger/orders").glob("*.order"))
        wait_until(is_done, "the orders of before the kill are carried out")
        # The command tells the gateway, and waits for it.
        again = json.loads(self.of(gateway, "erase", f"--account={gone[0]}", "--reason=again", "--json").stdout)
        self.assertEqual((again["complete"], again["keys"], again["lines"]), (True, 0, 0))
        self.of(gateway, "erase", f"--account={gone[0]}", "--reason=x", "--lines=x", code=2,
                says=["its own files only"])
        self.assertEqual(gateway.stop(), 0)
        for account in gone:
            mark = f'"{account}"'.encode()
            for path in [*(gateway.folder / "state").rglob("*"), *(gateway.folder / "log").rglob("*")]:
                if not path.is_file():
                    continue
                packed = path.suffix == ".zst"
                content = subprocess.run(["zstd", "-dcq", path], capture_output=True, check=True).stdout if packed \
                    else path.read_bytes()
                self.assertNotIn(mark, content, path)
        self.assertEqual(self.journal(gateway), (gateway.replay(self, "own") / "verdicts.ndjson").read_bytes())
        erased = of_kind(leaves_of(gateway.folder / "ledger"), "erase")
        # A kept state that knows him goes with him, and has a leaf of its own.
        self.assertLessEqual({leaf["why"] for leaf in erased}, {"request", "states: request"})
        self.assertGreaterEqual(len([leaf for leaf in erased if leaf["why"] == "request"]), 3)
        check = json.loads(self.run_program("ledger", "verify", gateway.path("ledger"), "--json").stdout)
        self.assertTrue(check["holds"], check)


class Decisions(gateway_world.LiveWorld, Ledger):
    def begin_watched(self, name):
        """A gateway whose anchors a witness of ours cosigns and an authority made of openssl stamps."""
        gateway = super().begin_world(name)
        gateway.stop()
        authority = StampAuthority(self.folder / "authority")
        self.addCleanup(authority.stop)
        gateway.change({**ledger_settings(gateway, witness_seconds=1, stamp_seconds=1), "ledger.stamp_authority": [
            {"name": "tsa1", "url": authority.url, "ca": str(authority.folder / "ca.pem")}]})
        # The witness must know the log's key, so the log is there first.
        gateway.start()
        gateway.stop()
        port = gateway_fixture.free_port()
        (self.folder / "logs.txt").write_text(self.of(gateway, "keys").stdout.decode() + "quorum none\n")
        witness = subprocess.Popen([BINARY, "ledger", "witness", "--state=witness", "--name=w1.example",
                                    "--policy=logs.txt", f"--listen=127.0.0.1:{port}"], cwd=self.folder,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(witness.stdout.close)
        self.addCleanup(witness.wait)
        self.addCleanup(witness.terminate)
        key = witness.stdout.readline().decode().strip()
        (self.folder / "policy.txt").write_text(f"witness w1 {key} http://127.0.0.1:{port}/\nquorum w1\n")
        gateway.change({"ledger": {"witness_policy": f"{self.folder}/policy.txt"}})
        return gateway.start()

    def test_a_live_decision_comes_out_again_and_its_evidence_verifies(self):
        gateway = self.begin_watched("decided")
        Traffic(gateway.port, self.requests, lambda count: self.keep_pace(gateway, count)).run()
        # While it runs: what only reads or has a log of its own does not mind.
        self.of(gateway, "keys")
        self.of(gateway, "hold", "add", "--name=h1", "--case=matter 7", "--why=letter")
        time.sleep(3)  # anchors, cosignatures and stamps of the last entries, once a second each
        self.assertEqual(gateway.stop(), 0)
        decisions = of_kind(leaves_of(gateway.folder / "ledger"), "decision")
        case = next(leaf["campaign"] for leaf in decisions if leaf["sk"] == "campaign" and leaf["campaign"])
        made = json.loads(self.of(gateway, "export", f"--case={case}", "--reason=matter 7", "--who=J. Doe",
                                  "--requests-max=20", f"--out={self.folder}/live-case", "--json").stdout)
        self.assertEqual(made["stamps"], 1)
        self.assertIn("<svg", (self.folder / "live-case/case.html").read_text())
        if ledger_fixture.has_checker():
            done = ledger_fixture.run_verify(self.folder / "live-case", self.folder / "verify.sh")
            self.assertEqual(done.returncode, 0, done.stdout.decode() + done.stderr.decode())
            self.assertIn("w1 saw it", done.stdout.decode())
            self.assertIn("Time stamp:", done.stdout.decode())
        check = json.loads(self.run_program(
            "ledger", "verify", gateway.path("ledger"), "--json", f"--policy={self.folder}/policy.txt",
            f"--stamp-ca=tsa1={self.folder}/authority/ca.pem").stdout)
        self.assertTrue(check["holds"], check)
        self.assertTrue(check["anchors"][0]["quorum"])
        self.assertGreater(check["anchors"][0]["stamps_good"], 0)
        self.assertEqual(check["anchors"][0]["stamps_unchecked"], 0)
        for leaf in (decisions[0], decisions[-1]):
            answer = json.loads(self.of(gateway, "replay-decision", "req_" + leaf["id"], "--json").stdout)
            self.assertEqual(answer["answer"], "equal", answer)

    def test_decisions_after_a_lost_snapshot_need_no_older_query_log(self):
        """A new state is kept when the engine starts from something else than what the audit log knows of."""
        gateway = self.begin_world("states")
        gateway.stop()
        gateway.change(ledger_settings(gateway))
        gateway.start()
        cut = len(self.requests) // 2
        Traffic(gateway.port, self.requests[:cut], lambda count: self.keep_pace(gateway, count)).run()
        self.assertEqual(gateway.stop(), 0)
        states = gateway.folder / "ledger/states"
        self.assertFalse(states.exists())
        (gateway.folder / "state/observer.snapshot").unlink()
        gateway.start()
        self.assertEqual(len([path for path in states.iterdir() if not path.suffix]), 1)
        Traffic(gateway.port, self.requests[cut:], lambda count: self.keep_pace(gateway, count)).run()
        self.assertEqual(gateway.stop(), 0)
        late = [leaf for leaf in of_kind(leaves_of(gateway.folder / "ledger"), "decision") if leaf["st"]]
        self.assertGreater(len(late), 5)
        answers = {}
        for round_number in range(2):
            for leaf in (late[0], late[-1]):
                answer = json.loads(self.of(gateway, "replay-decision", "req_" + leaf["id"], "--json").stdout)
                self.assertEqual(answer["answer"], "equal", answer)
                self.assertTrue(answer["from_state"])
                self.assertEqual(answers.setdefault(leaf["id"], answer["verdict"]), answer["verdict"])
            # The second time without the files that are older than the state.
            if round_number == 0:
                files = sorted((gateway.folder / "log").glob("queries-*.zst"))
                self.assertGreater(len(files), 3)
                files[0].unlink()
        self.of(gateway, "fsck")


if __name__ == "__main__":
    world_fixture.main()
