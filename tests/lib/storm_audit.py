"""What the storm's ledger says must be in the database, against what is; and its answers against plain SQL.

An event that was acknowledged is there, once, unless a key of it was forgotten: by a forget that was acknowledged or in
doubt, and did not end before the event's last acknowledged attempt began. An event with a key that was forgotten is not
there any more, if all its attempts had ended before that began; if it was made anonymous, one is there that nobody can
tell. An event that is there bears the name of the attempt that brought it, which must not have been undone; and what
an attempt in doubt brought is there with all of that transaction, or not at all. In each project, what was inserted is
what is there and what was erased; and what a person did is in the log as often as it was done.
"""

import collections
import json
from pathlib import Path

from storm_plan import PROJECTS, describe, keys_of

FOREVER = float("inf")
# What a person does, by the names that both the storm and the log have for it.
LOGGED = ["link", "never_link", "unmerge", "retract", "restitch", "erase", "anonymize"]


class Findings:
    """Counts what is wrong, and shows the first of each kind."""

    def __init__(self):
        self.counts = collections.Counter()

    def note(self, kind, what):
        self.counts[kind] += 1
        if self.counts[kind] <= 5:
            print(f"# {kind}: {what}")


class Forget:
    """One attempt at forgetting that may have worked."""

    def __init__(self, attempt, call):
        self.key, self.mode = call["forgets"]
        self.project = call["project"]
        self.start = attempt["start"]
        # One in doubt may have committed some time after its connection broke.
        self.end = attempt["end"] if attempt["state"] == "ack" else FOREVER
        # By the rules of some moments such an address is blocked, and so nobody's.
        self.must_find = attempt["state"] == "ack" and not (self.project == "small" and "-7@" in self.key)


def forgets_by_key(attempts):
    of_key = collections.defaultdict(list)
    for attempt in attempts:
        for call in attempt["calls"]:
            if call["forgets"] and attempt["state"] != "undone":
                forget = Forget(attempt, call)
                of_key[forget.project, forget.key].append(forget)
    return of_key


def stored_events(session):
    """Rows of the table by project and event_id."""
    rows = session.query("""
        SELECT p.name, e.event_id, e.properties ->> 'attempt', e.user_id, e.session_id, e.identifiers,
               e.event_type, extract(epoch FROM e.occurred_at)::bigint
        FROM journey_stitch.events e JOIN journey_stitch.projects p ON p.id = e.project_id""")
    stored = collections.defaultdict(list)
    for row in rows:
        stored[row[0], row[1]].append(row[2:])
    return stored


def identifiers_of(event):
    others = [f"device_id:{event['device_id']}"] if "device_id" in event else []
    return others + event.get("correlations", [])


def is_as_sent(number, row):
    _, event = describe(number)
    _, user_id, session_id, identifiers, event_type, second = row
    return (user_id == event.get("user_id") and (session_id or "") == event.get("session_id", "")
            and sorted(json.loads(identifiers or "[]")) == sorted(identifiers_of(event))
            and event_type == event["event_type"] and int(second) == event["ts"])


def check_events(attempts, session, findings):
    of_key = forgets_by_key(attempts)
    stored = stored_events(session)
    attempts_of = collections.defaultdict(list)
    for attempt in attempts:
        for call in attempt["calls"]:
            for number in call["events"]:
                attempts_of[number].append((attempt, call))

    explained = set()
    for number, tries in attempts_of.items():
        project, event = describe(number)
        forgets = [forget for key in keys_of(number) for forget in of_key[project, key]]
        rows = stored[project, event["event_id"]]
        explained.add((project, event["event_id"]))
        sure = [attempt for attempt, _ in tries if attempt["state"] == "ack"]
        maybe = [attempt for attempt, _ in tries if attempt["state"] != "undone"]
        if len(rows) > 1:
            findings.note("duplicated", f"{project} {event['event_id']} is there {len(rows)} times")
        if not rows and sure:
            last = max(attempt["start"] for attempt in sure)
            if not any(forget.end > last for forget in forgets):
                findings.note("lost", f"{project} {event['event_id']}, acknowledged by {sure[-1]['name']}")
        for row in rows:
            names = [call["attempt"] for attempt, call in tries if attempt["state"] != "undone"]
            if row[0] in names:
                if not is_as_sent(number, row):
                    findings.note("altered", f"{project} {event['event_id']} is {row}")
            else:
                findings.note("unexplained", f"{project} {event['event_id']}, brought by {row[0]}")
            if any(forget.must_find and all(attempt["end"] < forget.start for attempt in maybe) for forget in forgets):
                findings.note("remembered", f"{project} {event['event_id']} has a key that was forgotten: {row}")
        check_atomic(tries, rows, forgets, findings, project, event)
    for project, event_id in stored:
        if (project, event_id) not in explained and not event_id.startswith("forgotten-"):
            findings.note("unexplained", f"{project} {event_id} was never sent")
    findings.counts["events"] = sum(map(len, stored.values()))
    return stored


def check_atomic(tries, rows, forgets, findings, project, event):
    """An attempt in doubt that has left a trace anywhere must have left all of it."""
    for attempt, _ in tries:
        if attempt["state"] == "doubt" and attempt["left_traces"] and not rows and not forgets:
            findings.note("half_there", f"{project} {event['event_id']}: other events of {attempt['name']} are there")


def find_traces(attempts, session, findings):
    """Which attempts have brought events that are there, and whether these are as many as they were told."""
    rows = session.query("SELECT properties ->> 'attempt', count(*) FROM journey_stitch.events GROUP BY 1")
    brought = {row[0]: int(row[1]) for row in rows}
    of_key = forgets_by_key(attempts)
    for attempt in attempts:
        attempt["left_traces"] = any(call["attempt"] in brought for call in attempt["calls"])
        for call in attempt["calls"] if attempt["state"] == "ack" else []:
            found = brought.get(call["attempt"], 0)
            keys = {key for number in call["events"] for key in keys_of(number)}
            was_forgotten = any((call["project"], key) in of_key for key in keys)
            if call["inserted"] is not None and (
                    found > call["inserted"] or found < call["inserted"] and not was_forgotten):
                findings.note("miscounted", f"{call['attempt']} inserted {call['inserted']}, {found} are there")


class Sums:
    """What a project's calls say that they did, and what those in doubt may have done at most."""

    def __init__(self, attempts, project):
        self.sure, self.doubt = collections.Counter(), collections.Counter()
        for attempt in attempts:
            for call in attempt["calls"]:
                if call["project"] == project and attempt["state"] != "undone":
                    self.add(attempt["state"], call)

    def add(self, state, call):
        if state == "ack":
            self.sure[call["kind"]] += call["inserted"] or call["forgotten"] or 0
            self.sure["log", call["kind"]] += call["is_logged"]
        else:
            self.doubt[call["kind"]] += len(call["events"]) or FOREVER
            self.doubt["log", call["kind"]] += 1


def check_sums(attempts, stored, session, findings):
    log = {(row[0], row[1]): int(row[2]) for row in session.query("""
        SELECT p.name, replace(l.action, 'forget: ', ''), count(*)
        FROM journey_stitch.identity_log l JOIN journey_stitch.projects p ON p.id = l.project_id GROUP BY 1, 2""")}
    for project in PROJECTS:
        sums = Sums(attempts, project)
        events = sum(len(rows) for (of, _), rows in stored.items() if of == project)
        anonymous = sum(1 for of, event_id in stored if of == project and event_id.startswith("forgotten-"))
        inserted, erased = sums.sure["ingest"], sums.sure["erase"]
        if not -sums.doubt["erase"] <= events + erased - inserted <= sums.doubt["ingest"]:
            findings.note("unbalanced", f"{project}: {inserted} events inserted, {erased} erased, {events} there; "
                                        f"in doubt {sums.doubt['ingest']} and {sums.doubt['erase']}")
        if not 0 <= anonymous - sums.sure["anonymize"] <= sums.doubt["anonymize"]:
            findings.note("unbalanced", f"{project}: {sums.sure['anonymize']} events made anonymous, {anonymous} there")
        for kind in LOGGED:
            done, doubt, logged = sums.sure["log", kind], sums.doubt["log", kind], log.get((project, kind), 0)
            if not 0 <= logged - done <= doubt:
                findings.note("unlogged", f"{project}: {kind}: {done} done, {doubt} in doubt, {logged} logged")


def check_counts(session, findings):
    """The answers, when all is stitched, against plain SQL over the tables."""
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    for project in PROJECTS:
        for row in session.query(script.replace("@project@", project)):
            findings.note("wrong_counts", f"{project}: {row}")


def audit(directory, session):
    with open(f"{directory}/ledger.json", encoding="utf-8") as file:
        ledger = json.load(file)
    findings = Findings()
    for what in ledger["wrong"]:
        findings.note("wrong_answers", what)
    for kind in ledger["never"]:
        findings.note("never_done", kind)
    find_traces(ledger["attempts"], session, findings)
    stored = check_events(ledger["attempts"], session, findings)
    check_sums(ledger["attempts"], stored, session, findings)
    check_counts(session, findings)
    for name in ("lost", "duplicated", "altered", "unexplained", "remembered", "half_there", "miscounted", "unbalanced",
                 "unlogged", "wrong_answers", "wrong_counts", "never_done", "events"):
        print(name, findings.counts[name])
    figures = ledger["figures"]
    total = sum(count for name, count in figures.items() if name.startswith("transactions "))
    print("transactions", total)
    for name in sorted(figures):
        print(f"figure {name}: {figures[name]}")
