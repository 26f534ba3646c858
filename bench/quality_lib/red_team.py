"""The red team's knobs: each swept alone from the same campaign, then together. Keys are those of worlds.md."""
import dataclasses

from . import world_file

# The campaign that every knob is turned on: 200 accounts at 26 requests a day, half of them hostile, 100 templates,
# from the day after the calibration week on, for two weeks, with hard neighbours (late vendors, fleets of devices,
# writing products) where that world is there. The sweeps are among some 460 honest accounts, so that many settings can
# be tried; families, baselines and the error bound have the sizes that a provider has.
GROUND = "worlds/redteam_base.toml"
if world_file.exists(GROUND):
    WORLD, SCALE, CAMPAIGN = GROUND, 0.225, "redteam-1"
else:
    WORLD, SCALE, CAMPAIGN = "worlds/family_template_farm.toml", 0.25, "template_farm"
COMMON_BENIGN = ("world.days=21", "world.calibration_days=7", f"world.scale={SCALE}")
FAMILIES_SCALE = 2.5 if WORLD == GROUND else SCALE  # some 5,100 honest accounts
SEEDS = 5


def accounts(number):
    return f"campaign.*.accounts={number / SCALE:.0f}"


COMMON = (*COMMON_BENIGN, accounts(200), "campaign.*.start_day=7")


def of_family(family, scale=SCALE):
    """The world and settings of the same campaign with another method."""
    common = tuple(f"world.scale={scale}" if setting.startswith("world.scale=") else
                   f"campaign.*.accounts={200 / scale:.0f}" if setting.startswith("campaign.*.accounts=") else setting
                   for setting in COMMON)
    if WORLD != GROUND:
        return f"worlds/family_{family}.toml", common
    more = (hostile("family", family),) if family != "template_farm" else ()
    return WORLD, common + more + ((hostile("question_set", "benchmark"),) if family == "reasoning_sweep" else ())


def hostile(key, value):
    text = str(value).lower() if isinstance(value, bool) else f"{value:.10g}" if not isinstance(value, str) else value
    return f"campaign.*.{key}={text}"


@dataclasses.dataclass(frozen=True)
class Point:
    name: str
    settings: tuple = ()   # empty: the campaign as it is
    x: float = None
    seeds: int = SEEDS


@dataclasses.dataclass(frozen=True)
class Sweep:
    name: str
    points: tuple


def share_of(value):
    return f"{100 * value:.0f} %"


def swept(name, key, values, usual=None, seeds=None, show="{:,}".format):
    """A number of the campaign at several values; `usual` is the value that the campaign has anyway."""
    seeds = seeds or {}
    return Sweep(name, tuple(
        Point(show(value), () if value == usual else (hostile(key, value),), value, seeds.get(value, SEEDS))
        for value in values))


def named(name, **points):
    return Sweep(name, tuple(Point(label.replace("_", " "), tuple(settings)) for label, settings in points.items()))


def listed(key, *words):
    return hostile(key, "[" + ",".join(f'"{word}"' for word in words) + "]")


WORK = (
    swept("requests per account and day", "requests_per_account_day", (1, 3, 6, 13, 26, 100, 1000), 26, {1000: 2}),
    Sweep("templates", (*swept("", "templates", (100, 1000, 10000, 100000, 1000000), 100).points,
                        Point("all different", (hostile("unique", True),)))),
    swept("paraphrased words", "paraphrase", (0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8), 0, show=share_of),
    swept("rewordings of each template", "variants", (1, 3, 10, 30, 100), 1),
    swept("followed-up requests", "multi_turn", (0, 0.25, 0.5, 1), 0, show=share_of),
    named("topics", shared=(), one_sixteenth_for_each_account=(hostile("disjoint_topics", True),)),
    named("models", one=(), two=(listed("models", "m-large", "m-reason"),),
          four=(listed("models", "m-large", "m-medium", "m-small", "m-reason"),)),
    named("languages", one=(), three=(listed("languages", "en", "zh", "es"),),
          ten=(listed("languages", "en", "es", "de", "fr", "pt", "zh", "cy", "sw", "eu", "is"),)),
)

ACCOUNTS = (
    Sweep("accounts", tuple(Point(f"{n:,}", () if n == 200 else (accounts(n),), n, 2 if n > 3000 else SEEDS)
                            for n in (20, 50, 130, 200, 500, 1000, 3000, 10000))),
    swept("attack share", "attack_share", (1, 0.5, 0.25, 0.1, 0.05, 0.02, 0.01), 0.5, show=share_of),
    swept("rest that is resold", "resale_share", (0, 0.5, 0.8, 0.95), 0, show=share_of),
    named("networks", own=(), residential=(hostile("proxies", "residential"),),
          datacenter=(hostile("proxies", "datacenter"),), shared=(hostile("proxies", "shared"),)),
    named("client software", one=(), mixed=(hostile("client", "mixed"),), spoofed=(hostile("client", "spoofed"),)),
    swept("accounts on shared cards", "payment_share", (0, 0.5, 1), 0, show=share_of),
    swept("accounts signed up in bursts", "signup_burst", (0, 0.3, 1), 0.3, show=share_of),
    swept("age of the accounts in days", "account_age_days", (0, 20, 200, 1000), 20),
    swept("honest days before an account turns", "warm_up_days", (0, 3, 7), 0),
    swept("replaced each day", "replacement_per_day", (0, 0.02, 0.1, 0.3), 0, show=share_of),
    named("schedule", flat=(), human=(hostile("schedule", "human"),),
          bursty=(hostile("schedule", "bursty"),)),
    named("choice of the account", least_recently_used=(),
          random=(hostile("selection", "random"),)),
    swept("spread of the accounts' rates", "rate_sigma", (0, 0.5, 1, 1.5), 0),
    named("end users named", forged=(), none=(hostile("end_users", "none"),)),
    swept("minutes on one account", "sticky_minutes", (0, 60, 1440), 60),
    named("release of a model", none=(), noticed=("world.release_day=12",),
          moved_to_at_once=("world.release_day=12", hostile("release_pivot", True))),
    Sweep("honest accounts framed", tuple(
        Point(f"{victims} by {share_of(share)} of the requests",
              (hostile("framed_accounts", victims), hostile("framing_share", share)))
        for victims, share in ((5, 0.3), (20, 0.1), (20, 0.3), (20, 0.7), (50, 0.3)))),
    swept("hub flood, requests a day", "hub_flood_per_day", (0, 100, 1000, 10000), 0),
)

PROXY = hostile("proxies", "residential")
SPOOFED = hostile("client", "spoofed")
REWORDED = hostile("paraphrase", 0.2)
CAMOUFLAGED = (hostile("schedule", "human"), hostile("selection", "random"), hostile("rate_sigma", 1))


def hidden(share, *more):
    return (hostile("attack_share", share), PROXY, SPOOFED, REWORDED, *more)


COMBINED = (
    Sweep("residential, spoofed, paraphrased", tuple(
        Point(f"{share_of(share)} attack share", hidden(share), share, 20) for share in (1, 0.5, 0.25, 0.1, 0.05))),
    Sweep("the same at human hours, random accounts, uneven rates", tuple(
        Point(f"{share_of(share)} attack share", hidden(share, *CAMOUFLAGED), share, 10)
        for share in (1, 0.5, 0.25, 0.1))),
    Sweep("everything together", (
        Point("130 accounts, 25 %, resale, all prompts different",
              hidden(0.25, accounts(130), hostile("unique", True), hostile("resale_share", 0.8), *CAMOUFLAGED)),
        Point("1,000 accounts, 10 %, resale, disjoint topics",
              hidden(0.1, accounts(1000), hostile("disjoint_topics", True), hostile("resale_share", 0.8),
                     *CAMOUFLAGED)),
        Point("1,000 accounts, 10 %, replaced, aged",
              hidden(0.1, accounts(1000), hostile("replacement_per_day", 0.1), hostile("account_age_days", 400))),
    )),
)
