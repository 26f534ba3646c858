"""One run: a world simulated, replayed and evaluated (or given to the baselines), and what is kept of it.

A run's key is a hash of the binary, the world, the settings, the seed, the prompts and what is asked; its result is a
small JSON file of that name, written when the run is complete. So a run is done once, and only a complete one counts.
"""
import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from . import world_file

# What replay and the two programs beside it say when a world asks for something that this build does not have.
WRONG_ARGUMENTS = 2
SUMMARY_KEYS = ("records", "bytes", "accounts", "first", "last", "calibrated_until", "calibration_groups",
                "threshold_log10_e", "promised_false_campaigns_per_month", "counters")


class RunError(Exception):
    """A run that failed for a reason other than the world: it is not kept, and is tried again next time."""


class Stopped(Exception):
    """The bench was interrupted."""


@dataclasses.dataclass(frozen=True)
class Run:
    world: str           # file, from the top of the repository
    settings: tuple      # "world.days=14", later ones win
    seed: int
    asks: str = "replay"  # or "baselines", "closed-loop"
    arguments: tuple = ()  # of the closed loop
    threads: int = 1

    def kind(self):
        """The same for all seeds: what a build knows or not."""
        return self.world, self.settings, self.asks, self.arguments


@dataclasses.dataclass
class Place:
    """Where runs happen: the binary, its identity, and the folder of results."""
    binary: pathlib.Path
    build: str           # the first digits of the binary's hash
    out: pathlib.Path
    prompts: str         # "built-in text" or the identity of the corpora
    processes: list = dataclasses.field(default_factory=list)
    stopped: bool = False

    def folder(self):
        return self.out / self.build

    def stop(self):
        """Ends the programs that were started. Not by Popen.kill, which may reap a child that its thread waits for."""
        self.stopped = True
        for process in list(self.processes):
            try:
                os.kill(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def prompts_there():
    """Which prompts a world with `prompts = "corpora"` gets."""
    folder = os.environ.get("STILLWATCH_DATA")
    folder = pathlib.Path(folder) / "data/prompts" if folder else None
    if folder is None or not folder.is_dir():
        return "built-in text"
    names = sorted((path.name, path.stat().st_size) for path in folder.glob("*.jsonl.zst"))
    return f"{len(names)} corpora, {sha256(json.dumps(names))[:8]}"


def place(binary, out):
    """Of the binary as it is now."""
    with open(binary, "rb") as program:
        build = hashlib.file_digest(program, "sha256").hexdigest()[:12]
    return Place(pathlib.Path(binary).resolve(), build, pathlib.Path(out).resolve(), prompts_there())


def keep_program(at):
    """From now on a copy is run: a build during a long table must not change what is measured."""
    copy = at.folder() / "stillwatch"
    if at.binary == copy:
        return
    at.folder().mkdir(parents=True, exist_ok=True)
    aside = at.folder() / f"stillwatch.{os.getpid()}.part"
    shutil.copy2(at.binary, aside)
    aside.replace(copy)
    at.binary = copy
    if place(copy, at.out).build != at.build:
        raise RunError("the program changed while it was copied; call again")


def key_of(run, at):
    """The name of a run's result. The number of threads is no part of it: it changes no output."""
    text = json.dumps([1, at.build, at.prompts, world_file.read(run.world), run.settings, run.seed, run.asks,
                       *run.arguments], sort_keys=True, default=str)
    return f"{pathlib.Path(run.world).stem}-{run.asks}-{run.seed}-{sha256(text)[:16]}"


def result_of(run, at):
    """The result, or None while there is none."""
    try:
        return json.loads((at.folder() / f"{key_of(run, at)}.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None


def keep(run, at, result):
    at.folder().mkdir(parents=True, exist_ok=True)
    path = at.folder() / f"{key_of(run, at)}.json"
    aside = path.with_suffix(f".{os.getpid()}.{id(result)}.part")
    aside.write_text(json.dumps(result, separators=(",", ":"), sort_keys=True) + "\n", encoding="utf-8")
    aside.replace(path)


class Child:
    """A program that was started, with what it wrote to standard error and what it used."""

    def __init__(self, at, arguments, errors, **options):
        self.at, self.name, self.errors = at, arguments[0], errors
        with open(errors, "wb") as log:
            self.process = subprocess.Popen([at.binary, *arguments], stderr=log, **options)
        at.processes.append(self.process)
        if at.stopped:
            at.stop()

    def wait(self):
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.at.processes.remove(self.process)
        self.seconds = round(usage.ru_utime + usage.ru_stime, 3)
        self.peak_kib = usage.ru_maxrss
        return self.process.returncode

    def said(self):
        lines = pathlib.Path(self.errors).read_text("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else f"{self.name} ended with code {self.process.returncode}"


def simulated(run, at, folder, stream):
    arguments = ["simulate", f"--world={world_file.TOP / run.world}", f"--seed={run.seed}", f"--threads={run.threads}",
                 f"--out={folder / 'world'}", *(f"--set={setting}" for setting in run.settings)]
    return Child(at, arguments + (["--stream"] if stream else []), folder / "simulate.log",
                 stdout=subprocess.PIPE if stream else subprocess.DEVNULL)


def check(at, *children):
    """The first child that failed is the reason; `simulate` with wrong arguments means that the world is unknown."""
    if at.stopped:
        raise Stopped
    for child in children:
        if child.process.returncode != 0:
            raise RunError(f"{child.name}: {child.said()}")


def unavailable(run, child):
    return {"v": 1, "world": run.world, "settings": run.settings, "seed": run.seed,
            "unavailable": child.said().removeprefix("stillwatch: ").partition("; docs/")[0]}


def evaluated(at, folder, *more):
    arguments = ["evaluate", f"--truth={folder / 'world'}", f"--verdicts={folder / 'out/verdicts.ndjson'}", "--json"]
    with open(folder / "evaluation.json", "wb") as out:
        child = Child(at, [*arguments, *more], folder / "evaluate.log", stdout=out)
        child.wait()
    check(at, child)
    return child, json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))


def replaying(run, at, folder, source, **options):
    # The same secret for a seed, so that a run can be repeated to the byte.
    secret = folder / "secret"
    secret.write_text(sha256(f"secret of seed {run.seed}") + "\n")
    secret.chmod(0o600)
    return Child(at, ["replay", source, f"--accounts={folder / 'world/accounts.ndjson'}", f"--out={folder / 'out'}",
                      f"--secret={secret}", f"--threads={run.threads}", "--quiet"], folder / "replay.log",
                 stdout=subprocess.DEVNULL, **options)


def replayed(at, folder, writer, reader):
    """The result of a replay that is over."""
    judge, evaluation = evaluated(at, folder)
    summary = json.loads((folder / "out/summary.json").read_text(encoding="utf-8"))
    return {"summary": {key: summary[key] for key in SUMMARY_KEYS if key in summary},
            "verdicts_sha256": hashlib.sha256((folder / "out/verdicts.ndjson").read_bytes()).hexdigest(),
            "seconds": {"simulate": writer.seconds, "replay": reader.seconds, "evaluate": judge.seconds},
            "peak_mib": {"simulate": writer.peak_kib // 1024, "replay": reader.peak_kib // 1024},
            "evaluation": evaluation}


def replay_run(run, at, folder):
    writer = simulated(run, at, folder, stream=True)
    reader = replaying(run, at, folder, "-", stdin=writer.process.stdout)
    writer.process.stdout.close()
    reader.wait()
    if writer.wait() == WRONG_ARGUMENTS:
        return unavailable(run, writer)
    # A writer whose reader gave up dies of the broken pipe: the reader's reason is the one to tell.
    check(at, reader, writer)
    return replayed(at, folder, writer, reader)


def baselines_run(run, at, folder):
    """All baselines over one log (`--oracle`), which is a file; and our own replay of it, when no other run did it."""
    writer = simulated(run, at, folder, stream=False)
    if writer.wait() == WRONG_ARGUMENTS:
        return unavailable(run, writer)
    check(at, writer)
    log = folder / "world/queries.ndjson.zst"
    ours = dataclasses.replace(run, asks="replay")
    if result_of(ours, at) is None:
        reader = replaying(run, at, folder, log)
        reader.wait()
        check(at, reader)
        keep(ours, at, labelled(ours, at, replayed(at, folder, writer, reader)))
        shutil.rmtree(folder / "out")
    # The baselines are judged beside an empty file of verdicts.
    (folder / "out").mkdir()
    (folder / "out/verdicts.ndjson").touch()
    days = world_file.value_of(world_file.read(run.world), run.settings, "world", "days", 14)
    judge, evaluation = evaluated(at, folder, f"--baselines={log}", "--oracle", f"--days={days:g}")
    evaluation["detectors"] = evaluation["detectors"][1:]
    return {"summary": {}, "seconds": {"simulate": writer.seconds, "evaluate": judge.seconds},
            "peak_mib": {"simulate": writer.peak_kib // 1024, "evaluate": judge.peak_kib // 1024},
            "evaluation": evaluation}


def closed_loop_run(run, at, folder):
    """The binary simulates and replays by itself: what it bans changes what is sent next."""
    arguments = ["bench", "closed-loop", f"--world={world_file.TOP / run.world}", f"--seed={run.seed}",
                 f"--threads={run.threads}", "--json", "--quiet", *run.arguments,
                 *(f"--set={setting}" for setting in run.settings)]
    with open(folder / "figures.json", "wb") as out:
        child = Child(at, arguments, folder / "closed-loop.log", stdout=out)
        if child.wait() == WRONG_ARGUMENTS:
            return unavailable(run, child)
    check(at, child)
    return {"summary": {}, "seconds": {"closed-loop": child.seconds},
            "peak_mib": {"closed-loop": child.peak_kib // 1024},
            "closed_loop": json.loads((folder / "figures.json").read_text(encoding="utf-8"))}


RUNS = {"replay": replay_run, "baselines": baselines_run, "closed-loop": closed_loop_run}


def labelled(run, at, result):
    """As it is kept: with what it is the result of."""
    return {"v": 1, "build": at.build, "world": run.world, "settings": run.settings, "seed": run.seed,
            "arguments": run.arguments, "prompts": at.prompts, **result}


def perform(run, at):
    """Does the run, keeps its result and returns it. The log is gone afterwards, whatever happens."""
    at.out.mkdir(parents=True, exist_ok=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"running-{os.getpid()}-", dir=at.out))
    try:
        result = RUNS[run.asks](run, at, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    result = labelled(run, at, result)
    keep(run, at, result)
    return result


def remove_leftovers(at):
    """Logs of benches that were killed."""
    for path in at.out.glob("running-*-*"):
        process = path.name.split("-")[1]
        if process.isdigit() and not pathlib.Path("/proc", process).exists():
            shutil.rmtree(path, ignore_errors=True)
