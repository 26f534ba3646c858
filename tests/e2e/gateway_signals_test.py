#!/usr/bin/env python3
"""What an operator does to a running gateway: signals, reloads, certificates, the dry-run switch, `config check`."""
import json
import os
import signal
import ssl
import subprocess

import gateway_fixture
import world_fixture
from gateway_fixture import REMEDIES_ON, Wire, chat_body, request_bytes, wait_until
from world_fixture import BINARY


def make_certificate(folder, name):
    """NAME.crt and NAME.key, for localhost."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", f"{name}.key", "-out", f"{name}.crt", "-days", "30", "-subj", f"/CN={name}",
                    "-addext", "subjectAltName=DNS:localhost"], cwd=folder, check=True, capture_output=True)
    os.chmod(folder / f"{name}.key", 0o600)


class Signals(gateway_fixture.GatewayTest):
    def hold(self, gateway, context=None):
        """A connection with an open stream whose first event has come."""
        wire = Wire(gateway.port, context)
        wire.send(request_bytes("acct_1", chat_body(stream=True), "x-play: hold"))
        wire.read_until(b"\n\n\r\n")
        return wire

    def test_sigterm_lets_an_open_stream_finish(self):
        gateway = self.begin("drained")
        wire, idle = self.hold(gateway), gateway.wire()
        gateway.process.send_signal(signal.SIGTERM)
        wait_until(lambda: gateway.admin("GET", "/readyz") == (503, "draining\n"), "it says that it drains")
        self.assertEqual(idle.read_to_end(), b"", "an idle connection is closed")
        with self.assertRaises(ConnectionRefusedError):
            gateway.wire()
        self.assertIsNone(gateway.process.poll())
        self.model.open_gate()
        rest = wire.read_to_end()
        self.model.shut_gate()
        self.assertIn(b"LAST", rest)
        self.assertTrue(rest.endswith(b"0\r\n\r\n"), "the stream was cut")
        self.assertEqual(gateway.end(), 0, gateway.output())
        records = gateway.records()
        self.assertEqual([record["response"]["status"] for record in records], [200])
        self.assertIn('"event":"stopped","requests_cut":0', gateway.run_log())

    def test_sigterm_cuts_what_does_not_end(self):
        gateway = self.begin("cut", settings={"server": {"drain_seconds": 1}})
        wire = self.hold(gateway)
        gateway.process.send_signal(signal.SIGTERM)
        self.assertFalse(wire.read_to_end().endswith(b"0\r\n\r\n"), "half an answer must not look like a whole one")
        self.assertEqual(gateway.end(), 0, gateway.output())
        self.assertIn('"event":"stopped","requests_cut":1', gateway.run_log())
        self.assertEqual(len(gateway.records()), 1, "what was cut has its record too")

    def test_a_broken_configuration_keeps_the_old_one(self):
        gateway = self.begin("reloaded", settings={"remedies": REMEDIES_ON})
        gateway.override("acct_1", "suspend")
        self.assertEqual(gateway.ask()[0], 403)
        good = (gateway.folder / "gateway.toml").read_text()
        for broken, says in ((good + "[remedies]\n", "gateway.toml"), (good.replace("urls", "ulrs"), "ulrs"),
                             (good.replace("threads = 2", "threads = 4"), "restart"),
                             (good.replace('suspend = "on"', 'suspend = "maybe"'), "suspend")):
            (gateway.folder / "gateway.toml").write_text(broken)
            gateway.hang_up()
            last = json.loads(gateway.run_log().splitlines()[-1])
            refused = [line for line in gateway.run_log().splitlines() if '"reload_refused"' in line]
            self.assertIn(says, refused[-1], last)
            self.assertEqual(gateway.ask()[0], 403, "the old one is in force")
            self.assertEqual(gateway.ask("acct_2")[0], 200)
            self.assertEqual(gateway.admin("POST", "/v1/admin/reload")[0], 400)
        self.assertEqual(gateway.metric("stillwatch_reloads_total", result="refused"), 8)
        (gateway.folder / "gateway.toml").write_text(good.replace("dry_run = false", "dry_run = true"))
        gateway.hang_up()
        self.assertEqual(gateway.ask()[0], 200, "a good one is taken")

    def test_a_new_certificate_for_new_connections(self):
        for name in ("first", "second"):
            make_certificate(self.folder, name)
        files = {kind: self.folder / f"served.{kind}" for kind in ("crt", "key")}
        for kind, path in files.items():
            path.write_bytes((self.folder / f"first.{kind}").read_bytes())
        os.chmod(files["key"], 0o600)
        gateway = self.begin("certified", settings={
            "server.tls": {"certificate": str(files["crt"]), "key": str(files["key"])}})
        contexts = {name: ssl.create_default_context(cafile=self.folder / f"{name}.crt")
                    for name in ("first", "second")}
        wire = self.hold(gateway, contexts["first"])
        self.assertGreater(gateway.metric("stillwatch_certificate_expiry_seconds"), 29 * 86400)
        for kind, path in files.items():
            path.write_bytes((self.folder / f"second.{kind}").read_bytes())
        gateway.hang_up()
        fresh = Wire(gateway.port, contexts["second"])
        self.assertEqual(fresh.send(request_bytes("acct_2", chat_body())).read_answer()[0], 200)
        with self.assertRaises(ssl.SSLCertVerificationError):
            Wire(gateway.port, contexts["first"])
        wait_until(lambda: gateway.metric("stillwatch_connections_total", result="tls_failed") == 1, "it is counted")
        # The stream of before goes on under the old one.
        self.model.open_gate()
        self.assertIn(b"LAST", wire.read_until(b"0\r\n\r\n"))
        self.model.shut_gate()
        # A certificate without its key is refused, and the one before stays.
        files["crt"].write_bytes((self.folder / "first.crt").read_bytes())
        gateway.hang_up()
        self.assertIn('"reload_refused"', gateway.run_log())
        again = Wire(gateway.port, contexts["second"])
        self.assertEqual(again.send(request_bytes("acct_2", chat_body())).read_answer()[0], 200)


class Commands(gateway_fixture.GatewayTest):
    def test_dry_run_takes_effect_at_once(self):
        gateway = self.begin("switched", settings={"remedies": REMEDIES_ON})
        gateway.override("acct_1", "suspend")
        for _ in range(3):
            self.assertEqual(gateway.ask()[0], 403)
            self.run_program("dry-run", "on", f"--admin=127.0.0.1:{gateway.admin_port}")
            self.assertEqual(gateway.ask()[0], 200, "the first request after it")
            self.assertEqual(gateway.metric("stillwatch_dry_run"), 1)
            gateway.hang_up()
            self.assertEqual(gateway.ask()[0], 200, "a reload does not end it")
            self.run_program("dry-run", "off", f"--admin=127.0.0.1:{gateway.admin_port}")
        self.assertEqual(gateway.ask()[0], 403)
        self.run_program("dry-run", "on", f"--admin=127.0.0.1:{gateway.admin_port}")
        gateway.kill()
        gateway.start()
        self.assertEqual(gateway.ask()[0], 200, "nor does kill -9")
        self.assertEqual(self.run_program("dry-run", "maybe", code=2, says=["on", "off"]).stdout, b"")
        self.run_program("dry-run", "on", f"--admin=127.0.0.1:{gateway_fixture.free_port()}", code=4)

    def test_the_admin_token(self):
        (self.folder / "token").write_text("admin-token-of-the-test\n")
        gateway = self.begin("guarded", settings={"server": {"admin_token_file": str(self.folder / "token")}})
        self.assertEqual(gateway.admin("GET", "/v1/admin/dry-run")[0], 401)
        self.assertEqual(gateway.admin("GET", "/readyz")[0], 200)
        where = f"--admin=127.0.0.1:{gateway.admin_port}"
        self.run_program("dry-run", "off", where, code=4, says=["401"])
        done = self.run_program("dry-run", "off", where, f"--token={self.folder / 'token'}")
        self.assertNotIn(b"admin-token", done.stdout + done.stderr)

    def test_config_check_names_all_that_is_wrong(self):
        gateway = self.make("checked")
        path = gateway.folder / "gateway.toml"
        self.assertIn(b"can be started", self.run_program("config", "check", str(path)).stdout)
        text = path.read_text()
        path.write_text(text.replace("threads =", "thraeds =").replace("urls =", "ulrs =")
                        .replace("keys_file =", "key_file =") + "[observer]\nqueue_mib_max = \"many\"\n")
        done = self.run_program("config", "check", str(path), code=2, says=[
            "thraeds", "threads", "ulrs", "urls", "key_file", "keys_file", "queue_mib_max"])
        lines = text.splitlines()
        for wrong in ("threads", "urls", "keys_file"):
            number = next(n for n, line in enumerate(lines, 1) if line.startswith(wrong))
            self.assertIn(f"gateway.toml:{number}", done.stderr.decode())
        # `serve` refuses the same with the same words, and starts nothing.
        self.run_program("serve", f"--config={path}", code=2, says=["thraeds", "ulrs", "queue_mib_max"])
        self.assertFalse((gateway.folder / "state").exists())

    def test_config_check_reads_the_files_that_it_names(self):
        gateway = self.make("named")
        path = gateway.folder / "gateway.toml"
        make_certificate(self.folder, "fresh")
        subprocess.run(["openssl", "x509", "-in", "fresh.crt", "-signkey", "fresh.key", "-days", "-1", "-out",
                        "expired.crt"], cwd=self.folder, check=True, capture_output=True)
        make_certificate(self.folder, "other")
        tls = {"certificate": str(self.folder / "expired.crt"), "key": str(self.folder / "fresh.key")}
        gateway.change({"server.tls": tls, "identity": {"keys_file": str(self.folder / "missing.ndjson")}})
        self.run_program("config", "check", str(path), code=2, says=["expired.crt", "expired", "missing.ndjson"])
        gateway.change({"server.tls": {**tls, "key": str(self.folder / "other.key")}})
        self.run_program("config", "check", str(path), code=2, says=["other.key", "missing.ndjson"])
        (gateway.folder / "bad-keys").write_text('{"v":1,"key_sha256":"no hash","key":"k","account":"a"}\n')
        gateway.change({"server.tls": {"certificate": "", "key": ""},
                        "identity": {"keys_file": gateway.path("bad-keys")}})
        self.run_program("config", "check", str(path), code=2, says=["bad-keys", "1"])
        done = subprocess.run([BINARY, "config", "check", "deploy/gateway.toml"], capture_output=True, check=False,
                              cwd=world_fixture.pathlib.Path(__file__).parent.parent.parent)
        self.assertNotIn(b"unknown key", done.stderr)


if __name__ == "__main__":
    world_fixture.main()
