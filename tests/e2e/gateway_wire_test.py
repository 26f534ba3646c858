#!/usr/bin/env python3
"""Requests byte by byte: what two servers could read in two ways never gets through, what is slow or too large holds up
nobody else, and what the specification allows is served."""
import gzip
import json

import gateway_fixture
import world_fixture
from gateway_fixture import KEY, PROMPT, chat_body, key_of, request_bytes, wait_until

INNER = b"GET /v1/smuggled HTTP/1.1\r\nhost: inner\r\n\r\n"
CHUNKED = "transfer-encoding: chunked"


def chunked(body):
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def raw(*lines, body=b"", start="POST /v1/chat/completions HTTP/1.1", end="\r\n"):
    head = [start, "host: gateway", f"authorization: Bearer {key_of('acct_1')}", *lines]
    return end.join(head).encode("latin-1") + (end * 2).encode() + body


# Each as a whole connection. Behind them stands what an upstream that reads them otherwise would take for a request.
SMUGGLING = {
    "length and chunked": raw("content-length: 4", CHUNKED, body=chunked(b"")),
    "chunked and length": raw(CHUNKED, "content-length: 4", body=chunked(b"")),
    "two lengths": raw("content-length: 0", "content-length: 44"),
    "two lengths in a list": raw("content-length: 0, 44"),
    "length with a sign": raw("content-length: +4", body=b"abcd"),
    "length with a minus": raw("content-length: -1"),
    "length in hexadecimal": raw("content-length: 0x4", body=b"abcd"),
    "length with a blank within": raw("content-length: 1 0"),
    "length beyond 64 bits": raw("content-length: 18446744073709551620", body=b"abcd"),
    "empty length": raw("content-length: "),
    "space before the colon": raw("transfer-encoding : chunked", body=chunked(b"")),
    "space before the name": raw(" transfer-encoding: chunked", body=chunked(b"")),
    "folded line": raw("x-a: b", " transfer-encoding: chunked", body=chunked(b"")),
    "tab in a name": raw("transfer-encoding\t: chunked", body=chunked(b"")),
    "vertical tab": raw("transfer-encoding: \x0bchunked", body=chunked(b"")),
    "unknown coding": raw("transfer-encoding: xchunked", body=chunked(b"")),
    "chunked not last": raw("transfer-encoding: chunked, gzip", body=chunked(b"")),
    "chunked twice": raw("transfer-encoding: chunked, chunked", body=chunked(b"")),
    "two codings": raw(CHUNKED, "transfer-encoding: identity", body=chunked(b"")),
    "quoted coding": raw('transfer-encoding: "chunked"', body=chunked(b"")),
    "chunked in HTTP/1.0": raw(CHUNKED, body=chunked(b""), start="POST /v1/chat/completions HTTP/1.0"),
    "bare line feeds": raw("content-length: 0", end="\n"),
    "bare carriage return": raw("x-a: b\rtransfer-encoding: chunked", "content-length: 0"),
    "a zero byte": raw("x-a: b\x00c", "content-length: 0"),
    "chunk size with a sign": raw(CHUNKED, body=b"+2\r\nab\r\n0\r\n\r\n"),
    "chunk size with 0x": raw(CHUNKED, body=b"0x2\r\nab\r\n0\r\n\r\n"),
    "chunk size beyond 64 bits": raw(CHUNKED, body=b"10000000000000002\r\nab\r\n0\r\n\r\n"),
    "chunk longer than it says": raw(CHUNKED, body=b"2\r\nabcd\r\n0\r\n\r\n"),
    "chunk line without its return": raw(CHUNKED, body=b"2\nab\n0\n\n"),
    "chunk extension with a line feed": raw(CHUNKED, body=b"2;a\nb\r\nab\r\n0\r\n\r\n"),
    "length in a trailer": raw(CHUNKED, body=b"0\r\ncontent-length : 5\r\n\r\n"),
    "two hosts": raw("host: other", "content-length: 0"),
    "no host": b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 0\r\n\r\n",
    "two spaces": raw("content-length: 0", start="POST  /v1/chat/completions HTTP/1.1"),
    "another version": raw("content-length: 0", start="POST /v1/chat/completions HTTP/1.2"),
    "a target with a space": raw("content-length: 0", start="POST /v1/chat completions HTTP/1.1"),
    "a tunnel": raw(start="CONNECT 127.0.0.1:22 HTTP/1.1"),
}


class Smuggling(gateway_fixture.GatewayTest):
    def test_nothing_ambiguous_reaches_the_model_server(self):
        gateway = self.begin("strict")
        for name, request in SMUGGLING.items():
            got = gateway.wire().send(request + INNER).read_to_end()
            self.assertRegex(got, rb"^HTTP/1.1 [45]\d\d ", name)
            self.assertEqual(got.count(b"HTTP/1.1 "), 1, f"{name}: what stood behind was served too")
        self.assertEqual(self.model.seen(), [])
        self.assertGreater(gateway.metric("stillwatch_requests_in_flight"), 0)  # the one that asks
        self.assertEqual(gateway.ask()[0], 200)
        self.assertEqual(len(self.model.seen()), 1)

    def test_what_is_meant_for_us_goes_no_further(self):
        gateway = self.begin("clean")
        seen = len(self.model.seen())
        status, _, _ = gateway.ask(fields={
            "connection": "keep-alive, x-secret", "x-secret": "1", "keep-alive": "timeout=5", "te": "trailers",
            "proxy-authorization": "Basic MARK", "stillwatch-level": "clear", "upgrade": "h2c"})
        self.assertEqual(status, 200)
        fields = self.model.seen()[seen][2]
        for name in ("x-secret", "keep-alive", "te", "proxy-authorization", "stillwatch-level", "upgrade"):
            self.assertNotIn(name, fields)
        self.assertNotIn(b"x-secret", fields.get("connection", "").encode())


class Limits(gateway_fixture.GatewayTest):
    def test_slow_heads_and_bodies(self):
        gateway = self.begin("loris", settings={"server": {
            "header_seconds": 1, "body_idle_seconds": 1, "keep_alive_seconds": 2}})
        body = chat_body()
        heads = [gateway.wire().send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nx-slow: ") for _ in range(40)]
        bodies = [gateway.wire().send(request_bytes("acct_1", body[:20], length=len(body))) for _ in range(40)]
        silent = gateway.wire()
        self.assertEqual(gateway.ask("acct_2")[0], 200, "others are served meanwhile")
        for wire in heads + bodies:
            self.assertRegex(wire.read_to_end(), rb"^HTTP/1.1 408 ")
        self.assertEqual(silent.read_to_end(), b"")
        self.assertEqual(len(self.model.seen()), 1)
        wait_until(lambda: len(gateway.records()) == 41, "slow bodies have their records")
        statuses = sorted(record["response"]["status"] for record in gateway.records())
        self.assertEqual(statuses, [200] + [statuses[-1]] * 40)
        self.assertEqual(gateway.metric("stillwatch_refusals_total", reason="timeout"), 40)
        self.assertEqual(gateway.ask("acct_2")[0], 200)

    def test_a_head_byte_by_byte(self):
        """Each byte in time, the whole not: only the time of the whole head helps against that."""
        gateway = self.begin("dripping", settings={"server": {"header_seconds": 1}})
        wire = gateway.wire()
        wire.socket.settimeout(0.05)
        got = b""
        for byte in b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nx: " + b"y" * 5000:
            try:
                wire.send(bytes([byte]))
                got = wire.socket.recv(4096)
                break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        else:
            self.fail("a head may take forever")
        self.assertRegex(got, rb"^(HTTP/1.1 408 |$)")

    def test_too_large(self):
        gateway = self.begin("large", settings={"server": {"body_mib_max": 1}})
        seen = len(self.model.seen())
        large = chat_body("z" * (1 << 20))
        wire = gateway.wire().send(request_bytes("acct_1", b"", length=len(large)))
        self.assertRegex(wire.read_to_end(), rb"^HTTP/1.1 413 ", "by its length alone")
        wire = gateway.wire().send(request_bytes("acct_1", b"", CHUNKED, length="none"))
        try:
            wire.send(chunked(large))
        except ConnectionError:
            pass
        self.assertRegex(wire.read_to_end(), rb"^HTTP/1.1 413 ", "by what came")
        self.assertEqual(gateway.ask(body=chat_body("z" * (900 << 10)))[0], 200)
        for status, request in ((414, raw("content-length: 0", start=f"POST /{'a' * 9000} HTTP/1.1")),
                                (431, raw("content-length: 0", "x: " + "a" * 40_000)),
                                (431, raw("content-length: 0", *(f"x{n}: a" for n in range(200))))):
            self.assertRegex(gateway.wire().send(request).read_to_end(), rb"^HTTP/1.1 %d " % status)
        self.assertEqual(len(self.model.seen()), seen + 1)


class Secrets(gateway_fixture.GatewayTest):
    """What is wrong with a request is said without repeating it, to the client, in the log and to the operator. The
    files are looked through when the class ends."""

    def test_refusals_repeat_nothing(self):
        gateway = self.begin("discreet", settings={"server": {"body_mib_max": 1, "unreadable_body": "refuse"}})
        mark, key = PROMPT.encode(), f"{KEY}-unknown-0123456789"
        bodies = {"cut": chat_body()[:-5], "not UTF-8": chat_body() + b"\xff", "text": mark, "empty": b"",
                  "deep": b'{"messages":' + b"[" * 5000 + mark, "number": b'{"model":"m","n":"' + mark + b'"}',
                  "large": chat_body("z" * (1 << 20)), "packed": gzip.compress(chat_body())}
        for name, body in bodies.items():
            for path in ("/v1/chat/completions", "/v1/messages", "/v1/responses", f"/v1/{PROMPT}?key={KEY}"):
                wire = gateway.wire()
                try:
                    wire.send(request_bytes("acct_1", body, target=path))
                except ConnectionError:
                    pass
                status, head, text = wire.read_answer()
                if status >= 400:
                    self.assert_discreet(head.encode() + text, f"{name} {path}")
        requests = [raw(f"x-api-key: {key}", "content-length: 0"), raw(f"{PROMPT}: a: b\x00", "content-length: 0"),
                    raw("content-length: 0", start=f"POST /{KEY} HTTP/9.9"), mark + b"\r\n\r\n",
                    request_bytes(f"{KEY}-nobody", chat_body()), request_bytes("acct_1", chat_body(), CHUNKED)]
        for request in requests:
            self.assert_discreet(gateway.wire().send(request).read_until(b"\r\n\r\n"), request[:60])
        for target in ("/v1/admin/overrides", "/v1/admin/dry-run", "/v1/decisions/check", "/v1/traces", f"/{PROMPT}"):
            for method in ("PUT", "POST", "GET"):
                answer = gateway.admin(method, target, {PROMPT: KEY, "account": f"{KEY}-nobody"})
                self.assert_discreet(answer[1].encode(), target)
        self.assertEqual(gateway.ask(fields={"authorization": f"Basic {KEY}"})[0], 401)
        wait_until(lambda: gateway.run_log().count('"event":"refused"') >= 10, "refusals are in the run log")

    def assert_discreet(self, said, about):
        for mark in gateway_fixture.MARKS:
            self.assertNotIn(mark, said, about)


class Allowed(gateway_fixture.GatewayTest):
    def test_expect_100_continue(self):
        gateway = self.begin("continued", settings={"server": {"body_mib_max": 1}})
        body = chat_body()
        wire = gateway.wire().send(request_bytes("acct_1", b"", "expect: 100-continue", length=len(body)))
        self.assertRegex(wire.read_until(b"\r\n\r\n"), rb"^HTTP/1.1 100 ")
        self.assertEqual(wire.send(body).read_answer()[0], 200)
        self.assertNotIn("expect", self.model.seen()[-1][2])
        # Who is refused need not send it.
        for account, size, status in (("acct_1", 2 << 20, 413), ("nobody", 100, 401)):
            wire = gateway.wire().send(request_bytes(account, b"", "expect: 100-continue", length=size))
            self.assertRegex(wire.read_until(b"\r\n\r\n"), rb"^HTTP/1.1 %d " % status)
        # One that does not wait for it is served all the same.
        wire = gateway.wire().send(request_bytes("acct_1", body, "expect: 100-continue"))
        got = wire.read_until(b"\r\n\r\n")
        self.assertRegex(got, rb"^HTTP/1.1 (100|200) ")

    def test_pipelined_requests(self):
        gateway = self.begin("pipelined")
        bodies = [chat_body(f"number {n}") for n in range(20)]
        wire = gateway.wire().send(b"".join(request_bytes("acct_1", body, "x-play: delay=0.01") for body in bodies))
        answers = [wire.read_answer() for _ in bodies]
        self.assertEqual({answer[0] for answer in answers}, {200})
        self.assertEqual([request[3] for request in self.model.seen()[-20:]], bodies, "in order")
        used = [json.loads(answer[2])["usage"] for answer in answers]
        records = wait_until(lambda: len(gateway.records()) == 20 and gateway.records(), "all are logged")
        self.assertEqual([record["response"]["usage"]["output_tokens"] for record in records],
                         [usage["completion_tokens"] for usage in used], "each answer is that of its request")

    def test_chunked_bodies(self):
        gateway = self.begin("chunked")
        body = chat_body()
        pieces = b"".join(b"%x;a=b\r\n%b\r\n" % (1, body[n:n + 1]) for n in range(len(body)))
        wire = gateway.wire().send(request_bytes("acct_1", b"", CHUNKED, length="none"))
        self.assertEqual(wire.send(pieces + b"0\r\nx-trailer: 1\r\n\r\n").read_answer()[0], 200)
        self.assertEqual(self.model.seen()[-1][3], body)
        self.assertEqual(wire.send(request_bytes("acct_1", body)).read_answer()[0], 200, "the connection goes on")

    def test_compressed_bodies(self):
        gateway = self.begin("compressed")
        packed = gzip.compress(chat_body())
        fields = {"content-encoding": "gzip"}
        self.assertEqual(gateway.ask(body=packed, fields=fields)[0], 200)
        self.assertEqual(self.model.seen()[-1][3], packed, "as it came")
        self.assertEqual(self.model.seen()[-1][2]["content-encoding"], "gzip")
        record = wait_until(gateway.records, "it is logged")[0]
        self.assertIn("refused", record["fingerprint"], "nothing of it could be read")
        gateway.change({"server": {"unreadable_body": "refuse"}})
        gateway.hang_up()
        seen = len(self.model.seen())
        status, _, body = gateway.ask(body=packed, fields=fields)
        self.assertEqual((status, json.loads(body)["error"]["code"]), (400, "body_unreadable"))
        self.assertEqual(len(self.model.seen()), seen)
        self.assertEqual(gateway.ask()[0], 200)


if __name__ == "__main__":
    world_fixture.main()
