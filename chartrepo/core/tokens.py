"""API tokens: their text, what is kept of them, and what they allow.

A text is `crt_`, 10 characters that are the id, 30 that are the secret, and 6 of a checksum: the CRC32 of the 40 before
it as a number of base 62, most significant digit first and padded with zeros. The digits are `0-9A-Za-z`. GitHub's
tokens are made in the same way, for the same reason: a scanner that finds one in a repository can tell, without asking
anybody, that it is one.

Of the text only its SHA-256 is kept. Passwords need a slow hash because people choose them, so that a thief of hashes
can try all that are likely. A secret of 30 random characters is one of 2**178, of which no fast hash lets anyone try a
part that matters.
"""

import hmac
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final
from zlib import crc32

from chartrepo.core.errors import PermissionsInvalid, TokenInvalid
from chartrepo.core.messages import shown
from chartrepo.core.patterns import Pattern
from chartrepo.core.permissions import Action, Rule, parse_action

PREFIX: Final = "crt_"
DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ID_LENGTH: Final = 10
SECRET_LENGTH: Final = 30
MAX_ALLOW: Final = 100
"""Entries of one token."""
MAX_RECORD: Final = 128 * 1024
"""Bytes of what is kept of one token."""

_CHECKSUM_LENGTH: Final = 6
_ID: Final = re.compile(rf"[0-9A-Za-z]{{{ID_LENGTH}}}")
_TEXT: Final = re.compile(rf"{PREFIX}([0-9A-Za-z]{{{ID_LENGTH + SECRET_LENGTH}}})([0-9A-Za-z]{{{_CHECKSUM_LENGTH}}})")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_LAST_SECOND: Final = 253_402_300_799
"""Of the year 9999: what is later has no date in four digits."""
_MAX_MAKER: Final = 512
_USER: Final = "user:"
_FIELDS: Final = frozenset({"id", "name", "hash", "allow", "created", "expires", "made_by"})


def compose(token_id: str, secret: str) -> str:
    """Return the text of a token.

    Args:
        token_id: `ID_LENGTH` of `DIGITS`.
        secret: `SECRET_LENGTH` of them.
    """
    return f"{PREFIX}{token_id}{secret}{_checksum(token_id + secret)}"


def id_in(text: str) -> str | None:
    """Return the id of a token by its text; None where that is the text of none, or its checksum is wrong."""
    match = _TEXT.fullmatch(text)
    if match is None or _checksum(match[1]) != match[2]:
        return None
    return match[1][:ID_LENGTH]


def is_id(text: str) -> bool:
    """Return whether a token could have this id."""
    return _ID.fullmatch(text) is not None


def digest(text: str) -> str:
    """Return what is kept of the text of a token: its SHA-256 in hex."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Token:
    """What is kept of a token. Making one checks it.

    Attributes:
        id: stands in its text, names the record, and is no secret.
        name: that people gave it; of those of one owner that have not expired only one has it.
        digest: of its text, see `digest`.
        allow: what it may do: each an action and a pattern, as `read:team/**`. Without an owner that comes beside what
            rules give to `token:NAME`; with one it is all, as far as the owner may.
        created: in seconds since the epoch.
        expires: likewise, the first second in which it is refused; None for never.
        made_by: who made it, for people.
        owner: the user who made it for himself, as `user:ada`; empty where it is nobody's own.
        rules: what `allow` says.

    Raises:
        TokenInvalid: something of it breaks a rule.
    """

    id: str
    name: str
    digest: str
    allow: tuple[str, ...]
    created: int
    expires: int | None
    made_by: str
    owner: str = ""
    rules: tuple[Rule, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not is_id(self.id):
            raise TokenInvalid(f"id: {shown(self.id)} is none: it has {ID_LENGTH} letters and digits")
        check_name(self.name)
        if not _DIGEST.fullmatch(self.digest):
            raise TokenInvalid("hash: this is no SHA-256 in hex")
        for called, moment in (("created", self.created), ("expires", self.expires)):
            if moment is not None and not 0 <= moment <= _LAST_SECOND:
                raise TokenInvalid(f"{called}: {moment} is outside of the years 1970 to 9999")
        if len(self.made_by) > _MAX_MAKER or not self.made_by.isprintable():
            raise TokenInvalid(f"made_by: {shown(self.made_by)} is too long, or has characters that cannot be seen")
        if self.owner and (not self.owner.startswith(_USER) or len(self.owner) > _MAX_MAKER):
            raise TokenInvalid(f"owner: {shown(self.owner)} is no user")
        object.__setattr__(self, "rules", parse_allow(self.label, self.allow))
        if self.owner and any(rule.allows(Action.ADMIN) for rule in self.rules):
            raise TokenInvalid(
                "allow: a token of one's own is for read, publish, overwrite and delete, and not for admin"
            )

    @property
    def label(self) -> str:
        """By what it is told from all others: its name, or behind the owner's, as `user:ada/laptop`.

        No name of a token has a colon or a slash in it, so that none of somebody's own can be taken for another.
        """
        return f"{self.owner}/{self.name}" if self.owner else self.name

    def is_text(self, text: str) -> bool:
        """Return whether this is the token's text, in a time that does not tell how much of it is right."""
        return hmac.compare_digest(self.digest, digest(text))

    def has_expired(self, now: float) -> bool:
        """Return whether it is refused at `now`, in seconds since the epoch."""
        return self.expires is not None and self.expires <= now

    def to_json(self) -> bytes:
        """Return the record of it."""
        record: dict[str, object] = {
            "id": self.id,
            "name": self.name,
            "hash": f"sha256:{self.digest}",
            "allow": self.allow,
            "created": self.created,
            "expires": self.expires,
            "made_by": self.made_by,
        }
        if self.owner:
            record["owner"] = self.owner
        return json.dumps(record, ensure_ascii=False, indent=1).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "Token":
        """Read a record, in which hands may have been.

        Raises:
            TokenInvalid: it is none.
        """
        if len(data) > MAX_RECORD:
            raise TokenInvalid(f"the record is larger than {MAX_RECORD:,} bytes")
        try:
            record = json.loads(data)
        except (ValueError, RecursionError):
            raise TokenInvalid("the record is no JSON") from None
        if not isinstance(record, dict) or record.keys() - {"owner"} != _FIELDS:
            raise TokenInvalid(f"the record has other fields than {', '.join(sorted(_FIELDS))}")
        allow, expires = record["allow"], record["expires"]
        if not isinstance(allow, list):
            raise TokenInvalid("allow: this is no list")
        return cls(
            id=_text(record, "id"),
            name=_text(record, "name"),
            digest=_text(record, "hash").removeprefix("sha256:"),
            allow=tuple(_text({"allow": each}, "allow") for each in allow),
            created=_second(record, "created"),
            expires=None if expires is None else _second(record, "expires"),
            made_by=_text(record, "made_by"),
            owner=_text(record, "owner") if "owner" in record else "",
        )


def check_name(name: str) -> str:
    """Return `name` if a token can be called so.

    Raises:
        TokenInvalid: it cannot; the message says what can.
    """
    if not _NAME.fullmatch(name):
        raise TokenInvalid(
            f"name: {shown(name)} names no token: write up to 63 of a-z, 0-9, '.', '_' and '-', a letter or digit first"
        )
    return name


def parse_allow(name: str, allow: Sequence[str]) -> tuple[Rule, ...]:
    """Return what a token may do by itself, as rules that name it alone.

    Args:
        name: of the token, behind its owner's where it has one.
        allow: an action and a pattern each, with a colon between, as `publish:team/**`.

    Raises:
        TokenInvalid: one of them is none; the message tells of all that are wrong.
    """
    if len(allow) > MAX_ALLOW:
        raise TokenInvalid(f"allow: has {len(allow):,} entries, and {MAX_ALLOW} are the most: use wider patterns")
    rules, problems = [], []
    for text in allow:
        action, colon, pattern = text.partition(":")
        if not colon:
            problems.append(f"allow: {shown(text)} is no ACTION:PATTERN: write it as publish:team/**")
            continue
        try:
            rules.append(Rule((f"token:{name}",), (parse_action(action),), (Pattern.parse(pattern),)))
        except PermissionsInvalid as error:
            problems += (f"allow: {problem}" for problem in error.problems)
    if problems:
        raise TokenInvalid("; ".join(problems))
    return tuple(rules)


def _checksum(body: str) -> str:
    number = crc32(body.encode("ascii"))
    digits = ""
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(DIGITS))
        digits = DIGITS[digit] + digits
    return digits


def _text(record: dict[str, Any], name: str) -> str:
    value = record[name]
    if not isinstance(value, str):
        raise TokenInvalid(f"{name}: {shown(str(value))} is no text")
    return value


def _second(record: dict[str, Any], name: str) -> int:
    value = record[name]
    if not isinstance(value, int) or isinstance(value, bool):
        raise TokenInvalid(f"{name}: {shown(str(value))} is no whole number of seconds")
    return value
