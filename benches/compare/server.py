"""The cluster that is measured, and what gives it work: the generator, the clients, psql."""

import json
import os
import pathlib
import subprocess
import time

import psycopg

INGEST = "SELECT * FROM journey_stitch.ingest_events($1)"
PENDING = "SELECT COALESCE(sum(events), 0) FROM journey_stitch.pending"
# The columns are in the order in which the generator prints them.
PLAIN_TABLE = """CREATE TABLE {} (event_id text PRIMARY KEY, event_type text NOT NULL, occurred_at timestamptz NOT NULL,
    user_id text, session_id text, device_id text, anonymous_id text, source text, ip inet, user_agent text,
    properties jsonb)"""
PLAIN_COLUMNS = 11


class Server:
    """Its socket is where the environment says (tests/lib/cluster.sh)."""

    def __init__(self, tools, scratch):
        self.socket = f"{os.environ['PGHOST']}/.s.PGSQL.{os.environ['PGPORT']}"
        self.psql = os.environ["PSQL"]
        self.tools = pathlib.Path(tools)
        self.scratch = pathlib.Path(scratch)

    @staticmethod
    def connect(database):
        return psycopg.connect(dbname=database, autocommit=True)

    def run(self, database, *statements):
        """The rows of the last statement."""
        with self.connect(database) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def one(self, database, statement):
        """The only value of the only row."""
        return self.run(database, statement)[0][0]

    def create_database(self, name, *settings, extension=True):
        self.run("postgres", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name}",
                 *(f"ALTER DATABASE {name} SET {setting}" for setting in settings))
        if extension:
            self.run(name, "SET client_min_messages = warning", "CREATE EXTENSION journey_stitch CASCADE",
                     "SELECT journey_stitch.setup()")

    def drop_database(self, name):
        self.run("postgres", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def generate(self, name, *options):
        """A file of events; the caller removes it."""
        path = self.scratch / name
        with path.open("wb") as output:
            subprocess.run([self.tools / "generate", *map(str, options)], stdout=output, check=True)
        return path

    def start_load(self, database, statement, path, clients, **options):
        command = [self.tools / "load", "--socket", self.socket, "--database", database, "--statement", statement,
                   "--input", path, "--clients", str(clients)]
        for name, value in options.items():
            command += ["--" + name.replace("_", "-"), str(value)]
        return subprocess.Popen(command, stdout=subprocess.PIPE)

    @staticmethod
    def finish_load(process):
        report, _ = process.communicate()
        if process.returncode:
            raise RuntimeError(f"the clients ended with status {process.returncode}")
        return json.loads(report)

    def load(self, *args, **options):
        """One execution of the statement for each line; the clients' report."""
        return self.finish_load(self.start_load(*args, **options))

    def copy(self, database, table, paths):
        """COPY from the files, a client each, all at once."""
        clients = [subprocess.Popen([self.psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", database,
                                     "-c", rf"\copy {table} FROM '{path}'"]) for path in paths]
        if any([client.wait() for client in clients]):
            raise RuntimeError("COPY failed")

    def wait_stitched(self, database):
        """Until nothing waits any more."""
        with self.connect(database) as connection:
            while connection.execute(PENDING).fetchone()[0]:
                time.sleep(0.02)
