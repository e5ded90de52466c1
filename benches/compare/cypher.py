"""Part cypher: a journey stitcher that keeps events in the graph, by Cypher, and finds journeys in a Python client.

As such systems are built: events and their correlations are written by UNWIND and MERGE, a thousand events at a time,
and stitched five thousand at a time, by union-find in the client over what Cypher answers. The journey that was created
first survives.
"""

import json
import os
import time

import server
from bench import CLIENTS
from report import rate

EVENTS = int(os.environ.get("CYPHER_EVENTS", 25_000))
INGEST_BATCH = 1000
STITCH_BATCH = 5000
GRAPH = "journeys_by_cypher"
# A MERGE does not see what the same statement has just made, so each key is in it once.
FIND_KEYS = "UNWIND $rows AS r WITH DISTINCT r[1] AS found MERGE (:Correlation {id: found})"
LINK_EVENTS = """UNWIND $rows AS r MATCH (e:Event {id: r[0]}), (c:Correlation {id: r[1]})
    MERGE (e)-[:HAS_KEY]->(c)"""
LINK_JOURNEYS = """UNWIND $rows AS r MATCH (c:Correlation {id: r[0]}), (j:Journey {id: r[1]})
    MERGE (c)-[:PART_OF]->(j)"""
KINDS = ("user_id", "session_id", "device_id", "anonymous_id")


class Graph:
    """Cypher on a graph with the indexes that each query is helped by."""

    def __init__(self, connection):
        self.connection = connection
        connection.execute("CREATE EXTENSION IF NOT EXISTS age")
        connection.execute("LOAD 'age'")
        connection.execute("SET search_path = ag_catalog, public")
        # All is look-ups by key in tables that have just been filled, of which the planner knows nothing yet.
        for setting in ("jit", "enable_seqscan", "enable_hashjoin", "enable_mergejoin"):
            connection.execute(f"SET {setting} = off")
        connection.execute("SELECT create_graph(%s)", (GRAPH,))
        for label in ("Event", "Correlation", "Journey"):
            connection.execute("SELECT create_vlabel(%s, %s)", (GRAPH, label))
            table = f'{GRAPH}."{label}"'
            connection.execute(f"CREATE UNIQUE INDEX ON {table} (id)")
            # With a list of pending entries each look-up would read that list.
            connection.execute(f"CREATE INDEX ON {table} USING gin (properties) WITH (fastupdate = off)")
            for name in ("id", "status") if label == "Event" else ("id",):
                connection.execute(f"CREATE INDEX ON {table} (agtype_access_operator("
                                   f"VARIADIC ARRAY[properties, '\"{name}\"'::agtype]))")
        for label in ("HAS_KEY", "PART_OF"):
            connection.execute("SELECT create_elabel(%s, %s)", (GRAPH, label))
            for end in ("start_id", "end_id"):
                connection.execute(f'CREATE INDEX ON {GRAPH}."{label}" ({end})')

    def cypher(self, query, columns=("none",), rows=None):
        """The query's rows, as Python's values. It finds what is in rows by UNWIND $rows."""
        types = ", ".join(f"{column} agtype" for column in columns)
        parameter = "" if rows is None else ", %s"
        cursor = self.connection.execute(
            f"SELECT * FROM cypher('{GRAPH}', $q${query}$q${parameter}) AS ({types})",
            None if rows is None else (json.dumps({"rows": rows}),))
        return [tuple(json.loads(value) for value in row) for row in cursor.fetchall()]


def ingest(graph, events):
    """The events of a batch, then what they have in common with others."""
    for first in range(0, len(events), INGEST_BATCH):
        batch = events[first:first + INGEST_BATCH]
        graph.cypher("""UNWIND $rows AS r
            CREATE (:Event {id: r.id, status: 'NEW', timestamp: r.timestamp, type: r.type, data: r.data})""",
                     rows=[{"id": event["event_id"], "timestamp": event["ts"], "type": event["event_type"],
                            "data": event["properties"]} for event in batch])
        pairs = [(event["event_id"], key) for event in batch for key in keys_of(event)]
        graph.cypher(FIND_KEYS, rows=pairs)
        graph.cypher(LINK_EVENTS, rows=pairs)


def keys_of(event):
    return [f"{kind}:{event[kind]}" for kind in KINDS if kind in event]


def stitch(graph, order):
    """Until no event is new."""
    while True:
        new = graph.cypher(f"""MATCH (e:Event) WHERE e.status = 'NEW' WITH e LIMIT {STITCH_BATCH}
            MATCH (e)-[:HAS_KEY]->(c:Correlation) RETURN e.id, c.id""", ("event", "key"))
        if not new:
            return
        stitch_batch(graph, new, order)


def stitch_batch(graph, new, order):
    parents = {}
    for event, key in new:
        parents[root(parents, event)] = root(parents, key)
    keys = sorted({key for _, key in new})
    linked = graph.cypher("""UNWIND $rows AS r MATCH (c:Correlation)-[:PART_OF]->(j:Journey) WHERE c.id = r
        RETURN r, j.id, j.created_at""", ("key", "journey", "created_at"), keys)
    created = {journey: at for _, journey, at in linked}
    for key, journey, _ in linked:
        parents[root(parents, key)] = root(parents, journey)
    groups = {}
    for journey in created:
        groups.setdefault(root(parents, journey), []).append(journey)
    survivors, made, absorbed = {}, [], []
    for group in {root(parents, key) for key in keys}:
        oldest, *others = sorted(groups.get(group, []), key=lambda journey: (created[journey], journey)) or [None]
        if oldest is None:
            oldest = f"journey-{next(order)}"
            made.append({"id": oldest, "created_at": time.time()})
        survivors[group] = oldest
        absorbed += [(other, oldest) for other in others]
    has_journey = {key for key, _, _ in linked}
    parts = [(key, survivors[root(parents, key)]) for key in keys if key not in has_journey]
    write(graph, made, absorbed, parts, sorted({event for event, _ in new}))


def write(graph, made, absorbed, parts, events):
    if made:
        graph.cypher("UNWIND $rows AS r CREATE (:Journey {id: r.id, created_at: r.created_at})", rows=made)
    for other, oldest in absorbed:
        moved = [key for (key,) in graph.cypher("""UNWIND $rows AS r
            MATCH (c:Correlation)-[p:PART_OF]->(j:Journey) WHERE j.id = r DELETE p RETURN c.id""", ("key",), [other])]
        parts += [(key, oldest) for key in moved]
        graph.cypher("UNWIND $rows AS r MATCH (j:Journey) WHERE j.id = r DELETE j", rows=[other])
    graph.cypher(LINK_JOURNEYS, rows=parts)
    graph.cypher("UNWIND $rows AS r MATCH (e:Event) WHERE e.id = r SET e.status = 'PROCESSED'", rows=events)


def root(parents, member):
    """Of its set, with the way to it halved."""
    parents.setdefault(member, member)
    while parents[member] != member:
        parents[member] = parents[parents[member]]
        member = parents[member]
    return member


def cypher(bench):
    """Both do it with the same events, and one after the other: first all are ingested, then all stitched."""
    stream = ("--events", EVENTS, "--users", max(EVENTS // 100, 1))
    ours_ingested, ours_stitched, journeys = by_us(bench, stream)
    with bench.events("ndjson", 0, EVENTS, *stream) as path:
        events = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    ingested, stitched, found = by_cypher(bench, events)
    for what, ours, theirs in (("ingest_events", ours_ingested, ingested),
                               ("stitching alone", ours_stitched, stitched)):
        bench.report.row(f"{what}, {EVENTS:,} events", rate(EVENTS, ours), "Cypher's MERGE from a Python client",
                         rate(EVENTS, theirs), theirs / ours)
    if found != journeys:
        bench.report.problem(f"Cypher finds {found} journeys, and there are {journeys}")


def by_cypher(bench, events):
    """Seconds of ingest, of stitching, and the number of journeys."""
    bench.server.create_database("by_cypher", extension=False)
    with bench.server.connect("by_cypher") as connection:
        graph = Graph(connection)
        bench.checkpoint()
        ingested = bench.took(ingest, graph, events)
        stitched = bench.took(stitch, graph, iter(range(len(events))))
        found = graph.cypher("MATCH (j:Journey) RETURN count(j)", ("n",))[0][0]
    bench.server.drop_database("by_cypher")
    return ingested.seconds, stitched.seconds, found


def by_us(bench, stream):
    """The same of ours."""
    bench.server.create_database("ours", "journey_stitch.enabled = off")
    with bench.events("calls", 0, EVENTS, *stream) as calls:
        bench.checkpoint()
        ingested = bench.took(bench.server.load, "ours", server.INGEST, calls, CLIENTS)
    stitched = bench.took(stitch_all, bench)
    journeys = bench.server.one("ours", "SELECT count(*) FROM journey_stitch.journeys WHERE merged_into IS NULL")
    bench.server.drop_database("ours")
    return ingested.seconds, stitched.seconds, journeys


def stitch_all(bench):
    with bench.server.connect("ours") as connection:
        while connection.execute("SELECT events FROM journey_stitch.stitch_pending()").fetchone()[0]:
            pass
