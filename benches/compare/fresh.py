"""Part fresh: from an event's commit until it is visible in its journey, while 20,000 others come a second."""

import json
import threading
import time

import server
from bench import CLIENTS, median, percentile
from report import ms, rate

RATE = 20_000
PER_CALL = 200
SECONDS = 40
PROBERS = 4
# Between two probes of a prober.
PAUSE_SECONDS = 0.06


def fresh(bench):
    bench.journeys()
    with bench.events("calls", bench.scale, RATE * SECONDS, "--per-call", PER_CALL) as path:
        began = time.monotonic()
        offering = bench.server.start_load("journeys", server.INGEST, path, CLIENTS, rate=RATE / PER_CALL)
        probes = probe(bench, offering)
        done = bench.server.finish_load(offering)
        bench.server.wait_stitched("journeys")
        stitched = time.monotonic() - began
    sent = done["lines"] * PER_CALL
    bench.report.limit(f"from commit to visible, at {RATE:,} events/s, p99 of {len(probes):,} probes",
                       ms(percentile(probes, 0.99)), percentile(probes, 0.99), 250, "ms")
    bench.report.row("from commit to visible, p50", ms(median(probes)))
    bench.report.row("ingested meanwhile, and stitched", f"{rate(sent, done['seconds'])}, {rate(sent, stitched)}",
                     "a call came at most so late", ms(done["late_ms"]))


def probe(bench, offering):
    """Milliseconds of each probe, sorted."""
    times, failures = [], []

    def run(prober):
        try:
            with bench.server.connect("journeys") as connection:
                nth = 0
                while offering.poll() is None:
                    nth += 1
                    times.append(visible_after(connection, f"probe-{prober}-{nth}", now_of_stream) * 1000)
                    time.sleep(PAUSE_SECONDS)
        except Exception as failure:  # pylint: disable=broad-except # a thread's
            failures.append(failure)

    now_of_stream = bench.server.one("journeys", "SELECT max(occurred_at)::text FROM journey_stitch.events")
    probers = [threading.Thread(target=run, args=(prober,)) for prober in range(PROBERS)]
    for prober in probers:
        prober.start()
    for prober in probers:
        prober.join()
    if failures:
        raise failures[0]
    return sorted(times)


def visible_after(connection, event_id, occurred_at):
    """Seconds from the commit of an event of one of the stream's users until it has a journey."""
    event = {"event_id": event_id, "event_type": "page_view", "ts": occurred_at, "user_id": "user-" + event_id[-1],
             "session_id": event_id, "device_id": "of-" + event_id, "source": "web"}
    connection.execute("SELECT FROM journey_stitch.ingest_events(%s)", (json.dumps(event),))
    committed = time.monotonic()
    while connection.execute("SELECT journey_stitch.journey_of(%s)", (event_id,)).fetchone()[0] is None:
        # Finely enough, and without being much of a load.
        time.sleep(max(0.004, (time.monotonic() - committed) / 10))
    return time.monotonic() - committed
