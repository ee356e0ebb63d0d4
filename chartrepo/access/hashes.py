"""Hashes of passwords: which are taken, and whether a password matches one.

Taken is what is slow on purpose, bcrypt and Argon2, at a cost that a server can bear for each login.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final

import argon2
import bcrypt
from argon2.exceptions import VerificationError, VerifyMismatchError

from chartrepo.core.errors import PasswordUnchecked

MAX_BCRYPT_COST: Final = 15
"""Each step doubles the time; this one takes one to two seconds of a processor."""
MAX_ARGON2_MEMORY: Final = 128 * 1024
"""In KiB. Each thread of each worker may need as much at the same time."""
MAX_ARGON2_WORK: Final = 1024 * 1024
"""Memory in KiB times passes: about a second of a processor."""
MAX_ARGON2_LANES: Final = 16
"""Each is a thread of its own."""

_BCRYPT_READS: Final = 72
"""In bytes."""
_BCRYPT_STEP: Final = 64
"""About how many microseconds a bcrypt of cost 0 would take; Argon2 takes about one for each KiB and pass."""

# The last characters of salt and digest have bits that mean nothing; where they are set, no password ever matches.
_BCRYPT: Final = re.compile(r"\$2[aby]\$([0-9]{2})\$[./0-9A-Za-z]{21}[.Oeu][./0-9A-Za-z]{30}[.CGKOSWaeimquy26]")
_ARGON2: Final = re.compile(
    r"\$argon2(?:id|i|d)(?:\$v=(?:16|19))?\$m=([1-9][0-9]{0,9}),t=([1-9][0-9]{0,9}),p=([1-9][0-9]{0,7})"
    r"\$([0-9A-Za-z+/]{11,86})\$([0-9A-Za-z+/]{22,86})"
)

_ARGON2_HASHER: Final = argon2.PasswordHasher()
"""Whose own parameters count for nothing: a hash brings its own."""

_OTHERS: Final = (
    (r"\$2[^$]?\$", "an old bcrypt"),
    (r"\$apr1\$", "MD5 ($apr1$)"),
    (r"\$1\$", "MD5 ($1$)"),
    (r"\$5\$", "SHA-256 crypt ($5$)"),
    (r"\$6\$", "SHA-512 crypt ($6$)"),
    (r"\$(?:y|gy|7)\$", "scrypt or yescrypt"),
    (r"\{SHA\}", "SHA-1 ({SHA})"),
    (r"\{SSHA\}", "SHA-1 ({SSHA})"),
    (r"[${]", "of a kind that is not known here"),
    (r"[./0-9A-Za-z]{13}\Z", "crypt (DES) or plain text"),
    (r"", "plain text"),
)
"""How the other kinds begin, and what they are called; the first that fits counts."""


@dataclass(frozen=True, slots=True)
class StoredHash:
    """What a file keeps instead of a password.

    Attributes:
        text: as it is written.
        work: about how many microseconds it takes to check a password against it; right enough to compare two.
    """

    text: str
    work: int

    def __repr__(self) -> str:
        return f"StoredHash(work={self.work})"  # a hash has no business in a traceback


def parse_hash(text: str) -> StoredHash:
    """Read the hash of a password.

    Raises:
        ValueError: it is not taken. The message is the end of a sentence that begins with "the password is", and does
            not show the hash.
    """
    if re.match(r"\$2[aby]\$", text):
        return _parse_bcrypt(text)
    if text.startswith("$argon2"):
        return _parse_argon2(text)
    kind = next(name for pattern, name in _OTHERS if re.match(pattern, text))
    raise ValueError(f"{kind}, and only bcrypt and Argon2 are taken")


def matches(stored: StoredHash, password: bytes) -> bool:
    """Return whether a hash is that of this password.

    Of a longer password bcrypt reads the first 72 bytes, as htpasswd and Apache do: whose hash was made of a longer one
    could else not log in.

    Raises:
        PasswordUnchecked: there is no memory to find out.
    """
    if stored.text.startswith("$2"):
        return bcrypt.checkpw(password[:_BCRYPT_READS], stored.text.encode())
    try:
        return _ARGON2_HASHER.verify(stored.text, password)
    except VerifyMismatchError:
        return False
    except VerificationError as error:
        raise PasswordUnchecked(f"the password could not be checked: {error}: try again soon") from None


def like(stored: StoredHash) -> StoredHash:
    """Return a hash that takes the same work, and that is of no known password."""
    if stored.text.startswith("$2"):
        return StoredHash(stored.text[:7] + "." * 53, stored.work)
    head, salt, digest = stored.text.rsplit("$", 2)
    return StoredHash(f"{head}${'A' * len(salt)}${'A' * len(digest)}", stored.work)


def _parse_bcrypt(text: str) -> StoredHash:
    found = _BCRYPT.fullmatch(text)
    if found is None:
        raise ValueError("a bcrypt that is damaged")
    cost = int(found[1])
    if cost < 4:  # noqa: PLR2004 - bcrypt knows no less
        raise ValueError("a bcrypt that is damaged")
    if cost > MAX_BCRYPT_COST:
        raise ValueError(f"a bcrypt of cost {cost}, and each login would take seconds ({MAX_BCRYPT_COST} at most)")
    return StoredHash(text, _BCRYPT_STEP << cost)


def _parse_argon2(text: str) -> StoredHash:
    found = _ARGON2.fullmatch(text)
    if found is None or not (_is_base64(found[4]) and _is_base64(found[5])):
        raise ValueError("an Argon2 that is damaged")
    memory, passes, lanes = int(found[1]), int(found[2]), int(found[3])
    if memory < 8 * lanes:  # the least that the algorithm takes
        raise ValueError("an Argon2 that is damaged")
    if memory > MAX_ARGON2_MEMORY or memory * passes > MAX_ARGON2_WORK or lanes > MAX_ARGON2_LANES:
        raise ValueError(
            f"an Argon2 of m={memory},t={passes},p={lanes}, and each login would take too much time, memory or threads "
            f"(m is {MAX_ARGON2_MEMORY} at most, p {MAX_ARGON2_LANES}, and m times t {MAX_ARGON2_WORK})"
        )
    return StoredHash(text, memory * passes)


def _is_base64(text: str) -> bool:
    """Whether this is base64 without padding, and with nothing in the bits that are left over."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return False
    return base64.b64encode(data).decode().rstrip("=") == text
