"""Writes tables and plots into docs/quality.md between markers; the text around them stays as it is.

A marked place is `<!-- begin NAME -->` ... `<!-- end NAME -->` on lines of their own.
"""
import re

from . import plots, tables

MARKED = re.compile(r"<!-- begin ([\w-]+) -->\n(.*?)<!-- end \1 -->\n", re.DOTALL)


def replaced(page, blocks):
    """The page with new blocks, and the names of blocks that it has no place for."""
    used = set()

    def block(match):
        name = match.group(1)
        if name not in blocks:
            return match.group(0)
        used.add(name)
        lines = "\n".join(blocks[name])
        return f"<!-- begin {name} -->\n\n{lines}\n\n<!-- end {name} -->\n"
    return MARKED.sub(block, page), sorted(set(blocks) - used)


def heading(at, version, states):
    done, wanted = sum(state.done for state in states), sum(state.wanted for state in states if not state.unavailable)
    prompts = {result["prompts"] for state in states for result in state.results}
    worlds = {result["world"].removeprefix("worlds/") for state in states for result in state.results}
    return [f"Build `{at.build}` ({version}), {done:,} of {wanted:,} runs; prompts: {', '.join(sorted(prompts))}; "
            f"worlds: {', '.join(sorted(worlds))}.", ""]


def wrapped(lines, width=118):
    """Sentences that fit the page; rows of tables and links stay whole."""
    out = []
    for text in lines:
        if text.startswith("|") or "](" in text:
            out.append(text)
            continue
        row = ""
        for word in text.split(" "):
            if row and len(row) + 1 + len(word) > width:
                out.append(row)
                row = word
            else:
                row = f"{row} {word}" if row else word
        out.append(row)
    return out


def blocks_of(chosen, states, at, version):
    """Markdown by table name, for tables with any result."""
    out = {}
    for table in chosen:
        of = states[table.name]
        if any(state.done and (table.name == "families" or not tables.shared(state.cell) or state.cell.asks != "replay")
               for state in of):
            out[table.name] = wrapped(heading(at, version, of) + tables.lines_of(table, of, states["families"]))
    return out


def write(docs, chosen, states, at, version, say):
    """Rewrites the page and the plots beside it."""
    blocks = blocks_of(chosen, states, at, version)
    for table in chosen:
        if table.name not in blocks:
            say(f"{table.name}: no result of build {at.build}; its part of the page stays")
    folder = docs.parent / "plots"
    for name, plot in plots.PLOTS.items():
        drawing = plot(states)
        if drawing is None:
            continue
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.svg").write_text(drawing, encoding="utf-8")
        title = re.search(r"<title>(.*?)</title>", drawing).group(1)
        blocks[f"plot-{name}"] = [f"![{title}](plots/{name}.svg)"]
    page, homeless = replaced(docs.read_text(encoding="utf-8"), blocks)
    docs.write_text(page, encoding="utf-8")
    for name in homeless:
        say(f"{docs.name} has no place for {name}")
    say(f"wrote {docs}: {', '.join(sorted(set(blocks) - set(homeless))) or 'nothing'}")
