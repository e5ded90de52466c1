#!/usr/bin/env python3
"""Small cases of identity_model.py with the answer worked out by hand, each said in its comment.

Prints what differs, then "N cases, M wrong"; exits with 1 if any is. Events are written "NAME[@TIME] KEY …", one a
line, a second apart unless they say their time; a key is a value that begins with a letter for its kind: u user_id,
s session_id, d device_id, m email; or x and an event_id. Journeys are written "events | keys".
"""

import sys

sys.dont_write_bytecode = True  # no __pycache__ in the checkout
from identity_model import Event, Rules, plain_components, stitch  # noqa: E402

KINDS = {"u": "user_id", "s": "session_id", "d": "device_id", "m": "email", "x": "event_id"}
BLANK = dict.fromkeys(("merges", "max_values", "priority", "blocked_values", "blocked_patterns", "normalize"))
SHIPPED = [
    BLANK | {"project_id": 0, "kind": "*", "is_in_force": True, "merges": True, "max_values": 0, "priority": 100,
             "blocked_values": [], "blocked_patterns": [], "normalize": ["trim"]},
    BLANK | {"project_id": 0, "kind": "user_id", "is_in_force": True, "priority": 1},
    BLANK | {"project_id": 0, "kind": "email", "is_in_force": True, "priority": 2, "normalize": ["trim", "lower"]},
    BLANK | {"project_id": 0, "kind": "", "is_in_force": True, "max_values": 10000},
]
CASES = []


def key(name):
    return (KINDS[name[0]], name.removeprefix("x"))


def rule(kind, **columns):
    return BLANK | {"project_id": 1, "kind": kind, "is_in_force": True} | columns


def word(what, a, b=None):
    other = key(b) if b else (None, None)
    a = key(a)
    return {"word": what, "kind": a[0], "value": a[1], "other_kind": other[0], "other_value": other[1]}


def event(line, number):
    name, *keys = line.split()
    name, _, at = name.partition("@")
    return Event(name, int(at or number), None, None, tuple(":".join(key(one)) for one in keys))


def case(name, events, journeys, refused="", quarantined="", rules=(), words=()):
    CASES.append((name, events, journeys, refused, quarantined, rules, words))


# e1 and e2 share d1, e2 and e3 share s2: one journey. e4 shares nothing.
case("connected", "e1 u1 d1 \n e2 d1 s2 \n e3 s2 \n e4 s4", "e1 e2 e3 | u1 d1 s2 ; e4 | s4")
# An event without keys has its own; e2 names it.
case("event id", "e1 \n e2 xe1 s1 \n e3", "e1 e2 | xe1 s1 ; e3 | xe3")
# u1 first (priority 1), then d1 (100). At e3 the journeys of u1 and u2 would have two users: d1 leads to u1's and is
# refused; e3 is u2's.
case("one user a journey", "e1 u1 d1 \n e2 u2 \n e3 u2 d1", "e1 | u1 d1 ; e2 e3 | u2",
     "e3 d1 max_values of user_id", rules=[rule("user_id", max_values=1)])
# The same events, the login of u2 first: d1 is u2's then, and e1, which is later, is refused it.
case("one user a journey, other order", "e1@3 u1 d1 \n e2@1 u2 \n e3@2 u2 d1", "e1 | u1 ; e2 e3 | u2 d1",
     "e1 d1 max_values of user_id", rules=[rule("user_id", max_values=1)])
# At the same time, the event_id decides: Z is before a in byte order, so Z takes d1 to u2.
case("same time", "a@1 u1 d1 \n Z@1 u2 d1", "a | u1 ; Z | u2 d1",
     "a d1 max_values of user_id", rules=[rule("user_id", max_values=1)])
# max_values 1 of d does not keep a journey without devices from getting one, nor one with three sessions from anything:
# e1: d1 s1. e2: u1 s1 joins. e3: d2 s1: anchor by kind: device_id < session_id, so d2 is the anchor, s1 is refused.
case("anchor by kind", "e1 d1 s1 \n e2 u1 s1 \n e3 d2 s1", "e1 e2 | d1 s1 u1 ; e3 | d2",
     "e3 s1 max_values of device_id", rules=[rule("device_id", max_values=1)])
# Sessions before devices (priority 5 before 100): now s1 is the anchor, and d2 is refused: no event is tied by d2.
case("anchor by priority", "e1 d1 s1 \n e3 d2 s1", "e1 e3 | d1 s1",
     "e3 d2 max_values of device_id", rules=[rule("device_id", max_values=1), rule("session_id", priority=5)])
# e4 names d2 alone: now d2 has a journey. It stays apart.
case("a refused key's own journey", "e1 d1 s1 \n e3 d2 s1 \n e4 d2", "e1 e3 | d1 s1 ; e4 | d2",
     "e3 d2 max_values of device_id", rules=[rule("device_id", max_values=1), rule("session_id", priority=5)])
# Two limits are broken by the union of {d1 s1} and {d2 s2} at e3: device_id comes first in byte order.
# Anchor of e3 is s1 (both 100, session_id: s1 < s2).
case("first kind in byte order", "e1 d1 s1 \n e2 d2 s2 \n e3 s1 s2", "e1 e3 | d1 s1 ; e2 | d2 s2",
     "e3 s2 max_values of device_id", rules=[rule("*", max_values=1)])
# Event e1 alone breaks a limit of 2: its third session is refused, and ties nothing.
case("one event over the limit", "e1 s1 s2 s3", "e1 | s1 s2", "e1 s3 max_values of session_id",
     rules=[rule("session_id", max_values=2)])
# A limit counts only where both sides have the kind: {s1 s2 s3}, linked by word, is over 2 already, and takes u1 along.
case("over the limit by word", "e1 s1 \n e2 s2 \n e3 s3 u1 \n e4 u1 s4", "e1 e2 e3 e4 | s1 s2 s3 u1",
     "e4 s4 max_values of session_id", rules=[rule("session_id", max_values=2)],
     words=[word("link", "s1", "s2"), word("link", "s2", "s3")])
# A household's device joins nothing: d1 is u1's, who used it first; later u2's event is refused it; an event with
# nothing else goes to u1.
case("merges = false", "e1 u1 d1 \n e2 u2 d1 \n e3 d1", "e1 e3 | u1 d1 ; e2 | u2", "e2 d1 merges = false",
     rules=[rule("device_id", merges=False)])
# Its first event has nothing else, so it is in a journey of its own, and u1's event is refused it.
case("merges = false, first alone", "e1 d1 \n e2 u1 d1", "e1 | d1 ; e2 | u1", "e2 d1 merges = false",
     rules=[rule("device_id", merges=False)])
# Held keys, first seen together: d1 is the anchor, d2 ties nothing yet and comes along. e2: d2, which ties e1, is the
# anchor, and d3 comes along. e4: d1, d9 are both tied, apart: d9 is refused.
case("held keys among themselves", "e1 d1 d2 \n e2 d2 d3 \n e3 d9 \n e4 d1 d9", "e1 e2 e4 | d1 d2 d3 ; e3 | d9",
     "e4 d9 merges = false", rules=[rule("device_id", merges=False)])
# Held keys are looked at last, whatever their priority: d1 has 1, and s1 is the anchor all the same.
case("held keys come last", "e1 d1 \n e2 d1 s1", "e1 | d1 ; e2 | s1", "e2 d1 merges = false",
     rules=[rule("device_id", merges=False, priority=1)])
# e1 has three keys. e2: d1 is the anchor (device_id < session_id), s9 would be the fourth of 3: refused. {s9} is the
# smaller side: of e2's keys in the journey d1 is the lowest, and is quarantined from then on. e3: d1 is held,
# so s8 is the anchor.
# e4: d1 alone still belongs to its journey.
case("quarantine of the key of the larger side", "e1 d1 s1 u1 \n e2 d1 s9 \n e3 d1 s8 \n e4 d1",
     "e1 e2 e4 | d1 s1 u1 ; e3 | s8", "e2 s9 max_journey_keys ; e3 d1 quarantined", "d1",
     rules=[rule("", max_values=3)])
# Both sides have 2 keys, at most 3: d2, which leads to the other side, is it. e3, the next, still has d2 with s2: one
# journey already. e5: d2 is held, s5 the anchor.
case("quarantine among equals", "e1 d1 s1 \n e2 d2 s2 \n e3 d1 d2 \n e4 d2 s2 \n e5 d2 s5",
     "e1 e3 | d1 s1 ; e2 e4 | d2 s2 ; e5 | s5", "e3 d2 max_journey_keys ; e5 d2 quarantined", "d2",
     rules=[rule("", max_values=3)])
# s1, s2 and s3 are joined, s4 would be the fourth, and so would s5: each time s3 is the lowest that is in. From the
# next event on it is held: in e2 it comes last, and ties e2, because it is in its journey anyway.
case("one event over max_journey_keys", "e1 s1 s2 s3 s4 s5 \n e2 s3 s1 \n e3 s3 s7", "e1 e2 | s1 s2 s3 ; e3 | s7",
     "e1 s4 max_journey_keys ; e1 s5 max_journey_keys ; e3 s3 quarantined", "s3", rules=[rule("", max_values=3)])
# Of e2's keys s0 and s1 s3 are in the journey when s2 comes, although s3 is looked at only after s2: s3 is the lowest.
case("the lowest of those that are in by then", "e1 s0 s1 s3 \n e2 s1 s2 s3 \n e3 s3 s8", "e1 e2 | s0 s1 s3 ; e3 | s8",
     "e2 s2 max_journey_keys ; e3 s3 quarantined", "s3", rules=[rule("", max_values=3)])
# d9 is linked to s9 by word. At e2 {d9 s9} is the larger side: d9 is quarantined, and ties nothing yet. At e3 it could
# still be taken along, as a held key that ties nothing; but it would bring s9 with it, 3 keys of 2. Being linked, it
# is where s9 is.
case("quarantined and too large", "e1 s1 \n e2 s1 d9 \n e3 s1 d9 \n e4 s9", "e1 e2 e3 | s1 ; e4 | s9 d9",
     "e2 d9 max_journey_keys ; e3 d9 quarantined", "d9",
     rules=[rule("", max_values=2), rule("session_id", priority=1)], words=[word("link", "d9", "s9")])
# By word u1 and u2 are one, before any event, although e2 is the only one with u2, and a journey may have one user. d1
# then joins: 2 users on one side, none on the other. u3 with d1: refused.
case("link is above limits", "e1 u1 d1 \n e2 u2 \n e3 u3 d1", "e1 e2 | u1 d1 u2 ; e3 | u3",
     "e3 d1 max_values of user_id", rules=[rule("user_id", max_values=1)], words=[word("link", "u1", "u2")])
# u9 occurs nowhere: the word says nothing yet.
case("link to what is not there", "e1 u1 \n e2 u2", "e1 | u1 ; e2 | u2", words=[word("link", "u1", "u9")])
# d1 ties u1 and then would tie u2: refused. Without the word all would be one.
case("never_link", "e1 u1 d1 \n e2 u2 d1 \n e3 u2", "e1 | u1 d1 ; e2 e3 | u2", "e2 d1 never_link",
     words=[word("never_link", "u1", "u2")])
# The two are not named together, nor in the events that would join them: s1 and s2 carry them.
case("never_link, far away", "e1 u1 s1 \n e2 u2 s2 \n e3 s1 s2", "e1 e3 | u1 s1 ; e2 | u2 s2", "e3 s2 never_link",
     words=[word("never_link", "u1", "u2")])
# d1 is taken out: e1 is u1's, e2 u2's; e3 has nothing else and is a journey with d1 alone.
case("unmerge", "e1 u1 d1 \n e2 u2 d1 \n e3 d1", "e1 | u1 ; e2 | u2 ; e3 | d1", "e1 d1 unmerge ; e2 d1 unmerge",
     words=[word("unmerge", "d1")])
# Two of them in one event: the first takes the event, the other is refused.
case("unmerge of all keys", "e1 d1 d2", "e1 | d1", "e1 d2 unmerge",
     words=[word("unmerge", "d1"), word("unmerge", "d2")])
# Both words: by link d1 is in u1's group, and ties what is in it anyway; u2's event is refused it.
case("unmerge and link", "e1 u1 d1 \n e2 u2 d1", "e1 | u1 d1 ; e2 | u2", "e2 d1 unmerge",
     words=[word("unmerge", "d1"), word("link", "d1", "u1")])
# At e2 d1, which is held and ties e1, is refused; e3 joins the two journeys, and so d1 ties e2 in the end.
case("refused, and together in the end", "e1 d1 s1 \n e2 d1 s2 \n e3 s1 s2", "e1 e2 e3 | d1 s1 s2",
     rules=[rule("device_id", merges=False)])


def normalization():
    """Keys of single events, by the rules of the second column of cases."""
    rows = SHIPPED + [
        rule("*", normalize=["lower"], priority=7, blocked_values=["x"]),
        rule("phone", normalize=[], blocked_values=[], blocked_patterns=["^00", "9z"]),
    ]
    shipped, own = Rules(1, SHIPPED), Rules(1, rows)
    cases = [
        (shipped, ["email: A@B.c "], [("email", "a@b.c")]),
        (shipped, ["email:A@b.c", "email:a@B.C"], [("email", "a@b.c")]),
        (shipped, ["phone: Ab\u2003"], [("phone", "Ab")]),
        (shipped, ["phone:a:b"], [("phone", "a:b")]),
        # Control characters are no white space.
        (shipped, ["phone:\x1fa"], [("phone", "\x1fa")]),
        (shipped, ["phone: NULL ", "email:0-00", "order:[Object Object]", "order:-"], [("event_id", "e")]),
        (shipped, ["order:-1", "order:-2"], [("order", "-2")]),
        # "*" of the project: lower, not trim, and x is blocked, exactly and after lowering.
        (own, ["order: A"], [("order", " a")]),
        (own, ["order:X", "order: X"], [("order", " x")]),
        # email has a shipped row that says what to do with its values; x is blocked there, too.
        (own, ["email: X ", "email: Y "], [("email", "y")]),
        # phone says that nothing is done and nothing is blocked, but for a pattern; what means nothing stays blocked.
        (own, ["phone: X", "phone:x", "phone:00x", "phone: 0 ", "phone:19z"], [("phone", " X"), ("phone", "x")]),
    ]
    for rules, identifiers, ought in cases:
        yield identifiers, rules.keys(Event("e", 0, None, None, tuple(identifiers))), ought
    yield "user_id", shipped.keys(Event("e", 0, " U ", "guest", ())), [("user_id", "U")]
    # user_id has a shipped row, which says nothing of normalize: "*" of the project does. Its priority is shipped.
    yield "user_id, own", own.keys(Event("e", 0, "U", None, ())), [("user_id", "u")]
    yield "priorities", [own.of(kind)["priority"] for kind in ("user_id", "email", "phone")], [1, 2, 7]


def parts(text):
    return [part.split() for part in text.split(";") if part.strip()]


def run(name, events, journeys, refused, quarantined, rules, words):
    events = [event(line, number) for number, line in enumerate(events.split("\n"))]
    rules = Rules(1, [*SHIPPED, *rules])
    ought = {}
    for part in journeys.split(";"):
        of_events, of_keys = part.split("|")
        ought[frozenset(of_events.split())] = frozenset(map(key, of_keys.split()))
    ought_refused = {(part[0], key(part[1])): " ".join(part[2:]) for part in parts(refused)}
    # The order in which events are given must not matter.
    for given in (events, events[::-1]):
        outcome = stitch(given, rules, words)
        is_ = {frozenset(e): frozenset(k) for e, k in outcome.journeys().values()}
        yield name, is_, ought
        yield f"{name}: refused", outcome.refused, ought_refused
        for one in events:
            keys = {key for key in rules.keys(one) if (one.event_id, key) not in ought_refused}
            yield f"{name}: tied", (one.event_id, outcome.tied[one.event_id]), (one.event_id, keys)
        yield f"{name}: quarantined", set(outcome.quarantined), set(map(key, quarantined.split()))
    if not words and rules.are_plain(KINDS.values()) and not rules.own:
        yield f"{name}: components", plain_components(events, rules), set(ought)


def main():
    wrong = 0
    for name, is_, ought in [*(check for one in CASES for check in run(*one)), *normalization()]:
        if is_ != ought:
            wrong += 1
            print(f"# {name}\n#   is:    {is_}\n#   ought: {ought}")
    print(f"{len(CASES) + len(list(normalization()))} cases, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
