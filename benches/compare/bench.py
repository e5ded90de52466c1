"""What the parts share: the scale, the server, the table, and what is loaded once."""

import collections
import contextlib
import statistics
import time

import processes
import server
from report import rate

# Events of a load that is timed in one piece.
CHUNK = 1_000_000
PER_CALL = 1000
CLIENTS = 2
# The clients wait while more events than this do.
MOST_PENDING = 50_000


Took = collections.namedtuple("Took", "seconds cpu")


class Bench:
    def __init__(self, scale, srv, report):
        self.scale = scale
        self.server = srv
        self.report = report
        self.chunks = [(first, min(CHUNK, scale - first)) for first in range(0, scale, CHUNK)]
        # What each chunk took: COPY into the plain table; everything of ours.
        self.copied = []
        self.stitched = []
        self.worker_bytes = 0

    @contextlib.contextmanager
    def events(self, format_, first, count, *options):
        """A file of the stream's events, for as long as it is needed."""
        path = self.server.generate(f"{format_}-{first}-{count}", "--events", self.scale, "--first", first,
                                    "--count", count, "--format", format_, "--per-call", PER_CALL, *options)
        try:
            yield path
        finally:
            path.unlink()

    def new_plain(self, table):
        """An empty plain table in the peers' database."""
        if not self.server.one("postgres", "SELECT count(*) FROM pg_database WHERE datname = 'peers'"):
            self.server.create_database("peers", extension=False)
        self.server.run("peers", f"DROP TABLE IF EXISTS {table}", server.PLAIN_TABLE.format(table))

    def plain(self):
        """Has all events in the plain table, by COPY from one client."""
        if not self.copied:
            self.new_plain("plain")
            self.checkpoint()
        for first, count in self.chunks[len(self.copied):]:
            with self.events("copy", first, count) as path:
                self.copied.append(self.took(self.server.copy, "peers", "plain", [path]))

    def journeys(self):
        """Has all events ingested and stitched, both at the same time, in the database journeys."""
        if self.stitched:
            return
        self.report.progress("together: two clients and the worker")
        self.server.create_database("journeys")
        self.checkpoint()
        with processes.Watch(self.server, "journeys") as watch:
            for first, count in self.chunks:
                self.stitched.append(self.ingest_and_stitch("journeys", first, count))
                self.report.progress(f"  events up to {first + count:,}: {rate(count, self.stitched[-1].seconds)}")
        self.worker_bytes = watch.peak_private
        self.server.run("journeys", "ANALYZE")

    def ingest_and_stitch(self, database, first, count, *options):
        """What it takes from the first call until the last event is stitched."""
        def work(path):
            self.server.load(database, server.INGEST, path, CLIENTS, brake=server.PENDING, brake_at=MOST_PENDING)
            self.server.wait_stitched(database)

        with self.events("calls", first, count, *options) as path:
            return self.took(work, path)

    def checkpoint(self):
        """What is measured next is not to write what was there before. Between the chunks of a load there is none but
        those that the settings give: each has the next million copy every page that it touches into the log."""
        self.server.run("postgres", "CHECKPOINT")

    @staticmethod
    def took(work, *args):
        """What the work takes."""
        cpu, began = processes.cpu_seconds(), time.monotonic()
        work(*args)
        return Took(time.monotonic() - began, processes.cpu_seconds() - cpu)


def median(values):
    return statistics.median(values)


def medians(several):
    """Of what several runs took."""
    return Took(median([took.seconds for took in several]), median([took.cpu for took in several]))


def sums(several):
    return Took(sum(took.seconds for took in several), sum(took.cpu for took in several))


def percentile(values, share):
    """Of sorted values."""
    return values[min(len(values) - 1, int(len(values) * share))]
