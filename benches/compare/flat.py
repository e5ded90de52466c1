"""Part flat: what must not grow with the number of events."""

import time

from bench import median, percentile
from report import cpu, ms, number, rate

SMALL_EVENTS = 100_000
# So many users that some hundreds of journeys have about fifty events.
SMALL_USERS = 2000
CALLS = 2000
LOOKS = """SELECT e.event_id FROM journey_stitch.journeys j JOIN journey_stitch.events e ON e.id = j.founder_id
    WHERE j.merged_into IS NULL AND j.event_count BETWEEN 40 AND 60 ORDER BY md5(e.event_id) LIMIT {}"""
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
    """get_journey of a journey of 40 to 60 events, by the id of one of them."""
    server = bench.server
    server.create_database("small")
    bench.ingest_and_stitch("small", 0, SMALL_EVENTS, "--events", SMALL_EVENTS, "--users", SMALL_USERS)
    server.run("small", "ANALYZE")
    small = get_journeys(server, "small")
    server.drop_database("small")
    great = get_journeys(server, "journeys")
    p50, p99 = median(great), percentile(great, 0.99)
    bench.report.limit(f"get_journey of about 50 events, at {bench.scale:,} events, p99 of {len(great):,}", ms(p99),
                       p99, 2, "ms")
    bench.report.row("get_journey of about 50 events, p50", ms(p50), f"at {SMALL_EVENTS:,} events",
                     ms(median(small)), p50 / median(small), most=1.2)


def get_journeys(server, database):
    """Milliseconds of each call, sorted: a prepared statement in one session, all rows fetched."""
    ids = [event_id for (event_id,) in server.run(database, LOOKS.format(CALLS))]
    times = []
    with server.connect(database) as connection:
        session = connection.pgconn
        session.prepare(b"g", b"SELECT * FROM journey_stitch.get_journey($1)")
        # The first calls of a session plan.
        for event_id in [*ids[-10:], *(ids * (CALLS // len(ids) + 1))[:CALLS]]:
            began = time.perf_counter()
            rows = session.exec_prepared(b"g", [event_id.encode()]).ntuples
            times.append((time.perf_counter() - began) * 1000)
            if not 40 <= rows <= 60:
                raise RuntimeError(f"{rows} rows of the journey of {event_id}")
    return sorted(times[10:])
