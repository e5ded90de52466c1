"""Part sql: analytics against GROUP BY over the plain table, and against DuckDB with the same events in a file."""

import statistics
import time

from report import ms, number, rate, seconds_text

try:
    import duckdb
except ImportError:
    duckdb = None

RUNS = 5
# A question that takes long is asked less often.
SECONDS_A_QUESTION = 15

DAU = """SELECT {day} AS day, count(DISTINCT user_id) AS active_users FROM plain
    WHERE occurred_at >= '2026-03-02' AND occurred_at < '2026-04-01' GROUP BY 1 ORDER BY 1"""
TOP_EVENTS = """SELECT event_type, count(*) AS events, count(DISTINCT user_id) AS users FROM plain
    WHERE occurred_at >= '2026-03-02' AND occurred_at < '2026-04-01' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10"""
RETENTION = """WITH active AS (
        SELECT DISTINCT ({day} - date '2026-01-05') {divided_by} 7 AS week, user_id FROM plain
        WHERE user_id IS NOT NULL AND occurred_at >= '2026-01-05' AND occurred_at < '2026-03-30'),
    cohort AS (SELECT user_id FROM active WHERE week = 0)
    SELECT a.week, (SELECT count(*) FROM cohort), count(*) FROM active a JOIN cohort c USING (user_id)
    GROUP BY 1 ORDER BY 1"""
FUNNEL = """WITH one AS (
        SELECT user_id, min(occurred_at) AS at FROM plain
        WHERE event_type = 'view_item' AND user_id IS NOT NULL
          AND occurred_at >= '2026-03-02' AND occurred_at < '2026-04-01' GROUP BY 1),
    two AS (
        SELECT o.user_id, o.at AS opened, min(e.occurred_at) AS at FROM one o JOIN plain e USING (user_id)
        WHERE e.event_type = 'add_to_cart' AND e.occurred_at > o.at AND e.occurred_at >= '2026-03-02'
          AND e.occurred_at <= o.at + interval '14 days' GROUP BY 1, 2),
    three AS (
        SELECT DISTINCT t.user_id FROM two t JOIN plain e USING (user_id)
        WHERE e.event_type = 'purchase' AND e.occurred_at > t.at AND e.occurred_at >= '2026-03-02'
          AND e.occurred_at <= t.opened + interval '14 days')
    SELECT 1, count(*) FROM one UNION ALL SELECT 2, count(*) FROM two UNION ALL SELECT 3, count(*) FROM three
    ORDER BY 1"""

# The same day and whole division, as each of the two writes them. Both have UTC as time zone.
POSTGRES = {"day": "occurred_at::date", "divided_by": "/"}
DUCKDB = {"day": "CAST(occurred_at AS date)", "divided_by": "//"}

QUESTIONS = (
    ("dau, 30 days", "SELECT day, active_users FROM journey_stitch.dau('2026-03-02', '2026-03-31')", DAU),
    ("top_events, 30 days",
     "SELECT event_type, events, users FROM journey_stitch.top_events('2026-03-02', '2026-03-31')", TOP_EVENTS),
    ("retention, 11 weeks",
     "SELECT window_no, cohort_size, retained_users FROM journey_stitch.retention('2026-01-05', 11)", RETENTION),
    ("funnel of three steps, 30 days",
     "SELECT step_no, users FROM journey_stitch.funnel('{view_item,add_to_cart,purchase}'::text[], "
     "'2026-03-02', '2026-03-31')", FUNNEL),
)


def sql(bench):
    bench.journeys()
    bench.plain()
    bench.server.run("peers", "CREATE INDEX IF NOT EXISTS plain_occurred_at ON plain USING brin (occurred_at)",
                     "ANALYZE plain")
    duck = load_duckdb(bench) if duckdb else None
    with bench.server.connect("journeys") as ours, bench.server.connect("peers") as peers:
        for name, question, peer in QUESTIONS:
            took, answer = ask(ours, question)
            others = [("plain SQL over the plain table", ask(peers, peer.format_map(POSTGRES)))]
            if duck:
                others.append((f"DuckDB {duckdb.__version__}", ask(duck, peer.format_map(DUCKDB))))
            else:
                bench.report.row(name, ms(took), "DuckDB", "NOT MEASURED: it could not be installed")
            for who, (peer_took, peer_answer) in others:
                bench.report.row(name, ms(took), who, ms(peer_took), peer_took / took)
                if peer_answer != answer:
                    bench.report.problem(f"{name}: {who} answers {peer_answer}, and ours is {answer}")
    if duck:
        duck.close()


def ask(connection, question):
    """The median of milliseconds of several runs, after one for the caches; and the answer, as texts."""
    times = []
    began = time.monotonic()
    while len(times) < RUNS + 1 and (len(times) < 2 or time.monotonic() - began < SECONDS_A_QUESTION):
        asked = time.perf_counter()
        rows = connection.execute(question).fetchall()
        times.append((time.perf_counter() - asked) * 1000)
    return statistics.median(times[1:]), [tuple(map(str, row)) for row in rows]


def load_duckdb(bench):
    path = bench.server.scratch / "events.duckdb"
    duck = duckdb.connect(str(path))
    duck.execute("SET TimeZone = 'UTC'")
    duck.execute("""CREATE TABLE plain (event_id text, event_type text, occurred_at timestamptz, user_id text,
        session_id text, device_id text, anonymous_id text, source text, ip text, user_agent text, properties text)""")
    took = 0
    for first, count in bench.chunks:
        with bench.events("copy", first, count) as rows:
            began = time.monotonic()
            duck.execute(rf"COPY plain FROM '{rows}' (DELIMITER '\t', HEADER false, NULLSTR '\N', QUOTE '', ESCAPE '')")
            took += time.monotonic() - began
    duck.execute("CHECKPOINT")
    bench.report.row("", "", "DuckDB's load; bytes an event",
                     f"{rate(bench.scale, took)}; {number(path.stat().st_size / bench.scale)}")
    return duck


def verify(bench):
    """Everything recomputed from the events."""
    bench.journeys()
    began = time.monotonic()
    rows = bench.server.run("journeys", "SELECT invariant, violations FROM journey_stitch.verify()")
    took = time.monotonic() - began
    violations = sum(count for _, count in rows)
    bench.report.row(f"verify(): violations of {len(rows)} invariants", str(violations), "it takes", seconds_text(took))
    for invariant, count in rows:
        if count:
            bench.report.problem(f"{count} violations of {invariant}")
