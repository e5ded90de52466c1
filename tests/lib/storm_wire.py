"""A PostgreSQL session over a unix socket: the simple query protocol, and no more of it than the storm needs.

psql would do as well, but sixteen clients of a process each spend their time starting it, and an error's SQLSTATE and
whether the connection survived it are what the storm's ledger rests on.
"""

import socket
import struct


class Failure(Exception):
    """An error that the server sent, or (SQLSTATE 08006) a connection that broke without one."""

    def __init__(self, sqlstate, message, is_fatal):
        super().__init__(f"{sqlstate} {message}")
        self.sqlstate = sqlstate
        self.message = message
        # The connection is gone, so whether the server has committed what it was told last is unknown.
        self.is_fatal = is_fatal


class Session:
    """One connection, as a role that needs no password."""

    def __init__(self, directory, port, user, database, name, isolation="read committed", patience=180):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(patience)
        self.notices = []
        try:
            self.socket.connect(f"{directory}/.s.PGSQL.{port}")
            self.input = self.socket.makefile("rb")
            options = {"user": user, "database": database, "application_name": name, "client_encoding": "UTF8",
                       "default_transaction_isolation": isolation}
            pairs = b"".join(text.encode() + b"\0" for pair in options.items() for text in pair)
            self.socket.sendall(struct.pack("!ii", len(pairs) + 9, 196608) + pairs + b"\0")
            self._answer()
        except OSError as error:
            self.close()
            raise Failure("08006", str(error), True) from error
        except Failure:
            self.close()
            raise

    def query(self, text):
        """The rows of the last statement, each a list of texts and Nones."""
        message = text.encode() + b"\0"
        try:
            self.socket.sendall(b"Q" + struct.pack("!i", len(message) + 4) + message)
            return self._answer()
        except TimeoutError as error:
            self.close()
            raise Failure("hung", f"no answer to {text[:200]}", True) from error
        except OSError as error:
            self.close()
            raise Failure("08006", str(error), True) from error

    def one(self, text):
        """The only value of the only row."""
        return self.query(text)[0][0]

    def close(self):
        """Ends the session without a word, which the server takes as it takes a client that died."""
        self.socket.close()

    def _answer(self):
        rows, failure = [], None
        while True:
            kind, body = self._message()
            if kind == b"D":
                rows.append(_fields(body))
            elif kind == b"T":
                rows = []
            elif kind == b"E":
                fields = _error(body)
                failure = Failure(fields["C"], fields["M"], fields["V"] != "ERROR")
                if failure.is_fatal:
                    self.close()
                    raise failure
            elif kind == b"N":
                self.notices.append(_error(body)["M"])
            elif kind == b"R" and body != b"\0\0\0\0":
                raise Failure("28000", "the server wants a password", True)
            elif kind == b"Z":
                if failure:
                    raise failure
                return rows

    def _message(self):
        head = self.input.read(5)
        if len(head) == 5:
            size = struct.unpack("!i", head[1:])[0] - 4
            body = self.input.read(size)
            if len(body) == size:
                return head[:1], body
        self.close()
        raise Failure("08006", "the server closed the connection", True)


def _fields(body):
    values, position = [], 2
    for _ in range(struct.unpack("!h", body[:2])[0]):
        size = struct.unpack("!i", body[position:position + 4])[0]
        position += 4
        if size < 0:
            values.append(None)
        else:
            values.append(body[position:position + size].decode())
            position += size
    return values


def _error(body):
    return {field[:1].decode(): field[1:].decode(errors="replace") for field in body.split(b"\0") if field}


def literal(value):
    """The value as an SQL literal."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return "'" + value.replace("'", "''") + "'"
