"""A gateway in a folder of its own, its model server, and clients that speak HTTP byte by byte.

Whatever a test does, its prompts, keys and answers carry marks, and no file that the gateway writes may hold one: that
is looked for after each class. Nothing here is timed: what is waited for has a generous deadline.
"""
import contextlib
import hashlib
import http.client
import json
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import time

import model_server
import world_fixture
from world_fixture import BINARY

WAIT_SECONDS_MAX = 60
PORTS = random.SystemRandom()
# Of prompts, keys and answers; `FULL` is what no file may hold.
PROMPT, KEY = "PROMPT-MARK-4417", "sk-MARK-9902"
MARKS = [PROMPT.encode(), KEY.encode(), b"ANSWER-MARK-7731"]
REMEDIES_ON = {"dry_run": False, "verify": "on", "restrict": "on", "suspend": "on",
               "verify_address": "https://verify.example", "appeal_address": "https://appeal.example"}


def key_of(account):
    return f"{KEY}-{hashlib.sha256(account.encode()).hexdigest()[:24]}"


def key_line(account):
    return json.dumps({"v": 1, "key_sha256": hashlib.sha256(key_of(account).encode()).hexdigest(),
                       "key": f"key_of_{account}"[:128], "account": account}) + "\n"


def chat_body(text="", **more):
    return json.dumps({"model": "m", "messages": [
        {"role": "user", "content": f"{PROMPT}: write a long poem about the sea and the wind. {text}"}],
        **more}).encode()


def free_port():
    """Below those that the system gives to clients: one of these could connect to itself while nobody listens."""
    while True:
        with socket.socket() as one, contextlib.suppress(OSError):
            port = PORTS.randrange(12_000, 32_000)
            one.bind(("127.0.0.1", port))
            return port


def toml_of(sections):
    """Of {"section": {...}} and {"section": [{...}, ...]}."""
    text = ""
    for name, tables in sections.items():
        for table in tables if isinstance(tables, list) else [tables]:
            text += f"[[{name}]]\n" if isinstance(tables, list) else f"[{name}]\n"
            text += "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items())
    return text


def wait_until(condition, what, seconds=WAIT_SECONDS_MAX):
    """The first true value of `condition()`."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited too long until {what}")
        time.sleep(0.01)


class Wire:
    """A client's connection, byte by byte."""

    def __init__(self, port, context=None):
        self.left = b""
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=WAIT_SECONDS_MAX)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")

    def __del__(self):
        if hasattr(self, "socket"):
            self.close()

    def send(self, data):
        self.socket.sendall(data)
        return self

    def read_until(self, text):
        while text not in self.left:
            piece = self.socket.recv(65536)
            if not piece:
                raise AssertionError(f"the connection ended before {text!r}: {self.left[-500:]!r}")
            self.left += piece
        before, self.left = self.left[:self.left.index(text) + len(text)], self.left[self.left.index(text) + len(text):]
        return before

    def read_to_end(self):
        """All that comes until the other side closes, however it does."""
        with contextlib.suppress(ConnectionError):
            while piece := self.socket.recv(65536):
                self.left += piece
        out, self.left = self.left, b""
        return out

    def read_answer(self):
        """(status, head, body) of an answer of known length."""
        head = self.read_until(b"\r\n\r\n").decode("latin-1")
        length = int(re.search(r"(?i)\r\ncontent-length: *(\d+)", head)[1])
        while len(self.left) < length:
            piece = self.socket.recv(65536)
            if not piece:
                raise AssertionError("the connection ended within a body")
            self.left += piece
        body, self.left = self.left[:length], self.left[length:]
        return int(head.split(" ")[1]), head, body

    def close(self):
        self.socket.close()


def request_bytes(account, body, *fields, target=model_server.CHAT, method="POST", length=None):
    lines = [f"{method} {target} HTTP/1.1", "host: gateway", f"authorization: Bearer {key_of(account)}",
             "content-type: application/json", *fields]
    if length != "none":
        lines.append(f"content-length: {len(body) if length is None else length}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def records_in(logs):
    """Whole lines of compressed files, which may be being written."""
    if not logs:
        return []
    done = subprocess.run(["zstd", "-dcq", *logs], capture_output=True, check=False)
    return [json.loads(line) for line in done.stdout.splitlines() if line.endswith(b"}")]


class Gateway:
    """`stillwatch serve` as a process. Its settings are a dict of sections; files are in `folder`."""

    def __init__(self, folder, urls, settings=None, accounts=("acct_1", "acct_2"), scheme="http"):
        self.folder, self.scheme = pathlib.Path(folder), scheme
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port, self.admin_port = free_port(), free_port()
        self.settings = {
            "server": {"listen": [f"127.0.0.1:{self.port}"], "admin_listen": [f"127.0.0.1:{self.admin_port}"],
                       "threads": 2},
            "upstream": [{"name": "model", "urls": list(urls)}],
            "identity": {"keys_file": self.path("keys.ndjson"), "accounts_seconds": 1},
            "query_log": {"folder": self.path("log")},
            "state": {"folder": self.path("state"), "secret_file": self.path("secret")},
            "log": {"file": self.path("run.log"), "level": "debug"},
            "engine": {"snapshot_seconds": 0.2},
        }
        (self.folder / "keys.ndjson").write_text("".join(key_line(account) for account in accounts))
        self.change(settings or {})
        self.process, self.reloads_of_before = None, 0

    def path(self, name):
        return str(self.folder / name)

    def change(self, settings):
        """Writes the configuration anew; sections are merged key by key."""
        for name, table in settings.items():
            if isinstance(table, list):
                before = self.settings.get(name, [{}] * len(table))
                self.settings[name] = [{**old, **new} for old, new in zip(before, table)]
            else:
                self.settings[name] = {**self.settings.get(name, {}), **table}
        (self.folder / "gateway.toml").write_text(toml_of(self.settings))

    def start(self, before=(), **options):
        """`before`: a program that ends by becoming the gateway."""
        self.reloads_of_before = self.run_log().count('"event":"reload')
        with open(self.folder / "output", "ab") as output:
            self.process = subprocess.Popen([*before, BINARY, "serve", f"--config={self.path('gateway.toml')}"],
                                            stdin=subprocess.DEVNULL, stdout=output, stderr=output, **options)
        wait_until(self.is_ready, "the gateway is ready")
        return self

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the gateway ended with {self.process.returncode}: {self.output()[-2000:]}")
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.admin("GET", "/readyz")[0] == 200
        return False

    def output(self):
        return (self.folder / "output").read_text()

    def run_log(self):
        return (self.folder / "run.log").read_text() if (self.folder / "run.log").exists() else ""

    def end(self):
        """The exit code, once the process has ended."""
        code = self.process.wait(WAIT_SECONDS_MAX)
        self.process = None
        return code

    def stop(self):
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        return self.end()

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.end()

    def hang_up(self):
        """SIGHUP; returns when it has been answered in the run log, behind the answers to all reloads before."""
        before = sum(self.metric("stillwatch_reloads_total", result=result) for result in ("done", "refused"))
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.run_log().count('"event":"reload') == self.reloads_of_before + before + 1,
                   "the configuration is read again")

    def admin(self, method, target, body=None):
        """(status, text)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=WAIT_SECONDS_MAX)
        with contextlib.closing(connection):
            connection.request(method, target, json.dumps(body) if body is not None else None,
                               {"content-type": "application/json"} if body is not None else {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def override(self, account, level):
        status, text = self.admin("PUT", "/v1/admin/overrides", {
            "subject": {"kind": "account", "id": account}, "level": level, "until": "2100-01-01T00:00:00Z",
            "who": "test", "note": "a test"})
        assert status == 200, text

    def levels(self):
        """{(account, end user): (level, rule, class)} as the decision API lists them."""
        found, after = {}, ""
        while True:
            page = json.loads(self.admin("GET", f"/v1/decisions?count=10000{after}")[1])
            for one in page["levels"]:
                found[one["account"], one.get("end_user", "")] = (one["level"], one["rule"], one["class"])
            if "next" not in page:
                return found
            after = f"&after={page['next']}"

    def metric(self, name, **labels):
        text = self.admin("GET", "/metrics")[1]
        wanted = name + ("{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "}" if labels else "")
        found = re.search("^" + re.escape(wanted) + r" (\S+)$", text, re.MULTILINE)
        assert found, f"{wanted} is not among the metrics"
        return float(found[1])

    def ask(self, account="acct_1", body=None, fields=None, target=model_server.CHAT):
        """(status, fields, body) of one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_SECONDS_MAX)
        with contextlib.closing(connection):
            connection.request("POST", target, chat_body() if body is None else body,
                               {"authorization": f"Bearer {key_of(account)}", "content-type": "application/json",
                                **(fields or {})})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()

    def wire(self):
        return Wire(self.port)

    def logs(self):
        return sorted(self.log_folder().glob("*.zst"))

    def log_folder(self):
        """As the process sees it, which may have a file system of its own there."""
        inside = pathlib.Path(f"/proc/{self.process.pid}/root{self.path('log')}") if self.process else None
        return inside if inside is not None and inside.is_dir() else self.folder / "log"

    def records(self):
        """The query log's lines, those of a running gateway too as far as they are on the disk."""
        return records_in(self.logs())

    def replay(self, test, out):
        """Its own log, with its secret, accounts and settings; `out` is a folder name of the test."""
        kept = {name: table for name, table in self.settings.items()
                if name in ("intake", "detect", "policy", "engine")}
        (self.folder / "replay.toml").write_text(toml_of(kept))
        accounts = self.folder / "state/accounts.ndjson"
        test.run_program("replay", *map(str, self.logs()), f"--out={out}", f"--config={self.path('replay.toml')}",
                         f"--secret={self.path('secret')}", *([f"--accounts={accounts}"] if accounts.exists() else []))
        return test.folder / out


class GatewayTest(world_fixture.FolderTest):
    """Gateways end with their test, their model servers with their class; then the marks are looked for."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = model_server.ModelServer()
        cls.gateways = []

    @classmethod
    def tearDownClass(cls):
        try:
            cls.model.stop()
            for gateway in cls.gateways:
                gateway.kill()
            cls.assert_no_marks()
        finally:
            super().tearDownClass()

    @classmethod
    def make(cls, name, urls=None, **options):
        gateway = Gateway(cls.folder / name, urls or [cls.model.url], **options)
        cls.gateways.append(gateway)
        return gateway

    def begin(self, name, urls=None, **options):
        """A gateway that serves until the test ends."""
        gateway = self.make(name, urls, **options).start()
        self.addCleanup(self.finish, gateway)
        return gateway

    def finish(self, gateway):
        if gateway.process is None:
            return
        (gateway.folder / "metrics").write_text(gateway.admin("GET", "/metrics")[1])
        self.model.open_gate()
        self.assertEqual(gateway.stop(), 0, gateway.output())
        self.model.shut_gate()

    @classmethod
    def assert_no_marks(cls):
        looked = 0
        for gateway in cls.gateways:
            for path in (path for path in gateway.folder.rglob("*") if path.is_file()):
                content = path.read_bytes()
                if path.suffix == ".zst":
                    content = subprocess.run(["zstd", "-dcq", path], capture_output=True, check=False).stdout
                looked += len(content)
                for mark in MARKS:
                    assert mark not in content, f"{mark.decode()} is in {path}"
        assert looked > 0
