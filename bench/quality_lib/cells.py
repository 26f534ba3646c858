"""What is measured: tables of cells. A cell is a world with settings, run over seeds; red_team.py has the knobs."""
import dataclasses

from . import jobs, red_team, world_file
from .red_team import COMMON, SCALE, accounts, hostile

FAMILIES = ("template_farm", "self_instruct", "reasoning_sweep", "repeated_sampling", "judge_loop", "evolution",
            "agent_rollouts")
# Families that were looked at when a threshold or a prior of the detector was chosen. Keep this true.
TUNED = ("template_farm", "self_instruct", "reasoning_sweep", "repeated_sampling", "judge_loop", "evolution",
         "agent_rollouts")


@dataclasses.dataclass(frozen=True)
class Cell:
    group: str                # what stands together: a knob, a row of a grid
    name: str                 # the point within its group
    world: str
    settings: tuple = ()
    seeds: int = 20
    asks: str = "replay"
    campaign: str = ""        # whose prevented share counts; empty: all campaigns
    x: float = None           # where it stands on an axis
    arguments: tuple = ()     # of the closed loop

    def runs(self, seeds=None):
        return [jobs.Run(self.world, self.settings, seed, self.asks, self.arguments)
                for seed in range(1, (seeds or self.seeds) + 1)]


@dataclasses.dataclass(frozen=True)
class Table:
    name: str
    title: str
    cells: tuple


def family_world(family):
    return f"worlds/family_{family}.toml"


def families(asks="replay", seeds=20):
    group = "families" if asks == "replay" else "baselines"
    return tuple(Cell(group, family, *red_team.of_family(family, red_team.FAMILIES_SCALE), seeds, asks)
                 for family in FAMILIES)


def grid():
    """Attack share by size: from which on a campaign is seen."""
    shares = (1, 0.5, 0.25, 0.1, 0.05)
    sizes = (50, 130, 300, 1000)
    return tuple(Cell(red_team.share_of(share), f"{size}", red_team.WORLD,
                      (*COMMON, accounts(size), hostile("attack_share", share)), 8, x=share)
                 for share in shares for size in sizes)


SHORTCUTS = {
    "as it is": (),
    "constant affixes stripped": ("world.strip_affixes=true",),
    "lengths matched": ("world.match_lengths=true",),
    "tuning half of the corpora": ("world.corpus_half=tuning",),
    "held-out half of the corpora": ("world.corpus_half=held_out",),
    "stripped, matched, held out": ("world.strip_affixes=true", "world.match_lengths=true",
                                    "world.corpus_half=held_out"),
}


def shortcuts():
    cells = []
    for family in FAMILIES:
        world, settings = red_team.of_family(family)
        cells += [Cell(family, name, world, settings + more, 5) for name, more in SHORTCUTS.items()]
    return tuple(cells)


# 130 accounts at 26 requests a day for 14 days are 47,320 requests; a benign account of base.toml sends 7.9 a day. The
# log has 21 days, seven of them before the campaign.
DILUTION_DAYS = 21
DILUTION_ACCOUNTS = 130 * 26 * 14 / (DILUTION_DAYS * world_file.BENIGN_REQUESTS_PER_DAY)


def dilution():
    cells = []
    for times, seeds in ((10, 10), (100, 4), (1000, 1)):
        scale = DILUTION_ACCOUNTS * times / world_file.benign_accounts(red_team.WORLD, ("world.scale=1",))
        settings = (f"world.days={DILUTION_DAYS}", "world.calibration_days=7", f"world.scale={scale:.6f}",
                    f"campaign.*.accounts={130 / scale:.0f}", "campaign.*.start_day=7")
        cells.append(Cell("dilution", f"{times:,} times", red_team.WORLD, settings, seeds, x=times))
    return tuple(cells)


def month(size, name):
    """An attack-free month after the calibration week: the shipped world, or the benign part of the base world."""
    if world_file.exists(f"worlds/{name}.toml"):
        return f"worlds/{name}.toml", ()
    return "worlds/base.toml", ("world.days=37", f"world.scale={size / 20400:.6f}")


def error():
    return (Cell("months", "2,000 accounts", *month(2000, "months_2k"), seeds=200),
            Cell("months", "50,000 accounts", *month(50000, "months_50k"), seeds=10))


def poison():
    """Hostile accounts in the calibration week, as a share of the honest ones. Before a campaign they send a tenth of
    its own templates, so that these look common; without one they are a campaign that ends with the week."""
    cells = []
    benign = world_file.benign_accounts(red_team.WORLD, COMMON)
    nothing = (f"campaign.{red_team.CAMPAIGN}.accounts=0",)
    for percent in (0, 2, 5, 10):
        number = round(benign * percent / 100)
        before = (hostile("poison_accounts", number),) if percent else ()
        cells.append(Cell("then the campaign", f"{percent} %", red_team.WORLD, COMMON + before, 10,
                          campaign=red_team.CAMPAIGN, x=percent))
        early = tuple(f"campaign.early.{key}={value}" for key, value in (
            ("family", "template_farm"), ("accounts", round(number / SCALE)), ("attack_share", 0.5), ("start_day", 0),
            ("end_day", 7))) if percent else ()
        cells.append(Cell("then nothing", f"{percent} %", red_team.WORLD, red_team.COMMON_BENIGN + nothing + early, 10,
                          campaign="none", x=percent))
    return tuple(sorted(cells, key=lambda cell: cell.group))


def closed_loop():
    """Verdicts ban, the campaign replaces what it lost out of a budget and changes its ways after every 50 bans."""
    plans = ((0, 0, 0), (400, 0, 0), (400, 50, 0), (2000, 0, 6), (2000, 50, 6))
    return tuple(Cell("closed-loop", f"{spare:,} spare accounts, " + ("evading" if evade else "as before"),
                      red_team.WORLD, COMMON, 5, "closed-loop",
                      arguments=(f"--replacements={spare}", f"--evade-after={evade}", f"--search={search}"))
                 for spare, evade, search in plans)


def smoke():
    """Small enough for a look between two changes; too small to say how good anything is."""
    return tuple(Cell("smoke", family, family_world(family), (), 1)
                 for family in ("template_farm", "reasoning_sweep", "evolution")) + (
        Cell("smoke", "no campaign", "worlds/families_base.toml", (), 2, campaign="none"),)


def sweep_cells(sweeps):
    return tuple(Cell(sweep.name, point.name, red_team.WORLD, COMMON + point.settings, point.seeds, x=point.x)
                 for sweep in sweeps for point in sweep.points)


def tables():
    """By name, in the order in which they are run."""
    every = (
        Table("smoke", "A quick look", smoke()),
        Table("families", "Families", families()),
        Table("baselines", "Families by baselines", families("baselines")),
        Table("grid", "Attack share by size", grid()),
        Table("redteam-work", "Red team: what is asked, and how much", sweep_cells(red_team.WORK)),
        Table("redteam-accounts", "Red team: who asks, from where, and when", sweep_cells(red_team.ACCOUNTS)),
        Table("redteam-combined", "Red team: combined", sweep_cells(red_team.COMBINED)),
        Table("closed-loop", "Closed loop: bans, replacement and change of evasion", closed_loop()),
        Table("shortcuts", "No shortcuts", shortcuts()),
        Table("dilution", "Benign traffic around a campaign of 130 accounts", dilution()),
        Table("error", "Error without any attack", error()),
        Table("poison", "Error and yield after a poisoned calibration", poison()),
    )
    return {table.name: table for table in every}


def chosen(names):
    """Tables by exact name, or all whose name begins so (`redteam`). Raises KeyError with the name nobody has."""
    every = tables()
    if not names:
        return [table for name, table in every.items() if name != "smoke"]
    out = []
    for name in names:
        found = [every[key] for key in every if key == name or key.startswith(f"{name}-")]
        if not found:
            raise KeyError(name)
        out += found
    return out
