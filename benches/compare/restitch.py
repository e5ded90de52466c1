"""Part restitch: all journeys computed anew, against connected components of the same graph by others."""

import os
import time

import psycopg

from bench import CHUNK
from report import seconds_text

# What a restitch holds in memory limits how many events it can be measured with.
MOST_EVENTS = int(os.environ.get("RESTITCH_EVENTS", 10 * CHUNK))
# By hand it takes some minutes for ten million events.
MOST_BY_HAND = 2 * CHUNK
EDGES = """CREATE UNLOGGED TABLE {} AS
    SELECT row_number() OVER () AS id, start_id::text::bigint AS source, end_id::text::bigint AS target,
           1.0::double precision AS cost
    FROM journey_graph."HAS_KEY" """
PGROUTING = "SELECT count(DISTINCT component) FROM pgr_connectedComponents('SELECT * FROM bench.edges')"


def restitch(bench):
    events = min(bench.scale, MOST_EVENTS)
    database = "journeys" if events == bench.scale else "restitch"
    if database == "journeys":
        bench.journeys()
    else:
        bench.server.create_database(database)
        for first in range(0, events, CHUNK):
            bench.ingest_and_stitch(database, first, min(CHUNK, events - first))
    bench.server.run(database, "CREATE SCHEMA bench", EDGES.format("bench.edges"), "ANALYZE bench.edges")
    journeys = bench.server.one(database, "SELECT count(*) FROM journey_stitch.journeys WHERE merged_into IS NULL")

    what = f"restitch() of {events:,} events"
    ours = timed(bench, database, "SELECT * FROM journey_stitch.restitch()")[0]
    for name, peer in (("pgr_connectedComponents", by_pgrouting), ("connected components by iterated SQL", by_hand)):
        if peer is by_hand and events > MOST_BY_HAND:
            bench.report.row(what, seconds_text(ours), name, "not run at this size")
            continue
        try:
            took, components = peer(bench, database)
        except psycopg.Error as error:
            bench.report.row(what, seconds_text(ours), name, f"NOT MEASURED: {str(error).splitlines()[0]}")
            continue
        bench.report.row(what, seconds_text(ours), name, seconds_text(took), took / ours,
                         least=1 if peer is by_pgrouting else None)
        if components != journeys:
            bench.report.problem(f"{name} finds {components} components, and there are {journeys} journeys")
    bench.server.run(database, "DROP SCHEMA bench CASCADE")
    if database == "restitch":
        bench.server.drop_database(database)


def timed(bench, database, *statements):
    """Seconds, and the last statement's rows."""
    began = time.monotonic()
    rows = bench.server.run(database, *statements)
    return time.monotonic() - began, rows


def by_pgrouting(bench, database):
    bench.server.run(database, "SET client_min_messages = warning",
                     "CREATE EXTENSION IF NOT EXISTS pgrouting CASCADE")
    took, rows = timed(bench, database, PGROUTING)
    # What is measured afterwards is to be ours alone.
    bench.server.run(database, "DROP EXTENSION pgrouting, postgis")
    return took, rows[0][0]


def by_hand(bench, database):
    """Every key takes the least component of the keys of its events, until that changes nothing."""
    began = time.monotonic()
    with bench.server.connect(database) as connection:
        connection.execute("CREATE UNLOGGED TABLE bench.label AS "
                           "SELECT target AS key, target AS component FROM bench.edges GROUP BY target")
        changed = 1
        while changed:
            connection.execute("""CREATE UNLOGGED TABLE bench.next AS
                WITH least AS (SELECT e.source, min(l.component) AS component
                               FROM bench.edges e JOIN bench.label l ON l.key = e.target GROUP BY e.source)
                SELECT e.target AS key, min(m.component) AS component
                FROM bench.edges e JOIN least m USING (source) GROUP BY e.target""")
            changed = connection.execute("""SELECT count(*) FROM bench.next n JOIN bench.label l USING (key)
                                            WHERE n.component <> l.component""").fetchone()[0]
            connection.execute("DROP TABLE bench.label")
            connection.execute("ALTER TABLE bench.next RENAME TO label")
        components = connection.execute("SELECT count(DISTINCT component) FROM bench.label").fetchone()[0]
    return time.monotonic() - began, components
