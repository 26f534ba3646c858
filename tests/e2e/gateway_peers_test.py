#!/usr/bin/env python3
"""Real programs on the other side: nginx asks the decision API, Prometheus scrapes the metrics. Skipped where they are
not installed."""
import contextlib
import http.client
import json
import os
import pathlib
import shutil
import subprocess
import unittest
import urllib.request

import gateway_fixture
import world_fixture
from gateway_fixture import REMEDIES_ON, free_port, key_of, wait_until

NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")

EXAMPLE = pathlib.Path(__file__).parent.parent.parent / "examples/nginx/nginx.conf"

PROMETHEUS_CONFIGURATION = """
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: stillwatch
    static_configs:
      - targets: ["127.0.0.1:{port}"]
"""


class Peers(gateway_fixture.GatewayTest):
    def run_beside(self, arguments, name):
        """A program that runs until the test ends; what it says is in a file."""
        with open(self.folder / f"{name}.output", "wb") as output:
            process = subprocess.Popen(arguments, cwd=self.folder, stdout=output, stderr=output)

        def end():
            process.terminate()
            process.wait(gateway_fixture.WAIT_SECONDS_MAX)

        self.addCleanup(end)

        def said():
            return (self.folder / f"{name}.output").read_text()

        return process, said

    def ask_nginx(self, port, authorization, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=gateway_fixture.WAIT_SECONDS_MAX)
        with contextlib.closing(connection):
            connection.request("POST", "/v1/chat/completions", gateway_fixture.chat_body() if body is None else body,
                               {"authorization": authorization, "content-type": "application/json"})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()

    @unittest.skipUnless(NGINX, "nginx is not installed")
    def test_nginx_asks_before_each_request(self):
        decision_port, port = free_port(), free_port()
        gateway = self.begin("asked", settings={
            "remedies": REMEDIES_ON, "server": {"decision_listen": [f"127.0.0.1:{decision_port}"]}})
        (self.folder / "nginx").mkdir()
        # The example, on other ports, with time enough for a busy machine.
        text = EXAMPLE.read_text()
        for old, new in (("127.0.0.1:8080", f"127.0.0.1:{port}"), ("127.0.0.1:8000", self.model.url[7:]),
                         ("127.0.0.1:9465", f"127.0.0.1:{decision_port}"), ("timeout 100ms", "timeout 30s"),
                         ("timeout 500ms", "timeout 30s")):
            self.assertIn(old, text)
            text = text.replace(old, new)
        (self.folder / "nginx.conf").write_text(("user root;\n" if os.getuid() == 0 else "") + text)
        process, said = self.run_beside([NGINX, "-p", self.folder / "nginx", "-c", self.folder / "nginx.conf", "-e",
                                         "stderr"], "nginx")
        good = f"Bearer {key_of('acct_1')}"

        def is_up():
            self.assertIsNone(process.poll(), said())
            with contextlib.suppress(OSError):
                return self.ask_nginx(port, good)
            return None

        status, _, body = wait_until(is_up, "nginx serves")
        self.assertEqual((status, b"ANSWER-MARK" in body), (200, True), said())
        seen = len(self.model.seen())
        self.assertEqual(self.ask_nginx(port, "Bearer sk-nobody-0123456789")[0], 401)
        gateway.override("acct_1", "suspend")
        status, fields, _ = self.ask_nginx(port, good)
        self.assertEqual((status, fields["stillwatch-level"]), (403, "suspend"))
        self.assertEqual(fields["stillwatch-appeal"], REMEDIES_ON["appeal_address"])
        self.assertEqual(self.ask_nginx(port, f"Bearer {key_of('acct_2')}")[0], 200, "others are not meant")
        self.assertEqual(len(self.model.seen()), seen + 1, "what is refused is not forwarded")
        self.assertEqual(gateway.admin("DELETE", "/v1/admin/overrides?account=acct_1")[0], 200)
        self.assertEqual(self.ask_nginx(port, good)[0], 200)
        self.assertEqual(gateway.metric("stillwatch_decisions_total", api="auth"), 5)
        # Without an answer of the gateway, traffic passes.
        gateway.kill()
        self.assertEqual(self.ask_nginx(port, good)[0], 200)

    @unittest.skipUnless(PROMTOOL, "promtool (package prometheus) is not installed")
    def test_the_metrics_are_well_formed(self):
        gateway = self.begin("checked")
        self.assertEqual(gateway.ask()[0], 200)
        done = subprocess.run([PROMTOOL, "check", "metrics"], input=gateway.admin("GET", "/metrics")[1].encode(),
                              capture_output=True, check=False)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))

    @unittest.skipUnless(PROMETHEUS, "prometheus is not installed")
    def test_prometheus_scrapes_them(self):
        gateway, port = self.begin("scraped"), free_port()
        self.assertEqual([gateway.ask()[0] for _ in range(3)], [200] * 3)
        (self.folder / "prometheus.yml").write_text(PROMETHEUS_CONFIGURATION.format(port=gateway.admin_port))
        process, said = self.run_beside([
            PROMETHEUS, f"--config.file={self.folder / 'prometheus.yml'}", f"--web.listen-address=127.0.0.1:{port}",
            f"--storage.tsdb.path={self.folder / 'prometheus'}"], "prometheus")

        def value_of(query):
            self.assertIsNone(process.poll(), said())
            with contextlib.suppress(OSError):
                url = f"http://127.0.0.1:{port}/api/v1/query?query={query}"
                with urllib.request.urlopen(url, timeout=gateway_fixture.WAIT_SECONDS_MAX) as answer:
                    found = json.load(answer)["data"]["result"]
                    return found and found[0]["value"][1]
            return None

        wait_until(lambda: value_of("stillwatch_build_info") == "1", "the first scrape is stored")
        self.assertEqual(value_of("up"), "1")
        self.assertEqual(value_of("stillwatch_responses_total%7Bcode=%222xx%22%7D"), "3")
        self.assertEqual(value_of("stillwatch_overhead_seconds_count"), "3")
        self.assertEqual(gateway.ask()[0], 200)
        wait_until(lambda: value_of("stillwatch_responses_total%7Bcode=%222xx%22%7D") == "4", "it goes on")


if __name__ == "__main__":
    world_fixture.main()
