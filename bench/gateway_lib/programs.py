"""Starting programs on one core, what /proc says of them, and ending them again."""
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

PROXY_CORE, LOAD_CORE = 0, 1
TICKS = os.sysconf("SC_CLK_TCK")
first = False  # whether what is measured goes before all other work on the machine


def before_others(pid):
    """Linux shares out time by session first; this is one of its own."""
    if first:
        pathlib.Path(f"/proc/{pid}/autogroup").write_text("-20")


class Program:
    """A server of this run: pinned to a core, with a log of its own, ended by its own id."""

    def __init__(self, name, arguments, core, folder, port, environment=None):
        self.name, self.port = name, port
        self.log = folder / f"{name}.log"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(["taskset", "-c", str(core), *map(str, arguments)],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder,
                                            start_new_session=True, env={**os.environ, **(environment or {})})
        before_others(self.process.pid)
        self.wait_for_port()

    def wait_for_port(self):
        until = time.monotonic() + 20
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.05)
        self.stop()
        raise SystemExit(f"{self.name} does not listen on port {self.port}:\n{self.log.read_text()[-2000:]}")

    def pids(self):
        """The process and its children."""
        found, todo = [], [self.process.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            with contextlib.suppress(OSError):
                for thread in os.listdir(f"/proc/{pid}/task"):
                    todo += map(int, pathlib.Path(f"/proc/{pid}/task/{thread}/children").read_text().split())
        return found

    def cpu_seconds(self):
        ticks = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks / TICKS

    def settled_cpu_seconds(self):
        """When what goes on behind the answers has ended too: the observer's work is part of a request."""
        until, before = time.monotonic() + 60, self.cpu_seconds()
        while time.monotonic() < until:
            time.sleep(0.5)
            after = self.cpu_seconds()
            if after - before <= 0.02:
                return after
            before = after
        return before

    def resident_bytes(self):
        total = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
                    if line.startswith("VmRSS:"):
                        total += int(line.split()[1]) * 1024
        return total

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def missing(names):
    return [name for name in names if shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin") is None]


def found(name):
    return shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
