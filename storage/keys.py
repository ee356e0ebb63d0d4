"""Which keys a driver takes: those that cannot leave its root, and that are not its own.

Every name that begins with `.chartrepo` belongs to the drivers and to the server's private state: temporary files,
probes, `DIR/.chartrepo`, `.chartrepo/<prefix>` in a bucket. No key reaches them and no listing shows them, so nothing
private can be asked for by name.
"""

import re
from typing import Final

from storage.base import InvalidKey

RESERVED: Final = ".chartrepo"
"""What a name must begin with to be the storage's own."""

_SEGMENT: Final = r"(?!\.{1,2}(?:/|\Z)|\.chartrepo)[^/\0\ud800-\udfff]+"
_KEY: Final = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*")

MAX_BYTES: Final = 900
"""What is left of S3's 1,024 bytes for a key, after a prefix of a decent length."""

_SHOWN: Final = 200


def is_sound(key: str) -> bool:
    """Tell whether a driver takes this key."""
    return _KEY.fullmatch(key) is not None and (len(key) <= MAX_BYTES // 4 or len(key.encode()) <= MAX_BYTES)


def check(key: str) -> None:
    """Refuse a key that no driver takes.

    Raises:
        InvalidKey: it is empty, absolute or too long, has an empty, `.`, `..` or reserved segment, a NUL byte, or
            something that is no Unicode text.
    """
    if not is_sound(key):
        raise InvalidKey(
            f"{shown(key)} cannot be the key of an object: use one or more names with `/` between them, none of them "
            f"empty, `.`, `..` or beginning with `{RESERVED}`, {MAX_BYTES} bytes at most"
        )


def check_prefix(prefix: str) -> None:
    """Refuse to list what begins with something that no key begins with.

    Raises:
        InvalidKey: see `check`. The last name may be the beginning of one, or missing.
    """
    folder = prefix.rpartition("/")[0]
    if folder:
        check(folder)
    elif prefix.startswith("/"):
        check(prefix)


def shown(key: str) -> str:
    """Quote a key for a message, on one line and not longer than a few lines of a terminal."""
    return repr(key) if len(key) <= _SHOWN else f"{key[:_SHOWN]!r}..."
