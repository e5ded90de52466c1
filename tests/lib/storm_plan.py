"""What the clients of the storm do, from a seed alone: nothing here asks the database or looks at a clock.

Event number n has its project, time and identifiers by arithmetic, so that any client can send any event, and the audit
knows what each must look like. A client walks through numbers of its own and through people whom all clients share,
twelve a block and project: sessions begin apart, people log in, households share devices, and now and then somebody
logs in as a person of the block before. So keys collide all the time, and journeys merge, but never into one.
"""

import functools
import json
import random

from storm_wire import literal

# The last is small, because its history is stitched anew all the time.
PROJECTS = ["default", "red", "green", "blue", "small"]
DAYS = 5
FIRST_SECOND = 1772323200  # 2026-03-01
CLIENT_NUMBERS = 10_000_000
RUN = 20      # numbers in a row that are of one project
BLOCK = 100   # numbers of each client in one block
PEOPLE = 12

KINDS = ["user_id", "session_id", "device_id", "email", "household"]


@functools.lru_cache(maxsize=None)
def describe(number):
    """The event of this number: its project, and what is sent."""
    client, position = divmod(number, CLIENT_NUMBERS)
    draw = random.Random(f"run {client} {position // RUN}")
    project = draw.choices(PROJECTS, [6, 6, 6, 6, 1])[0]
    draw = random.Random(f"event {number}")
    block = position // BLOCK
    person = draw.randrange(PEOPLE)
    event = {
        "event_id": f"e{number}",
        "event_type": draw.choice(["view", "click", "buy"]),
        "ts": FIRST_SECOND + draw.randrange(DAYS * 86400),
    }
    if draw.random() < 0.02:
        return project, event  # a journey of its own
    event["session_id"] = f"s{block}-{person}-{draw.randrange(4)}"
    if draw.random() < 0.02:
        event["session_id"] = draw.choice(["", "null", "0", "Anonymous"])
    if draw.random() < 0.3:
        event["user_id"] = f"u{block}-{person}"
    elif draw.random() < 0.02:
        event["user_id"] = f"u{max(block - 1, 0)}-{person}"
    if draw.random() < 0.2:
        event["device_id"] = f"d{block}-{person}"
    others = []
    if draw.random() < 0.1:
        email = f"p{block}-{person}@example.org"
        others.append("email:" + draw.choice([email, email.upper(), f" {email} "]))
    if draw.random() < 0.04:
        others.append(f"household:h{block}-{person // 4}")
    if others:
        event["correlations"] = others
    return project, event


@functools.lru_cache(maxsize=None)
def keys_of(number):
    """The keys that the event is to have under the shipped rules, as texts kind:value."""
    _, event = describe(number)
    keys = {f"{kind}:{event[kind]}" for kind in ("user_id", "session_id", "device_id") if kind in event}
    keys -= {"session_id:", "session_id:null", "session_id:0", "session_id:Anonymous"}
    for text in event.get("correlations", []):
        kind, value = text.split(":", 1)
        keys.add(f"{kind}:{value.strip().lower() if kind == 'email' else value}")
    return keys or {f"event_id:{event['event_id']}"}


class Action:
    """One statement, and what it is called in the figures."""

    def __init__(self, kind, text, project, events=(), forgets=None):
        self.kind = kind
        self.text = text
        self.project = project
        self.events = events
        # (key, mode) of a forget.
        self.forgets = forgets

    def statement(self, attempt):
        return self.text.replace("@attempt@", attempt)


class Transaction:
    """Actions with what surrounds them. Shapes: single, commit, rollback, savepoint (whose middle is rolled back)."""

    def __init__(self, shape, actions, pauses, middle=range(0)):
        self.shape = shape
        self.actions = actions
        # Seconds after each action.
        self.pauses = pauses
        # The actions that are between a savepoint and the rollback to it.
        self.middle = middle


class Plan:
    """The transactions of one client, one after the other."""

    WEIGHTS = {
        "ingest": 36, "stitch": 10, "get_journey": 10, "as_of": 5, "dau": 7, "history": 3, "stats": 3, "health": 2,
        "drawing": 1, "simulate": 2, "check": 1, "link": 6, "never_link": 3, "unmerge": 6, "retract": 4, "erase": 2,
        "anonymize": 2, "rule": 3, "restitch": 2,
    }

    def __init__(self, seed, number, clients, actions=None):
        self.draw = random.Random(f"client {seed} {number}")
        self.number = number
        self.clients = clients
        self.position = 0
        # What a word was said about, to be taken back: project and arguments.
        self.said = []
        self.kinds = [kind for kind in self.WEIGHTS if not actions or kind in actions]
        self.weights = [self.WEIGHTS[kind] for kind in self.kinds]

    def next(self, single):
        shapes = ["single", "commit", "rollback", "savepoint"]
        shape = self.draw.choices(shapes, [1, 0, 0, 0] if single else [55, 20, 10, 15])[0]
        count = 1 if shape == "single" else self.draw.randint(2, 4)
        project = self.project()
        actions = [self.action(project if self.draw.random() < 0.7 else self.project()) for _ in range(count)]
        pauses = [self.draw.choice([0, 0, 0.005, 0.03]) for _ in actions]
        middle = range(0)
        if shape == "savepoint":
            begin = self.draw.randrange(count)
            middle = range(begin, self.draw.randint(begin + 1, count))
        return Transaction(shape, actions, pauses, middle)

    def project(self):
        return self.draw.choices(PROJECTS, [6, 6, 6, 6, 3])[0]

    def action(self, project):
        kind = self.draw.choices(self.kinds, self.weights)[0]
        return getattr(self, kind)(project)

    def key(self, kinds=("user_id", "session_id", "device_id", "email")):
        """A key of somebody of these days, or of before."""
        block = self.position // BLOCK
        block = self.draw.choice([block, block, max(block - 1, 0), self.draw.randint(0, block)])
        person, kind = self.draw.randrange(PEOPLE), self.draw.choice(kinds)
        value = {
            "user_id": f"u{block}-{person}",
            "session_id": f"s{block}-{person}-{self.draw.randrange(4)}",
            "device_id": f"d{block}-{person}",
            "email": f"p{block}-{person}@example.org",
            "household": f"h{block}-{person // 4}",
        }[kind]
        return f"{kind}:{value}"

    def event(self):
        """The number of an event that this or another client has sent, or is about to send."""
        client = self.draw.randrange(self.clients)
        return client * CLIENT_NUMBERS + self.draw.randint(0, self.position + RUN)

    # Each of these is an action, in the project where that has a say.

    def ingest(self, _project):
        """Mostly what comes next; sometimes the same again, or what another client is sending just now."""
        size = self.draw.randint(1, RUN)
        start = self.number * CLIENT_NUMBERS + self.position
        choice = self.draw.random()
        if choice < 0.2:
            start = self.draw.randrange(self.clients) * CLIENT_NUMBERS + self.position
        elif choice < 0.3:
            start -= min(self.position, size)
        else:
            self.position += size
        end = min(start + size, (start // RUN + 1) * RUN)
        numbers = list(range(start, end))
        project, _ = describe(start)
        sent = []
        for number in numbers:
            _, event = describe(number)
            sent.append(dict(event, attempt="@attempt@"))
        if self.draw.random() < 0.1:
            sent.append(sent[0])
        self.draw.shuffle(sent)
        text = f"SELECT inserted FROM journey_stitch.ingest_events({literal(json.dumps(sent))}, {literal(project)})"
        return Action("ingest", text, project, events=numbers)

    def stitch(self, project):
        most = self.draw.choice(["NULL", "1", "7", "50"])
        return Action("stitch", f"SELECT events FROM journey_stitch.stitch_pending({most})", project)

    def get_journey(self, project):
        """Whatever it answers, the events are of one journey, and each is there once."""
        number = self.event()
        text = f"""SELECT 'one journey' WHERE NOT (
            SELECT count(DISTINCT journey_id) <= 1 AND count(*) = count(DISTINCT event_id)
            FROM journey_stitch.get_journey('e{number}', {literal(describe(number)[0])}))"""
        return Action("get_journey", text, project)

    def as_of(self, project):
        """As of the end of all days a journey is as it is; at any other time it is whatever it was."""
        key, name = literal(self.key()), literal(project)
        if self.draw.random() < 0.5:
            text = f"""WITH present AS (SELECT event_id FROM journey_stitch.get_journey({key}, {name})), latest AS (
                           SELECT event_id FROM journey_stitch.get_journey({key}, {name}, as_of => 'infinity'))
                       SELECT 'as_of => infinity is not the present', p.event_id, l.event_id
                       FROM present p FULL JOIN latest l ON l.event_id = p.event_id
                       WHERE p.event_id IS NULL OR l.event_id IS NULL"""
        else:
            ago = self.draw.choice([0, 1, 5, 20])
            text = f"""SELECT 'one journey' WHERE 1 < (
                SELECT count(DISTINCT journey_id)
                FROM journey_stitch.get_journey({key}, {name}, as_of => clock_timestamp() - interval '{ago} s'))"""
        return Action("as_of", text, project)

    def dau(self, project):
        """Users by the rollups and by the events, in one snapshot, pending events and those of this transaction too."""
        tz = self.draw.choice(["UTC", "Asia/Kolkata", "Asia/Kathmandu", "America/New_York"])
        text = f"""SELECT 'dau', d.day, d.active_users, p.users
            FROM journey_stitch.dau('2026-02-28', '2026-03-06', {literal(project)}, tz => '{tz}') AS d
            LEFT JOIN (SELECT (e.occurred_at AT TIME ZONE '{tz}')::date AS day, count(DISTINCT e.user_id) AS users
                       FROM journey_stitch.events e
                       WHERE e.project_id = (SELECT id FROM journey_stitch.projects WHERE name = {literal(project)})
                       GROUP BY 1) AS p ON p.day = d.day
            WHERE d.active_users <> COALESCE(p.users, 0)"""
        return Action("dau", text, project)

    def history(self, project):
        text = f"SELECT count(*) FROM journey_stitch.journey_history({literal(self.key())}, {literal(project)})"
        return Action("history", text, project)

    def stats(self, project):
        text = f"SELECT count(*) FROM journey_stitch.journey_stats({literal(self.key())}, {literal(project)})"
        return Action("stats", text, project)

    def health(self, project):
        return Action("health", f"SELECT count(*) FROM journey_stitch.identity_health({literal(project)})", project)

    def drawing(self, project):
        form = self.draw.choice(["mermaid", "dot", "json"])
        text = f"SELECT length(journey_stitch.journey_graph({literal(self.key())}, '{form}', {literal(project)}))"
        return Action("drawing", text, project)

    def simulate(self, project):
        events = [describe(self.event())[1] for _ in range(3)]
        text = f"SELECT event_id FROM journey_stitch.simulate({literal(json.dumps(events))}, {literal(project)})"
        return Action("simulate", text, project)

    def check(self, project):
        """All invariants, in one snapshot and in the middle of everything."""
        text = """SELECT 'verify()', v.invariant, v.violations FROM journey_stitch.verify() AS v WHERE v.violations <> 0
                  UNION ALL
                  SELECT 'graph_check()', g.label || ' ' || g.problem, g.entries
                  FROM journey_stitch.graph_check() AS g WHERE g.entries <> 0"""
        return Action("check", text, project)

    def word(self, kind, keys, project):
        """Says something about one or two keys, and remembers it for retract()."""
        arguments = ", ".join(literal(key) for key in keys)
        self.said.append((project, arguments))
        del self.said[:-50]
        dry_run = literal(self.draw.random() < 0.1)
        text = f"""SELECT events, keys FROM journey_stitch.{kind}({arguments}, project => {literal(project)},
                                                                  dry_run => {dry_run})"""
        return Action(kind, text, project)

    def two_keys(self):
        one = other = self.key()
        while other == one:
            other = self.key()
        return [one, other]

    def link(self, project):
        return self.word("link", self.two_keys(), project)

    def never_link(self, project):
        return self.word("never_link", self.two_keys(), project)

    def unmerge(self, project):
        return self.word("unmerge", [self.key(KINDS)], project)

    def retract(self, project):
        """What this client has said or, in vain, what nobody has."""
        project, arguments = self.draw.choice([*self.said[-10:], (project, literal(self.key()))])
        text = f"SELECT events, keys FROM journey_stitch.retract({arguments}, project => {literal(project)})"
        return Action("retract", text, project)

    def erase(self, project):
        return self.forget("erase", project)

    def anonymize(self, project):
        return self.forget("anonymize", project)

    def forget(self, mode, project):
        key = self.key()
        text = f"""SELECT object, entries FROM journey_stitch.forget({literal(key)}, '{mode}', {literal(project)},
                                                               dry_run => false)"""
        return Action(mode, text, project, forgets=(key, mode))

    def rule(self, _project):
        """The project is the small one, whatever was asked for."""
        what = self.draw.choice([
            "'user_id', max_values => 1", "'user_id', max_values => 2", "'user_id', max_values => 0",
            "'device_id', merges => false", "'device_id', merges => true", "'session_id', max_values => 3",
            "'email', blocked_patterns => ARRAY['-7@']", "'email', blocked_patterns => ARRAY[]::text[]",
            "'household', merges => false", "'household', priority => 5",
        ])
        return Action("rule", f"SELECT kind FROM journey_stitch.set_identity_rule({what}, project => 'small')", "small")

    def restitch(self, _project):
        return Action("restitch", "SELECT measure FROM journey_stitch.restitch('small')", "small")
