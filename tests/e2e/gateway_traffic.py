"""A small simulated world as traffic for a gateway: many connections at once, kept alive, answers out of order."""
import asyncio
import json
import pathlib
import subprocess
import sys
import zlib

import model_server
from gateway_fixture import REMEDIES_ON, key_line, key_of
from world_fixture import world_text

CONNECTIONS = 24
TIME_FIELD, ADDRESS_FIELD = "x-event-time", "x-forwarded-for"
PATHS = {"openai.chat": model_server.CHAT, "openai.responses": model_server.RESPONSES,
         "anthropic.messages": model_server.MESSAGES}
WORLD = world_text("live", days=8, calibration_days=3, chat_accounts=80, campaign_accounts=60, templates=60)
# Answers come out of order by hours of event time.
SETTINGS = {
    "intake": {"lateness_minutes": 360},
    "detect": {"calibration_days": 3, "first_seen_slots": 65536, "conversation_slots": 65536,
               "shared_tokens_max": 65536},
    "policy": {"dry_run": False},
    "observer": {"order_wait_seconds": 21600},
    "demo": {"time_header": TIME_FIELD},
    "identity": {"accounts_seconds": 1},
    "identity.front_proxy": [{"networks": ["127.0.0.0/8"], "address_header": ADDRESS_FIELD}],
    "remedies": {**REMEDIES_ON, "notice": "on"},
    "query_log": {"rotate_mib": 1, "rotate_hours": 24},
}


def keys_of(records):
    return "".join(key_line(account) for account in sorted({record["account"] for record in records}))


class ModelProcess:
    """The model server in a process of its own, so that it is not the clients' time."""

    def __init__(self):
        program = pathlib.Path(model_server.__file__)
        self.process = subprocess.Popen([sys.executable, program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}"

    def stop(self):
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()


class Traffic:
    """Sends records in the order of their time. `on_answer(count)` is called after each answer. With `again`, a request
    that got no answer is sent once more."""

    def __init__(self, port, records, on_answer=None, again=False):
        self.port, self.on_answer, self.again = port, on_answer, again
        self.records = [record for record in records if record["dialect"] in PATHS]
        self.statuses, self.sent_again, self.at = {}, 0, 0
        self.refused = set()

    def run(self):
        asyncio.run(self.run_all())
        return self

    async def run_all(self):
        await asyncio.gather(*(self.work() for _ in range(CONNECTIONS)))

    def next(self):
        self.at += 1
        return self.records[self.at - 1] if self.at <= len(self.records) else None

    async def work(self):
        connection = None
        while (record := self.next()) is not None:
            while True:
                try:
                    if connection is None:
                        connection = await asyncio.open_connection("127.0.0.1", self.port)
                    status = await self.send(record, *connection)
                    break
                except (ConnectionError, asyncio.IncompleteReadError, OSError):
                    if not self.again:
                        raise
                    self.sent_again += 1
                    connection = None
            self.statuses[status] = self.statuses.get(status, 0) + 1
            if status == 403:
                self.refused.add(record["account"])
            if self.on_answer is not None:
                self.on_answer(sum(self.statuses.values()))
        if connection is not None:
            connection[1].close()

    async def send(self, record, reader, writer):
        body = json.dumps(record["request"], ensure_ascii=False, separators=(",", ":")).encode()
        client = {"ip": "192.0.2.1", "user_agent": "none", **record.get("client", {})}
        # Every few answers take their time, and others overtake them.
        slow = "x-play: delay=0.03\r\n" if zlib.crc32(record["id"].encode()) % 29 == 0 else ""
        head = (f"POST {PATHS[record['dialect']]} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer "
                f"{key_of(record['account'])}\r\n{TIME_FIELD}: {record['time']}\r\n"
                f"{ADDRESS_FIELD}: {client['ip']}\r\nuser-agent: {client['user_agent']}\r\n"
                f"{slow}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n")
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        fields = {name.lower(): value.strip() for name, _, value in
                  (line.partition(":") for line in answer.decode("latin-1").split("\r\n")[1:] if line)}
        if "content-length" in fields:
            await reader.readexactly(int(fields["content-length"]))
        else:
            while (size := int(await reader.readuntil(b"\r\n"), 16)) > 0:
                await reader.readexactly(size + 2)
            await reader.readexactly(2)
        return int(answer.split(b" ")[1])
