"""Charts as SVG text: lines with bands, and points with intervals in rows. No library, no script, no font of their own.

Colours follow M. Okabe, K. Ito, "Color Universal Design" (2008); series differ by marker and dash as well. A style
sheet inside follows the reader's light or dark scheme; the ground is drawn, so the picture stands on any page.
"""
import math
import textwrap
from xml.sax.saxutils import escape

WIDTH = 760
LIGHT = ("#0072b2", "#d55e00", "#00795a", "#9b4f96", "#a07400")
DARK = ("#56b4e9", "#ff9a52", "#2bd4a4", "#e5a5d6", "#f0c04a")
DASHES = ("", "7 4", "2 3", "9 3 2 3", "12 4")
LETTER = 6.6  # pixels of a letter at 12 px, about


def style():
    def scheme(ground, text, muted, grid, colours, band):
        rules = [f".ground{{fill:{ground}}}", f"text{{fill:{text}}}", f".muted{{fill:{muted}}}",
                 f".grid{{stroke:{grid}}}", f".axis{{stroke:{muted}}}", f".mark{{stroke:{text}}}"]
        for number, colour in enumerate(colours):
            rules += [f".line{number}{{stroke:{colour}}}", f".fill{number}{{fill:{colour}}}",
                      f".hollow{number}{{stroke:{colour};fill:{ground}}}",
                      f".band{number}{{fill:{colour};fill-opacity:{band}}}"]
        return "".join(rules)
    return ("<style>text{font:12px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif}"
            ".title{font-size:15px;font-weight:600}.grid,.axis{stroke-width:1}.mark{stroke-width:1.2;fill:none}"
            + scheme("#ffffff", "#1f2328", "#57606a", "#dde2e8", LIGHT, 0.16)
            + "@media (prefers-color-scheme:dark){"
            + scheme("#0d1117", "#e6edf3", "#9aa4af", "#2c333d", DARK, 0.22) + "}</style>")


def text(x, y, words, kind="", anchor="start", more=""):
    name = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{name} text-anchor="{anchor}"{more}>{escape(words)}</text>'


def line(x1, y1, x2, y2, kind, more=""):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"{more}/>'


def marker(x, y, series, hollow=False):
    kind = f"{'hollow' if hollow else 'fill'}{series}"
    width = ' stroke-width="2"' if hollow else ""
    if series % 5 == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.2" class="{kind}"{width}/>'
    shapes = {1: ((-4, -4), (4, -4), (4, 4), (-4, 4)), 2: ((0, -5), (5, 4), (-5, 4)),
              3: ((0, -5.5), (5.5, 0), (0, 5.5), (-5.5, 0)), 4: ((-5, -4), (5, -4), (0, 5))}
    points = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in shapes[series % 5])
    return f'<polygon points="{points}" class="{kind}"{width}/>'


def heading(subtitle):
    """The lines below the title, and where what follows may begin."""
    lines = textwrap.wrap(subtitle, int((WIDTH - 40) / LETTER))
    return [text(20, 48 + 16 * number, words, "muted") for number, words in enumerate(lines)], 58 + 16 * len(lines)


def page(height, title, subtitle, parts):
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" '
                      f'height="{height:.0f}" role="img" aria-label="{escape(title, {chr(34): "&quot;"})}">',
                      f"<title>{escape(title)}</title><desc>{escape(subtitle)}</desc>", style(),
                      f'<rect class="ground" width="{WIDTH}" height="{height:.0f}" rx="6"/>',
                      text(20, 28, title, "title"), *parts, "</svg>", ""])


class Axis:
    """Values to pixels, linear or logarithmic; what lies outside is drawn at the edge."""

    def __init__(self, low, high, begin, end, log=False):
        self.log, self.begin, self.end = log, begin, end
        self.low, self.high = (math.log10(low), math.log10(high)) if log else (low, high)
        if self.high <= self.low:
            self.high = self.low + 1

    def __call__(self, value):
        value = (math.log10(value) if value > 0 else -math.inf) if self.log else value
        part = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.begin + part * (self.end - self.begin)


def legend(names, y):
    """Above the plot, in as many lines as it takes. Returns parts and the height."""
    parts, x, begin = [], 20.0, y
    if not any(names):
        return parts, 0
    for number, name in enumerate(names):
        width = 44 + LETTER * len(name)
        if x + width > WIDTH - 10 and x > 20:
            x, y = 20.0, y + 18
        parts += [line(x, y - 4, x + 26, y - 4, f"line{number}",
                       f' stroke-width="2" stroke-dasharray="{DASHES[number % 5]}"'),
                  marker(x + 13, y - 4, number), text(x + 32, y, name)]
        x += width
    return parts, y - begin + 20


def tick_text(x, y, label):
    """Below a tick, moved to the left where it would leave the page."""
    return text(min(x, WIDTH - 8 - LETTER * len(label) / 2), y, label, "muted", "middle")


def spaced(ticks, axis):
    """Ticks whose labels do not run into each other."""
    out, edge = [], -math.inf
    for value, label in ticks:
        half = LETTER * len(label) / 2
        if axis(value) - half > edge:
            out.append((value, label))
            edge = axis(value) + half + 5
    return out


def line_chart(title, subtitle, x_title, y_title, series, ticks, log=False):
    """`series`: (name, [(x, share, low, high)]), shares from 0 to 1; low and high may be None. `ticks`: (x, label)."""
    parts, begin = heading(subtitle)
    keys, extra = legend([name for name, _ in series], begin)
    parts += keys
    top, left, right = begin - 4 + extra, 66.0, WIDTH - 24.0
    bottom = top + 270
    values = [x for x, _ in ticks]
    xs = Axis(min(values), max(values), left + 14, right - 14, log)
    ys = Axis(0, 1, bottom, top)
    for part in range(0, 101, 20):
        y = ys(part / 100)
        parts += [line(left, y, right, y, "grid"), text(left - 8, y + 4, f"{part} %", "muted", "end")]
    for value, label in spaced(ticks, xs):
        parts += [line(xs(value), bottom, xs(value), bottom + 5, "axis"),
                  tick_text(xs(value), bottom + 20, label)]
    middle = (top + bottom) / 2
    parts += [line(left, bottom, right, bottom, "axis"), text((left + right) / 2, bottom + 42, x_title, "", "middle"),
              text(18, middle, y_title, "", "middle", f' transform="rotate(-90 18 {middle:.1f})"')]
    for number, (_, points) in enumerate(series):
        banded = [point for point in points if point[2] is not None]
        if len(banded) > 1:
            edge = [(x, high) for x, _, _, high in banded] + [(x, low) for x, _, low, _ in reversed(banded)]
            parts.append(f'<polygon class="band{number}" points="'
                         + " ".join(f"{xs(x):.1f},{ys(y):.1f}" for x, y in edge) + '"/>')
    for number, (_, points) in enumerate(series):
        path = " ".join(f"{xs(x):.1f},{ys(y):.1f}" for x, y, _, _ in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke-width="2" class="line{number}" '
                     f'stroke-dasharray="{DASHES[number % 5]}"/>')
        parts += [marker(xs(x), ys(y), number) for x, y, _, _ in points]
    return page(bottom + 58, title, subtitle, parts)


def interval_chart(title, subtitle, x_title, rows, ticks, names=("",), log=False, lines=()):
    """`rows`: (label, [(series, value, low, high)], words at the right). `lines`: (x, label), drawn across.

    A value that a logarithmic axis cannot show (0) is a hollow mark at its left edge.
    """
    parts, begin = heading(subtitle)
    keys, extra = legend(list(names), begin)
    parts += keys
    top = begin - 4 + extra + (18 if lines else 0)
    left = 30 + LETTER * max(len(label) for label, _, _ in rows)
    right = WIDTH - 30 - LETTER * max(len(words) for _, _, words in rows)
    step = 16 + 10 * len(names)
    bottom = top + step * len(rows) + 6
    xs = Axis(ticks[0][0], ticks[-1][0], left + 8, right - 8, log)
    for value, label in ticks:
        parts.append(line(xs(value), top, xs(value), bottom, "grid"))
    for value, label in spaced(ticks, xs):
        parts.append(tick_text(xs(value), bottom + 18, label))
    parts += [line(left, bottom, right, bottom, "axis"), text((left + right) / 2, bottom + 40, x_title, "", "middle")]
    for value, label in lines:
        parts += [line(xs(value), top - 4, xs(value), bottom, "mark", ' stroke-dasharray="4 3"'),
                  text(xs(value), top - 9, label, "", "middle")]
    for row, (label, points, words) in enumerate(rows):
        middle = top + 3 + step * (row + 0.5)
        parts += [text(left - 10, middle + 4, label, "", "end"), text(right + 12, middle + 4, words, "muted")]
        for series, value, low, high in points:
            y = middle + 10 * (series - (len(names) - 1) / 2)
            if low is not None:
                parts.append(line(xs(low), y, xs(high), y, f"line{series}", ' stroke-width="2.4"'))
                parts += [line(xs(end), y - 4, xs(end), y + 4, f"line{series}", ' stroke-width="2"')
                          for end in (low, high)]
            parts.append(marker(xs(value), y, series, log and value <= 0))
    return page(bottom + 56, title, subtitle, parts)
