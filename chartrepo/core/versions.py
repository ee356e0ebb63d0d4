"""Versions and version ranges, as Helm reads them.

Helm leaves both to the Go library Masterminds/semver, so its reading is the rule here, as of release 3.5.0 (Helm 4.2);
releases before it know no limits of length. Versions are read by its lenient `NewVersion`: a `v` may stand in front,
one or two numbers stand for three, numbers may begin with zeros.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import semver

from chartrepo.core.errors import InvalidConstraint, InvalidVersion
from chartrepo.core.messages import shown

MAX_VERSION_BYTES: Final = 256
"""The longest version that Helm 4.2 and newer read."""

MAX_CONSTRAINT_BYTES: Final = 512
MAX_CONSTRAINT_GROUPS: Final = 32
"""What Helm 4.2 and newer read of a range, and how many `||` may part it."""

_MAX_NUMBER: Final = 2**64 - 1
_SHORTEST_OVERFLOW: Final = len(str(_MAX_NUMBER))

# A prerelease identifier of digits only must not begin with a zero; the three numbers may.
_IDENTIFIER = r"(?!0[0-9]+(?![0-9A-Za-z-]))[0-9A-Za-z-]+"
_METADATA = r"\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_VERSION = re.compile(
    r"v?0*([0-9]{1,20})(?:\.0*([0-9]{1,20}))?(?:\.0*([0-9]{1,20}))?"
    rf"(?:-({_IDENTIFIER}(?:\.{_IDENTIFIER})*))?(?:{_METADATA})?"
)


def check(text: str) -> None:
    """Make sure that Helm reads `text` as a version.

    Raises:
        InvalidVersion: it does not; the message quotes the text and says what to write instead. Whoever knows the file
            and the field puts them in front.
    """
    _match(text)


def parse(text: str) -> semver.Version:
    """The parts of a version: no `v`, three numbers without leading zeros, prerelease and build metadata.

    Compare versions by `sort_key`, not by what is returned: `semver` orders prerelease numbers beyond 64 bits as
    numbers, Helm as text.

    Raises:
        InvalidVersion: as `check`.
    """
    major, minor, patch, prerelease = _match(text).groups()
    _, _, build = text.partition("+")
    return semver.Version(int(major), int(minor or 0), int(patch or 0), prerelease, build or None)


@lru_cache(maxsize=1024)
def is_stable(text: str) -> bool:
    """Whether a version has no prerelease.

    Raises:
        InvalidVersion: as `check`.
    """
    return _match(text)[4] is None


# What stands in a key where an identifier could begin. The order of these bytes is the order of semver: a shorter
# prerelease before a longer one, numbers before text, all of them before the release. Text ends with a byte that sorts
# before all it can hold.
_END, _NUMBER, _TEXT, _END_OF_TEXT, _RELEASE = "!", "#", "$", " ", "~"
# A number is preceded by a letter for how many digits it has, so that 9 sorts before 10.
_WIDTH: Final = "_abcdefghijklmnopqrst"


@lru_cache(maxsize=1024)
def sort_key(text: str) -> bytes:
    """Bytes whose plain order is the precedence of versions, lowest first.

    Versions that differ only in how they are written or in build metadata have the same key. Keys are ASCII, and a
    version of n bytes has a key of at most 2n + 8.

    Raises:
        InvalidVersion: as `check`.
    """
    major, minor, patch, prerelease = _match(text).groups()
    minor = minor or "0"
    patch = patch or "0"
    core = f"{_WIDTH[len(major)]}{major}{_WIDTH[len(minor)]}{minor}{_WIDTH[len(patch)]}{patch}"
    return f"{core}{_RELEASE if prerelease is None else _prerelease_key(prerelease)}".encode()


def _prerelease_key(prerelease: str) -> str:
    parts = []
    for identifier in prerelease.split("."):
        # Masterminds parses numbers into 64 bits and compares as text what does not fit.
        if identifier.isdecimal() and (len(identifier) < _SHORTEST_OVERFLOW or int(identifier) <= _MAX_NUMBER):
            parts.append(f"{_NUMBER}{_WIDTH[len(identifier)]}{identifier}")
        else:
            parts.append(f"{_TEXT}{identifier}{_END_OF_TEXT}")
    return "".join(parts) + _END


def _match(text: str) -> re.Match[str]:
    # The length comes first: the pattern takes memory for each identifier.
    match = _VERSION.fullmatch(text) if len(text) <= MAX_VERSION_BYTES else None
    if match is None or (
        # A shorter text has no such number; this is what keeps ordinary versions fast.
        len(text) >= _SHORTEST_OVERFLOW and any(int(number or 0) > _MAX_NUMBER for number in match.group(1, 2, 3))
    ):
        raise InvalidVersion(_what_is_wrong(text))
    return match


def _what_is_wrong(text: str) -> str:
    quoted = shown(text)
    if len(text) > MAX_VERSION_BYTES:
        return f"{quoted} is longer than the {MAX_VERSION_BYTES} bytes that a version may have: shorten it"
    if re.match(r"v?[0-9.]*[0-9]{20}", text):
        return f"{quoted} is not a semantic version: no number in it may be larger than {_MAX_NUMBER}"
    for identifier in text.partition("+")[0].partition("-")[2].split("."):
        if re.fullmatch("0[0-9]+", identifier):
            return f"{quoted} is not a semantic version: the prerelease number {identifier} must not begin with a zero"
    return f"{quoted} is not a semantic version: use three numbers, as 1.2.3 or 1.2.3-rc.1"


@dataclass(frozen=True, slots=True)
class _Point:
    """A version, taken apart for comparing."""

    key: bytes
    numbers: tuple[int, int, int]
    prerelease: str | None

    @classmethod
    def of(cls, text: str) -> "_Point":
        version = parse(text)
        return cls(sort_key(text), (version.major, version.minor, version.patch), version.prerelease)


@dataclass(frozen=True, slots=True)
class _Bound:
    """The version in a comparison, as `1.2.3` or `1.x`.

    Attributes:
        point: with zeros for what is open.
        stated: how many of the three numbers are stated before the first that is missing or a wildcard.
    """

    point: _Point
    stated: int

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers that are stated."""
        return self.point.numbers[: self.stated]

    @property
    def exact(self) -> bool:
        """Whether nothing is open."""
        return self.stated == len(self.point.numbers)


# One comparison each. `*` alone (nothing stated) is 0.0.0 to Masterminds, which shows in `<=*`, `>*`, `!=*` and `^*`;
# a range that names such a bound is odd, but must mean here what it means in Helm.


def _equal(version: _Point, bound: _Bound) -> bool:
    return version.key == bound.point.key if bound.exact else _tilde(version, bound)


def _not_equal(version: _Point, bound: _Bound) -> bool:
    match bound.stated:
        case 1:
            return version.numbers[:1] != bound.numbers
        case 2:
            return version.numbers[:2] != bound.numbers or version.prerelease != bound.point.prerelease
        case _:
            return version.key != bound.point.key


def _greater(version: _Point, bound: _Bound) -> bool:
    if bound.stated in {1, 2}:
        return version.numbers[: bound.stated] > bound.numbers
    return version.key > bound.point.key


def _less(version: _Point, bound: _Bound) -> bool:
    return version.key < bound.point.key


def _at_least(version: _Point, bound: _Bound) -> bool:
    return version.key >= bound.point.key


def _at_most(version: _Point, bound: _Bound) -> bool:
    if bound.exact:
        return version.key <= bound.point.key
    same = bound.stated or 2
    return version.numbers[:same] <= bound.point.numbers[:same]


def _tilde(version: _Point, bound: _Bound) -> bool:
    if version.key < bound.point.key:
        return False
    # ~0.0.0 is "any" to Masterminds, as ~* is.
    if bound.point.numbers == (0, 0, 0) and (bound.exact or not bound.stated):
        return True
    same = min(bound.stated, 2)
    return version.numbers[:same] == bound.numbers[:same]


def _caret(version: _Point, bound: _Bound) -> bool:
    if version.key < bound.point.key:
        return False
    # The first number that is not zero stays, with those before it; where fewer are stated, all of those.
    numbers = bound.point.numbers
    stated = bound.stated or len(numbers)
    same = next((place for place, number in enumerate(numbers[:stated], 1) if number), stated)
    return version.numbers[:same] == numbers[:same]


_OPERATORS: Final[dict[str, Callable[[_Point, _Bound], bool]]] = {
    "": _equal,
    "=": _equal,
    "!=": _not_equal,
    ">": _greater,
    "<": _less,
    ">=": _at_least,
    "=>": _at_least,
    "<=": _at_most,
    "=<": _at_most,
    "~": _tilde,
    "~>": _tilde,
    "^": _caret,
}

# Masterminds' patterns are made for an engine without backtracking. These accept the same texts and never go back
# (`++`, `*+`), so that no range takes long to refuse. `|` is among a number's characters there by mistake; it matters
# behind a wildcard, where nobody looks.
_SPACE = r"[\t\n\f\r ]"
_PART = r"[0-9|xX*]++"
_BOUND = (
    rf"v?+(?:{_PART})(?:\.{_PART})?+(?:\.{_PART})?+"
    r"(?:-[0-9A-Za-z-]++(?:\.[0-9A-Za-z-]++)*+)?+(?:\+[0-9A-Za-z-]++(?:\.[0-9A-Za-z-]++)*+)?+"
)
_COMPARISON = rf"(?:!=|>=|=>|<=|=<|~>|[=<>~^])?+{_SPACE}*+{_BOUND}"
_GROUP = re.compile(rf"{_SPACE}*+{_COMPARISON}(?:(?:{_SPACE}++,?+|,){_SPACE}*+{_COMPARISON})*+{_SPACE}*+")
_COMPARISONS = re.compile(rf"([=<>~^!]*+){_SPACE}*+({_BOUND})")
_HYPHEN = re.compile(rf"{_SPACE}*+({_BOUND}){_SPACE}++-{_SPACE}++({_BOUND}){_SPACE}*+")
_WILDCARDS = {"x", "X", "*"}


class Constraint:
    """A version range: `^1.2`, `~1.2.3`, `1.x`, `>=1.2 <2`, `1.2 - 1.4`, `1.2 || 1.4`.

    Comparisons parted by a comma or white space must all hold, of alternatives parted by `||` one. A version with a
    prerelease is allowed only by an alternative in which some bound has a prerelease as well (`>0.0.0-0`).

    Args:
        text: at most `MAX_CONSTRAINT_BYTES` long, and not empty: what an empty one means is the caller's to say.

    Raises:
        InvalidConstraint: Helm does not read `text` as a range; the message quotes it and says what to write instead.
    """

    __slots__ = ("_alternatives", "_text")

    def __init__(self, text: str) -> None:
        if len(text.encode(errors="replace")) > MAX_CONSTRAINT_BYTES:
            raise InvalidConstraint(
                f"{shown(text)} is longer than the {MAX_CONSTRAINT_BYTES} bytes that a range may have: shorten it"
            )
        groups = _HYPHEN.sub(r">= \1, <= \2 ", text).split("||")
        if len(groups) > MAX_CONSTRAINT_GROUPS:
            raise InvalidConstraint(f"{shown(text)} has more than {MAX_CONSTRAINT_GROUPS} alternatives: ask for fewer")
        self._text = text
        self._alternatives = [self._comparisons(group) for group in groups]

    def __repr__(self) -> str:
        return f"Constraint({self._text!r})"

    def allows(self, version: str) -> bool:
        """Whether the range holds the version.

        Raises:
            InvalidVersion: as `check`.
        """
        point = _Point.of(version)
        return any(
            all(operator(point, bound) for operator, bound in comparisons)
            for comparisons in self._alternatives
            if point.prerelease is None or any(bound.point.prerelease for _, bound in comparisons)
        )

    def _comparisons(self, group: str) -> list[tuple[Callable[[_Point, _Bound], bool], _Bound]]:
        if not _GROUP.fullmatch(group):
            raise self._refused()
        return [(_OPERATORS[operator], self._bound(bound)) for operator, bound in _COMPARISONS.findall(group)]

    def _bound(self, text: str) -> _Bound:
        core, dash, prerelease = text.partition("+")[0].partition("-")
        numbers = core.removeprefix("v").split(".")
        stated = next((place for place, number in enumerate(numbers) if number in _WILDCARDS), len(numbers))
        zeros = "000"[stated:]
        if zeros:
            text = ".".join([*numbers[:stated], *zeros]) + dash + prerelease
        try:
            return _Bound(_Point.of(text), stated)
        except InvalidVersion:
            raise self._refused() from None

    def _refused(self) -> InvalidConstraint:
        return InvalidConstraint(
            f"{shown(self._text)} is not a version range: write one as ^1.2, ~1.2.3, 1.x, '>=1.2 <2' or '1.2 || 1.4'"
        )


def newest(versions: Iterable[str], constraint: Constraint) -> str | None:
    """The highest version that the range allows, the first of equal ones; None when it allows none.

    Raises:
        InvalidVersion: one of the versions is none.
    """
    return max((version for version in versions if constraint.allows(version)), key=sort_key, default=None)


def resolve(versions: Iterable[str], wanted: str) -> str | None:
    """The version that Helm installs for `--version wanted`: literally that one if it is there, else `newest`.

    Args:
        versions: of one chart.
        wanted: a version or a range; empty for the newest stable version.

    Raises:
        InvalidConstraint: as `Constraint`.
        InvalidVersion: one of the versions is none.
    """
    constraint = Constraint(wanted or "*")
    versions = list(versions)
    return wanted if wanted in versions else newest(versions, constraint)
