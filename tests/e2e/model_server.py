"""A model server to play with, for the tests of the gateway: it answers as the request's field `x-play` says.

In the test's own process (`ModelServer`), so that a test sees what came and decides when an answer goes on; or as a
program of its own (`model_server.py`), which prints its port and only answers.
"""
import asyncio
import hashlib
import json
import sys
import threading

ANSWER = "ANSWER-MARK-7731 of the model"
WAIT_SECONDS_MAX = 60
CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
EVENT_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def answer_of(path, body):
    """A whole answer in the form of its API, with a usage that depends on the request alone."""
    used = 5 + hashlib.sha256(body).digest()[0]
    if path == MESSAGES:
        return {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
                "content": [{"type": "text", "text": ANSWER}], "usage": {"input_tokens": 11, "output_tokens": used}}
    if path == RESPONSES:
        return {"id": "resp_1", "object": "response", "status": "completed", "model": "m", "output": [
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": ANSWER}]}],
            "usage": {"input_tokens": 11, "output_tokens": used, "total_tokens": 11 + used}}
    return {"id": "x", "object": "chat.completion", "model": "m", "choices": [
        {"index": 0, "message": {"role": "assistant", "content": ANSWER}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 11, "completion_tokens": used, "total_tokens": 11 + used}}


def event(text):
    delta = {"id": "x", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}}]}
    data = b"data: " + json.dumps(delta).encode() + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(data), data)


EVENTS_END = b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


def whole(status, body, kind="application/json"):
    return (f"HTTP/1.1 {status} OK\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n").encode() + body


async def read_request(reader):
    """(method, target, fields, body), or None at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    lines = head.decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)}
    body = b""
    if fields.get("transfer-encoding") == "chunked":
        while True:
            size = int((await reader.readline()).split(b";")[0], 16)
            body += await reader.readexactly(size)
            await reader.readexactly(2)
            if size == 0:
                break
    elif "content-length" in fields:
        body = await reader.readexactly(int(fields["content-length"]))
    return method, target, fields, body


class Player:
    """Answers requests; `gate` opened lets held answers end."""

    def __init__(self, remembers):
        self.remembers, self.seen, self.vanished, self.held = remembers, [], 0, 0
        self.gate = asyncio.Event()

    async def serve(self, reader, writer):
        try:
            while (request := await read_request(reader)) is not None:
                if self.remembers:
                    self.seen.append(request)
                if not await self.play(request, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, ValueError):
            self.vanished += 1
        except asyncio.CancelledError:
            pass  # the server is stopped
        finally:
            writer.transport.abort()

    async def hold(self, reader, writer):
        """True when the gate was opened, false when the other side closed its connection first."""
        self.held += 1
        gate, gone = asyncio.ensure_future(self.gate.wait()), asyncio.ensure_future(reader.read(1))
        await asyncio.wait({gate, gone}, timeout=WAIT_SECONDS_MAX, return_when=asyncio.FIRST_COMPLETED)
        self.held -= 1
        opened = gate.done()
        self.vanished += 0 if opened else 1
        for task in (gate, gone):
            task.cancel()
        return opened

    async def play(self, request, reader, writer):
        """Answers; false when the connection cannot go on."""
        _, target, fields, body = request
        name, _, value = fields.get("x-play", "").partition("=")
        if name == "delay":
            await asyncio.sleep(float(value))
        if name in ("", "delay"):
            if fields.get("content-length") and b'"stream":true' in body.replace(b" ", b"")[-200:] and target == CHAT:
                writer.write(EVENT_HEAD + event(ANSWER) + EVENTS_END)
            else:
                writer.write(whole(200, json.dumps(answer_of(target, body)).encode()))
            await writer.drain()
            return True
        if name == "hold":  # a stream that ends when the test says so
            writer.write(EVENT_HEAD + event(ANSWER))
            if await self.hold(reader, writer):
                writer.write(event("LAST") + EVENTS_END)
                await writer.drain()
            return False
        if name == "mute":  # no byte of an answer
            await self.hold(reader, writer)
            return False
        if name == "flood":  # an endless stream
            writer.write(EVENT_HEAD)
            while True:
                writer.write(event(ANSWER * 1000))
                await writer.drain()
        writer.write({"dies": EVENT_HEAD + event(ANSWER) + event(ANSWER),
                      "short": whole(200, b"x" * 100)[:-90],
                      "stalls": EVENT_HEAD + event(ANSWER),
                      "garbage": b"\x00\xffANSWER-MARK-7731 is no HTTP at all\r\n\r\n",
                      "two-lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc",
                      "nothing": b""}[name])
        await writer.drain()
        if name == "stalls":
            await self.hold(reader, writer)
        return False


async def start_player(remembers, port=0):
    player = Player(remembers)
    server = await asyncio.start_server(player.serve, "127.0.0.1", port, backlog=4096, limit=64 << 10)
    return player, server, server.sockets[0].getsockname()[1]


class ModelServer:
    """In a thread of the test."""

    def __init__(self, port=0):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.player, self.server, self.port = self.run(start_player(True, port))

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(WAIT_SECONDS_MAX)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def seen(self):
        return list(self.player.seen)

    def open_gate(self):
        self.loop.call_soon_threadsafe(self.player.gate.set)

    def shut_gate(self):
        self.loop.call_soon_threadsafe(self.player.gate.clear)

    def stop(self):
        async def close():
            self.server.close()
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self.run(close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(WAIT_SECONDS_MAX)
        self.loop.close()


async def main():
    _, server, port = await start_player(False)
    print(port, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # its parent's end is its own
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
    sys.stdout.flush()
