"""Part single: one event a transaction from sixteen clients, against INSERT of the same rows one by one."""

import server
from bench import Took, medians
from report import cpu, rate

CLIENTS = 16
SECONDS = 10
ROUNDS = 2
# More than can be sent in that time.
EVENTS = 200_000
BESIDE = "INSERT of the same rows one by one"
INSERT = f"INSERT INTO single VALUES ({', '.join(f'${n}' for n in range(1, server.PLAIN_COLUMNS + 1))})"


def single(bench):
    """The same client sends both, so it costs both sides the same."""
    plain, off, on = [], [], []
    with bench.events("copy", 0, EVENTS) as rows, bench.events("ndjson", 0, EVENTS) as events:
        for _ in range(ROUNDS):
            bench.new_plain("single")
            plain.append(of_one(bench, "peers", INSERT, rows, columns=server.PLAIN_COLUMNS))
            for took, setting in ((off, "off"), (on, "on")):
                bench.server.create_database("single", f"journey_stitch.enabled = {setting}")
                took.append(of_one(bench, "single", server.INGEST, events))
                bench.server.drop_database("single")
        bench.server.run("peers", "DROP TABLE single")
    plain = medians(plain)
    for what, ours in (("worker off", medians(off)), ("worker on", medians(on))):
        bench.report.row(f"single events, {CLIENTS} clients, {what}", rate(1, ours.seconds), BESIDE,
                         rate(1, plain.seconds), plain.seconds / ours.seconds, least=0.8)
        bench.report.row("", cpu(1, ours.cpu), BESIDE, cpu(1, plain.cpu), plain.cpu / ours.cpu)


def of_one(bench, database, statement, path, **options):
    """What one event took."""
    done = {}
    bench.checkpoint()
    took = bench.took(lambda: done.update(
        bench.server.load(database, statement, path, CLIENTS, seconds=SECONDS, **options)))
    return Took(done["seconds"] / done["lines"], took.cpu / done["lines"])
