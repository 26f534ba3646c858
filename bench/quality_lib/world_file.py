"""World files as far as a bench needs them: values, sizes. Whether they are right, `stillwatch simulate` says."""
import copy
import functools
import pathlib
import tomllib

TOP = pathlib.Path(__file__).resolve().parent.parent.parent


def merged(into, values):
    for key, value in values.items():
        if isinstance(value, dict):
            merged(into.setdefault(key, {}), value)
        else:
            into[key] = value
    return into


@functools.cache
def read(name):
    """A world's values, with those of the world it extends beneath. Callers leave them as they are."""
    path = TOP / name
    values = tomllib.loads(path.read_text(encoding="utf-8"))
    parent = values.pop("extends", None)
    if parent is None:
        return values
    return merged(copy.deepcopy(read(path.parent / parent)), values)


def exists(name):
    return (TOP / name).is_file()


def value_of(values, settings, section, key, default):
    """A number of the world, after settings such as `world.days=14`."""
    for setting in reversed(settings):
        name, _, text = setting.partition("=")
        if name == f"{section}.{key}":
            return float(text)
    part = values
    for word in section.split("."):
        part = part.get(word, {})
    return float(part.get(key, default))


def benign_accounts(name, settings=()):
    """Honest accounts, scaled."""
    values = read(name)
    number = sum(value_of(values, settings, f"benign.{stratum}", "accounts", 0) for stratum in values.get("benign", {}))
    return number * value_of(values, settings, "world", "scale", 1)


# Requests a day of the benign strata of worlds/base.toml, each account taken together.
BENIGN_REQUESTS_PER_DAY = 7.9


def records_expected(name, settings):
    """About how many records a run has: what its time is about proportional to."""
    values = read(name)
    days = value_of(values, settings, "world", "days", 14)
    total = 0
    named = {setting.split(".")[1] for setting in settings if setting.startswith("campaign.")} - {"*"}
    for campaign in sorted(named | set(values.get("campaign", {}))):
        of = [setting.replace("campaign.*.", f"campaign.{campaign}.") for setting in settings]

        def value(key, default):
            return value_of(values, of, f"campaign.{campaign}", key, default)

        until = value("end_day", 0) or days
        total += value("accounts", 0) * value("requests_per_account_day", 26) * max(0, until - value("start_day", 8))
    benign = benign_accounts(name, settings) * days * BENIGN_REQUESTS_PER_DAY
    return benign + total * value_of(values, settings, "world", "scale", 1)
