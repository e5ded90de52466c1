#!/usr/bin/env python3
"""Seeded graphs of events and keys, and the psql scripts that send them in several orders of arrival.

    graphs.py plain DIRECTORY --seed S --graphs N      for tests/cluster/deterministic.sh
    graphs.py ruled DIRECTORY --seed S --graphs N      for tests/cluster/identity_random.sh

Every graph is sent to a project GRAPH/ORDER of its own for each order. DIRECTORY/sent has, for each project, the list
of the event_ids that must be there in the end. What else is written, the two functions at the end say.
"""

import argparse
import json
import random
import sys
from pathlib import Path

sys.dont_write_bytecode = True  # no __pycache__ in the checkout
from graph_rules import RandomRules, RandomWords, literal  # noqa: E402

KINDS = ["user_id", "session_id", "device_id", "anonymous_id", "email", "phone", "household"]
FIELDS = KINDS[:4]
# Their orders by bytes, by letters and by UTF-16 differ; some need quoting.
PREFIXES = ["", "", "", "", "", "A", "a", "Z", "_", "é", "ß", "ﬀ", "😀", "～", "a b", "x:y", '"', "\\", "'", "%", "$"]
MEANINGLESS = ["", " ", "null", "NULL ", "n/a", "0", "000-000", "Unknown", "[object Object]", "guest", "-1", "NaN"]
START = 1772323200  # 2026-03-01


def chain(rng, events):
    return [[n, n + 1] for n in range(events)]


def star(rng, events):
    return [[0, n + 1] for n in range(events)]


def hubs(rng, events):
    count = rng.randint(2, 4)
    edges = [[rng.randrange(count), count + n] for n in range(events)]
    # Some hubs come together late, by one event.
    edges[-1] = rng.sample(range(count), 2)
    return edges


def cliques(rng, events):
    size = rng.randint(3, 6)
    edges = []
    while len(edges) < events:
        first = len(edges) * size
        edges += [[first + a, first + b] for a in range(size) for b in range(a)]
    # And bridges between some of them.
    edges = edges[:events]
    if events > 8 and rng.random() < 0.5:
        edges[rng.randrange(events)] = [edges[0][0], edges[-1][0]]
    return edges


def at_random(rng, events):
    vertices = max(2, int(events * rng.uniform(0.8, 2.5)))
    return [rng.sample(range(vertices), 2) for _ in range(events)]


def bipartite(rng, events):
    left, right = max(2, events // 3), max(2, events // rng.randint(2, 4))
    return [[rng.randrange(left), left + rng.randrange(right)] for _ in range(events)]


def trees(rng, events):
    """Roots, their children, and leaves: each tree hangs on its root's events."""
    roots, branches = rng.randint(1, 3), rng.randint(2, 5)
    edges = []
    for n in range(events):
        inner = roots + n % (roots * branches)
        edges.append([n % roots, inner] if n < roots * branches else [inner, roots * (branches + 1) + n])
    return edges


def crowded(rng, events):
    """Events with one to seven keys."""
    vertices = max(8, events * rng.randint(1, 3))
    return [rng.sample(range(vertices), rng.choice([1, 1, 2, 3, 5, 7])) for _ in range(events)]


SHAPES = [chain, star, hubs, cliques, at_random, bipartite, trees, crowded]


class Graph:
    def __init__(self, number, seed, least=5, most=60):
        self.number = number
        self.rng = rng = random.Random(f"{seed}/{number}")
        shape = SHAPES[number % len(SHAPES)]
        self.name = f"{number}-{shape.__name__}"
        events = rng.randint(least, most)
        edges = shape(rng, events)
        vertices = {vertex: None for edge in edges for vertex in edge}
        kinds = rng.sample(KINDS, rng.randint(1, len(KINDS)))
        numbers = list(range(len(vertices)))
        rng.shuffle(numbers)
        for vertex, n in zip(vertices, numbers):
            # Some values occur in more than one kind.
            vertices[vertex] = (rng.choice(kinds), f"{rng.choice(PREFIXES)}v{rng.choice([n, n, n, n // 2])}")
        is_noisy = rng.random() < 0.6
        times = self.times(events)
        names = [f"{rng.choice(PREFIXES)}e{n}" for n in range(events)]
        self.events = [
            self.event(names[n], times[n], [vertices[vertex] for vertex in edge], is_noisy)
            for n, edge in enumerate(edges)
        ]
        if is_noisy:
            # Identifiers of the kind that events without any others get.
            self.events[-1].setdefault("correlations", {})["event_id"] = names[: rng.randint(0, 2)]
        self.events.sort(key=lambda event: event["timestamp"])

    def times(self, events):
        """Seconds, all different, or with few or many ties."""
        spread = self.rng.choice([10**6, 10**6, events, 3, 1])
        if spread == 10**6:
            return [START + n for n in self.rng.sample(range(spread), events)]
        return [START + self.rng.randrange(spread) for _ in range(events)]

    def event(self, name, time, keys, is_noisy):
        rng = self.rng
        event = {"event_id": name, "event_type": "click", "timestamp": time}
        others = {}
        if is_noisy and rng.random() < 0.05:
            keys = []
        for kind, value in keys:
            value = self.as_sent(kind, value) if is_noisy else value
            if kind in FIELDS and kind not in event and rng.random() < 0.8:
                event[kind] = value
            else:
                others.setdefault(kind, []).append(value)
        if is_noisy:
            for kind in rng.sample(KINDS, 2):
                if kind in FIELDS and kind not in event and rng.random() < 0.2:
                    event[kind] = rng.choice(MEANINGLESS)
                elif rng.random() < 0.1:
                    others.setdefault(kind, []).append(rng.choice(MEANINGLESS))
        if others:
            event["correlations"] = others
        return event

    def as_sent(self, kind, value):
        """White space around any value, and any case of an email, are the same key."""
        rng = self.rng
        if kind == "email" and rng.random() < 0.5:
            value = rng.choice([value.upper(), value.lower(), value.title()])
        return rng.choice(["", "", "", " ", "\t", "\u2003"]) + value + rng.choice(["", "", "", " ", "\n "])

    def in_stages(self):
        """The same parts of the events, whenever asked."""
        rng = random.Random(self.name)
        stages = {1: [], 2: [], 3: []}
        for event in self.events:
            stages[rng.choice([1, 1, 1, 2, 2, 3])].append(event)
        return stages

    def event_ids(self):
        return sorted({event["event_id"] for event in self.events})

    def shuffled(self, events=None):
        events = list(self.events if events is None else events)
        self.rng.shuffle(events)
        return events

    def cut(self, events, most=None):
        """Calls of random sizes. Some events are sent again."""
        rng, calls = self.rng, []
        while events:
            size = rng.randint(1, min(len(events), most or len(events)))
            calls.append(events[:size] + ([rng.choice(self.sent(calls))] if calls and rng.random() < 0.2 else []))
            events = events[size:]
        return calls

    @staticmethod
    def sent(calls):
        return [event for call in calls for event in call]


def ingest(project, events):
    text = literal(json.dumps(events, ensure_ascii=False))
    return f"SELECT FROM journey_stitch.ingest_events({text}, {literal(project)});"


def write(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\\o /dev/null\nSET client_min_messages = warning;\n" + "\n".join(lines) + "\n", encoding="utf-8")


def selects(calls):
    return [f"SELECT FROM {call};" for call in calls]


STITCH = "SELECT FROM journey_stitch.stitch_pending();"


def batch_size(size):
    return f"SET journey_stitch.batch_size = {size};"


def arrival(graph, project, events, order):
    """One caller's statements that send events, and perhaps stitch some, in one of the orders."""
    rng = graph.rng
    if order == "natural":
        return ["RESET journey_stitch.batch_size;", ingest(project, events), STITCH]
    if order == "reversed":
        return [batch_size(1), *(ingest(project, [event]) for event in events[::-1]), STITCH]
    if order == "shuffled":
        # Any batch size from 1 to all events.
        calls = graph.cut(graph.shuffled(events))
        return [batch_size(rng.randint(1, max(1, len(events)))), *(ingest(project, call) for call in calls), STITCH]
    if order == "stepwise":
        lines = []
        for call in graph.cut(graph.shuffled(events), most=8):
            lines.append(ingest(project, call))
            if rng.random() < 0.5:
                lines.append(f"SELECT FROM journey_stitch.stitch_pending({rng.randint(1, 5)});")
        return [*lines, STITCH]
    calls = graph.cut(graph.shuffled(events))
    return [ingest(project, call) for call in calls]


def callers(graphs, order, count, events_of=lambda graph: graph.events):
    """The scripts of so many callers, who send their parts of every graph, and stitch now and then."""
    scripts = [[] for _ in range(count)]
    for graph in graphs:
        events = graph.shuffled(events_of(graph))
        for n, script in enumerate(scripts):
            part = events[n::count]
            script += [batch_size(graph.rng.randint(1, 20))]
            script += [ingest(f"{graph.name}/{order}", call) for call in graph.cut(part)]
            if graph.rng.random() < (0.5 if count < 10 else 0.2):
                script.append(STITCH)
    return scripts


def plain(directory, graphs):
    """ORDER.sql of one caller; callers4/N.sql and callers16/N.sql of several."""
    orders = ["natural", "reversed", "shuffled", "stepwise", "worker"]
    for order in orders:
        lines = [line for graph in graphs for line in arrival(graph, f"{graph.name}/{order}", graph.events, order)]
        write(directory / f"{order}.sql", lines)
    for count in (4, 16):
        for n, script in enumerate(callers(graphs, f"callers{count}", count), 1):
            write(directory / f"callers{count}" / f"{n}.sql", script)
    orders += ["callers4", "callers16"]
    sent = {f"{graph.name}/{order}": graph.event_ids() for graph in graphs for order in orders}
    (directory / "sent").write_text(json.dumps(sent), encoding="utf-8")


def ruled(directory, graphs):
    """In this order: rules.sql; then for STAGE 1 and 2 STAGE/ORDER.sql, and STAGE/callers4/N.sql at the same time, and
    STAGE/words.sql; new_rules.sql; stage 3."""
    orders = ["natural", "reversed", "shuffled", "stepwise"]
    everyone = [*orders, "callers4"]
    files = {}

    def add(name, lines):
        files.setdefault(name, []).extend(lines)

    for graph in graphs:
        rng = graph.rng
        rules, new_rules = (RandomRules(rng, KINDS, graph.events) for _ in range(2))
        # Not by time: each stage has events that are earlier than some of the stage before.
        stages = graph.in_stages()
        words = {1: RandomWords(rng, stages[1], rules)}
        words[2] = RandomWords(rng, stages[1] + stages[2], rules, words[1])
        for order in everyone:
            project = f"{graph.name}/{order}"
            # A call without events makes the project.
            add("rules.sql", [ingest(project, []), *selects(rules.calls_in(project))])
            if graph.number % 2:
                reset = f"journey_stitch.use_identity_profile('default', {literal(project)})"
                add("new_rules.sql", selects([reset, *new_rules.calls_in(project)]))
            for stage in (1, 2):
                add(f"{stage}/words.sql", say(project, words[stage], stage))
        for stage in (1, 2, 3):
            for order in orders:
                project = f"{graph.name}/{order}"
                lines = arrival(graph, project, stages[stage], order)
                if stage == 1 and order == "stepwise":
                    # Some words are said in the middle of it all.
                    middle = rng.randint(0, len(lines))
                    lines[middle:middle] = say(project, words[1], 1, is_early=True)
                add(f"{stage}/{order}.sql", lines)
    for stage in (1, 2, 3):
        scripts = callers(graphs, "callers4", 4, lambda graph: graph.in_stages()[stage])
        for n, script in enumerate(scripts, 1):
            add(f"{stage}/callers4/{n}.sql", script)
    for name, lines in files.items():
        write(directory / name, lines)
    sent = {f"{graph.name}/{order}": graph.event_ids() for graph in graphs for order in everyone}
    (directory / "sent").write_text(json.dumps(sent), encoding="utf-8")


def say(project, words, stage, is_early=False):
    """Calls of identity_random.sh's procedure, which takes down what became of each."""
    return [
        f"CALL public.say({literal(project)}, {stage * 100 + n}, {literal('SELECT FROM ' + call)}, {is_early});"
        for n, call in enumerate(words.calls_in(project))
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["plain", "ruled"])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--seed", required=True)
    parser.add_argument("--graphs", type=int, required=True)
    options = parser.parse_args()
    most = 60 if options.kind == "plain" else 40
    graphs = [Graph(number, options.seed, most=most) for number in range(1, options.graphs + 1)]
    (plain if options.kind == "plain" else ruled)(options.directory, graphs)
    print(f"{len(graphs)} graphs, {sum(len(graph.event_ids()) for graph in graphs)} events each way")


if __name__ == "__main__":
    main()
