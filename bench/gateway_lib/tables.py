"""What was measured, as lines of Markdown: every aim beside its figure, and the figures of every proxy."""

AIM_CONNECTIONS = 64


def row_of(results, case, connections, proxy):
    for row in results["rows"]:
        if (row["case"], row["connections"], row["proxy"]) == (case, connections, proxy):
            return row
    return None


def lookup_ns(results):
    found = [ns for name, ns in results.get("micro", {}).items() if "look_up" in name and "threads:1" in name]
    return max(found) if found else None


class Aim:
    def __init__(self, words, figure, unit, bound, at_least):
        self.words, self.figure, self.unit, self.bound, self.at_least = words, figure, unit, bound, at_least

    def met(self):
        if self.figure is None:
            return None
        return self.figure >= self.bound if self.at_least else self.figure <= self.bound


def aims(results):
    ours, nginx = (row_of(results, "1 KB", AIM_CONNECTIONS, name) for name in ("stillwatch", "nginx"))
    portkey = row_of(results, "1 KB", AIM_CONNECTIONS, "portkey")
    stream, nginx_stream = (row_of(results, "stream of 200 events", AIM_CONNECTIONS, name)
                            for name in ("stillwatch", "nginx"))
    idle = next((one for one in results.get("idle", ()) if one["proxy"] == "stillwatch"), None)

    def of(a, b, value):
        return value(a, b) if a is not None and b is not None else None

    return [
        Aim("requests/s of nginx's, 1 KB", of(ours, nginx, lambda a, b: a["rate"] / b["rate"]), "x", 0.7, True),
        Aim("processor time of nginx's, a request, 1 KB", of(ours, nginx, lambda a, b: a["cpu_us"] / b["cpu_us"]), "x",
            2, False),
        Aim("added p99 at half load, 1 KB",
            ours and (ours["whole_us"]["p99"] - ours["upstream_alone"]["whole_us"]["p99"]) / 1e3, "ms", 0.3, False),
        Aim("first byte of a stream after nginx's, median",
            of(stream, nginx_stream, lambda a, b: (a["first_us"]["p50"] - b["first_us"]["p50"]) / 1e3), "ms", 0.2,
            False),
        Aim("requests/s of Portkey's, 1 KB", of(ours, portkey, lambda a, b: a["rate"] / b["rate"]), "x", 20, True),
        Aim("memory of an idle stream", idle and idle["bytes"] / 1024, "KiB", 24, False),
        Aim("verdict look-up, 1 million accounts", lookup_ns(results), "ns", 200, False),
    ]


def aim_lines(results):
    yield "| aim | bound | measured | |"
    yield "|---|---:|---:|---|"
    for aim in aims(results):
        sign = "≥" if aim.at_least else "≤"
        if aim.figure is None:
            yield f"| {aim.words} | {sign} {aim.bound:g} {aim.unit} | not measured | |"
        else:
            yield (f"| {aim.words} | {sign} {aim.bound:g} {aim.unit} | {aim.figure:.3g} {aim.unit} | "
                   f"{'met' if aim.met() else 'missed'} |")


def proxy_lines(results):
    yield ("| case | connections | proxy | requests/s | CPU us each | at rate | p50, p99, p99.9 us | added p99 us | "
           "first byte p50, p99 us |")
    yield "|---|---:|---|---:|---:|---:|---:|---:|---:|"
    for row in results["rows"]:
        line = f"| {row['case']} | {row['connections']} | {row['proxy']} | {row['rate']:,.0f} | {row['cpu_us']:.1f} |"
        if "whole_us" not in row:
            yield line + " | | | |"
            continue
        whole, first = row["whole_us"], row["first_us"]
        added = whole["p99"] - row["upstream_alone"]["whole_us"]["p99"]
        yield (line + f" {row['open_rate']:,.0f} | {whole['p50']:,.0f}, {whole['p99']:,.0f}, {whole['p999']:,.0f} | "
               f"{added:,.0f} | {first['p50']:,.0f}, {first['p99']:,.0f} |")


PART_WORDS = {
    "stillwatch": "all on",
    "stillwatch.no-limits": "without limits",
    "stillwatch.pass": "callers unknown: no account, record, fingerprint, engine or limits",
}


def part_lines(results):
    yield "| stillwatch with | requests/s | CPU us each |"
    yield "|---|---:|---:|"
    for row in results.get("parts", ()):
        yield f"| {PART_WORDS[row['part']]} | {row['rate']:,.0f} | {row['cpu_us']:.1f} |"


def micro_lines(results):
    yield "| by itself | ns |"
    yield "|---|---:|"
    for name, ns in results.get("micro", {}).items():
        yield f"| `{name}` | {ns:,.0f} |"


def idle_lines(results):
    yield "| proxy | idle streams | KiB each |"
    yield "|---|---:|---:|"
    for one in results.get("idle", ()):
        yield f"| {one['proxy']} | {one['streams']:,} | {one['bytes'] / 1024:.1f} |"


def all_lines(results):
    failed = sum(row.get("failed", 0) + row.get("open_failed", 0) for row in results["rows"])
    shed = sum(row.get(name, 0) for row in results["rows"] for name in row
               if name.startswith("exchanges_") and name != "exchanges_observed")
    for part in (aim_lines, proxy_lines, part_lines, idle_lines, micro_lines):
        yield from part(results)
        yield ""
    yield f"Failed requests: {failed}. Records of stillwatch that did not reach the engine: {shed}."
