"""Which plots there are, and how the results of a table become one. A plot without any result is not written."""
import math

from . import cells, figures, intervals, svg_chart, tables, words

CAMPAIGN = "Template farm among some 5,100 benign accounts; two weeks after calibration. Bands: 95 % over worlds."
PREVENTED = "prevented share of hostile requests"
PERCENT_TICKS = [(part / 100, f"{part} %") for part in range(0, 101, 20)]


def of_group(states, group):
    return [state for state in states if state.cell.group == group]


def with_yield(states):
    return [state for state in states if state.figures and state.figures.prevented]


def points_of(states, place=lambda cell: cell.x):
    out = []
    for state in with_yield(states):
        low, high = state.figures.prevented_interval() or (None, None)
        out.append((place(state.cell), state.figures.prevented_mean(), low, high))
    return sorted(out)


def whole(states, subtitle):
    """The subtitle, and what is missing."""
    partial = [state for state in states if state.note()]
    there = f" {len(states) - len(partial)} of {len(states)} points have all their seeds."
    return subtitle + (there if partial else "")


def curve(title, x_title, groups, log, place=lambda cell: cell.x, subtitle=CAMPAIGN):
    """`groups`: (name in the legend, states)."""
    series = [(name, points_of(states, place)) for name, states in groups]
    series = [(name, points) for name, points in series if points]
    if not series:
        return None
    every = [state for _, states in groups for state in states]
    ticks = sorted({place(state.cell): state.cell.name.removesuffix(" attack share") for state in every}.items())
    return svg_chart.line_chart(title, whole(every, subtitle), x_title, PREVENTED, series, ticks, log)


def shares(of):
    names = {"attack share": "the share alone",
             "residential, spoofed, paraphrased": "with residential networks, spoofed clients, paraphrase",
             "the same at human hours, random accounts, uneven rates": "and human hours, uneven rates"}
    states = of.get("redteam-accounts", []) + of.get("redteam-combined", [])
    return curve("Prevented against attack share", "share of a hostile account's requests that are hostile",
                 [(name, of_group(states, group)) for group, name in names.items()], True)


def sizes(of):
    return curve("Prevented against the number of accounts", "accounts of the campaign at any time",
                 [("", of_group(of.get("redteam-accounts", []), "accounts"))], True)


def grid(of):
    groups = [(f"{name} attack share", members) for name, members in tables.grouped(of.get("grid", [])).items()]
    return curve("Prevented against size, by attack share", "accounts of the campaign at any time", groups, True,
                 lambda cell: float(cell.name))


def templates(of):
    return curve("Prevented against the number of templates", "templates of the campaign",
                 [("", of_group(of.get("redteam-work", []), "templates"))], True,
                 lambda cell: cell.x or 10 ** 7)


def paraphrase(of):
    return curve("Prevented against paraphrase", "share of a template's constant words changed in each request",
                 [("", of_group(of.get("redteam-work", []), "paraphrased words"))], False)


def prevented_rows(states):
    rows = []
    for state in with_yield(states):
        low, high = state.figures.prevented_interval() or (None, None)
        rows.append((f"{state.cell.group}: {state.cell.name}" if state.cell.group != "families" else state.cell.name,
                     [(0, state.figures.prevented_mean(), low, high)], words.percent(state.figures.prevented_mean())))
    return rows


def schedule(of):
    states = [state for group in ("schedule", "choice of the account", "spread of the accounts' rates")
              for state in of_group(of.get("redteam-accounts", []), group)]
    rows = prevented_rows(states)
    if not rows:
        return None
    subtitle = CAMPAIGN.replace("Bands", "Bars")
    return svg_chart.interval_chart("Prevented against schedule", whole(states, subtitle), PREVENTED, rows,
                                    PERCENT_TICKS)


def best_baseline(state):
    """(mean, interval, name) of the baseline that prevents most with the best threshold that the truth could give."""
    best = None
    for name in tables.detectors_of([state]):
        if "oracle" not in name:  # what calibration gives may cost any number of honest accounts
            continue
        of = figures.Figures(state.results, state.cell.campaign, name)
        if of.prevented and (best is None or of.prevented_mean() > best[0]):
            best = (of.prevented_mean(), of.prevented_interval() or (None, None), name)
    return best


def families(of):
    states = of.get("families", [])
    rows = prevented_rows(states)
    if not rows:
        return None
    baselines = {state.cell.name: best_baseline(state) for state in of.get("baselines", []) if state.results}
    names = ["stillwatch"] + (["best baseline, threshold from the truth at 1e-4"] if any(baselines.values()) else [])
    for label, points, _ in rows:
        if baselines.get(label):
            value, interval, _ = baselines[label]
            points.append((1, value, *interval))
    subtitle = CAMPAIGN.replace("Template farm", "200 accounts").replace("Bands", "Bars")
    return svg_chart.interval_chart("Prevented by family", whole(states, subtitle), PREVENTED, rows, PERCENT_TICKS,
                                    names)


def decades(low, high):
    """Ticks of a logarithmic axis that holds both values."""
    begin, end = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return [(10.0 ** power, f"1e{power}" if power < -2 else f"{10.0 ** power:g}")
            for power in range(begin, max(end, begin + 1) + 1)]


def error_by_stratum(of):
    states = of.get("error", [])
    together = tables.pooled(states)
    if together is None:
        return None
    rows, highest = [], 1e-3
    for name, error in sorted(together.strata.items(), key=lambda item: -item[1].upper()):
        highest = max(highest, error.upper())
        rows.append((name, [(0, error.rate(), error.rate(), error.upper())],
                     f"{error.actioned:,} of {error.accounts:,}"))
    subtitle = (f"Honest accounts actioned at any time in {together.worlds():,} worlds. Bars end at the one-sided 95 % "
                "bound; hollow: none.")
    return svg_chart.interval_chart(
        "Error by stratum, without any attack", whole(states, subtitle),
        "share of honest accounts actioned", rows, decades(1e-6, highest), log=True, lines=[(1e-3, "aim: 1e-3")])


def promise(of):
    states = [state for state in of.get("error", []) if state.figures]
    if not states:
        return None
    sets = [(state.cell.name, state.figures) for state in states]
    if len(sets) > 1:
        sets.append(("together", tables.pooled(states)))
    rows, highest = [], 10.0
    for name, one in sets:
        exposure = one.million_months()
        low, high = (bound(one.false_campaigns) / exposure
                     for bound in (intervals.poisson_lower, intervals.poisson_upper))
        highest = max(highest, high)
        rows.append((name, [(0, one.false_campaigns / exposure, low, high)],
                     f"{one.false_campaigns} in {exposure:.2f} million months"))
    promised = sets[0][1].promised()
    subtitle = "Attack-free months after calibration. Bars: one-sided 95 % bounds on each side; hollow: none."
    return svg_chart.interval_chart(
        "False campaigns, realised against promised",
        whole(of["error"], subtitle),
        "false campaigns a month per million accounts", rows, decades(0.1, highest), log=True,
        lines=[(promised, f"promised: {promised:g}")])


PLOTS = {"families": families, "attack_share": shares, "accounts": sizes, "size_and_share": grid,
         "templates": templates, "paraphrase": paraphrase, "schedule": schedule, "error_by_stratum": error_by_stratum,
         "promise": promise}
