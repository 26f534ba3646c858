"""A simulated world as live traffic of a gateway: what the tests share that send one."""
import json
import shutil
import subprocess

import gateway_fixture
from gateway_traffic import CONNECTIONS, SETTINGS, WORLD, ModelProcess, keys_of
from world_fixture import records_of

STRONG = ("verify", "throttle", "restrict", "suspend")


class LiveWorld(gateway_fixture.GatewayTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        (cls.folder / "world.toml").write_text(WORLD)
        cls().run_program("simulate", "--world=world.toml", "--seed=1", "--out=world")
        packed = subprocess.run(["zstd", "-dcq", cls.folder / "world/queries.ndjson.zst"], capture_output=True,
                                check=True).stdout
        cls.requests = [json.loads(line) for line in packed.splitlines()]
        cls.hostile = {one["account"] for one in records_of(cls.folder / "world/truth.ndjson") if one["hostile"]}
        cls.upstream = ModelProcess()

    @classmethod
    def tearDownClass(cls):
        cls.upstream.stop()
        super().tearDownClass()

    def runTest(self):
        """Lets setUpClass use the methods of a test."""

    def begin_world(self, name):
        gateway = self.make(name, [self.upstream.url], settings=SETTINGS)
        (gateway.folder / "keys.ndjson").write_text(keys_of(self.requests))
        shutil.copy(self.folder / "world/accounts.ndjson", gateway.folder / "accounts.ndjson")
        gateway.change({"identity": {"accounts_file": gateway.path("accounts.ndjson")}})
        return gateway.start()

    def keep_pace(self, gateway, count, count_at_start=0):
        """Days pass in a second; the engine works in real time. Now and then the clients wait for it."""
        wanted = count - count_at_start - 2 * CONNECTIONS
        if count % 2000 == 0 and wanted > 0:
            gateway_fixture.wait_until(
                lambda: gateway.metric("stillwatch_query_log_records_total", result="written") >= wanted,
                "the engine has seen what was sent")

    def journal(self, gateway):
        path = gateway.folder / "state/verdicts.ndjson"
        return path.read_bytes() if path.exists() else b""

    def levels_of(self, lines):
        """As Gateway.levels() has them: the last verdict of each subject."""
        found = {}
        for verdict in map(json.loads, lines.splitlines()):
            subject = verdict["subject"]
            if subject["kind"] == "campaign":
                continue
            place = (subject.get("account", subject["id"]), subject["id"] if "account" in subject else "")
            found[place] = (verdict["level"], verdict["rule"], verdict["class"])
        return {place: level for place, level in found.items() if level[0] != "clear"}
