"""How far apart two versions or two ranges of versions are."""

import re
from collections.abc import Iterator
from enum import Enum
from typing import Final, NamedTuple

from chartrepo.core.errors import InvalidConstraint, InvalidVersion
from chartrepo.core.versions import MAX_CONSTRAINT_BYTES, Constraint, parse, sort_key


class Step(Enum):
    """The first part of two versions that differs."""

    MAJOR = "major"
    MINOR = "minor"
    PATCH = "patch"
    PRERELEASE = "prerelease"
    SAME = "same"


class Move(NamedTuple):
    """From one version to another.

    Attributes:
        step: how far.
        back: whether the other one is older.
    """

    step: Step
    back: bool

    def __str__(self) -> str:
        """Say it, as `major` or `minor, back`."""
        return f"{self.step.value}, back" if self.back else self.step.value


def between(old: str, new: str) -> Move | None:
    """Return how far it is from one version to another; None where one of them is none."""
    try:
        before, after = parse(old), parse(new)
        back = sort_key(new) < sort_key(old)
    except InvalidVersion:
        return None
    if before.major != after.major:
        return Move(Step.MAJOR, back)
    if before.minor != after.minor:
        return Move(Step.MINOR, back)
    if before.patch != after.patch:
        return Move(Step.PATCH, back)
    return Move(Step.SAME if sort_key(old) == sort_key(new) else Step.PRERELEASE, back)


_NAMED: Final = re.compile(r"v?([0-9]{1,10})(?:\.([0-9]{1,10}|[xX*]))?(?:\.([0-9]{1,10}|[xX*]))?(-[0-9A-Za-z.-]+)?")
"""A version in a range."""


def between_ranges(old: str, new: str) -> Move | None:
    """Return how far it is from one range to another, by the first version that each names.

    None where they name the same one, or one of them names none.
    """
    before, after = _first(old), _first(new)
    move = between(before, after) if before and after else None
    return move if move is not None and move.step is not Step.SAME else None


def _first(text: str) -> str:
    match = _NAMED.search(text[:MAX_CONSTRAINT_BYTES])
    return _number(match) if match else ""


def _number(match: re.Match[str]) -> str:
    numbers = [part if part and part.isdigit() else "0" for part in match.groups()[:3]]
    return ".".join(str(int(number)) for number in numbers) + (match[4] or "")


class Room(Enum):
    """What became of a range: what it allows now."""

    LESS = "narrowed"
    MORE = "widened"
    OTHER = "changed"


_KUBERNETES: Final = tuple(f"1.{minor}.{patch}" for minor in range(8, 70) for patch in (0, 99))
"""Versions to try a range of Kubernetes' on."""


def room(old: str, new: str) -> Room:
    """Return what became of a range of versions of Kubernetes; an empty one allows all.

    Whether one range holds another is found by trying: on what releases there are or may be, on the versions that the
    ranges name, and beside those.
    """
    if not old:
        return Room.LESS
    if not new:
        return Room.MORE
    try:
        before, after = Constraint(old), Constraint(new)
        tried = [*_KUBERNETES, *_beside(old), *_beside(new)]
        fewer = any(before.allows(each) and not after.allows(each) for each in tried)
        more = any(after.allows(each) and not before.allows(each) for each in tried)
    except (InvalidConstraint, InvalidVersion):
        return Room.OTHER
    if fewer:
        return Room.LESS
    return Room.MORE if more else Room.OTHER


def _beside(text: str) -> Iterator[str]:
    for match in _NAMED.finditer(text):
        named = _number(match)
        yield named
        major, minor, patch = (int(number) for number in named.partition("-")[0].split("."))
        yield f"{major}.{minor}.{patch + 1}"
        if patch:
            yield f"{major}.{minor}.{patch - 1}"
