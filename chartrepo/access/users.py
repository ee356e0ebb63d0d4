"""What an htpasswd file says: a name and a hash a line, and nothing that a login would trip over later."""

import codecs
import shlex
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chartrepo.access.hashes import StoredHash, like, parse_hash
from chartrepo.core.errors import UsersInvalid
from chartrepo.wording import counted

MAX_NAME: Final = 255
"""In bytes."""
_SHOWN: Final = 20
"""So many problems are told; a file of another kind has one in each line."""


@dataclass(frozen=True, slots=True)
class Users:
    """The users of one state of a file.

    Attributes:
        hashes: those of their passwords, by name.
        nobody: is checked where there is no such user. It takes the work of the most costly of them, so that the time
            of an answer does not tell that a name is wrong. It does tell who has a cheaper hash than others: give all
            the same cost.
    """

    hashes: Mapping[str, StoredHash]
    nobody: StoredHash


def parse(data: bytes, path: Path) -> Users:
    """Read the users of a file.

    Empty lines and comments are passed over, and so is what follows a second colon, as Apache and nginx do.

    Args:
        data: the file's bytes.
        path: of it, for messages.

    Raises:
        UsersInvalid: it breaks a rule, or has no users; most likely it is being written.
    """
    hashes: dict[str, StoredHash] = {}
    lines: dict[str, int] = {}
    problems: list[str] = []
    for number, line in _entries(data):
        try:
            name, rest = _split(line, path)
            first = lines.setdefault(name, number)
            hashes[name] = _hash(rest, path)
        except ValueError as error:
            problems.append(f"{path}, line {number}: {error}")
            continue
        if first != number:
            problems.append(f"{path}, line {number}: the name was given already in line {first}: keep one of them")
    if problems:
        more = len(problems) - _SHOWN
        raise UsersInvalid(*problems[:_SHOWN], *([f"{path}: {counted(more, 'more problem')}"] if more > 0 else ()))
    if not hashes:
        raise UsersInvalid(f"{path}: there are no users in it: add one with {remedy(path)}")
    return Users(hashes, like(max(hashes.values(), key=lambda each: each.work)))


def remedy(path: Path, *, create: bool = False) -> str:
    """Return the command that writes a line of such a file, or also makes the file."""
    return f"`htpasswd {'-c ' if create else ''}-B -C 12 {shlex.quote(str(path))} NAME`"


def _entries(data: bytes) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(data.removeprefix(codecs.BOM_UTF8).split(b"\n"), start=1):
        text = line.strip(b" \t\r")
        if text and not text.startswith(b"#"):
            yield number, text


def _split(line: bytes, path: Path) -> tuple[str, bytes]:
    """The name of a line and the rest. Messages show neither: a hash may have been written where the name belongs."""
    encoded, colon, rest = line.partition(b":")
    if not colon:
        raise ValueError(f"there is no colon, as in NAME:HASH: write the line with {remedy(path)}")
    return _name(encoded), rest


def _name(encoded: bytes) -> str:
    try:
        name = encoded.decode()
    except UnicodeDecodeError:
        raise ValueError("the name is not UTF-8: write the file in that encoding") from None
    if not name:
        raise ValueError("the name is missing: write one before the colon")
    if len(encoded) > MAX_NAME:
        raise ValueError(f"the name has {len(encoded)} bytes: use {MAX_NAME} at most")
    if any(unicodedata.category(character) == "Cc" for character in name):
        raise ValueError("the name holds a control character: leave it out")
    return name


def _hash(rest: bytes, path: Path) -> StoredHash:
    try:
        return parse_hash(rest.partition(b":")[0].decode("ascii", "replace"))
    except ValueError as error:
        raise ValueError(f"the password is {error}: renew it with {remedy(path)}") from None
