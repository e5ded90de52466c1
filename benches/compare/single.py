"""Part single: one event a transaction from sixteen clients, against INSERT of the same rows one by one."""

import server
from bench import median
from report import rate

CLIENTS = 16
SECONDS = 10
ROUNDS = 2
# More than can be sent in that time.
EVENTS = 200_000
INSERT = f"INSERT INTO single VALUES ({', '.join(f'${n}' for n in range(1, server.PLAIN_COLUMNS + 1))})"


def single(bench):
    """The same client sends both, so it costs both sides the same."""
    plain, off, on = [], [], []
    with bench.events("copy", 0, EVENTS) as rows, bench.events("ndjson", 0, EVENTS) as events:
        for _ in range(ROUNDS):
            bench.new_plain("single")
            plain.append(per_second(bench, "peers", INSERT, rows, columns=server.PLAIN_COLUMNS))
            for rates, setting in ((off, "off"), (on, "on")):
                bench.server.create_database("single", f"journey_stitch.enabled = {setting}")
                rates.append(per_second(bench, "single", server.INGEST, events))
                bench.server.drop_database("single")
        bench.server.run("peers", "DROP TABLE single")
    floor = median(plain)
    for what, rates in (("worker off", off), ("worker on", on)):
        bench.report.row(f"single events, {CLIENTS} clients, {what}", rate(median(rates), 1),
                         "INSERT of the same rows one by one", rate(floor, 1), median(rates) / floor, least=0.8)


def per_second(bench, database, statement, path, **options):
    bench.server.checkpoint()
    done = bench.server.load(database, statement, path, CLIENTS, seconds=SECONDS, **options)
    return done["lines"] / done["seconds"]
