#!/usr/bin/env python3
"""Traffic of a small world through a gateway: what it finds live is what a replay of its own log finds, byte for byte,
and nothing of it is lost however often the process is killed."""
import json
import random
import subprocess

import gateway_world
import world_fixture
from gateway_traffic import Traffic
from gateway_world import STRONG
from world_fixture import records_of

KILLS = 4


class LiveEqualsReplay(gateway_world.LiveWorld):
    def assert_no_prompts(self, gateway):
        dice = random.Random(1)
        texts = [json.dumps(one["request"])[-400:-40].encode() for one in dice.sample(self.requests, 40)]
        for path in (path for path in gateway.folder.rglob("*") if path.is_file()):
            content = path.read_bytes()
            if path.suffix == ".zst":
                content = subprocess.run(["zstd", "-dcq", path], capture_output=True, check=True).stdout
            for text in texts:
                self.assertNotIn(text[100:160], content, path)

    def test_live_equals_a_replay_of_its_own_log(self):
        gateway = self.begin_world("whole")
        traffic = Traffic(gateway.port, self.requests, lambda count: self.keep_pace(gateway, count)).run()
        self.assertEqual(set(traffic.statuses), {200, 403}, "the campaign is refused while it runs, nothing fails")
        self.assertEqual(traffic.refused - self.hostile, set())
        self.assertEqual(gateway.stop(), 0)
        records = gateway.records()
        self.assertEqual(len(records), len(traffic.records), "one record for each request")
        times = [record["time"] for record in records]
        self.assertNotEqual(times, sorted(times), "nothing ended out of order")
        self.assertGreater(len(gateway.logs()), 2, "the log was not rotated")

        out = gateway.replay(self, "replayed")
        live = self.journal(gateway)
        self.assertEqual(live, (out / "verdicts.ndjson").read_bytes())
        self.assertEqual((gateway.folder / "state/alarms.ndjson").read_bytes(), (out / "alarms.ndjson").read_bytes())
        # What ended after its turn is marked, here as there no part of the verdicts; little of it is.
        shed = [record for record in records if record.get("shed")]
        rejects = records_of(out / "rejects.ndjson")
        self.assertEqual({one["reason"] for one in rejects} - {"too_late"}, set())
        self.assertLessEqual(len(rejects), len(shed))
        self.assertLess(len(shed), len(records) // 20)
        verdicts = [json.loads(line) for line in live.splitlines()]
        self.assertEqual({verdict["dry_run"] for verdict in verdicts}, {False})
        acted = {place[0] for place, level in self.levels_of(live).items() if level[0] in STRONG}
        self.assertGreater(len(acted & self.hostile), len(self.hostile) // 2, "the campaign was not found")
        self.assertEqual(acted - self.hostile, set())
        self.assert_no_prompts(gateway)
        # Started again, it stands where it stood.
        gateway.start()
        self.assertEqual(gateway.levels(), self.levels_of(live))
        self.assertGreaterEqual(gateway.metric("stillwatch_campaigns"), 1)
        self.assertEqual(gateway.metric("stillwatch_verdict_table_subjects"), len(gateway.levels()))
        self.assertEqual(gateway.stop(), 0)
        self.assertEqual(self.journal(gateway), live)

    def test_kill_nine_loses_no_level(self):
        gateway = self.begin_world("killed")
        dice = random.Random(5)
        total = len(Traffic(0, self.requests).records)
        # The first while there is no verdict yet, the last ones where the campaign is known.
        marks = sorted(dice.sample(range(total // 4, total - 200), KILLS))
        levels_kept, on_disk, starts = [], set(), [0]

        def on_answer(count):
            self.keep_pace(gateway, count, starts[-1])
            if not marks or count < marks[0]:
                return
            marks.pop(0)
            before, written = gateway.levels(), self.journal(gateway)
            on_disk.update(record["id"] for record in gateway.records())
            gateway.kill()
            gateway.start()
            starts.append(count)
            # The clients are this thread's coroutines: none has sent anything yet.
            after, now_written = gateway.levels(), self.journal(gateway)
            self.assertEqual(now_written[:len(written)], written, "lines of verdicts were lost")
            self.assertEqual(set(before) - set(after), set(), "a level was lost")
            levels_kept.append(len(before))

        traffic = Traffic(gateway.port, self.requests, on_answer, again=True).run()
        self.assertEqual(marks, [])
        self.assertGreater(traffic.sent_again, KILLS)
        self.assertEqual(sum(traffic.statuses.values()), total)
        self.assertGreater(levels_kept[-1], 10, "killed where nothing could be lost")
        levels_before = gateway.levels()
        self.assertEqual(gateway.stop(), 0)
        out = gateway.replay(self, "replayed-killed")
        self.assertEqual(self.journal(gateway), (out / "verdicts.ndjson").read_bytes())
        self.assertEqual(on_disk - {record["id"] for record in gateway.records()}, set(), "a written record was lost")
        gateway.start()
        levels = gateway.levels()
        self.assertEqual(levels, self.levels_of((out / "verdicts.ndjson").read_bytes()))
        self.assertEqual(set(levels_before) - set(levels), set())
        self.assertGreater(len({place[0] for place in levels} & self.hostile), len(self.hostile) // 2)
        self.assertEqual(gateway.stop(), 0)


if __name__ == "__main__":
    world_fixture.main()
