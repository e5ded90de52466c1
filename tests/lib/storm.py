#!/usr/bin/env python3
"""The clients of the storm (tests/cluster/storm.sh), and who cancels and terminates them.

    storm.py run DIRECTORY SECONDS SEED      environment: CLIENTS (16), ACTIONS (of Plan.WEIGHTS; all)
    storm.py audit DIRECTORY                 when all is stitched: what is wrong, as lines "name number"

Each client is a thread with a connection, which it makes anew when it breaks; the odd ones work at REPEATABLE READ.
What failed by 40001, 40P01, a cancel or a lost connection is mostly tried again, under another name. The ledger of all
attempts goes to DIRECTORY/ledger.json: an attempt is acknowledged, undone, or in doubt, if the connection broke before
the answer to its COMMIT came.
"""

import collections
import json
import os
import random
import re
import sys
import threading
import time

sys.dont_write_bytecode = True  # no __pycache__ in the checkout
import storm_audit  # noqa: E402
from storm_plan import PROJECTS, Plan  # noqa: E402
from storm_wire import Failure, Session, literal  # noqa: E402

# What concurrency and the faults bring; anything else is an error of the extension. 55P03 and 40002 are not among it.
RETRYABLE = {"40001", "40P01", "57014"}
CUT_OFF = {"08006", "57P01", "57P02", "57P03"}
# What a word may well be refused for, by the error's text.
REFUSED = re.compile("contradicts what was said before|no stitched event has the key|is blocked, and so no key"
                     "|nobody has said anything to take back")
DATABASE = "storm"


def connect(name, isolation="read committed"):
    return Session(os.environ["PGHOST"], os.environ["PGPORT"], os.environ["PGUSER"], DATABASE, name, isolation)


class Storm:
    """What the threads share."""

    def __init__(self, seconds, seed):
        self.end = time.monotonic() + seconds
        # Until then each transaction is one call: these lock one project each, or several in one order.
        self.calls_end = time.monotonic() + seconds / 3
        self.seed = seed
        self.clients = int(os.environ.get("CLIENTS", "16"))
        self.actions = os.environ.get("ACTIONS", "").split()
        # Between two transactions; longer in a long storm, whose events are counted in the end, too.
        self.pause = 0.02 if seconds <= 60 else 0.1
        self.lock = threading.Lock()
        self.attempts = []
        self.figures = collections.Counter()
        self.wrong = []

    def goes_on(self):
        return time.monotonic() < self.end

    def count(self, name):
        with self.lock:
            self.figures[name] += 1

    def note(self, what):
        with self.lock:
            self.wrong.append(what)

    def record(self, attempt):
        with self.lock:
            self.attempts.append(attempt)


class Client(threading.Thread):
    """One client."""

    def __init__(self, storm, number):
        super().__init__(name=f"storm {number}")
        self.storm = storm
        self.number = number
        self.plan = Plan(storm.seed, number, storm.clients, storm.actions)
        # Apart from the plan, which must not depend on what happens.
        self.chance = random.Random(f"chance {storm.seed} {number}")
        self.isolation = "repeatable read" if number % 2 else "read committed"
        self.session = None
        self.tries = 0

    def run(self):
        try:
            while self.storm.goes_on():
                transaction = self.plan.next(time.monotonic() < self.storm.calls_end)
                while not self.attempt(transaction):
                    if not self.storm.goes_on() or self.chance.random() < 0.25:
                        break
                time.sleep(self.chance.random() * self.storm.pause)
        except Exception as error:  # a fault of the test itself must not look like a quiet client
            self.storm.note(f"client {self.number} died: {error!r}")
            raise

    def connected(self):
        """A session; waits while the server is down."""
        while self.session is None:
            try:
                self.session = connect(self.name, self.isolation)
            except Failure as failure:
                if not self.storm.goes_on():
                    return False
                if failure.sqlstate not in CUT_OFF:
                    self.storm.note(f"connecting: {failure}")
                time.sleep(0.05)
        return True

    def attempt(self, transaction):
        """True: it need not be tried again."""
        if not self.connected():
            return True
        self.tries += 1
        name = f"{self.number}-{self.tries}"
        calls, start, state = [], time.monotonic(), "undone"
        failure, kind = None, transaction.actions[0].kind
        try:
            if transaction.shape == "single":
                # Whatever happens to it, a lost connection leaves it in doubt.
                state = "doubt"
                calls.append(self.call(name, 0, transaction.actions[0]))
            else:
                self.session.query("BEGIN")
                for index, action in enumerate(transaction.actions):
                    kind = action.kind
                    self.step(transaction, name, index, action, calls)
                    time.sleep(transaction.pauses[index])
                kind = "end"
                if transaction.shape == "rollback":
                    self.session.query("ROLLBACK")
                else:
                    state = "doubt"
                    self.session.query("COMMIT")
            state = "undone" if transaction.shape == "rollback" else "ack"
        except Failure as error:
            failure = error
            if not failure.is_fatal:
                state = "undone"
            elif transaction.shape == "single":
                calls.append(self.record_of(name, 0, transaction.actions[0]))
        end = time.monotonic()
        self.storm.record({"name": name, "state": state, "start": start, "end": end, "calls": calls})
        self.storm.count(f"transactions {state if failure else transaction.shape}")
        if failure is None:
            return True
        return self.failed(failure, kind, transaction)

    def step(self, transaction, name, index, action, calls):
        """One action of a transaction. Those of its middle are undone by a savepoint, or their failure is."""
        if index in transaction.middle and index == transaction.middle.start:
            self.session.query("SAVEPOINT middle")
        if index in transaction.middle:
            try:
                self.call(name, index, action)
            except Failure as failure:
                if failure.is_fatal:
                    raise
                self.judge(failure, action.kind, action.text)
                self.session.query("ROLLBACK TO SAVEPOINT middle")
            if index == transaction.middle.stop - 1:
                self.session.query("ROLLBACK TO SAVEPOINT middle")
        else:
            calls.append(self.call(name, index, action))

    def record_of(self, name, index, action):
        return {"attempt": f"{name}.{index}", "kind": action.kind, "project": action.project,
                "events": list(action.events), "forgets": action.forgets, "inserted": None, "forgotten": None,
                "is_logged": False}

    def call(self, name, index, action):
        record = self.record_of(name, index, action)
        self.session.notices.clear()
        rows = self.session.query(action.statement(record["attempt"]))
        is_idle = any(notice.startswith("nothing to do") for notice in self.session.notices)
        record["is_logged"] = not is_idle and "dry_run => true" not in action.text
        self.storm.count(f"done {action.kind}")
        if action.kind == "ingest":
            record["inserted"] = int(rows[0][0])
        elif action.forgets:
            events = ("stitched events", "pending events")
            record["forgotten"] = sum(int(entries) for what, entries in rows if what in events)
        elif action.kind in ("get_journey", "as_of", "dau", "check") and rows:
            text = " ".join(action.text.split())
            self.storm.note(f"{record['attempt']} in {action.project}: {rows[:5]} answers {text}")
        return record

    def failed(self, failure, kind, transaction):
        """Gets ready for the next attempt; True: there is none."""
        if not failure.is_fatal and transaction.shape != "single":
            try:
                self.session.query("ROLLBACK")
            except Failure as another:
                self.judge(another, "ROLLBACK", "")
                self.hang_up()
        elif failure.is_fatal:
            self.hang_up()
        texts = [action.text for action in transaction.actions if action.kind == kind]
        is_worth_it = self.judge(failure, kind, texts[0] if texts else "")
        time.sleep(self.chance.random() * 0.05)
        return not is_worth_it

    def hang_up(self):
        self.session.close()
        self.session = None

    def judge(self, failure, kind, text):
        """Counts a failure, or notes it if it should not be; answers whether to try again."""
        if kind in ("link", "never_link", "unmerge", "retract") and REFUSED.search(failure.message):
            self.storm.count(f"refused {kind}")
            return False
        self.storm.count(f"failed {failure.sqlstate}")
        if time.monotonic() < self.storm.calls_end:
            self.storm.count(f"alone {failure.sqlstate}")
        self.storm.count(f"where {failure.sqlstate} in {kind}")
        if failure.sqlstate in RETRYABLE or failure.sqlstate in CUT_OFF:
            return True
        self.storm.note(f"{failure} in {kind}: {' '.join(text.split())[:300]}")
        return False


class Tormentor(threading.Thread):
    """Cancels and terminates clients and workers, at random moments."""

    KINDS = {"cancel client": 8, "terminate client": 3, "cancel worker": 1, "terminate worker": 2}

    def __init__(self, storm):
        super().__init__(name="tormentor")
        self.storm = storm
        self.draw = random.Random(f"tormentor {storm.seed}")

    def run(self):
        session = None
        while self.storm.goes_on():
            time.sleep(self.draw.uniform(0.05, 0.4))
            kind = self.draw.choices(list(self.KINDS), list(self.KINDS.values()))[0]
            try:
                session = session or connect("tormentor")
                if session.query(self.fault(kind)):
                    self.storm.count(f"fault {kind}")
            except Failure:
                # The server is down.
                session = None

    @staticmethod
    def fault(kind):
        what, who = kind.split()
        of_whom = "application_name LIKE 'storm %'" if who == "client" else "backend_type = 'journey_stitch worker'"
        return f"""SELECT pid FROM (SELECT pid FROM pg_stat_activity
                                    WHERE {of_whom} AND state = 'active' ORDER BY random() LIMIT 1) AS victim
                   WHERE pg_{what}_backend(pid)"""


def run(directory, seconds, seed):
    storm = Storm(seconds, seed)
    first = connect("storm")
    for project in PROJECTS:
        first.query(f"SELECT journey_stitch.ingest_events('[]', {literal(project)})")
    first.close()
    threads = [Client(storm, number) for number in range(storm.clients)]
    tormentor = Tormentor(storm)
    for thread in [*threads, tormentor]:
        thread.start()
    for thread in [*threads, tormentor]:
        thread.join()
    with open(f"{directory}/ledger.json", "w", encoding="utf-8") as file:
        json.dump({"attempts": storm.attempts, "figures": storm.figures, "wrong": storm.wrong,
                   "never": [kind for kind in threads[0].plan.kinds if not storm.figures[f"done {kind}"]]}, file)


if __name__ == "__main__":
    if sys.argv[1] == "run":
        run(sys.argv[2], float(sys.argv[3]), sys.argv[4])
    else:
        storm_audit.audit(sys.argv[2], connect("audit"))
