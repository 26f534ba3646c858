#!/usr/bin/env python3
"""bench/gateway without running anything: requests, configurations, aims and tables."""
import hashlib
import json
import pathlib
import sys
import tempfile
import tomllib
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from gateway_lib import load, measure, programs, proxies, request_lines, tables  # noqa: E402


def row(case, connections, proxy, rate, cpu_us, p99, first, alone=100.0):
    times = {"p50": first, "p99": p99, "p999": p99 * 2, "max": p99 * 3}
    return {"case": case, "connections": connections, "proxy": proxy, "rate": rate, "cpu_us": cpu_us, "failed": 0,
            "open_rate": rate / 2, "open_failed": 0, "whole_us": times, "first_us": times,
            "upstream_alone": {"whole_us": {"p50": 50.0, "p99": alone, "p999": 200.0, "max": 300.0}}}


def results():
    stream = "stream of 200 events"
    return {
        "rows": [row("1 KB", 64, "nginx", 50_000, 14, 200, 90), row("1 KB", 64, "stillwatch", 36_000, 27, 350, 130),
                 row(stream, 64, "nginx", 300, 900, 3000, 400), row(stream, 64, "stillwatch", 250, 1200, 4000, 700),
                 {"case": "1 KB", "connections": 64, "proxy": "portkey", "rate": 900, "cpu_us": 1100, "failed": 0}],
        "idle": [{"proxy": "stillwatch", "streams": 1000, "bytes": 10 * 1024}],
        "micro": {"engine_bench: look_up_clear/threads:1": 30, "engine_bench: look_up_acted_on/threads:1": 90,
                  "engine_bench: look_up_acted_on/threads:2": 900},
        "parts": [{"part": part, "rate": 1.0, "cpu_us": 2.0} for part in measure.PARTS],
    }


class Aims(unittest.TestCase):
    def test_each_aim_is_its_own_figure_against_its_bound(self):
        found = {aim.words: (round(aim.figure, 3), aim.met()) for aim in tables.aims(results())}
        self.assertEqual(list(found.values()), [(0.72, True), (round(27 / 14, 3), True), (0.25, True), (0.3, False),
                                                (40, True), (10, True), (90, True)])

    def test_what_was_not_measured_is_not_met(self):
        for aim in tables.aims({"rows": []}):
            self.assertIsNone(aim.figure)
            self.assertIsNone(aim.met())
        self.assertEqual("\n".join(tables.all_lines({"rows": []})).count("not measured"), 7)

    def test_all_tables_have_as_many_cells_as_their_head(self):
        cells = None
        for line in tables.all_lines(results()):
            if not line.startswith("|"):
                cells = None
                continue
            cells = cells or line.count("|")
            self.assertEqual(line.count("|"), cells, line)


class Requests(unittest.TestCase):
    def test_lines_are_the_same_every_time_of_the_size_asked_and_of_known_keys(self):
        with tempfile.TemporaryDirectory() as folder:
            one, two = (request_lines.write(pathlib.Path(folder) / name, 1024, 50, stream=True) for name in "ab")
            self.assertEqual(one.read_bytes(), two.read_bytes())
            hashes = {json.loads(line)["key_sha256"] for line in request_lines.key_lines()}
            bodies = set()
            for line in one.read_text().splitlines():
                key, body = line.split(" ", 1)
                self.assertIn(hashlib.sha256(key.encode()).hexdigest(), hashes)
                self.assertTrue(json.loads(body)["stream"])
                self.assertEqual(len(body), 1024)
                bodies.add(body)
            self.assertEqual(len(bodies), 50)

    def test_a_long_prompt_is_a_conversation(self):
        with tempfile.TemporaryDirectory() as folder:
            path = request_lines.write(pathlib.Path(folder) / "long", 400_000, 1)
            body = path.read_text().split(" ", 1)[1]
            self.assertAlmostEqual(len(body), 400_000, delta=500)
            roles = [message["role"] for message in json.loads(body)["messages"]]
            self.assertEqual(roles[-1], "user")
            self.assertGreater(len(roles), 10)


class Configurations(unittest.TestCase):
    def test_the_gateway_has_all_limits_on_but_in_the_variants(self):
        for variant in measure.PARTS:
            text = proxies.STILLWATCH.format(
                port=1, admin=2, to=3, folder="/f", identity='keys_file = "/f/keys"',
                limits="".join(proxies.LIMITS.format(scope=scope) for scope in proxies.SCOPES))
            limits = tomllib.loads(text)["tiers"]["default"]["limits"]
            self.assertEqual(set(limits), set(proxies.SCOPES), variant)
            self.assertIn(variant, tables.PART_WORDS)

    def test_templates_have_no_open_place(self):
        nginx = proxies.NGINX.format(folder="/f", name="n", inside=proxies.NGINX_PROXY.format(
            port=1, to=2, buffering="off"))
        for text in (nginx, proxies.HAPROXY.format(port=1, to=2),
                     load.WRK_SCRIPT.format(requests="r", path="/p", fields="")):
            self.assertEqual(text.count("{"), text.count("}"))

    def test_the_lock_file_names_no_private_registry(self):
        lock = json.loads((proxies.PEERS / "package-lock.json").read_text())
        wanted = json.loads((proxies.PEERS / "package.json").read_text())["dependencies"]
        self.assertEqual(lock["packages"][""]["dependencies"], wanted)
        for name, package in lock["packages"].items():
            self.assertTrue(package.get("resolved", "https://registry.npmjs.org/").startswith(
                "https://registry.npmjs.org/"), name)


class Programs(unittest.TestCase):
    def test_a_program_that_does_not_listen_is_told_with_its_log(self):
        with tempfile.TemporaryDirectory() as folder, self.assertRaises(SystemExit) as told:
            programs.Program("broken", ["sh", "-c", "echo no such port; exit 3"], 0, pathlib.Path(folder),
                             programs.free_port())
        self.assertIn("no such port", str(told.exception))

    def test_processor_time_and_memory_of_a_program_and_its_children(self):
        with tempfile.TemporaryDirectory() as folder:
            port = programs.free_port()
            script = (f"import http.server as h; h.HTTPServer(('127.0.0.1', {port}), h.BaseHTTPRequestHandler)"
                      ".serve_forever()")
            with programs.Program("one", [sys.executable, "-c", script], 0, pathlib.Path(folder), port) as program:
                self.assertIn(program.process.pid, program.pids())
                self.assertGreater(program.resident_bytes(), 1 << 20)
                self.assertGreaterEqual(program.settled_cpu_seconds(), 0)
            self.assertIsNotNone(program.process.poll())


if __name__ == "__main__":
    unittest.main()
