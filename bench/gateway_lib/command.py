"""The command line of `bench/gateway`."""
import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys

from . import measure, programs, proxies, tables

TOP = measure.TOP
EXAMPLES = """examples:
  bench/gateway --quick                  64 connections, one short round: 3 minutes
  bench/gateway                          everything: 15 minutes
  bench/gateway --only=rows --case='1 KB'

Needs two cores: the proxy has the first for itself, load and upstream share the second. On a machine that does
something else at the same time, ratios and processor times still say something, latencies do not.
"""


def parsed(arguments):
    parser = argparse.ArgumentParser(prog="bench/gateway", epilog=EXAMPLES,
                                     description="The gateway beside nginx, HAProxy and Portkey's gateway.",
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="64 connections and one short round")
    parser.add_argument("--only", choices=("rows", "portkey", "parts", "idle", "micro"), help="only this part")
    parser.add_argument("--case", choices=tuple(measure.CASES), help="with --only=rows: only this case")
    parser.add_argument("--binary", default=os.environ.get("STILLWATCH_BINARY", str(TOP / "build/release/stillwatch")),
                        metavar="FILE", help="what is measured (STILLWATCH_BINARY, else build/release/stillwatch)")
    parser.add_argument("--connections", metavar="N,...", help="instead of 1,64,1024; aims are measured at 64")
    parser.add_argument("--before-others", action="store_true",
                        help="take time from all else that runs on this machine; needs root")
    parser.add_argument("--load-binary", metavar="FILE", help="what makes load and streams, when --binary is too old")
    parser.add_argument("--out", default=str(TOP / "out/bench_gateway.json"), metavar="FILE",
                        help="results (out/bench_gateway.json)")
    parser.add_argument("--show", metavar="FILE", help="print the tables of results that are there, run nothing")
    return parser.parse_args(arguments)


def install(say):
    """The peers: Debian packages of section [bench], and what package-lock.json names."""
    for section, wanted in (("bench", ("nginx", "haproxy", "wrk")), ("sdk", ("node", "npm"))):
        if programs.missing(wanted) and subprocess.run([TOP / "tools/setup.sh", section], check=False).returncode != 0:
            return False
    if (proxies.PEERS / proxies.PORTKEY_MAIN).exists():
        return True
    say("installing Portkey's gateway from npm")
    done = subprocess.run(["npm", "ci", "--prefix", proxies.PEERS, "--ignore-scripts", "--no-audit", "--no-fund",
                           "--loglevel=error"], check=False, stdout=subprocess.DEVNULL)
    return done.returncode == 0


def version_of(*arguments):
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    text = (done.stdout + done.stderr).strip()
    return text.splitlines()[0] if text else "unknown"


def about(binary):
    cpu = next((line.split(":")[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), "unknown")
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{os.cpu_count()} cores, {cpu}, Linux {platform.release()}",
        "load_before": os.getloadavg()[0],
        "commit": version_of("git", "-C", str(TOP), "rev-parse", "--short", "HEAD"),
        "versions": {
            "stillwatch": version_of(str(binary), "--version"),
            "nginx": version_of(programs.found("nginx"), "-v"),
            "haproxy": version_of(programs.found("haproxy"), "-v"),
            "portkey": json.loads((proxies.PEERS / "package.json").read_text())["dependencies"]["@portkey-ai/gateway"],
            "node": version_of(programs.found("node"), "--version"),
        },
    }


def run(bench, flags):
    if not flags.only:
        return bench.everything()
    if flags.only == "rows":
        cases = [flags.case] if flags.case else list(measure.CASES)
        return {"rows": [row for name in cases for row in bench.case(name)]}
    one = {"portkey": bench.portkey, "parts": bench.parts, "idle": bench.idle_streams, "micro": bench.micro}[flags.only]
    return {"rows": one()} if flags.only == "portkey" else {"rows": [], flags.only: one()}


def main(arguments):
    flags = parsed(arguments)
    if flags.show:
        print("\n".join(tables.all_lines(json.loads(pathlib.Path(flags.show).read_text()))))
        return 0
    say = lambda words: print(words, file=sys.stderr, flush=True)  # noqa: E731
    if not os.access(flags.binary, os.X_OK):
        say(f"{flags.binary} is not there; build first: make build")
        return 2
    if os.cpu_count() < 2:
        say("two cores are needed: one for the proxy, one for load and upstream")
        return 4
    if not install(say):
        return 4
    if flags.before_others:
        programs.first = True
        with contextlib.suppress(PermissionError):
            os.setsid()  # it fails where this is the first of its session already
        programs.before_others(os.getpid())
    facts = about(flags.binary)
    say(f"{facts['machine']}, load before: {facts['load_before']:.1f}")
    bench = measure.Bench(flags.binary, flags.quick, say, flags.load_binary)
    if flags.connections:
        bench.connections = tuple(map(int, flags.connections.split(",")))
    results = {"about": facts, **run(bench, flags)}
    facts["load_after"] = os.getloadavg()[0]
    out = pathlib.Path(flags.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_suffix(".partial")
    partial.write_text(json.dumps(results, indent=1) + "\n")
    shutil.move(partial, out)
    print("\n".join(tables.all_lines(results)))
    say(f"results are in {out}")
    return 0
