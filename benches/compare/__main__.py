"""Ours beside what people would use instead, measured in the same run on the same rows (benches/compare.sh).

    compare EVENTS TOOLS SCRATCH     environment: PARTS (all), PGHOST, PGPORT, PGUSER, PSQL, POSTMASTER_PID
"""

import datetime
import os
import pathlib
import platform
import sys
import traceback

sys.dont_write_bytecode = True  # no __pycache__ in the checkout
from bench import Bench  # noqa: E402
from cypher import cypher  # noqa: E402
from flat import flat  # noqa: E402
from fresh import fresh  # noqa: E402
from ingest import ingest, together  # noqa: E402
from questions import sql, verify  # noqa: E402
from report import Report  # noqa: E402
from restitch import restitch  # noqa: E402
from server import Server  # noqa: E402
from single import single  # noqa: E402

# In this order: sql compares before fresh adds events, and verify comes after everything.
PARTS = {part.__name__: part for part in (ingest, together, single, restitch, cypher, sql, flat, fresh, verify)}
EXTENSIONS = ("journey_stitch", "age", "pgrouting")
SETTINGS = ("fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "huge_pages_status",
            "max_wal_size", "checkpoint_timeout",
            "work_mem", "maintenance_work_mem", "effective_cache_size", "autovacuum_naptime", "jit",
            "max_parallel_workers_per_gather", "journey_stitch.batch_size")


def notes(server):
    """The machine, the versions and the settings."""
    with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
        models = sorted({line.split(":")[1].strip() for line in cpuinfo if line.startswith("model name")})
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    available = dict(server.run("postgres", "SELECT name, default_version FROM pg_available_extensions"))
    settings = (f"{name} = {server.one('postgres', f'SHOW {name}')}" for name in SETTINGS)
    return [
        f"{datetime.date.today()}, {os.cpu_count()} cores ({', '.join(models) or platform.machine()}), "
        f"{memory:.0f} GB of memory; load average before: {load}",
        f"PostgreSQL {server.one('postgres', 'SHOW server_version')}, "
        + ", ".join(f"{name} {available.get(name, 'not installed')}" for name in EXTENSIONS),
        ", ".join(settings),
        "ratio: how many times as fast as theirs ours is; where the target is ≤, how many times as much",
        "single events: INSERT is sent by the same client as ingest_events, one prepared statement a transaction",
    ]


def main():
    scale, tools, scratch = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    chosen = os.environ.get("PARTS", "").split() or list(PARTS)
    unknown = [name for name in chosen if name not in PARTS]
    if unknown:
        sys.exit(f"no such part: {' '.join(unknown)}; there are {' '.join(PARTS)}")
    server = Server(tools, scratch)
    # What a choice of parts finds is not what the README quotes.
    directory = pathlib.Path("benches/results") if set(chosen) == set(PARTS) else pathlib.Path(tools)
    report = Report(directory / f"{scale}.md", f"{scale:,} events, three keys each", notes(server))
    for note in report.notes:
        report.progress(note)
    bench = Bench(scale, server, report)
    for name, part in PARTS.items():
        if name in chosen:
            report.progress(f"== {name}")
            try:
                part(bench)
            except Exception as error:  # pylint: disable=broad-except # the other parts can be measured still
                traceback.print_exc()
                report.problem(f"{name} ended with an error: {error}")
            report.save()
    print(report.save())
    sys.exit(1 if report.problems else 0)


main()
