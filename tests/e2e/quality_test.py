#!/usr/bin/env python3
"""Detection holds on small worlds with fixed seeds: loose bounds that a broken detector does not meet.

The worlds are too small to say how good the detector is; docs/quality.md does that. They use built-in text, so that
the result is the same on every machine.
"""
import pathlib
import shutil
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "bench"))

import world_fixture  # noqa: E402
from quality_lib import figures, jobs  # noqa: E402

SCALE = 0.12  # of 20,400 benign accounts
BENIGN = ("world.days=16", "world.calibration_days=7", f"world.scale={SCALE}", 'world.prompts="builtin"')
CAMPAIGN = (*BENIGN, f"campaign.*.accounts={100 / SCALE:.0f}", "campaign.*.start_day=7")
SEED = 2
# Measured when this was written: 0.76, 0.73 and 0.70 (nine days of campaign, so each hour is half a percent).
PREVENTED_MIN = 0.5


class Quality(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="stillwatch-e2e-"))
        cls.at = jobs.place(world_fixture.BINARY, cls.folder)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder, ignore_errors=True)

    def run_world(self, world, settings, **more):
        result = jobs.perform(jobs.Run(f"worlds/{world}.toml", settings, SEED, **more), self.at)
        self.assertNotIn("unavailable", result)
        return result, figures.Figures([result])

    def assert_found(self, family, prevented_min):
        result, found = self.run_world(f"family_{family}", CAMPAIGN)
        self.assertEqual((found.honest.actioned, found.honest.accounts), (0, 2448))
        self.assertEqual(found.false_campaigns, 0)
        self.assertEqual(found.hostile, 100)
        self.assertGreaterEqual(found.hostile_actioned, 80)
        self.assertGreaterEqual(found.prevented_mean(), prevented_min)
        self.assertLessEqual(found.first_alert[0], 60)
        return result

    def test_template_farm_and_the_same_bytes_again(self):
        result = self.assert_found("template_farm", PREVENTED_MIN)
        again, _ = self.run_world("family_template_farm", CAMPAIGN, threads=2)
        self.assertEqual(result["verdicts_sha256"], again["verdicts_sha256"])
        self.assertEqual(result["evaluation"], again["evaluation"])

    def test_reasoning_sweep(self):
        self.assert_found("reasoning_sweep", PREVENTED_MIN)

    def test_repeated_sampling(self):
        self.assert_found("repeated_sampling", PREVENTED_MIN)

    def test_a_world_without_attack_stays_clean(self):
        result, found = self.run_world("families_base", BENIGN)
        self.assertEqual(found.prevented, [])
        self.assertEqual((found.honest.actioned, found.honest.accounts, found.false_campaigns), (0, 2448, 0))
        self.assertGreater(result["summary"]["records"], 100000)


if __name__ == "__main__":
    world_fixture.main()
