"""Records of what was changed, or tried to be: what each says, as one line of JSON, and which ones somebody asks for.

A line is ASCII, bounded, and holds no secret: texts of ours that would let somebody in, and the user and password of an
address, are masked wherever they stand. So nothing that a caller sends can split a line or fill a disk with one.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple

from chartrepo.core.errors import AuditQueryInvalid
from chartrepo.core.messages import shown

MAX_LINE: Final = 4096
"""Bytes of a line, its end included: what a pipe takes in one piece."""

SINCE: Final = "30d"
"""How far back somebody looks who does not say."""

_AHEAD: Final = 86400.0
"""Seconds that another replica's clock may be ahead, and more."""
_LONGEST: Final = 3660 * 86400.0
"""Seconds that records are kept at most, and a bit."""
_BOUNDS: Final = {
    "caller": 512,
    "claims": 256,
    "rule": 512,
    "repository": 512,
    "chart": 256,
    "version": 256,
    "digest": 144,
    "replaced": 144,
    "token": 80,
    "request": 80,
    "detail": 512,
}
"""Bytes of a value in its line, quotes included. The others have `_SHORT`."""
_SHORT: Final = 64
_OURS: Final = re.compile(r"(cr[tr]_)[0-9A-Za-z_.~=-]{16,}")
"""What looks like one of our tokens, or a large part of one."""
_SUSPICIOUS: Final = re.compile("cr[tr]_|://")
_CUT: Final = re.compile(r"(cr[tr]_)[0-9A-Za-z_.~=-]*\Z")
"""What may be the beginning of one, where a text was cut."""
_USER_INFO: Final = re.compile(r"(?<=://)(?:[^/\s@]*@|[^/\s@:\[]+:(?=[0-9]{0,5}[^0-9/\s'\"])[^/\s@'\"]*)")
"""User and password of an address, also where a message has cut it off before its `@`."""
_MORE: Final = "..."
_encode: Final = json.JSONEncoder(separators=(",", ":")).encode
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
_ID: Final = re.compile(r"[0-9a-f]{16}")
_CURSOR: Final = re.compile(rf"({_TIME.pattern})-([0-9a-f]{{16}})?", re.ASCII)
_AGO: Final = re.compile(r"([0-9]{1,6})([mhd])", re.ASCII)
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}


class Deed(StrEnum):
    """What is done, or tried. The first three are called as rules call them."""

    PUBLISH = "publish"
    OVERWRITE = "overwrite"
    DELETE = "delete"
    ADMINISTER = "admin"
    """What whoever may do everything may do, and nothing of the others."""
    LOG_IN = "log-in"
    CREATE_TOKEN = "create-token"  # noqa: S105 - the name of what is done
    REVOKE_TOKEN = "revoke-token"  # noqa: S105 - the name of what is done
    ROTATE_KEYS = "rotate-keys"
    COLLECT = "gc"


class Outcome(StrEnum):
    """What came of it."""

    DONE = "done"
    UNCHANGED = "unchanged"
    """It was so already."""
    REFUSED = "refused"
    FAILED = "failed"
    """Nobody knows: the server, its storage or its catalog failed on the way."""


class Position(NamedTuple):
    """The place of a record among all: later ones are greater. An empty id is before all records of its time."""

    time: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One deed. Texts may be anything: `to_line` bounds, masks and escapes them. What is empty is left out there.

    Attributes:
        id: 16 hex digits, random; empty until the record is told.
        time: as `stamp` writes it; the same.
        action: what was tried.
        outcome: what came of it.
        caller: who, as rules name callers; `command:NAME` for a user of the operating system.
        protocol: `api`, `oci`, `page` or `command`.
        claims: whose credential it was said to be that was wrong.
        rule: by which rule it was allowed.
        repository: where, empty for the root; None where it is about no repository.
        chart: its name.
        version: of the chart; of what is no chart, the tag.
        kind: `package`, `provenance`, `manifest`, `blob` or `token`.
        digest: of what was published or deleted, as `sha256:...`.
        replaced: the digest of what was there before.
        token: the name of a token that was made or revoked.
        token_id: its id, by which nobody can use it.
        address: where the caller asked from.
        request: the id of the request.
        detail: why it was refused, or what else there is to say.
        count: how many such tries this record stands for so far, see `chartrepo.audit.floods`.
    """

    action: str
    outcome: str
    caller: str
    protocol: str
    id: str = ""
    time: str = ""
    claims: str = ""
    rule: str = ""
    repository: str | None = None
    chart: str = ""
    version: str = ""
    kind: str = ""
    digest: str = ""
    replaced: str = ""
    token: str = ""
    token_id: str = ""
    address: str = ""
    request: str = ""
    detail: str = ""
    count: int = 1

    @property
    def position(self) -> Position:
        """Its place among all records."""
        return Position(self.time, self.id)

    def to_line(self) -> bytes:
        """Return this as a line of JSON in ASCII, with its end; at most `MAX_LINE` bytes."""
        values = ((name, getattr(self, name)) for name in _NAMES)
        said = {name: _value(name, value) for name, value in values if value or (name == "repository" and value == "")}
        if self.count == 1:
            del said["count"]
        return _encode(said).encode("ascii") + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> "Record | None":
        """Return the record of a line; None where it is none. Fields of later releases are passed over."""
        try:
            said: Any = json.loads(line) if len(line) <= MAX_LINE else None
        except (ValueError, RecursionError):
            return None
        if not isinstance(said, dict):
            return None
        known = {name: value for name, value in said.items() if name in _NAMES}
        count = known.pop("count", 1)
        if not all(isinstance(value, str) for value in known.values()) or type(count) is not int:
            return None
        if not known.keys() >= _NEEDED or not _TIME.fullmatch(known["time"]) or not _ID.fullmatch(known["id"]):
            return None
        return cls(count=count, **known)


_NAMES: Final = tuple(sorted((each.name for each in fields(Record)), key=lambda name: name not in {"id", "time"}))
"""In the order that they have in a line."""
_NEEDED: Final = frozenset({"id", "time", "action", "outcome", "caller", "protocol"})


def _value(name: str, value: str | int) -> str | int:
    return value if isinstance(value, int) else _bounded(value, _BOUNDS.get(name, _SHORT))


def _bounded(text: str, most: int) -> str:
    """`text` without secrets and lone surrogates, and cut where its JSON would be longer than `most` bytes."""
    if text.isascii() and text.isprintable() and 2 * len(text) < most and not _SUSPICIOUS.search(text):
        return text
    if len(text) > most:
        text = _CUT.sub(r"\1***", text[:most])
    text = text.encode("utf-8", "backslashreplace").decode()
    text = _USER_INFO.sub("***@", _OURS.sub(r"\1***", text))
    if len(_encode(text)) <= most:
        return text
    while (size := len(_encode(text))) > most - len(_MORE):
        text = text[: min(len(text) - 1, len(text) * most // size)]
    return text + _MORE


def stamp(seconds: float) -> str:
    """Return seconds since the epoch as RFC 3339 in UTC with microseconds; later ones are greater as texts too."""
    moment = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    return f"{moment.isoformat(timespec='microseconds')}Z"


# ---- who asks for which


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which records somebody asks for. None takes all.

    Attributes:
        since: the first moment, as `stamp` writes it.
        until: the moment before which they end.
        caller: as the record has it.
        repository: the same.
        chart: the same.
        action: the same.
        outcome: the same.
    """

    since: str
    until: str
    caller: str | None = None
    repository: str | None = None
    chart: str | None = None
    action: str | None = None
    outcome: str | None = None

    def takes(self, record: Record) -> bool:
        """Return whether a record is asked for."""
        return self.since <= record.time < self.until and all(
            wanted is None or wanted == getattr(record, name)
            for name in _FILTERS
            if (wanted := getattr(self, name)) is not None
        )


_FILTERS: Final = ("caller", "repository", "chart", "action", "outcome")


def wanted(arguments: Mapping[str, str], now: float) -> Wanted:
    """Return what is asked for by the names of `Wanted`.

    Args:
        arguments: by name, as they were typed; moments as `parse_moment` takes them. What is not there is not asked
            for, but for `since`, which is `SINCE` then.
        now: seconds since the epoch.

    Raises:
        AuditQueryInvalid: one of them makes no sense.
    """
    unknown = arguments.keys() - {each.name for each in fields(Wanted)}
    if unknown:
        known = ", ".join(each.name for each in fields(Wanted))
        raise AuditQueryInvalid(f"there is no {shown(min(unknown))} to ask for: there are {known}, limit and cursor")
    choices = {"action": tuple(Deed), "outcome": tuple(Outcome)}
    for name, words in choices.items():
        if name in arguments and arguments[name] not in words:
            listed = ", ".join(words)
            raise AuditQueryInvalid(f"{name}: there is no {shown(arguments[name])}: there are {listed}")
    since = parse_moment(arguments.get("since", SINCE), now)
    until = parse_moment(arguments["until"], now) if "until" in arguments else stamp(now + _AHEAD)
    others = {name: arguments[name] for name in _FILTERS if name in arguments}
    return Wanted(since=max(since, stamp(now - _LONGEST)), until=min(until, stamp(now + _AHEAD)), **others)


def parse_moment(text: str, now: float) -> str:
    """Return the moment that a text names, as `stamp` writes it.

    Args:
        text: a date, a date and a time (in UTC, unless it says otherwise), or how long ago, as `30m`, `12h` or `7d`.
        now: seconds since the epoch.

    Raises:
        AuditQueryInvalid: it is nothing of the kind.
    """
    ago = _AGO.fullmatch(text)
    try:
        if ago is not None:
            moment = datetime.fromtimestamp(now, UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        else:
            moment = datetime.fromisoformat(text)
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise AuditQueryInvalid(
            f"{shown(text)} is no moment: write 2026-01-31, 2026-01-31T12:00:00Z, or how long ago, as 30m, 12h or 7d"
        ) from None
    return f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def cursor(position: Position) -> str:
    """Return a position as clients send it back."""
    return f"{position.time}-{position.id}"


def parse_cursor(text: str) -> Position:
    """Return the position that `cursor` wrote.

    Raises:
        AuditQueryInvalid: it wrote no such text.
    """
    found = _CURSOR.fullmatch(text)
    if found is None:
        raise AuditQueryInvalid(f"cursor: {shown(text)} is none: send what was in next, as it was")
    return Position(found[1], found[2] or "")
