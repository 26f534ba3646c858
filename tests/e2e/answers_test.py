"""End to end: logs that hold the answers. Chains are found by them; any number of threads agrees; without them all else
is as ever."""
import json
import sys
import unittest

from world_fixture import FolderTest, VERDICTS, WORLD, lines_of, records_of

CHAINS = """
[campaign.small-1]
family = "evolution"
accounts = 40
requests_per_account_day = 30
attack_share = 1.0
client = "spoofed"
start_day = 2
"""


class AnswersTest(FolderTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        world = WORLD[:WORLD.index("[campaign.small-1]")] + CHAINS
        world = world.replace("days = 5\n", "days = 5\nresponse_body = true\nfailure_rate = 0\n", 1)
        (cls.folder / "world.toml").write_text(world)

    def test_answers_in_the_log(self):
        self.run_program("simulate", "--world=world.toml", "--seed=3", "--out=world")
        with open(self.folder / "queries.ndjson", "wb") as log:
            log.write(self.run_program("simulate", "--world=world.toml", "--seed=3", "--out=again", "--stream").stdout)
        with open(self.folder / "bare.ndjson", "w", encoding="utf-8") as log:
            for line in lines_of(self.folder / "queries.ndjson"):
                entry = json.loads(line)
                entry["response"].pop("body", None)
                log.write(json.dumps(entry, separators=(",", ":"), ensure_ascii=False) + "\n")
        for threads in (1, 3):
            self.replay("queries.ndjson", accounts="world/accounts.ndjson", out="out", threads=threads)
            (self.folder / "out").rename(self.folder / f"out-{threads}")
        self.assert_same("out-1", "out-3", VERDICTS)
        self.replay("bare.ndjson", accounts="world/accounts.ndjson", out="bare")
        hostile = {line["account"] for line in records_of(self.folder / "world/truth.ndjson") if line["hostile"]}

        def handed_on(out):
            return {line["account"] for line in records_of(self.folder / out / "members.ndjson")
                    if "handoff" in line["channels"]} & hostile
        self.assertGreaterEqual(len(handed_on("out-1")), 30)
        self.assertEqual(handed_on("bare"), set())


if __name__ == "__main__":
    sys.exit(unittest.main())
