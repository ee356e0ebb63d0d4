"""What commands that take a while tell whoever waits for them."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import click

from chartrepo.logs import escape
from chartrepo.outcomes import Outcome, ReadMany, Task

_TELL_EVERY: Final = 5.0
"""Seconds between two lines where there is no terminal for a bar."""


def say(line: str = "") -> None:
    """Print a line of the command's outcome."""
    click.echo(escape(line))


def remark(line: str) -> None:
    """Print a line about how it goes, on standard error, so that the outcome can be piped on."""
    click.echo(escape(line), err=True)


def say_rows(heading: str, rows: Sequence[Sequence[str]]) -> None:
    """Print a table below a heading; nothing where it has no rows."""
    if not rows:
        return
    say(heading)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    for row in rows:
        cells = [cell.ljust(min(width, 60)) for cell, width in zip(row, widths, strict=False)]
        say("  " + "  ".join([*cells, row[-1]]))
    say()


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a bar on a terminal, or print a line now and then; each call of what this gives is one step."""
    if sys.stderr.isatty():
        with click.progressbar(length=total, label=label, file=sys.stderr, show_pos=True) as bar:
            yield lambda: bar.update(1)
        return
    done = 0
    told = time.monotonic()

    def step() -> None:
        nonlocal done, told
        done += 1
        if time.monotonic() - told >= _TELL_EVERY:
            told = time.monotonic()
            remark(f"{label}: {done:,} of {total:,}")

    yield step


def watched(read_many: ReadMany, label: str) -> ReadMany:
    """Return what reads packages and shows how far it has come."""

    def read(tasks: Iterable[Task]) -> Iterator[Outcome]:
        tasks = list(tasks)
        with progress(label, len(tasks)) as step:
            for outcome in read_many(tasks):
                yield outcome
                step()

    return read
