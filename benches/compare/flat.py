"""Part flat: what must not grow with the number of events."""

import itertools
import time

from bench import median, percentile
from report import cpu, ms, number, rate

SMALL_EVENTS = 100_000
# So many users that some hundreds of journeys have about fifty events.
SMALL_USERS = 2000
CALLS = 2000
ROUNDS = 20
MEASURED = (40, 60)
# Of reading other journeys before, so that what a server that reads them has in memory is there.
WARM_UP = (10, 200)
WARM_UP_SECONDS = 60
LOOKS = """SELECT e.event_id FROM journey_stitch.journeys j JOIN journey_stitch.events e ON e.id = j.founder_id
    WHERE j.merged_into IS NULL AND j.event_count BETWEEN {} AND {} ORDER BY md5(e.event_id) LIMIT {}"""
OURS_BYTES = """SELECT sum(pg_total_relation_size(c.oid))::bigint
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname IN ('journey_stitch', 'journey_graph')"""
# Without what was added for the questions.
PLAIN_BYTES = "SELECT pg_table_size('plain') + pg_relation_size('plain_pkey')"
MEGABYTE = 1024 * 1024


def flat(bench):
    bench.journeys()
    # Before the plain table takes its part of the machine's memory.
    reading(bench)
    if len(bench.stitched) > 1:
        throughput(bench)
    bench.report.limit("worker's memory, private, at its peak", f"{bench.worker_bytes / MEGABYTE:,.0f} MB",
                       bench.worker_bytes / MEGABYTE, 200, "MB")
    bench.plain()
    ours = bench.server.one("journeys", OURS_BYTES) / bench.scale
    floor = bench.server.one("peers", PLAIN_BYTES) / bench.scale
    bench.report.row("bytes an event on disk, graph and indexes included", f"{ours:,.0f}",
                     "plain table with its index", f"{floor:,.0f}", ours / floor, most=2.5)


def throughput(bench):
    """Of chunks of equal size; a shorter last one would say little."""
    bench.plain()
    count = bench.chunks[0][1]
    whole = [(took, copied) for took, copied, chunk in zip(bench.stitched, bench.copied, bench.chunks)
             if chunk[1] == count]
    (first, first_copied), (last, last_copied) = whole[0], whole[-1]
    bench.report.row("the last million's throughput, all together", rate(count, last.seconds), "the first million's",
                     rate(count, first.seconds), first.seconds / last.seconds, least=0.8)
    bench.report.row("", cpu(count, last.cpu), "the first million's", cpu(count, first.cpu), first.cpu / last.cpu)
    bench.report.row("", "", "by COPY, the last against the first", number(first_copied.seconds / last_copied.seconds))


def reading(bench):
    """get_journey of a journey of 40 to 60 events, by the id of one of them; of both sizes in turn, so that a machine
    that is slower for a while is so for both."""
    server = bench.server
    server.create_database("small")
    bench.ingest_and_stitch("small", 0, SMALL_EVENTS, "--events", SMALL_EVENTS, "--users", SMALL_USERS)
    with Reader(server, "small") as small, Reader(server, "journeys") as great:
        small.warm_up()
        great.warm_up()
        for _ in range(ROUNDS):
            small.measure(CALLS // ROUNDS)
            great.measure(CALLS // ROUNDS)
    server.drop_database("small")
    small, great = sorted(small.milliseconds), sorted(great.milliseconds)
    p50, p99 = median(great), percentile(great, 0.99)
    bench.report.limit(f"get_journey of about 50 events, at {bench.scale:,} events, p99 of {len(great):,}", ms(p99),
                       p99, 2, "ms")
    bench.report.row("get_journey of about 50 events, p50", ms(p50), f"at {SMALL_EVENTS:,} events",
                     ms(median(small)), p50 / median(small), most=1.2)


class Reader:
    """A session that calls get_journey, a prepared statement, and fetches all rows."""

    def __init__(self, server, database):
        # Now, and not by autovacuum meanwhile.
        server.run(database, "VACUUM (ANALYZE)")
        ids = [event_id for (event_id,) in server.run(database, LOOKS.format(*MEASURED, CALLS))]
        measured = set(ids)
        looks = server.run(database, LOOKS.format(*WARM_UP, 100 * CALLS))
        self.others = [event_id for (event_id,) in looks if event_id not in measured]
        self.ids = itertools.cycle(ids)
        self.milliseconds = []
        self.connection = server.connect(database)
        self.session = self.connection.pgconn
        self.session.prepare(b"g", b"SELECT * FROM journey_stitch.get_journey($1)")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def warm_up(self):
        until = time.monotonic() + WARM_UP_SECONDS
        for event_id in itertools.cycle(self.others):
            self.read(event_id, WARM_UP)
            if time.monotonic() > until:
                break

    def measure(self, calls):
        self.milliseconds += [self.read(event_id, MEASURED) for event_id in itertools.islice(self.ids, calls)]

    def read(self, event_id, expected):
        """How long a call takes that answers with as many rows as are expected."""
        began = time.perf_counter()
        rows = self.session.exec_prepared(b"g", [event_id.encode()]).ntuples
        milliseconds = (time.perf_counter() - began) * 1000
        if not expected[0] <= rows <= expected[1]:
            raise RuntimeError(f"{rows} rows of the journey of {event_id}")
        return milliseconds
