"""The tables of docs/quality.md, from what results there are."""
from . import cells, closed_loop, figures, intervals, words

ACCOUNT_ERROR = 1e-4  # what a detector may cost the honest to be compared at all
HEAD = ("prevented (95 % interval)", "first alert", "90 % actioned", "hostile actioned", "honest actioned",
        "95 % bound")


def measured(state):
    """The columns of HEAD, or why there are none."""
    if state.figures is None:
        return [state.note()] + [""] * (len(HEAD) - 1)
    of = state.figures
    note = f", {state.note()}" if state.note() else ""
    if of.prevented:
        yields = [words.share(of) + note, words.hours(intervals.median(of.first_alert)),
                  words.hours(intervals.median(of.ninety)),
                  f"{words.count(of.hostile_actioned)} of {words.count(of.hostile)}"]
    else:
        yields = ["no campaign" + note, "", "", ""]
    return yields + [f"{words.count(of.honest.actioned)} of {words.count(of.honest.accounts)}",
                     words.rate(of.honest.upper())]


def notes(states):
    """What this build does not know, said once each."""
    reasons = {}
    for state in states:
        if state.unavailable:
            reasons.setdefault(state.unavailable, []).append(state.cell)
    return [f"Not available: {reason} ({len(of)} of the cells above)." for reason, of in reasons.items()]


def sizes(states):
    """How large the worlds were, from the results."""
    of = [state.figures for state in states if state.figures]
    if not of:
        return []
    honest = sorted(one.honest.accounts // one.worlds() for one in of)
    records = sorted(one.records() for one in of)

    def span(values, text):
        return text(values[0]) if text(values[0]) == text(values[-1]) else f"{text(values[0])} to {text(values[-1])}"

    seconds = sum(one.seconds() for one in of)
    return [f"{span(honest, words.count)} honest accounts and "
            f"{span(records, lambda value: f'{value / 1e6:.2g} million')} records a world; "
            f"{seconds / 60:.1f} minutes of one processor in all."]


def framed(states):
    """What became of honest accounts that a campaign tried to have convicted."""
    of = [(state.cell.name, state.figures.strata["framed"]) for state in states
          if state.figures and "framed" in state.figures.strata]
    return ["Framed accounts actioned: " + "; ".join(
        f"{name}: {error.actioned} of {error.accounts}" for name, error in of) + "."] if of else []


def hurt(states):
    """Who the honest accounts were that were acted on."""
    of = []
    for state in states:
        if state.figures and state.figures.honest.actioned:
            strata = sorted(((error.actioned, name) for name, error in state.figures.strata.items()), reverse=True)
            of.append(f"{state.cell.group}, {state.cell.name}: "
                      + ", ".join(f"{count:,} {name}" for count, name in strata if count))
    return ["Honest accounts actioned, by stratum: " + "; ".join(of) + "."] if of else []


def grouped(states):
    groups = {}
    for state in states:
        groups.setdefault(state.cell.group, []).append(state)
    return groups


def shared(cell):
    """Whether the cell is one of the table of families: its result says nothing about the knob."""
    return any((cell.world, cell.settings) == (other.world, other.settings) for other in cells.families())


def plain(states):
    """A row for each cell, groups one after the other. What is not run at all is named below."""
    rows, missing = [], []
    groups = grouped(states)
    for group, members in groups.items():
        there = [state for state in members if state.done or state.unavailable]
        if all(shared(state.cell) for state in there):
            missing.append(group)
            continue
        if len(groups) > 1:
            rows.append([f"**{group}**"] + [""] * len(HEAD))
        rows += [[state.cell.name, *measured(state)] for state in there]
        absent = [state.cell.name for state in members if state not in there]
        missing += [f"{group} ({', '.join(absent)})"] if absent else []
    return words.table(("", *HEAD), rows) + (["", f"Not run: {'; '.join(missing)}."] if missing else [])


def families(states):
    """Those a threshold was chosen on, and the others, apart."""
    rows = []
    for title, tuned in (("run while the rules were made", True), ("no threshold was chosen on", False)):
        these = [state for state in states if (state.cell.name in cells.TUNED) == tuned]
        if not these:
            continue
        rows.append([f"**{title}**"] + [""] * len(HEAD))
        rows += [[state.cell.name, *measured(state)] for state in these]
    return words.table(("family", *HEAD), rows)


def crossed(states, corner):
    """Groups are rows, names are columns; only the prevented share."""
    columns = list(dict.fromkeys(state.cell.name for state in states))
    rows = []
    for group, members in grouped(states).items():
        by_name = {state.cell.name: state for state in members}
        row = [group]
        for name in columns:
            state = by_name[name]
            note = f", {state.note()}" if state.note() and state.figures else ""
            row.append(words.share(state.figures) + note if state.figures else state.note())
        rows.append(row)
    return words.table((corner, *columns), rows)


def honest_line(states):
    total = figures.Error()
    for state in states:
        if state.figures:
            total.add(vars(state.figures.honest))
    if not total.accounts:
        return []
    return [f"Honest accounts actioned in all these worlds: {words.count(total.actioned)} of "
            f"{words.count(total.accounts)} (95 % bound {words.rate(total.upper())}; worlds share benign accounts)."]


def detectors_of(states):
    return list(dict.fromkeys(one["name"] for state in states for result in state.results
                              for one in result["evaluation"]["detectors"]))


def of_detector(name, family, ours, theirs):
    """The figures of a detector in a family's worlds, and what is there of them."""
    state = ours[family] if name == "stillwatch" else theirs[family]
    detector = None if name == "stillwatch" else name
    return (figures.Figures(state.results, state.cell.campaign, detector) if state.results else None), state


def baseline_blocks(names, ours, theirs):
    """Prevented share and first alert, detectors by families. Bold: the best of those within the account error."""
    columns = [family for family in cells.FAMILIES if family in theirs]
    shares, alerts, means = [], [], {}
    for name in names:
        share, alert, honest, found = [name], [name], figures.Error(), {}
        for family in columns:
            of, state = of_detector(name, family, ours, theirs)
            share.append(words.share(of) if of else state.note())
            alert.append(words.hours(intervals.median(of.first_alert)) if of and of.first_alert else state.note())
            if of:
                honest.add(vars(of.honest))
                found[family] = of.prevented_mean() or 0
        share += [f"{words.count(honest.actioned)} of {words.count(honest.accounts)}", words.rate(honest.rate())]
        if honest.accounts and honest.rate() <= ACCOUNT_ERROR:
            means[name] = found
        shares.append(share)
        alerts.append(alert)
    for column, family in enumerate(columns, 1):
        best = max((found.get(family, 0) for found in means.values()), default=0)
        for row, name in zip(shares, names):
            if best > 0 and means.get(name, {}).get(family) == best:
                row[column] = f"**{row[column]}**"
    return (words.table(("prevented", *columns, "honest actioned", "account error"), shares),
            words.table(("first alert", *columns), alerts))


def baselines(states, ours):
    """`ours`: the states of the families table, whose worlds these are."""
    theirs = {state.cell.name: state for state in states}
    ours = {state.cell.name: state for state in ours}
    names = detectors_of(states)
    oracles = [name for name in names if "oracle" in name]
    prevented, alerts = baseline_blocks(["stillwatch"] + [name for name in names if name not in oracles], ours, theirs)
    lines = ["Thresholds from the calibration week, at most 1e-4 of its accounts:", "", *prevented, "", *alerts]
    if oracles:
        lines += ["", "With the best threshold that the truth could give at 1e-4 of the honest accounts "
                      "(stillwatch as above):", "", *baseline_blocks(["stillwatch"] + oracles, ours, theirs)[0]]
    partial = {}
    for state in states:
        if state.note():
            partial.setdefault(state.note(), []).append(state.cell.name)
    if partial:
        lines += ["", "Not whole: " + "; ".join(f"{note}: {', '.join(of)}" for note, of in partial.items()) + "."]
    return lines


def error_rows(errors):
    rows = []
    for name, error in sorted(errors.items()):
        units = f"{error.units_actioned} of {error.units:,}" if error.units else "-"
        rows.append([name, f"{error.actioned:,} of {error.accounts:,}", words.rate(error.rate()),
                     words.rate(error.upper()), units, words.rate(error.units_upper()) if error.units else "-"])
    return rows


def pooled(states):
    """Figures of all worlds of several cells together."""
    results = [result for state in states if state.figures for result in state.results]
    return figures.Figures(results) if results else None


def error(states):
    rows = []
    sets = [(state.cell.name, state.figures, state.note()) for state in states]
    sets.append(("together", pooled(states), ""))
    for name, of, note in sets:
        if of is None:
            rows.append([name, note] + [""] * 6)
            continue
        exposure = of.million_months()
        low, high = intervals.poisson_lower(of.false_campaigns), intervals.poisson_upper(of.false_campaigns)
        worlds = of.worlds_with_error()
        rows.append([name + (f", {note}" if note else ""), f"{of.worlds():,}", f"{exposure:.3f}", f"{of.promised():g}",
                     f"{of.false_campaigns / exposure:.2f} ({low / exposure:.2f}-{high / exposure:.2f})",
                     f"{of.honest.actioned:,} of {of.honest.accounts:,}", words.rate(of.honest.upper()),
                     f"{worlds} (at most {words.percent(intervals.binomial_upper(worlds, of.worlds()))})"])
    lines = words.table(("months of", "worlds", "million account-months", "promised false campaigns",
                         "realised (one-sided 95 % bounds)", "honest actioned", "95 % bound",
                         "worlds with any (95 % bound)"), rows)
    whole = pooled(states)
    if whole:
        head = ("accounts actioned", "error", "95 % bound", "units with any", "95 % bound over units")
        lines += ["", *words.table(("stratum", *head), error_rows(whole.strata))]
        if whole.languages:
            lines += ["", *words.table(("language", *head), error_rows(whole.languages))]
        else:
            lines += ["", "By language: the truth of these worlds names no languages."]
    return lines


def lines_of(table, states, ours=()):
    """The block of a table: markdown lines."""
    if table.name == "families":
        lines = families(states)
    elif table.name == "baselines":
        lines = baselines(states, ours)
    elif table.name == "error":
        lines = error(states)
    elif table.name == "closed-loop":
        lines = closed_loop.lines_of(states)
    elif table.name in ("grid", "shortcuts"):
        lines = crossed(states, "attack share \\ accounts" if table.name == "grid" else "family")
        lines += ["", *honest_line(states)]
    else:
        lines = plain(states)
    extra = [*sizes(states), *hurt(states), *framed(states), *notes(states)]
    return lines + (["", *extra] if extra else [])
