#!/usr/bin/env python3
"""A decision API beside another program's log that grows: what it finds there is what a replay of that log finds, over
rotations, packed ones too, and kill -9, and who is found is refused."""
import datetime
import json
import random
import shutil
import subprocess

import gateway_fixture
import world_fixture
from gateway_fixture import wait_until
from gateway_traffic import SETTINGS, WORLD
from world_fixture import records_of

PIECES, KILLS = 40, (13, 22, 31)


class TailedLog(gateway_fixture.GatewayTest):
    def beside(self, name, tail, settings=None):
        """A gateway without upstream; the logs that it follows are outside its folder, as they hold prompts."""
        gateway = self.make(name, ["http://127.0.0.1:1"], settings={"tail": tail, **(settings or {})})
        del gateway.settings["upstream"]
        gateway.change({"server": {"listen": []}})
        return gateway

    def decision(self, gateway, account):
        return json.loads(gateway.admin("POST", "/v1/decisions/check", {"account": account})[1])

    def wait_for_records(self, gateway, count, before=0):
        wait_until(lambda: gateway.metric("stillwatch_query_log_records_total", result="written") + before >= count,
                   f"{count} records came")

    def test_a_campaign_in_a_growing_log_is_refused_as_a_replay_of_that_log_would(self):
        (self.folder / "world.toml").write_text(WORLD)
        self.run_program("simulate", "--world=world.toml", "--seed=1", "--out=world")
        packed = subprocess.run(["zstd", "-dcq", self.folder / "world/queries.ndjson.zst"], capture_output=True,
                                check=True).stdout
        lines = packed.splitlines(keepends=True)
        dice = random.Random(3)
        for at in range(0, len(lines) - 8, 8):  # written when answers end
            other = at + dice.randrange(8)
            lines[at], lines[other] = lines[other], lines[at]
        hostile = {one["account"] for one in records_of(self.folder / "world/truth.ndjson") if one["hostile"]}

        (self.folder / "calls").mkdir()
        log = self.folder / "calls/calls.ndjson"
        gateway = self.beside("growing", [{"path": str(log)}], SETTINGS)
        shutil.copy(self.folder / "world/accounts.ndjson", gateway.folder / "accounts.ndjson")
        gateway.change({"identity": {"accounts_file": gateway.path("accounts.ndjson")}})
        gateway.start()
        rotations, whole = 0, b"".join(lines)
        at = 0
        for piece in range(PIECES):
            until = len(whole) * (piece + 1) // PIECES  # within a line, as likely as not
            with open(log, "ab") as out:
                out.write(whole[at:until])
            at = until
            if piece in KILLS:
                gateway.kill()
            if piece % 7 == 5 or piece in KILLS:
                if piece not in KILLS:
                    self.wait_for_records(gateway, 1)  # it has the file open
                rotations += 1
                rotated = log.with_name(f"calls.ndjson.{rotations}")
                log.rename(rotated)
                # The line that was cut is written to its end by who had begun it.
                end = whole.index(b"\n", at) + 1 if whole[at - 1:at] != b"\n" else at
                with open(rotated, "ab") as out:
                    out.write(whole[at:end])
                at = max(at, end)
            if piece in KILLS:
                # Packed before it was read to its end.
                packer = ["gzip", "-q"] if rotations % 2 else ["zstd", "-q", "--rm"]
                subprocess.run([*packer, rotated], check=True)
                gateway.start()
        wait_until(lambda: len(gateway.records()) >= len(lines), "all of the log was taken")
        accounts = sorted({json.loads(line)["account"] for line in lines})
        self.assertEqual(gateway.stop(), 0)
        gateway.start()
        answers = {account: self.decision(gateway, account) for account in accounts}
        refused = {account for account, answer in answers.items() if not answer["allowed"]}
        self.assertGreater(len(refused), len(hostile) // 2, "the campaign was not found")
        self.assertEqual(refused - hostile, set())
        self.assertEqual(gateway.metric("stillwatch_tail_events_total", event="place_lost"), 0)
        self.assertEqual(gateway.stop(), 0)

        records = gateway.records()
        self.assertEqual(sorted(record["id"] for record in records), sorted(json.loads(line)["id"] for line in lines))
        self.assertEqual([record for record in records if record.get("shed")], [])
        live = (gateway.folder / "state/verdicts.ndjson").read_bytes()
        self.assertEqual(live, (gateway.replay(self, "own") / "verdicts.ndjson").read_bytes())
        (self.folder / "calls/all.ndjson").write_bytes(whole)
        self.run_program("replay", "calls/all.ndjson", "--out=tailed", f"--config={gateway.path('replay.toml')}",
                         f"--secret={gateway.path('secret')}", f"--accounts={gateway.folder}/state/accounts.ndjson")
        self.assertEqual(live, (self.folder / "tailed/verdicts.ndjson").read_bytes())

    def test_logs_of_other_programs_are_read_by_their_names(self):
        (self.folder / "others").mkdir()
        now = datetime.datetime.now(datetime.timezone.utc)
        times = [now - datetime.timedelta(hours=5, seconds=-10 * number) for number in range(20)]
        litellm = [{"id": f"l{number}", "call_type": "acompletion", "startTime": time.timestamp(),
                    "endTime": time.timestamp() + 1, "status": "success", "model": "m-large",
                    "metadata": {"user_api_key_user_id": f"acct_{number % 3}"},
                    "messages": [{"role": "user", "content": "Write a long poem about the sea."}],
                    "prompt_tokens": 7, "completion_tokens": 70} for number, time in enumerate(times)]
        envoy = [{"x-request-id": f"e{number}", "start_time": time.strftime("%Y-%m-%dT%H:%M:%S.000Z"), "duration": 900,
                  "user.id": f"acct_{number % 3}", "x-envoy-origin-path": "/v1/chat/completions", "response_code": 200,
                  "gen_ai.request.model": "m-large", "gen_ai.usage.output_tokens": 70}
                 for number, time in enumerate(times)]
        mapped = [{"n": f"m{number}", "at": int(time.timestamp()), "who": f"acct_{number % 3}",
                   "text": "A poem, please."} for number, time in enumerate(times)]
        (self.folder / "map.toml").write_text(
            'v = 1\n[paths]\nid = "n"\ntime = "at"\naccount = "who"\n"request.prompt" = "text"\n'
            '[constants]\ndialect = "text"\n[times]\ntime = "unix_s"\n')
        for name, records in (("litellm", litellm), ("envoy-1", envoy[::2]), ("envoy-2", envoy[1::2]), ("map", mapped)):
            (self.folder / "others" / name).write_text("".join(json.dumps(record) + "\n" for record in records))
        folder = str(self.folder / "others")
        gateway = self.beside("named", [
            {"path": f"{folder}/litellm", "format": "litellm"},
            {"path": f"{folder}/envoy-*", "format": "envoy-ai-gateway"},
            {"path": f"{folder}/map", "format": f"map:{self.folder}/map.toml"}])
        gateway.start()
        self.wait_for_records(gateway, 60)
        # They are hours old, and read one file after the other: in the order of their time all the same.
        self.assertEqual(gateway.metric("stillwatch_exchanges_total", result="shed_late"), 0)
        self.assertEqual(gateway.metric("stillwatch_tail_files"), 4)
        with open(f"{folder}/litellm", "a", encoding="utf-8") as out:
            out.write("no record\n" + json.dumps(litellm[0]) + "\n")
        wait_until(lambda: gateway.metric("stillwatch_fed_lines_total", result="repeated") == 1, "a repeat is seen")
        self.assertEqual(gateway.metric("stillwatch_fed_lines_total", result="refused"), 1)
        self.assertEqual(gateway.stop(), 0)
        records = gateway.records()
        self.assertEqual({record["id"] for record in records},
                         {f"{kind}{number}" for kind in "lem" for number in range(20)})
        self.assertEqual({record["account"] for record in records}, {"acct_0", "acct_1", "acct_2"})
        # Nothing is read again.
        gateway.start()
        self.assertEqual(gateway.stop(), 0)
        self.assertEqual(len(gateway.records()), 60)


if __name__ == "__main__":
    world_fixture.main()
