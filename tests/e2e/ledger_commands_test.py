#!/usr/bin/env python3
"""`stillwatch ledger`: checking, proving, holding, erasing, and decisions made again."""
import json
import pathlib
import signal
import subprocess
import time
import urllib.request

import ledger_fixture
import world_fixture
from world_fixture import BINARY, records_of


class Check(ledger_fixture.LedgerTest):
    def test_a_good_ledger_holds_and_says_what_was_looked_at(self):
        check = self.verify()
        self.assertTrue(check["holds"], check["findings"])
        self.assertEqual(check["findings_count"], 0)
        leaves = {}
        for log in check["logs"]:
            self.assertEqual(log["entries_checked"], log["size"])
            for kind, count in log["leaves"].items():
                leaves[kind] = leaves.get(kind, 0) + count
        self.assertEqual(leaves["decision"], len(records_of(self.folder / "found/verdicts.ndjson")))
        self.assertGreater(leaves["query"], 1000)
        self.assertGreaterEqual(leaves["anchor"], 1)
        self.assertEqual(check["anchors"][0]["leaves"], check["anchors"][0]["manifests"])
        text = self.run_program("ledger", "verify", "ledger").stdout.decode()
        self.assertTrue(text.endswith("all of it holds\n"), text)

    def test_a_flipped_bit_is_found_by_verify_and_by_fsck_with_its_place(self):
        ledger = self.copy_of_ledger("flipped")
        path = next((self.folder / ledger / "logs").glob("shard-s00-*")) / "entries-000000"
        if not path.exists():
            path = sorted(path.parent.glob("entries-*"))[0]
        content = bytearray(path.read_bytes())
        content[len(content) // 3] ^= 4
        path.write_bytes(content)
        check = self.verify(ledger, code=1)
        self.assertFalse(check["holds"])
        self.assertTrue(any("tile/entries" in finding["file"] for finding in check["findings"]), check["findings"])
        files = self.ledger_json("fsck", ledger=ledger, code=1)
        finding = files["findings"][0]
        self.assertTrue(finding["file"].endswith(path.name), finding)
        self.assertLessEqual(finding["offset"], len(content) // 3)
        self.assertEqual(self.ledger_json("fsck")["findings_count"], 0)

    def test_an_anchor_over_another_history_is_found(self):
        ledger = self.copy_of_ledger("rewritten")
        folder = next((self.folder / ledger / "manifests").glob("anchor-*"))
        path = next(folder.glob("manifests-*"))
        content = bytearray(path.read_bytes())
        content[-10] ^= 1
        path.write_bytes(content)
        check = self.verify(ledger, code=1)
        self.assertTrue(any(finding["file"].startswith("manifests/") for finding in check["findings"]))

    def test_wants_a_ledger(self):
        self.run_program("ledger", "verify", "world", code=4, says=["holds no audit log"])
        self.run_program("ledger", "keys", code=2, says=["--ledger"])
        self.run_program("ledger", "verify", "https://localhost:1/x", code=2, says=["--key"])


class Prove(ledger_fixture.LedgerTest):
    def test_by_id_and_by_index_the_same_proof(self):
        name, index, leaf = next(entry for entry in self.entries() if entry[2]["k"] == "decision")
        by_id = self.ledger("prove", f"--leaf={leaf['id']}", "--entry=entry.bin").stdout
        self.assertEqual(by_id, self.ledger("prove", f"--log={name}", f"--index={index}").stdout)
        self.assertEqual(json.loads((self.folder / "entry.bin").read_text()), leaf)
        self.assertTrue(by_id.startswith(f"c2sp.org/tlog-proof@v1\nindex {index}\n".encode()))
        self.ledger("prove", "--leaf=AAAAAAAAAAAAAAAAAAAAAA", code=2, says=["no log of this ledger"])
        self.ledger("prove", "--leaf=short", code=2, says=["22 letters"])
        self.ledger("prove", f"--log={name}", code=2, says=["--index"])

    def test_published_logs_verify_by_folder_and_by_address(self):
        self.ledger("publish", "--log=all", "--out=public")
        keys = self.ledger_json("keys")["logs"]
        for log in keys:
            path = log["vkey"].split("+")[0].split("/", 1)[1]
            check = self.verify(f"public/{path}", more=[f"--key={log['vkey']}"])
            self.assertTrue(check["holds"], check)
            self.assertEqual(check["logs"][0]["size"], log["size"])
        self.assertIn(f"log {keys[0]['vkey']}", self.ledger("keys").stdout.decode())

    def test_serve_answers_with_what_the_log_has(self):
        anchor = next(log for log in self.ledger_json("keys")["logs"] if log["name"].startswith("anchor-"))
        path = anchor["vkey"].split("+")[0].split("/", 1)[1]
        server = subprocess.Popen([BINARY, "ledger", "serve", "--ledger=ledger", "--listen=127.0.0.1:0"],
                                  cwd=self.folder, stderr=subprocess.PIPE)
        try:
            port = int(server.stderr.readline().split()[-1])
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}/checkpoint", timeout=10) as answer:
                checkpoint = self.folder / "ledger/logs" / anchor["name"] / "checkpoint"
                self.assertEqual(answer.read(), checkpoint.read_bytes())
            check = self.verify(f"http://127.0.0.1:{port}/{path}", more=[f"--key={anchor['vkey']}"])
            self.assertTrue(check["holds"], check)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(10)
            server.stderr.close()
        self.assertEqual(server.returncode, 0)

    def test_witness_prints_its_key_and_keeps_it(self):
        (self.folder / "logs.txt").write_text(self.ledger("keys").stdout.decode() + "quorum none\n")
        keys = []
        for _ in range(2):
            witness = subprocess.Popen([BINARY, "ledger", "witness", "--state=witness", "--name=w1.example",
                                        "--policy=logs.txt", "--listen=127.0.0.1:0"], cwd=self.folder,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            keys.append(witness.stdout.readline().decode().strip())
            witness.send_signal(signal.SIGTERM)
            self.assertEqual(witness.wait(10), 0)
            witness.stdout.close()
            witness.stderr.close()
        self.assertTrue(keys[0].startswith("w1.example+"), keys)
        self.assertEqual(keys[0], keys[1])


class Decide(ledger_fixture.LedgerTest):
    def decide(self, leaf, ledger="ledger", queries="queries.ndjson", settings="settings.toml", code=0):
        done = self.ledger("replay-decision", "req_" + leaf["id"], f"--log={queries}",
                           "--accounts=world/accounts.ndjson",
                           "--secret=secret", f"--settings={settings}", "--json", ledger=ledger, code=code)
        return json.loads(done.stdout)

    def test_comes_out_equal_by_bytes(self):
        decisions = self.decisions()
        for leaf in (decisions[0], decisions[len(decisions) // 2], decisions[-1]):
            answer = self.decide(leaf)
            self.assertEqual(answer["answer"], "equal", answer)
            self.assertEqual(answer["inputs"], answer["inputs_matched"])
            self.assertEqual(answer["verdict"]["level"], leaf["level"])

    def test_other_settings_come_out_different_and_say_so(self):
        (self.folder / "other.toml").write_text(world_fixture.SETTINGS + "[policy]\ndry_run = false\n")
        leaf = self.decisions()[-1]
        answer = self.decide(leaf, settings="other.toml", code=1)
        self.assertEqual(answer["answer"], "different")
        self.assertTrue(answer["reasons"])
        self.assertTrue(any("another configuration" in note for note in answer["notes"]), answer)

    def test_missing_lines_are_told_and_never_made_up(self):
        lines = world_fixture.lines_of(self.folder / "queries.ndjson")
        self.write_log("cut.ndjson", *lines[:len(lines) // 2])
        answer = self.decide(self.decisions()[-1], queries="cut.ndjson", code=3)
        self.assertEqual(answer["answer"], "not replayable")
        self.assertGreater(answer["inputs"], answer["inputs_matched"])
        changed = [line.replace(b'"account":"', b'"account":"x', 1) if number == 7 else line
                   for number, line in enumerate(lines)]
        self.write_log("changed.ndjson", *changed)
        answer = self.decide(self.decisions()[-1], queries="changed.ndjson", code=3)
        self.assertEqual(answer["inputs"] - answer["inputs_matched"], 1)

    def test_after_an_erasure_it_says_that_inputs_were_erased(self):
        ledger = self.copy_of_ledger("decided")
        leaf = self.decisions()[-1]
        self.ledger("erase", f"--account={self.members[0]}", "--reason=request", "--lines=decided-queries.ndjson",
                    ledger=ledger)
        answer = self.decide(leaf, ledger=ledger, queries="decided-queries.ndjson", code=3)
        self.assertEqual(answer["answer"], "not replayable")
        self.assertTrue(any("erased" in reason for reason in answer["reasons"]), answer)


class Erase(ledger_fixture.LedgerTest):
    def mentions(self, path, account):
        return account.encode() in pathlib.Path(path).read_bytes()

    def test_all_proofs_stay_valid_and_what_remains_is_said(self):
        ledger = self.copy_of_ledger("erased")
        account = self.members[0]
        proofs = {}
        for name, index, leaf in self.entries()[:300:50]:
            proofs[(name, index)] = self.ledger("prove", f"--log={name}", f"--index={index}", ledger=ledger).stdout
        done = self.ledger("erase", f"--account={account}", "--reason=request of 3 May", "--who=J. Doe",
                           "--lines=erased-queries.ndjson", "--lines=erased-accounts.ndjson", "--findings=erased-found",
                           ledger=ledger).stdout.decode()
        for text in ("destroyed: ", "what remains:", "pseudonyms that nobody can link", "entry "):
            self.assertIn(text, done)
        for path in ("erased-queries.ndjson", "erased-accounts.ndjson", "erased-found/verdicts.ndjson",
                     "erased-found/members.ndjson"):
            self.assertFalse(self.mentions(self.folder / path, f'"{account}"'), path)
        self.assertFalse((self.folder / "erased-found/report.html").exists())
        self.assertTrue(self.verify(ledger)["holds"])
        for (name, index), proof in proofs.items():
            self.assertEqual(self.ledger("prove", f"--log={name}", f"--index={index}", ledger=ledger).stdout, proof)
        # A bundle of the case still verifies, and says that one account can no longer be told.
        self.export("erased-bundle", "--requests-max=10", ledger=ledger)
        self.assertIn("pseudonym key", (self.folder / "erased-bundle/known-gaps.md").read_text())
        if ledger_fixture.has_checker():
            verified = self.run_verify(self.folder / "erased-bundle")
            self.assertEqual(verified.returncode, 0, verified.stdout.decode() + verified.stderr.decode())
        # Again: nothing is left to destroy, and that is no error.
        again = self.ledger_json("erase", f"--account={account}", "--reason=again", ledger=ledger)
        self.assertEqual((again["keys"], again["complete"]), (0, True))

    def test_a_hold_goes_before_an_erasure_until_it_is_released(self):
        ledger = self.copy_of_ledger("held")
        account = self.members[1]
        self.ledger("hold add", "--name=h1", "--case=matter 7", f"--account={account}", "--why=letter", ledger=ledger)
        self.assertIn("h1", self.ledger("hold list", ledger=ledger).stdout.decode())
        blocked = self.ledger_json("erase", f"--account={account}", "--reason=request", "--lines=held-queries.ndjson",
                                   ledger=ledger, code=1)
        self.assertEqual((blocked["complete"], blocked["held_by"], blocked["keys"]), (False, ["h1"], 0))
        self.assertGreater(blocked["lines_held"], 0)
        self.assertTrue(self.mentions(self.folder / "held-queries.ndjson", f'"{account}"'))
        self.ledger("hold add", "--name=h1", "--case=x", "--why=x", ledger=ledger, code=2)
        self.ledger("hold release", "--name=h1", "--why=settled", ledger=ledger)
        erased = self.ledger_json("erase", f"--account={account}", "--reason=request", "--lines=held-queries.ndjson",
                                  ledger=ledger)
        self.assertTrue(erased["complete"])
        self.assertGreater(erased["keys"], 0)
        self.assertFalse(self.mentions(self.folder / "held-queries.ndjson", f'"{account}"'))
        kinds = [leaf["k"] for _, _, leaf in self.entries(ledger=ledger, shard="shard-desk")]
        self.assertEqual([kind for kind in kinds if kind in ("hold", "erase")], ["hold", "erase", "hold", "erase"])
        self.assertTrue(self.verify(ledger)["holds"])

    def test_no_raw_id_is_in_the_ledger(self):
        for path in (self.folder / "ledger").rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                for account in self.members[:5]:
                    self.assertNotIn(account.encode(), content, path)

    def test_reading_works_beside_a_writer_and_destroying_says_that_it_does_not(self):
        ledger = self.copy_of_ledger("busy")
        # A replay that waits for its input holds the ledger as a gateway does.
        line = next(line for line in world_fixture.lines_of(self.folder / "queries.ndjson"))
        writer = subprocess.Popen([BINARY, *self.arguments("-", out="busy-out", more=[f"--ledger={ledger}"])],
                                  cwd=self.folder, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        try:
            # Enough that the reader delivers some.
            for _ in range(3):
                for line in world_fixture.lines_of(self.folder / "queries.ndjson")[:4000]:
                    writer.stdin.write(line)
            writer.stdin.flush()
            lock = self.folder / ledger / "keys/tenants"
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                done = subprocess.run(
                    [BINARY, "ledger", "erase", f"--ledger={ledger}", "--account=nobody", "--reason=x"],
                    cwd=self.folder, capture_output=True, check=False)
                if done.returncode == 4:
                    break
                time.sleep(0.2)
            self.assertEqual(done.returncode, 4, done.stderr.decode())
            self.assertIn("while no gateway and no replay", done.stderr.decode())
            self.assertTrue(lock.exists())
            self.ledger("hold add", "--name=live", "--case=c", "--why=w", ledger=ledger)
            self.export("busy-bundle", "--requests-max=5", ledger=ledger)
            self.ledger("keys", ledger=ledger)
        finally:
            writer.stdin.close()
            writer.wait(60)
        self.assertTrue(self.verify(ledger)["holds"])


if __name__ == "__main__":
    world_fixture.main()
