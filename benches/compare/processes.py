"""What the server's processes take: processor time, and a worker's memory."""

import os
import pathlib
import threading

LOOK_SECONDS = 0.1
TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")


def cpu_seconds():
    """Of all of the server's processes since it was started, those that have ended included."""
    postmaster = os.environ["POSTMASTER_PID"]
    seconds = 0
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            # What is before it is the process's name, which may have spaces and parentheses.
            fields = (process / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        user, system, user_of_ended, system_of_ended = map(int, fields[11:15])
        if process.name == postmaster:
            seconds += user + system + user_of_ended + system_of_ended
        elif fields[1] == postmaster:
            seconds += user + system
    return seconds * TICK_SECONDS


class Watch:
    """Looks at the workers of a database again and again. Shared buffers do not count: they are not the worker's."""

    def __init__(self, server, database):
        self.server = server
        self.database = database
        self.peak_private = 0
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._watch)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join()

    def _watch(self):
        with self.server.connect("postgres") as connection:
            while not self.is_over.wait(LOOK_SECONDS):
                pids = connection.execute("SELECT pid FROM pg_stat_activity WHERE datname = %s AND backend_type = %s",
                                          (self.database, "journey_stitch worker")).fetchall()
                for (pid,) in pids:
                    self.peak_private = max(self.peak_private, private_bytes(pid))


def private_bytes(pid):
    """0 if the process is gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("RssAnon:"):
                    return int(line.split()[1]) * 1024
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0
