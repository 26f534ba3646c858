"""Runs side by side, each on one thread, with an estimate of the time left. What is done already is not done again."""
import queue
import signal
import threading
import time

from . import jobs, world_file

# Processor seconds for a million records (simulate, replay, evaluate), until this bench has measured some.
SECONDS_PER_MILLION = 15.0
# The baselines, with our own replay of the same log, cost so many times a replay with its simulation.
BASELINES_COST = 3.0
CLOSED_LOOP_RUNS = 2  # and as many more as it searches for


def cost_of(run):
    """Millions of records as if replayed, and a little for the start of the programs."""
    millions = world_file.records_expected(run.world, run.settings) / 1e6
    times = 1
    if run.asks == "baselines":
        times = BASELINES_COST
    if run.asks == "closed-loop":
        times = CLOSED_LOOP_RUNS + sum(int(words.partition("=")[2]) for words in run.arguments if "search" in words)
    return millions * times + 0.02


def in_words(seconds):
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Pool:
    def __init__(self, at, width, say, minutes=None):
        self.at, self.width, self.say = at, width, say
        self.deadline = time.monotonic() + 60 * minutes if minutes else None
        self.lock = threading.Lock()
        self.waiting = queue.SimpleQueue()
        self.unknown = set()   # kinds of runs that this build does not know
        self.done = self.failed = self.late = 0
        self.cost_left = self.cost_done = 0.0

    def work(self):
        while True:
            try:
                number, name, run = self.waiting.get_nowait()
            except queue.Empty:
                return
            if self.at.stopped:
                return
            if self.deadline and time.monotonic() > self.deadline:
                with self.lock:
                    self.late += 1
                continue
            said = self.one(run)
            with self.lock:
                self.cost_left -= cost_of(run)
                if said is not None:
                    self.say(f"[{number}/{self.total}] {name} seed {run.seed}: {said}{self.left()}")

    def one(self, run):
        """Does a run; returns what to say."""
        if run.kind() in self.unknown:
            return None
        begin = time.monotonic()
        try:
            result = jobs.perform(run, self.at)
        except jobs.Stopped:
            return None
        except (jobs.RunError, OSError, KeyError, ValueError) as error:
            with self.lock:
                self.failed += 1
            return f"FAILED: {error}"
        if "unavailable" in result:
            self.unknown.add(run.kind())
            return f"not available: {result['unavailable']}"
        with self.lock:
            self.done += 1
            self.cost_done += cost_of(run)
        return f"{time.monotonic() - begin:.0f} s"

    def left(self):
        """Needs the lock. Before anything is measured, a guess from the size of the worlds."""
        rate = (time.monotonic() - self.begin) / self.cost_done if self.cost_done else SECONDS_PER_MILLION / self.width
        return f", {in_words(max(0, self.cost_left) * rate)} left" if self.cost_left > 1e-6 else ""

    def perform(self, runs):
        """`runs`: (name, run). True when everything is there afterwards."""
        todo, seen = [], set()
        for name, run in runs:
            key = jobs.key_of(run, self.at)
            if key in seen:
                continue
            seen.add(key)
            result = jobs.result_of(run, self.at)
            if result is None:
                todo.append((name, run))
            elif "unavailable" in result:
                self.unknown.add(run.kind())
        todo = [(name, run) for name, run in todo if run.kind() not in self.unknown]
        self.total = len(todo)
        self.cost_left = sum(cost_of(run) for _, run in todo)
        self.begin = time.monotonic()
        self.say(f"{len(seen)} runs, {len(todo)} of them to do" + self.left())
        for number, (name, run) in enumerate(todo, 1):
            self.waiting.put((number, name, run))
        self.wait_for([threading.Thread(target=self.work) for _ in range(min(self.width, len(todo)))])
        if self.late:
            self.say(f"time is over: {self.late} runs left for the next call")
        return self.failed == 0 and self.late == 0

    def wait_for(self, threads):
        """Ends the programs it started when it is interrupted; complete results stay."""
        interrupted = threading.Event()
        # Only a mark: an exception in the middle of starting or joining a thread would leave it behind.
        before = {kind: signal.signal(kind, lambda *_: interrupted.set()) for kind in (signal.SIGINT, signal.SIGTERM)}
        try:
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                if interrupted.is_set() and not self.at.stopped:
                    self.at.stop()
                for thread in threads:
                    thread.join(0.1)
        finally:
            for kind, handler in before.items():
                signal.signal(kind, handler)
        if interrupted.is_set():
            raise KeyboardInterrupt
