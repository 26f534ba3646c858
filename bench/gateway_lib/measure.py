"""One case after the other: what is measured of each proxy, and in which order."""
import contextlib
import json
import pathlib
import subprocess
import urllib.request

from . import load, programs, proxies, request_lines

TOP = pathlib.Path(__file__).resolve().parents[2]
NATIVE = ("nginx", "haproxy", "stillwatch")
CASES = {
    # name: bytes of a request, how many different ones, upstream, streams
    "1 KB": (1024, 4096, "fixed", False),
    "400 KB": (400_000, 32, "whole", False),
    "stream of 200 events": (1024, 4096, "stream", True),
}
PORTKEY_FIELDS = {"x-portkey-provider": "openai"}
PARTS = ("stillwatch", "stillwatch.no-limits", "stillwatch.pass")


class Bench:
    def __init__(self, binary, quick, say, load_binary=None):
        self.binary, self.quick, self.say = pathlib.Path(binary).resolve(), quick, say
        self.load_binary = pathlib.Path(load_binary or binary).resolve()
        self.seconds = 2 if quick else 3
        self.open_seconds = 3 if quick else 4
        self.rounds = 1 if quick else 2
        self.connections = (64,) if quick else (1, 64, 1024)

    @contextlib.contextmanager
    def site(self, upstream):
        site = proxies.Site(self.binary, self.load_binary)
        try:
            with site.upstream(upstream) as behind:
                yield site, behind
        finally:
            site.close()

    def requests(self, site, size, count, streams):
        return request_lines.write(site.folder / "requests", size, count, streams)

    def case(self, name, proxies_of_case=NATIVE):
        """Throughput in rounds, each proxy in turn; then latencies at half of what stillwatch can do."""
        size, count, kind, streams = CASES[name]
        out = []
        with self.site(kind) as (site, behind):
            requests = self.requests(site, size, count, streams)
            for connections in self.connections:
                rows = {}
                for _ in range(self.rounds):
                    for proxy in proxies_of_case:
                        row = rows.setdefault(proxy, {"case": name, "connections": connections, "proxy": proxy})
                        with site.proxy(proxy, behind.port, streams) as program:
                            got = load.closed_loop(program, requests, connections, self.seconds, {}, site.folder)
                            self.keep_best(row, got)
                            if proxy == "stillwatch":
                                self.add_counters(row, program)
                        self.say(f"{name}, {connections} connections, {proxy}: {got['rate']:.0f} requests/s, "
                                 f"{got['cpu_us']:.1f} us CPU each, {got['failed']} failed")
                rate = rows["stillwatch"]["rate"] / 2
                direct = self.latencies(site, behind, requests, connections, rate)
                for proxy, row in rows.items():
                    with site.proxy(proxy, behind.port, streams) as program:
                        row.update(self.latencies(site, program, requests, connections, rate), upstream_alone=direct)
                    self.say(f"  at {rate:.0f}/s {proxy}: p99 {row['whole_us']['p99']:.0f} us, first byte p50 "
                             f"{row['first_us']['p50']:.0f} us (upstream alone {direct['whole_us']['p99']:.0f}, "
                             f"{direct['first_us']['p50']:.0f})")
                out += rows.values()
        return out

    def keep_best(self, row, got):
        """Noise only ever slows: the fastest round, and the one with the least processor time."""
        row["rate"] = max(row.get("rate", 0), got["rate"])
        row["cpu_us"] = min(row.get("cpu_us", 1e18), got["cpu_us"])
        row["failed"] = row.get("failed", 0) + got["failed"]

    def add_counters(self, row, program):
        with urllib.request.urlopen(f"http://127.0.0.1:{program.admin}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        for line in text.splitlines():
            if line.startswith("stillwatch_exchanges_total{"):
                name = "exchanges_" + line.split('"')[1]
                row[name] = row.get(name, 0) + int(float(line.rsplit(" ", 1)[1]))

    def latencies(self, site, program, requests, connections, rate):
        """Of the runs the one with the least p99: other work on the machine only ever adds."""
        runs = [load.open_loop(self.load_binary, program, requests, connections, rate, self.open_seconds, {})
                for _ in range(self.rounds)]
        best = min(runs, key=lambda run: run["whole_us"]["p99"])
        return {"open_rate": rate, "whole_us": best["whole_us"], "first_us": best["first_us"],
                "open_failed": sum(run["failed"] + run["unsent"] for run in runs)}

    def portkey(self):
        """Unary only: its streaming does not work on current Node versions."""
        size, count, kind, streams = CASES["1 KB"]
        out = []
        with self.site(kind) as (site, behind):
            requests = self.requests(site, size, count, streams)
            fields = {**PORTKEY_FIELDS, "x-portkey-custom-host": f"http://127.0.0.1:{behind.port}/v1"}
            for connections in self.connections:
                row = {"case": "1 KB", "connections": connections, "proxy": "portkey"}
                with site.proxy("portkey", behind.port, streams) as program:
                    for _ in range(self.rounds):
                        self.keep_best(row, load.closed_loop(program, requests, connections, self.seconds, fields,
                                                             site.folder))
                self.say(f"1 KB, {connections} connections, portkey: {row['rate']:.0f} requests/s, "
                         f"{row['cpu_us']:.0f} us CPU each, {row['failed']} failed")
                out.append(row)
        return out

    def parts(self):
        """What is on, taken away piece by piece; at 64 connections and 1 KB."""
        size, count, kind, streams = CASES["1 KB"]
        rows = {}
        with self.site(kind) as (site, behind):
            requests = self.requests(site, size, count, streams)
            for _ in range(self.rounds):
                for part in PARTS:
                    row = rows.setdefault(part, {"part": part})
                    with site.proxy(part, behind.port, streams) as program:
                        self.keep_best(row, load.closed_loop(program, requests, 64, self.seconds, {}, site.folder))
            for row in rows.values():
                self.say(f"parts, {row['part']}: {row['rate']:.0f} requests/s, {row['cpu_us']:.1f} us CPU each")
        return list(rows.values())

    def idle_streams(self):
        out = []
        count = 1000 if self.quick else 5000
        for proxy in NATIVE:
            with self.site("silent") as (site, behind), site.proxy(proxy, behind.port, True) as program:
                requests = self.requests(site, 1024, 1024, True)
                first = load.Held(self.load_binary, program, requests, 100)  # what the first streams ever make grow
                before = program.resident_bytes()
                held = load.Held(self.load_binary, program, requests, count)
                each = (program.resident_bytes() - before) / max(1, held.held["held"])
                held.end()
                first.end()
            out.append({"proxy": proxy, "streams": held.held["held"], "failed": held.held["failed"], "bytes": each})
            self.say(f"idle streams, {proxy}: {held.held['held']} held, {each / 1024:.1f} KiB each")
        return out

    def micro(self):
        """Parts by themselves, from the modules' own benchmarks, on one core: nanoseconds."""
        wanted = {
            "engine_bench": "look_up",
            "policy_bench": "quota_reserve_settle/1000/|remedy|access_check",
            "intake_bench": "request_facts/1000|parse_line",
            "gateway_bench": "write_line/1000|parse_line|push|arrive_and_leave|find_key/1000$",
        }
        out = {}
        for program, names in wanted.items():
            path = self.binary.parent / program
            if not path.exists():
                self.say(f"{program} is not built: its figures are missing (cmake --build ... --target {program})")
                continue
            done = subprocess.run(["taskset", "-c", str(programs.PROXY_CORE), str(path), f"--benchmark_filter={names}",
                                   "--benchmark_format=json"], capture_output=True, text=True, check=False)
            if done.returncode == 0 and done.stdout.strip():
                for one in json.loads(done.stdout)["benchmarks"]:
                    scale = {"ns": 1, "us": 1e3, "ms": 1e6}[one["time_unit"]]
                    out[f"{program}: {one['name']}"] = one["cpu_time"] * scale
        for name, ns in out.items():
            self.say(f"{name}: {ns:.0f} ns")
        return out

    def everything(self):
        results = {"seconds": self.seconds, "rounds": self.rounds, "rows": []}
        results["micro"] = self.micro()
        results["idle"] = self.idle_streams()
        results["parts"] = self.parts()
        for name in CASES:
            results["rows"] += self.case(name)
        results["rows"] += self.portkey()
        return results
