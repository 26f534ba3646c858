"""What the results of a cell say together: one entry of each list is a seed, which is a world."""
import collections
import dataclasses
import datetime
import math

from . import intervals, jobs

NEVER = math.inf


@dataclasses.dataclass
class Error:
    """Honest accounts and the independent units (vendors, classes, relays) they come in, added over worlds."""
    accounts: int = 0
    actioned: int = 0
    units: int = 0
    units_actioned: int = 0

    def add(self, row):
        self.accounts += row["accounts"]
        self.actioned += row["actioned"]
        self.units += row.get("units") or 0
        self.units_actioned += row.get("units_actioned") or 0

    def rate(self):
        return self.actioned / self.accounts if self.accounts else None

    def upper(self):
        return intervals.binomial_upper(self.actioned, self.accounts)

    def units_upper(self):
        return intervals.binomial_upper(self.units_actioned, self.units)


class Figures:
    """Of one detector in one cell."""

    def __init__(self, results, campaign="", detector=None):
        self.results = results
        self.rows = [judged(result, detector) for result in results]
        self.prevented, self.first_alert, self.half, self.ninety = [], [], [], []
        self.hostile = self.hostile_actioned = self.false_campaigns = 0
        self.honest = Error()
        self.strata, self.languages = collections.defaultdict(Error), collections.defaultdict(Error)
        for row in self.rows:
            theft = next((one for one in row["campaigns"] if one["name"] == campaign), None) if campaign else \
                row["overall"]
            if theft and theft["queries"]:
                self.prevented.append(theft["prevented_queries"] / theft["queries"])
                self.first_alert.append(hours(theft["hours_to_first_alert"]))
                self.half.append(hours(theft["hours_to_half_actioned"]))
                self.ninety.append(hours(theft["hours_to_90_actioned"]))
                self.hostile += theft["accounts"]
                self.hostile_actioned += theft["actioned"]
            self.false_campaigns += row["false_campaigns"]
            self.honest.add(row["honest"])
            for name, errors in (("strata", self.strata), ("languages", self.languages)):
                for one in row[name]:
                    errors[one["name"]].add(one)

    def worlds(self):
        return len(self.rows)

    def worlds_with_error(self):
        return sum(row["honest"]["actioned"] > 0 for row in self.rows)

    def prevented_mean(self):
        return intervals.mean(self.prevented) if self.prevented else None

    def prevented_interval(self):
        return intervals.bootstrap(self.prevented) if self.prevented else None

    def records(self):
        return intervals.mean([result["summary"].get("records", 0) for result in self.results])

    def precision(self):
        """Hostile accounts among all that were actioned."""
        both = self.hostile_actioned + self.honest.actioned
        return self.hostile_actioned / both if both else None

    def million_months(self):
        """Account-months after calibration, in millions: what the promise counts."""
        return sum(row["honest"]["accounts"] * judged_days(result) / 30 / 1e6
                   for row, result in zip(self.rows, self.results))

    def promised(self):
        return self.results[0]["summary"].get("promised_false_campaigns_per_month")

    def seconds(self):
        """Processor time of all runs."""
        return sum(sum(result["seconds"].values()) for result in self.results)


def hours(value):
    return NEVER if value is None else value


def judged(result, detector):
    detectors = result["evaluation"]["detectors"]
    return detectors[0] if detector is None else next(one for one in detectors if one["name"] == detector)


def judged_days(result):
    summary = result["summary"]
    begin, end = (datetime.datetime.fromisoformat(summary[key].replace("Z", "+00:00"))
                  for key in ("calibrated_until", "last"))
    return max(0.0, (end - begin).total_seconds() / 86400)


@dataclasses.dataclass
class State:
    """How much of a cell is there."""
    cell: object
    figures: Figures      # None while there is nothing
    done: int
    wanted: int
    unavailable: str = ""

    def note(self):
        """What stands beside a figure that is not whole; empty for one that is."""
        if self.unavailable:
            return "not available"
        if self.done == 0:
            return "not run"
        return f"{self.done} of {self.wanted} seeds" if self.done < self.wanted else ""


def state_of(cell, at, seeds=None):
    runs = cell.runs(seeds)
    results = [result for result in (jobs.result_of(run, at) for run in runs) if result]
    unavailable = next((result["unavailable"] for result in results if "unavailable" in result), "")
    results = [result for result in results if "unavailable" not in result]
    figures = Figures(results, cell.campaign) if results and cell.asks == "replay" else None
    state = State(cell, figures, len(results), len(runs), unavailable)
    state.results = results
    return state
