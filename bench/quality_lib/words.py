"""Numbers as people read them in a table."""
import math


def percent(value, digits=1):
    return "-" if value is None else f"{100 * value:.{digits}f} %"


def share(figures):
    """The prevented share with its interval over worlds."""
    mean, interval = figures.prevented_mean(), figures.prevented_interval()
    if mean is None:
        return "-"
    if interval is None:
        return percent(mean)
    return f"{percent(mean)} ({100 * interval[0]:.1f}-{100 * interval[1]:.1f})"


def hours(value):
    if value is None:
        return "-"
    if math.isinf(value):
        return "never"
    return f"{value:.1f} h" if value < 10 else f"{value:.0f} h"


def rate(value):
    """A small probability: 0, or two digits with a power of ten."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    return f"{value:.2g}" if value >= 0.001 else f"{value:.1e}".replace("e-0", "e-")


def count(value):
    return f"{value:,.0f}"


def table(head, rows):
    """Markdown. The first column is text, the others are figures."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
