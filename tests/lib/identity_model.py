"""Which keys and events belong together, by README's section "Identity" alone.

Written to be obviously right rather than fast, and shares nothing with the extension: events are taken one by one in
order of time, groups are plain sets. identity_oracle.py compares what a database holds with what this says.

A key is a pair (kind, value); an event is an Event; rules and words are the rows of identity_rules and identity_words
as dictionaries. Texts compare as Python compares them, by code point, which is the byte order of UTF-8.
"""

import re
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field

# What the standard of Unicode calls White_Space. (str.strip() takes some control characters for space, too.)
SPACE = "\t\n\x0b\x0c\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
MEANINGLESS = {
    "", "null", "nil", "none", "n/a", "na", "undefined", "unknown", "anonymous", "anon", "guest", "nan", "-1",
    "true", "false", "[]", "{}", "[object object]",
}
LOWER_ASCII = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
COLUMNS = ("merges", "max_values", "priority", "blocked_values", "blocked_patterns", "normalize")

JOINS, HELD, UNMERGED = 0, 1, 2


@dataclass(frozen=True)
class Event:
    event_id: str
    at: int
    user_id: str | None = None
    session_id: str | None = None
    identifiers: tuple[str, ...] = ()


@dataclass
class Outcome:
    """What must be so once all events are stitched."""

    # Each key's group; a key that ties no event is in a group all the same, but in no journey.
    group_of: dict = field(default_factory=dict)
    # For each event: the keys that tie it, the first key among them.
    tied: dict = field(default_factory=dict)
    # (event, key): the rule why the event is not tied by this key of its.
    refused: dict = field(default_factory=dict)
    # Quarantined keys, with the time of the event that did it.
    quarantined: dict = field(default_factory=dict)
    unmerged: set = field(default_factory=set)

    def journeys(self):
        """For each journey: its events and its keys, as sets. A linked key is where the other is, if it ties no event."""
        journeys = defaultdict(lambda: (set(), set()))
        for event, keys in self.tied.items():
            journeys[self.group_of[next(iter(keys))]][0].add(event)
        for key, group in self.group_of.items():
            if group in journeys:
                journeys[group][1].add(key)
        return dict(journeys)


class Rules:
    """The rules of one project: the rows of identity_rules of the project and of project 0."""

    def __init__(self, project, rows):
        rows = [row for row in rows if row["is_in_force"]]
        self.own = {row["kind"]: row for row in rows if row["project_id"] == project and project != 0}
        self.shipped = {row["kind"]: row for row in rows if row["project_id"] == 0}
        self.cache = {}

    def of(self, kind):
        if kind not in self.cache:
            self.cache[kind] = {column: self.column(kind, column) for column in COLUMNS}
        return self.cache[kind]

    def column(self, kind, column):
        own, every = self.own.get(kind), self.own.get("*")
        shipped, rest = self.shipped.get(kind), self.shipped["*"]
        layers = [own, every, shipped, rest]
        if column in ("priority", "normalize"):
            layers = [own, shipped, every, rest]
        return next(layer[column] for layer in layers if layer is not None and layer[column] is not None)

    def max_journey_keys(self):
        rows = [layer[""]["max_values"] for layer in (self.own, self.shipped) if "" in layer]
        return next(value for value in rows if value is not None) or float("inf")

    def max_values(self, kind):
        return self.of(kind)["max_values"] or float("inf")

    def normalized(self, kind, value):
        for step in self.of(kind)["normalize"]:
            value = value.strip(SPACE) if step == "trim" else value.lower()
        return value

    def is_blocked(self, kind, value):
        bare = value.strip(SPACE).translate(LOWER_ASCII)
        rule = self.of(kind)
        return (
            bare in MEANINGLESS
            or set(bare) <= set("0-")
            or value in rule["blocked_values"]
            or any(re.search(pattern, value) for pattern in rule["blocked_patterns"])
        )

    def keys(self, event):
        """The keys of an event, in the order in which it names them."""
        named = [("user_id", event.user_id), ("session_id", event.session_id)]
        named += [tuple(text.split(":", 1)) for text in event.identifiers]
        keys = [(kind, self.normalized(kind, value)) for kind, value in named if value is not None]
        keys = [key for key in keys if not self.is_blocked(*key)]
        return list(dict.fromkeys(keys)) or [("event_id", event.event_id)]

    def are_plain(self, kinds):
        """Whether nothing but the shared keys themselves decides (as long as no group grows too large)."""
        return all(self.of(kind)["merges"] and self.max_values(kind) == float("inf") for kind in kinds)


class Stitching:
    """The events of one project, taken one after the other."""

    def __init__(self, events, rules, words):
        self.rules = rules
        self.events = sorted(events, key=lambda event: (event.at, event.event_id))
        self.keys_of = {event.event_id: rules.keys(event) for event in self.events}
        # Every key is in a group from the start; alone, or with those that it is linked to by word.
        self.group_of = {key: key for keys in self.keys_of.values() for key in keys}
        self.members = {key: [key] for key in self.group_of}
        self.kinds = {key: Counter([key[0]]) for key in self.group_of}
        self.has_tied = set()
        self.quarantined = {}
        self.refused = {}
        self.first_key = {}

        pairs = {"link": [], "never_link": [], "unmerge": []}
        for word in words:
            pairs[word["word"]].append(((word["kind"], word["value"]), (word["other_kind"], word["other_value"])))
        self.unmerged = {key for key, _ in pairs["unmerge"] if key in self.group_of}
        self.never_link = [(a, b) for a, b in pairs["never_link"] if a in self.group_of and b in self.group_of]
        for a, b in pairs["link"]:
            if a in self.group_of and b in self.group_of:
                self.join(self.group_of[a], self.group_of[b])

    def join(self, one, other):
        """Makes one group of two; answers it."""
        if one == other:
            return one
        if len(self.members[one]) < len(self.members[other]):
            one, other = other, one
        for key in self.members[other]:
            self.group_of[key] = one
        self.members[one] += self.members.pop(other)
        self.kinds[one] += self.kinds.pop(other)
        return one

    def key_class(self, key):
        if key in self.unmerged:
            return UNMERGED
        if key in self.quarantined or not self.rules.of(key[0])["merges"]:
            return HELD
        return JOINS

    def rank(self, key):
        return (self.key_class(key), self.rules.of(key[0])["priority"], *key)

    def run(self):
        for event in self.events:
            self.take(event)
        return self.outcome()

    def take(self, event):
        keys = sorted(self.keys_of[event.event_id], key=self.rank)
        anchor = keys[0]
        refused, culprits = {}, []
        for key in keys[1:]:
            ours, theirs = self.group_of[anchor], self.group_of[key]
            if ours == theirs:
                continue
            rule = self.refusal(anchor, key)
            if rule is None:
                self.join(ours, theirs)
                continue
            refused[key] = rule
            if rule == "max_journey_keys":
                culprits.append(self.culprit(keys, ours, key))

        self.first_key[event.event_id] = anchor
        for key in keys:
            if key in refused:
                self.refused[event.event_id, key] = refused[key]
            else:
                self.has_tied.add(key)
        # From the next event on.
        for key in culprits:
            if key is not None:
                self.quarantined.setdefault(key, event.at)

    def refusal(self, anchor, key):
        """Why a key's group may not be joined to that of the event's first key; None if it may."""
        if UNMERGED in (self.key_class(key), self.key_class(anchor)):
            return "unmerge"
        of_key = None
        if self.key_class(key) == HELD:
            # The reason for such a key, whatever else would be one.
            of_key = "quarantined" if key in self.quarantined else "merges = false"
            if key in self.has_tied:
                return of_key
        ours, theirs = self.group_of[anchor], self.group_of[key]
        if any({self.group_of[a], self.group_of[b]} == {ours, theirs} for a, b in self.never_link):
            return of_key or "never_link"
        for kind in sorted(self.kinds[ours].keys() & self.kinds[theirs].keys()):
            if self.kinds[ours][kind] + self.kinds[theirs][kind] > self.rules.max_values(kind):
                return of_key or f"max_values of {kind}"
        if len(self.members[ours]) + len(self.members[theirs]) > self.rules.max_journey_keys():
            return of_key or "max_journey_keys"
        return None

    def culprit(self, keys, ours, key):
        """Which key is quarantined because a group would grow too large: the one that leads to the larger part."""
        if len(self.members[self.group_of[key]]) >= len(self.members[ours]):
            return key
        leading = [one for one in keys if self.group_of[one] == ours and self.key_class(one) == JOINS]
        return leading[-1] if leading else None

    def outcome(self):
        outcome = Outcome(group_of=self.group_of, quarantined=self.quarantined, unmerged=self.unmerged)
        for event in self.events:
            keys = self.keys_of[event.event_id]
            group = self.group_of[self.first_key[event.event_id]]
            outcome.tied[event.event_id] = {key for key in keys if self.group_of[key] == group}
            for key in keys:
                if self.group_of[key] != group:
                    outcome.refused[event.event_id, key] = self.refused[event.event_id, key]
        return outcome


def stitch(events, rules, words):
    return Stitching(events, rules, words).run()


def plain_components(events, rules):
    """Groups of events that hang together by shared keys, by another way: breadth-first from event to event."""
    events_of = defaultdict(list)
    keys_of = {event.event_id: rules.keys(event) for event in events}
    for event, keys in keys_of.items():
        for key in keys:
            events_of[key].append(event)
    groups, seen = set(), set()
    for start in keys_of:
        if start in seen:
            continue
        group, queue = {start}, deque([start])
        while queue:
            for key in keys_of[queue.popleft()]:
                # Each key once: its events are all in the group afterwards.
                for event in events_of.pop(key, ()):
                    if event not in group:
                        group.add(event)
                        queue.append(event)
        seen |= group
        groups.add(frozenset(group))
    return groups
