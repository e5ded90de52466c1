#!/usr/bin/env python3
"""An independent oracle of journeys: compares what a database holds with what identity_model.py computes.

    identity_oracle.py check DATABASE [option …]       dump and compare
    identity_oracle.py dump DATABASE DIRECTORY         what is to be compared, a JSON object a line
    identity_oracle.py compare DIRECTORY [option …]    that, later, elsewhere, or damaged on purpose

    --projects REGEX   only projects whose whole name matches
    --sent FILE        what must be there: a JSON object of project names, each with the list of its event_ids
    --same             projects GRAPH/ORDER of one GRAPH must be equal, that is, have the same events, rules and words
    --show N           so many differences are printed (10), at most two a project

Compared are, of all events that are stitched: which keys are in which journey, which keys tie each event (in the
graph) and which are refused by which rule, which are quarantined or unmerged, and how many events and keys each
journey counts. The numbers of rows do not matter. Prints the first differences, then "N wrong of M projects"; exits
with 1 if any is. psql finds the server by PGHOST and its kin; PSQL names another psql.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

sys.dont_write_bytecode = True  # no __pycache__ in the checkout
from identity_model import Event, Rules, plain_components, stitch  # noqa: E402


def dump(database, directory):
    script = Path(__file__).with_suffix(".sql")
    command = [os.environ.get("PSQL", "psql"), "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d", database]
    subprocess.run([*command, "-v", f"dir={directory}", "-f", str(script)], check=True)


def read(directory, name):
    with open(Path(directory) / name, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def by_project(rows):
    of_project = defaultdict(list)
    for row in rows:
        of_project[row["project_id"]].append(row)
    return of_project


def text(key):
    return ":".join(key)


def texts(keys, most=6):
    names = sorted(map(text, keys))
    return "{" + ", ".join(names[:most]) + (f", and {len(names) - most} more" if len(names) > most else "") + "}"


class Dump:
    def __init__(self, directory):
        self.projects = {row["id"]: row["name"] for row in read(directory, "projects")}
        self.rules = read(directory, "rules")
        tables = ("events", "keys", "journeys", "merge_conflicts", "words")
        self.events, self.keys, self.journeys, self.conflicts, self.words = (
            by_project(read(directory, table)) for table in tables
        )
        self.keys_of_event = defaultdict(list)
        for edge in read(directory, "has_key"):
            self.keys_of_event[edge["event"]].append(edge["key"])
        self.journeys_of_key = defaultdict(list)
        for edge in read(directory, "part_of"):
            self.journeys_of_key[edge["key"]].append(edge["journey"])


class Held:
    """What the tables hold of one project, with events and keys by name."""

    def __init__(self, dump, project):
        self.dump = dump
        self.rows = dump.events[project]
        self.key_rows = dump.keys[project]
        self.journey_rows = dump.journeys[project]
        self.key_names = {row["id"]: (row["kind"], row["value"]) for row in self.key_rows}
        self.event_names = {row["id"]: row["event_id"] for row in self.rows}
        self.conflicts = dump.conflicts[project]

    def events(self):
        return [
            Event(row["event_id"], row["at"], row["user_id"], row["session_id"], tuple(row["identifiers"] or ()))
            for row in self.rows
        ]

    def key(self, number):
        return self.key_names.get(number, ("no key of the project", str(number)))

    def journey_keys(self):
        keys = defaultdict(set)
        for row in self.key_rows:
            if row["journey_id"] is not None:
                keys[row["journey_id"]].add((row["kind"], row["value"]))
        return keys

    def tied(self):
        return {row["event_id"]: [self.key(key) for key in self.dump.keys_of_event[row["id"]]] for row in self.rows}

    def refused(self):
        return {
            (self.event_names.get(row["event_id"], f"no event {row['event_id']}"), self.key(row["key_id"])): row["rule"]
            for row in self.conflicts
        }

    def holds(self):
        return {(row["kind"], row["value"]): row["hold"] for row in self.key_rows if row["hold"] is not None}


def canonical(outcome):
    """An outcome as one value, whatever its groups are called."""
    tied = sorted((event, sorted(keys)) for event, keys in outcome.tied.items())
    journeys = sorted((sorted(events), sorted(keys)) for events, keys in outcome.journeys().values())
    return journeys, tied, outcome.refused, outcome.quarantined.keys(), outcome.unmerged


def differences(held, events, rules, words, right, sent):
    """What is wrong with a project, one text each."""
    if sent is not None and {event.event_id for event in events} != set(sent):
        missing = set(sent) - {event.event_id for event in events}
        yield f"{len(events)} events are stitched, {len(sent)} were sent; missing: {sorted(missing)[:5]}"
    journeys = right.journeys()
    yield from differing_oracles(events, rules, words, right, journeys)

    names = set(held.key_names.values())
    if names != right.group_of.keys():
        yield f"surplus keys {texts(names - right.group_of.keys())}, missing {texts(right.group_of.keys() - names)}"
    yield from differing_journeys(held, right, journeys)
    yield from differing_events(held, right)

    for what, is_, ought in (
        ("refusals", held.refused(), right.refused),
        ("holds", held.holds(), {**dict.fromkeys(right.quarantined, "q"), **dict.fromkeys(right.unmerged, "u")}),
    ):
        for name in sorted(is_.keys() | ought.keys(), key=str):
            if is_.get(name) != ought.get(name):
                label = f"event {name[0]}, key {text(name[1])}" if what == "refusals" else f"key {text(name)}"
                yield f"{what}: {label}: {is_.get(name)}, not {ought.get(name)}"
    time_of = {event.event_id: event.at for event in events}
    for row in held.conflicts:
        event = held.event_names.get(row["event_id"])
        if row["at"] != time_of.get(event):
            yield f"refusals: event {event} has another occurred_at in merge_conflicts"


def differing_oracles(events, rules, words, right, journeys):
    """Where nothing but shared keys decides, groups are connected components, which another algorithm finds, too."""
    kinds = {kind for kind, _ in right.group_of}
    if words or not rules.are_plain(kinds) or len(right.group_of) > rules.max_journey_keys():
        return
    if {frozenset(of) for of, _ in journeys.values()} != plain_components(events, rules):
        yield "the oracle contradicts itself: its groups are not the connected components"


def differing_journeys(held, right, journeys):
    journey_keys = held.journey_keys()
    is_ = {key: (journey, frozenset(keys)) for journey, keys in journey_keys.items() for key in keys}
    ought = {key: frozenset(keys) for _, keys in journeys.values() for key in keys}
    for key in sorted(is_.keys() | ought.keys()):
        of_journey = is_.get(key, (None, frozenset()))[1]
        if of_journey != ought.get(key, frozenset()):
            yield f"key {text(key)} is in the journey of {texts(of_journey)}, not of {texts(ought.get(key, ()))}"

    events_of_group = {frozenset(keys): len(events) for events, keys in journeys.values()}
    for row in held.journey_rows:
        keys = frozenset(journey_keys.pop(row["id"], ()))
        if not keys:
            yield f"journey {row['id']} is present and has no key"
        elif row["key_count"] != len(keys):
            yield f"journey of {texts(keys)} counts {row['key_count']} keys, not {len(keys)}"
        elif row["event_count"] != events_of_group.get(keys, row["event_count"]):
            yield f"journey of {texts(keys)} counts {row['event_count']} events, not {events_of_group[keys]}"
    for journey, keys in journey_keys.items():
        yield f"keys {texts(keys)} are in journey {journey}, which is not a present one of the project"

    for row in held.key_rows:
        of_graph = held.dump.journeys_of_key[row["id"]]
        if of_graph != [row["journey_id"]] and (of_graph or row["journey_id"] is not None):
            yield f"key {row['kind']}:{row['value']} is PART_OF {of_graph}, not of {row['journey_id']}"


def differing_events(held, right):
    for event, keys in held.tied().items():
        if sorted(keys) != sorted(right.tied[event]):
            yield f"event {event} HAS_KEY {texts(keys)} ({len(keys)} edges), not {texts(right.tied[event])}"


def compare(directory, options):
    dump_ = Dump(directory)
    sent = json.loads(Path(options.sent).read_text(encoding="utf-8")) if options.sent else None
    wanted = [(number, name) for number, name in sorted(dump_.projects.items()) if re.fullmatch(options.projects, name)]
    wrong, shown, first_of_graph = 0, 0, {}
    if sent is not None:
        names = {name for _, name in wanted}
        lost = sorted(name for name in sent if re.fullmatch(options.projects, name) and name not in names)
        for name in lost[: options.show]:
            print(f"# {name}: there is no such project")
        wrong, shown = len(lost), len(lost)
    for number, name in wanted:
        held, rules, words = Held(dump_, number), Rules(number, dump_.rules), dump_.words[number]
        events = held.events()
        right = stitch(events, rules, words)
        of_project = None if sent is None else sent.get(name, [])
        found = list(differences(held, events, rules, words, right, of_project))
        if options.same:
            first, ought = first_of_graph.setdefault(name.partition("/")[0], (name, canonical(right)))
            if canonical(right) != ought:
                found.append(f"has other events, rules or words than {first}")
        wrong += bool(found)
        for difference in found[:2]:
            if shown < options.show:
                print(f"# {name}: {difference}" + (f" (and {len(found) - 1} more)" if len(found) > 1 else ""))
            shown += 1
    print(f"{wrong} wrong of {len(wanted)} projects")
    return 1 if wrong else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    dumping = commands.add_parser("dump")
    dumping.add_argument("database")
    dumping.add_argument("directory")
    for name in ("check", "compare"):
        comparing = commands.add_parser(name)
        comparing.add_argument("database" if name == "check" else "directory")
        comparing.add_argument("--projects", default=".*", metavar="REGEX")
        comparing.add_argument("--sent", metavar="FILE")
        comparing.add_argument("--same", action="store_true")
        comparing.add_argument("--show", type=int, default=10, metavar="N")
    options = parser.parse_args()
    if options.command == "dump":
        dump(options.database, options.directory)
        return 0
    if options.command == "compare":
        return compare(options.directory, options)
    with tempfile.TemporaryDirectory() as directory:
        dump(options.database, directory)
        return compare(directory, options)


if __name__ == "__main__":
    sys.exit(main())
