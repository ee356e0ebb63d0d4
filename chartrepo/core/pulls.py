"""Pulls: how often the package of a version was given to somebody, and when it was last."""

from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any, Final, NamedTuple

_LATEST: Final = 253_402_300_799
"""The last second of the year 9999."""
_MOST: Final = 2**62
"""More pulls than there can be, and still a number that every database takes."""


GONE: Final = ""
"""Stands, instead of a version, for all those of a chart that are gone and that nobody pulled for long."""


class Pull(NamedTuple):
    """Which package was pulled."""

    repository: str
    chart: str
    version: str


class Tally(NamedTuple):
    """How often, and when it was last, in seconds since the epoch."""

    pulls: int
    last: int


NONE: Final = Tally(0, 0)
Tallies = Mapping[Pull, Tally]


def add(tallies: MutableMapping[Pull, Tally], more: Iterable[tuple[Pull, Tally]]) -> None:
    """Add what was counted elsewhere, or later, to `tallies`."""
    for pull, tally in more:
        tallies[pull] = together(tallies.get(pull, NONE), tally)


def together(one: Tally, other: Tally) -> Tally:
    """Return two tallies as one."""
    return Tally(min(one.pulls + other.pulls, _MOST), max(one.last, other.last))


def fold(tallies: MutableMapping[Pull, Tally], before: int, is_there: Callable[[Pull], bool]) -> bool:
    """Count versions that are gone, and were not pulled since `before`, together; return whether there were any.

    Else what is kept would grow for ever where builds are published each day and deleted the next week.
    """
    old = [pull for pull, tally in tallies.items() if tally.last < before and pull.version != GONE]
    gone = [pull for pull in old if not is_there(pull)]
    add(tallies, [(pull._replace(version=GONE), tallies.pop(pull)) for pull in gone])
    return bool(gone)


def as_json(tallies: Tallies) -> dict[str, dict[str, dict[str, list[int]]]]:
    """Return tallies as values of JSON: by repository, chart and version."""
    told: dict[str, dict[str, dict[str, list[int]]]] = {}
    for (repository, chart, version), tally in tallies.items():
        told.setdefault(repository, {}).setdefault(chart, {})[version] = list(tally)
    return told


def from_json(value: Any) -> dict[Pull, Tally]:
    """Return the tallies that `as_json` made into values of JSON.

    Raises:
        ValueError: these are none.
    """
    try:
        return {
            Pull(repository, chart, version): Tally(_number(count, _MOST), _number(last, _LATEST))
            for repository, charts in value.items()
            for chart, versions in charts.items()
            for version, (count, last) in versions.items()
        }
    except (AttributeError, TypeError) as error:
        raise ValueError(f"no tallies of pulls: {error}") from None


def _number(value: object, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise ValueError("no tallies of pulls: a number is out of its range")
    return value
