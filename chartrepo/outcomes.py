"""What is asked of whoever reads many packages, and what comes of it."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from chartrepo.catalog import PackageRecord, SetAside
from storage.base import State

UNREAD: Final = State("")
"""Stands in the catalog for the state of a package that could not be read. No object is ever in this state, so every
sync looks at the package again."""

UNFORESEEN: Final = "reading it failed in a way that nobody foresaw: see the server's log, and run chartrepo reindex"
"""Why a package is set aside with which something of ours fails."""


class Task(NamedTuple):
    """A package to read, and whether a provenance file was listed beside it."""

    repository: str
    file: str
    signed: bool


class Unread(NamedTuple):
    """What became of a task whose package the storage did not give.

    Attributes:
        task: as it was.
        reason: one sentence for people.
        needs_hands: whether it stays so until somebody changes something, such as the rights to the file.
    """

    task: Task
    reason: str
    needs_hands: bool


Outcome = PackageRecord | SetAside | Unread | None
"""What became of a task; None where the package had gone meanwhile."""


def as_record(outcome: PackageRecord | SetAside | Unread) -> PackageRecord | SetAside:
    """Return what the catalog can say of a package: that one which cannot be read is set aside for that."""
    if not isinstance(outcome, Unread):
        return outcome
    return SetAside(outcome.task.repository, outcome.task.file, UNREAD, outcome.reason)


ReadMany = Callable[[Iterable[Task]], Iterator[Outcome]]
"""Reads packages, in whatever order and in as many processes as is good."""
