"""The table: each line of ours beside its peer, with the ratio and, where there is one, the target."""

import datetime
import os
import sys

HEADER = ("what", "ours", "beside", "theirs", "ratio", "target", "")


class Report:
    def __init__(self, path, title, notes):
        self.path = path
        self.title = title
        self.notes = notes
        self.rows = []
        self.problems = []
        self.began = datetime.datetime.now()

    def progress(self, text):
        took = (datetime.datetime.now() - self.began).total_seconds()
        print(f"{took:6.0f} s  {text}", file=sys.stderr, flush=True)

    def row(self, what, ours, beside="", theirs="", ratio=None, least=None, most=None):
        """The ratio is held against the target: at least, below, or neither."""
        target = "" if least is None and most is None else f"≥ {least:g}" if most is None else f"≤ {most:g}"
        verdict = "" if not target or ratio is None else \
            "met" if (ratio >= least if most is None else ratio <= most) else "missed"
        self.add(what, ours, beside, theirs, "" if ratio is None else number(ratio), target, verdict)

    def limit(self, what, ours, value, most, unit):
        """A figure that is held against the target itself."""
        self.add(what, ours, "", "", "", f"< {most:g} {unit}", "met" if value < most else "missed")

    def add(self, *cells):
        self.rows.append(cells)
        self.progress("  ".join(cell for cell in cells if cell))

    def problem(self, text):
        """What must not be: the run fails."""
        self.problems.append(text)
        self.progress("WRONG: " + text)

    def save(self):
        """Writes the file, and answers what is in it."""
        text = "\n".join([f"# {self.title}", "", *(f"- {note}" for note in self.notes), "", *self._table(), "",
                          *(f"**Wrong: {problem}**" for problem in self.problems)]).rstrip() + "\n"
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text)
        return text

    def _table(self):
        cells = [HEADER, *self.rows]
        widths = [max(len(row[column]) for row in cells) for column in range(len(HEADER))]
        lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in cells]
        return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]


def number(value):
    """Three digits that say something."""
    if value == 0:
        return "0"
    for digits, least in ((0, 100), (1, 10), (2, 0.1), (3, 0.01)):
        if abs(value) >= least:
            return f"{value:,.{digits}f}"
    return f"{value:.2g}"


def rate(events, seconds):
    return f"{events / seconds:,.0f}/s"


def cpu(events, seconds):
    return f"{number(seconds / events * 1e6)} µs of CPU an event"


def ms(value):
    return f"{number(value)} ms"


def seconds_text(value):
    return f"{number(value)} s"
