"""Random identity rules and a person's random words for the graphs of graphs.py, as calls in SQL.

The calls have PROJECT in place of the project, so that every order of arrival gets the same.
"""

from identity_model import Event, Rules

PROJECT = "@project@"
BLANK = dict.fromkeys(("merges", "max_values", "priority", "blocked_values", "blocked_patterns", "normalize"))
# For choosing keys to talk about: what has to do with a value before it is a key.
SHIPPED = [
    BLANK | {"project_id": 0, "kind": "*", "is_in_force": True, "merges": True, "max_values": 0, "priority": 100,
             "blocked_values": [], "blocked_patterns": [], "normalize": ["trim"]},
    BLANK | {"project_id": 0, "kind": "email", "is_in_force": True, "normalize": ["trim", "lower"]},
    BLANK | {"project_id": 0, "kind": "", "is_in_force": True, "max_values": 10000},
]


def literal(value):
    if value is None:
        return "NULL"
    if isinstance(value, (bool, int)):
        return str(value)
    if isinstance(value, list):
        return f"ARRAY[{', '.join(map(literal, value))}]::text[]"
    return "'" + value.replace("'", "''") + "'"


def parsed(event):
    """An event as ingest_events() stores it."""
    others = [f"{kind}:{event[kind]}" for kind in ("device_id", "anonymous_id") if kind in event]
    others += [f"{kind}:{value}" for kind, values in event.get("correlations", {}).items() for value in values]
    return Event(event["event_id"], event["timestamp"], event.get("user_id"), event.get("session_id"), tuple(others))


class RandomRules:
    def __init__(self, rng, kinds, events):
        self.rows = []
        self.calls = []
        if rng.random() < 0.2:
            self.calls.append(f"use_identity_profile('people', {PROJECT})")
        present = sorted({text.split(":")[0] for event in events for text in parsed(event).identifiers})
        present = [kind for kind in present if kind in kinds]
        for kind in dict.fromkeys([*rng.sample(present, min(2, len(present))), *rng.sample([*kinds, "*"], 3)]):
            if rng.random() < 0.4:
                continue
            columns = self.columns(rng, kind, events)
            self.rows.append(BLANK | {"project_id": 1, "kind": kind, "is_in_force": True} | columns)
            # A keyword of SQL is among the names.
            named = "".join(f', "{name}" => {literal(value)}' for name, value in columns.items())
            self.calls.append(f"set_identity_rule({literal(kind)}{named}, project => {PROJECT})")
        if rng.random() < 0.5:
            self.calls.append(f"set_max_journey_keys({rng.choice([rng.randint(3, 8), rng.randint(3, 30)])}, {PROJECT})")

    def columns(self, rng, kind, events):
        columns = {}
        if rng.random() < 0.6:
            columns["max_values"] = rng.randint(1, 3)
        if rng.random() < 0.3:
            columns["merges"] = rng.random() < 0.2
        if rng.random() < 0.3:
            columns["priority"] = rng.choice([1, 2, 50, 100, 101])
        if rng.random() < 0.2:
            columns["normalize"] = rng.choice([[], ["trim"], ["lower"], ["trim", "lower"]])
        if rng.random() < 0.3:
            columns["blocked_patterns"] = rng.sample(["^v[0-3]$", "7", "[A-Zé]v", r"v1\d*$"], rng.randint(1, 2))
        if rng.random() < 0.3:
            row = BLANK | {"project_id": 1, "kind": kind, "is_in_force": True} | columns
            keys = [key for event in events for key in Rules(1, [*SHIPPED, row]).keys(parsed(event))]
            # In lower case and trimmed a value is normalized, whatever the rule.
            columns["blocked_values"] = [value.strip().lower() for _, value in rng.sample(keys, min(2, len(keys)))]
        return columns or {"max_values": 2}

    def calls_in(self, project):
        return [f"journey_stitch.{call.replace(PROJECT, literal(project))}" for call in self.calls]

    def keys(self, events):
        rules = Rules(1, [*SHIPPED, *self.rows])
        return [rules.keys(parsed(event)) for event in events]


class RandomWords:
    """What a person says of the keys of some events, and takes back of what was said before."""

    def __init__(self, rng, events, rules, before=None):
        self.said = []
        self.calls = []
        keys_of = rules.keys(events)
        every = sorted({key for keys in keys_of for key in keys})
        for word, *keys in before.said if before else []:
            if rng.random() < 0.4:
                if word == "link" and rng.random() < 0.3:
                    self.call("unmerge", keys, "dry_run => false")
                else:
                    self.call("retract", keys)
        for _ in range(rng.choice([0, 1, 2, 4])):
            word = rng.choice(["link", "never_link", "unmerge", "unmerge"])
            # Those of one event hang together, others perhaps.
            some = rng.choice(keys_of) if keys_of and rng.random() < 0.5 else every
            if len(some) < 2:
                continue
            keys = rng.sample(some, 1 if word == "unmerge" else 2)
            if rng.random() < 0.2:
                self.call(word, keys, "dry_run => true")
            self.call(word, keys, "dry_run => false")
            self.said.append((word, *keys))

    def call(self, function, keys, *more):
        arguments = [literal(f"{kind}:{value}") for kind, value in keys]
        self.calls.append(f"{function}({', '.join([*arguments, f'project => {PROJECT}', *more])})")

    def calls_in(self, project):
        return [f"journey_stitch.{call.replace(PROJECT, literal(project))}" for call in self.calls]
