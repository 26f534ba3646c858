#!/usr/bin/env python3
"""Says in a few lines what a replay found, against the truth of the simulated world.

Usage: demo_summary.py WORLD_FOLDER REPORT_FOLDER

Reads only files of the formats contract: truth.ndjson, queries_truth.ndjson, campaigns.ndjson, members.ndjson,
verdicts.ndjson. The product's own judge is `stillwatch evaluate`; this is the short version for the demo.
"""
import bisect
import collections
import datetime
import json
import pathlib
import sys

ACTIONED = ("verify", "throttle", "restrict", "suspend")


def records(path):
    """The records of an NDJSON file; an absent file is an empty one."""
    if not path.exists():
        return
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)


def parse_time(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def plural(count, noun):
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def span(seconds):
    hours = seconds / 3600
    return f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:.1f} days"


def summarise(world, report):
    """The lines to print."""
    truth = {record["account"]: record for record in records(world / "truth.ndjson")}
    hostile = {account for account, record in truth.items() if record["hostile"]}
    members = collections.defaultdict(set)
    for record in records(report / "members.ndjson"):
        members[record["campaign"]].add(record["account"])

    lines = []
    campaigns = list(records(report / "campaigns.ndjson"))
    lines.append(f"Found {plural(len(campaigns), 'campaign')}." if campaigns else "Found no campaign.")
    for campaign in campaigns:
        accounts = members[campaign["id"]]
        lines.append(
            f"  {campaign['id']}  {campaign['class']}: {plural(campaign['accounts_count'], 'account')}, "
            f"{plural(campaign['queries'], 'request')}, by {', '.join(campaign['channels'])}; "
            f"{len(accounts & hostile):,} of its {len(accounts):,} members are hostile in truth")

    changes = collections.defaultdict(lambda: ([], []))  # by account: times of its verdicts, actioned from then on
    first_alert = None
    for verdict in records(report / "verdicts.ndjson"):
        subject = verdict["subject"]
        if subject["kind"] != "account":
            continue
        time = parse_time(verdict["time"])
        if subject["id"] in hostile and verdict["level"] != "clear" and first_alert is None:
            first_alert = time
        times, actioned = changes[subject["id"]]
        times.append(time)
        actioned.append(verdict["level"] in ACTIONED)
    ever_actioned = {account for account, (_, actioned) in changes.items() if any(actioned)}

    requests = prevented = 0
    first_request = None
    for record in records(world / "queries_truth.ndjson"):
        time = parse_time(record["time"])
        first_request = time if first_request is None else min(first_request, time)
        requests += 1
        times, actioned = changes.get(record["account"], ([], []))
        last = bisect.bisect_left(times, time)  # the verdicts strictly before this request
        prevented += last > 0 and actioned[last - 1]

    innocent = [account for account in truth if account not in hostile]
    if hostile:
        caught = sum(account in ever_actioned for account in hostile)
        share = f", {100 * prevented / requests:.0f} % of its {requests:,} requests prevented" if requests else ""
        lines.append(f"Hidden campaign: {caught:,} of {plural(len(hostile), 'account')} actioned{share}.")
        if first_alert is not None and first_request is not None:
            lines.append(f"First alert {span((first_alert - first_request).total_seconds())} after its first request.")
    hurt = sum(account in ever_actioned for account in innocent)
    lines.append(f"Everybody else: {hurt:,} of {plural(len(innocent), 'account')} actioned "
                 "(dry run: nobody is refused).")
    return lines


def main(arguments):
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    print("\n".join(summarise(pathlib.Path(arguments[0]), pathlib.Path(arguments[1]))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
