"""Parts ingest and together: against COPY of the same events into a plain table with a unique text id, the floor."""

import server
from bench import CHUNK, CLIENTS, medians, sums
from report import cpu, rate

ROUNDS = 2


def ingest(bench):
    """ingest_events without stitching, and the floor, in turn."""
    count = min(bench.scale, CHUNK)
    halves = [(0, count // 2), (count // 2, count - count // 2)]
    one, two, ours = [], [], []
    with bench.events("copy", 0, count) as rows, bench.events("copy", *halves[0]) as left, \
            bench.events("copy", *halves[1]) as right, bench.events("calls", 0, count) as calls:
        for _ in range(ROUNDS):
            one.append(copy(bench, "plain", [rows]))
            two.append(copy(bench, "plain_of_two", [left, right]))
            bench.server.run("peers", "DROP TABLE plain_of_two")
            bench.server.create_database("ingest", "journey_stitch.enabled = off")
            bench.checkpoint()
            ours.append(bench.took(bench.server.load, "ingest", server.INGEST, calls, CLIENTS))
        check_ingested(bench, count)
    bench.server.drop_database("ingest")
    ours, one, two = medians(ours), medians(one), medians(two)
    bench.copied = [one]
    beside(bench, "ingest_events, calls of 1,000, two clients", count, ours, one, least=0.5)
    bench.report.row("", rate(count, ours.seconds), "COPY, two clients", rate(count, two.seconds),
                     two.seconds / ours.seconds)


def copy(bench, table, paths):
    bench.new_plain(table)
    bench.checkpoint()
    return bench.took(bench.server.copy, "peers", table, paths)


def beside(bench, what, count, ours, floor, least):
    """By the clock, which is what the target is of; and by the server's processor time, which other work on the
    machine leaves alone."""
    name = "COPY into a plain table, one client"
    bench.report.row(what, rate(count, ours.seconds), name, rate(count, floor.seconds),
                     floor.seconds / ours.seconds, least=least)
    bench.report.row("", cpu(count, ours.cpu), name, cpu(count, floor.cpu), floor.cpu / ours.cpu)


def check_ingested(bench, count):
    pending = bench.server.one("ingest", server.PENDING)
    if pending != count:
        bench.report.problem(f"{pending} of {count} events were ingested")


def together(bench):
    """Ingest, stitching, graph and rollups, both sides at work until the last event is stitched."""
    bench.plain()
    bench.journeys()
    beside(bench, "all together, ingest and stitching at the same time", bench.scale, sums(bench.stitched),
           sums(bench.copied), least=0.25)
    journeys, merges, keys = bench.server.run("journeys", """
        SELECT count(*) FILTER (WHERE merged_into IS NULL), count(*) FILTER (WHERE merged_into IS NOT NULL),
               max(key_count) FILTER (WHERE merged_into IS NULL)
        FROM journey_stitch.journeys""")[0]
    bench.report.notes.append(f"{journeys:,} journeys after {merges:,} merges; the biggest has {keys:,} keys")
    events = bench.server.one("journeys", "SELECT count(*) FROM journey_stitch.events")
    if events != bench.scale:
        bench.report.problem(f"{events} of {bench.scale} events are there")
