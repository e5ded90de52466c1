"""How much memory a worker takes of its own."""

import threading

LOOK_SECONDS = 0.1


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
