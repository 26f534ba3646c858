#!/usr/bin/env python3
"""Model servers that are dead, slow, or break off, and clients that go away: an answer for whoever is still there, a
record of what came, and nothing left open."""
import gateway_fixture
import model_server
import world_fixture
from gateway_fixture import chat_body, free_port, request_bytes, wait_until


class Upstream(gateway_fixture.GatewayTest):
    def record_of(self, gateway, place):
        """The record in the query log of the request with that id."""
        def find():
            return next((record for record in gateway.records() if record["id"] == place), None)
        return wait_until(find, f"{place} is in the query log")

    def ask(self, gateway, play, **more):
        """(status, body, record) of a request whose answer has an id of the gateway."""
        status, fields, body = gateway.ask(body=chat_body(play), fields={"x-play": play}, **more)
        place = fields.get("stillwatch-request-id") or fields.get("x-request-id")
        return status, body, self.record_of(gateway, place)

    def test_dead_and_back(self):
        port = free_port()
        gateway = self.begin("dead", [f"http://127.0.0.1:{port}"])
        for _ in range(5):
            status, fields, body = gateway.ask()
            self.assertIn(status, (502, 503))
            self.assertIn(b"upstream_unreachable", body)
        self.assertGreaterEqual(gateway.metric("stillwatch_upstream_events_total", upstream="model",
                                               event="connect_failed"), 5)
        late = model_server.ModelServer(port)
        self.addCleanup(late.stop)
        wait_until(lambda: gateway.ask()[0] == 200, "it serves again")
        wait_until(lambda: {record["response"]["status"] for record in gateway.records()} & {200}, "it is logged")
        self.assertIn(status, {record["response"]["status"] for record in gateway.records()})

    def test_one_of_two_dead(self):
        gateway = self.begin("half-dead", [f"http://127.0.0.1:{free_port()}", self.model.url])
        self.assertEqual({gateway.ask()[0] for _ in range(20)}, {200}, "another model server is tried")
        self.assertGreater(gateway.metric("stillwatch_upstream_events_total", upstream="model", event="retried"), 0)

    def test_answers_that_are_none(self):
        gateway = self.begin("garbage")
        for play in ("garbage", "nothing", "two-lengths", "short"):
            status, body, record = self.ask(gateway, play)
            self.assertEqual((status, record["response"]["status"]), (502, 502), play)
            self.assertIn(b"upstream_failed", body, play)
        self.assertEqual(gateway.ask()[0], 200)

    def test_too_slow(self):
        gateway = self.begin("slow", settings={"upstream": [{"first_byte_seconds": 1, "idle_seconds": 1}]})
        status, body, record = self.ask(gateway, "mute")
        self.assertEqual((status, record["response"]["status"]), (504, 504))
        self.assertIn(b"upstream_timeout", body)
        wire = gateway.wire().send(request_bytes("acct_1", chat_body(stream=True), "x-play: stalls"))
        got = wire.read_to_end()
        self.assertIn(b"ANSWER-MARK", got)
        self.assertFalse(got.endswith(b"0\r\n\r\n"), "half an answer must not look like a whole one")
        wait_until(lambda: self.model.player.held == 0, "the connections to the model server are closed")
        self.assertEqual(gateway.metric("stillwatch_upstream_events_total", upstream="model", event="timeout"), 2)

    def test_dying_in_mid_stream(self):
        gateway = self.begin("dying")
        wire = gateway.wire().send(request_bytes("acct_1", chat_body(stream=True), "x-play: dies"))
        got = wire.read_to_end()
        self.assertEqual(got.count(b"ANSWER-MARK"), 2, "what came went through")
        self.assertFalse(got.endswith(b"0\r\n\r\n"))
        record = wait_until(gateway.records, "it is logged")[0]
        self.assertEqual(record["response"]["status"], 200)
        self.assertGreater(record["response"]["usage"]["output_tokens"], 0, "estimated from what came")
        self.assertEqual(gateway.metric("stillwatch_upstream_events_total", upstream="model", event="broken"), 1)
        self.assertEqual(gateway.ask()[0], 200)

    def test_a_client_that_vanishes_in_mid_stream(self):
        gateway = self.begin("vanished")
        before = self.model.player.vanished
        wires = [gateway.wire().send(request_bytes("acct_1", chat_body(stream=True), "x-play: hold"))
                 for _ in range(8)]
        for wire in wires:
            wire.read_until(b"\n\n\r\n")
        self.assertEqual(gateway.metric("stillwatch_streams_in_flight"), 8)
        for wire in wires:
            wire.close()
        wait_until(lambda: self.model.player.vanished == before + 8, "the model server's connections are closed")
        records = wait_until(lambda: len(gateway.records()) == 8 and gateway.records(), "all are logged")
        for record in records:
            self.assertGreater(record["response"]["usage"]["output_tokens"], 0, "what came counts")
        wait_until(lambda: gateway.metric("stillwatch_open_connections") <= 1, "nothing stays open")
        self.assertEqual(gateway.metric("stillwatch_connections_total", result="closed_by_client"), 8)
        self.assertEqual(gateway.metric("stillwatch_streams_in_flight"), 0)

    def test_a_client_that_vanishes_before_the_answer(self):
        gateway = self.begin("left")
        before = self.model.player.vanished
        wire = gateway.wire().send(request_bytes("acct_1", chat_body(), "x-play: mute"))
        wait_until(lambda: self.model.player.held == 1, "the request is with the model server")
        wire.close()
        wait_until(lambda: self.model.player.vanished == before + 1, "the model server's connection is closed")
        record = wait_until(gateway.records, "it is logged")[0]
        self.assertEqual(record["response"]["status"], 499)
        # And in the middle of its body: the model server never hears of it.
        seen = len(self.model.seen())
        body = chat_body("x" * 5000)
        gateway.wire().send(request_bytes("acct_1", body[:2000], length=len(body))).close()
        wait_until(lambda: len(gateway.records()) == 2, "it is logged")
        self.assertEqual(len(self.model.seen()), seen)

    def test_a_client_that_takes_nothing(self):
        """It is cut off, and its buffers do not grow: nobody else waits."""
        gateway = self.begin("stalled", settings={"server": {"write_stall_seconds": 1}})
        before = self.model.player.vanished
        wire = gateway.wire().send(request_bytes("acct_1", chat_body(), "x-play: flood"))
        self.assertEqual(gateway.ask("acct_2")[0], 200)
        wait_until(lambda: self.model.player.vanished == before + 1, "the model server's connection is closed")
        wait_until(lambda: len(gateway.records()) == 2, "it is logged")
        wire.close()


if __name__ == "__main__":
    world_fixture.main()
