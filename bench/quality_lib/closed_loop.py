"""The table of the closed loop: what a campaign keeps when verdicts ban, and what half of the harvest costs it."""
import math

from . import intervals, words

HEAD = ("", "answers kept (95 % interval)", "accounts spent, without bans", "accounts per 1,000 answers, without bans",
        "first ban", "changes of evasion", "cost of half", "honest banned")


def cost_of_half(ones):
    """Accounts for half of the harvest, against those it takes without bans; more than the budget is beyond any."""
    searched = [one["half_yield"] for one in ones if one["half_yield"]]  # nothing where no search was asked for
    costs = [half["cost"] if half["reached"] else math.inf for half in searched if half["runs"] > 0 or half["reached"]]
    if not costs:
        return "not searched"
    middle = intervals.median(costs)
    return f"{middle:.1f} times" if math.isfinite(middle) else "beyond the budget"


def row(state):
    ones = [result["closed_loop"] for result in state.results]
    if not ones:
        return [state.cell.name, state.note()] + [""] * (len(HEAD) - 2)

    def mean(key):
        return intervals.mean([one[key] for one in ones])

    kept = [one["yield_kept"] for one in ones]
    interval = intervals.bootstrap(kept)
    span = f" ({100 * interval[0]:.1f}-{100 * interval[1]:.1f})" if interval else ""
    first = [one["hours_to_first_ban"] if one["hours_to_first_ban"] >= 0 else math.inf for one in ones]
    note = f", {state.note()}" if state.note() else ""
    return [state.cell.name, words.percent(intervals.mean(kept)) + span + note,
            f"{mean('accounts_spent'):,.0f}, {mean('accounts_left_alone'):,.0f}",
            f"{mean('accounts_per_1000_answers'):.2f}, {mean('accounts_per_1000_answers_left_alone'):.2f}",
            words.hours(intervals.median(first)), f"{mean('evasion_steps'):.1f}", cost_of_half(ones),
            f"{sum(one['honest_banned'] for one in ones):,} of {sum(one['honest_accounts'] for one in ones):,}"]


def lines_of(states):
    return words.table(HEAD, [row(state) for state in states])
