"""Sizes as people write them: `512KiB`, `20MiB`, `1GiB`, or a plain number of bytes."""

import re
from typing import Final

EXPECTED: Final = "a size above zero such as 512KiB, 20MiB or 1GiB"

_BYTES: Final = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}


def parse_size(text: str) -> int:
    """Return a size in bytes.

    Raises:
        ValueError: it is none.
    """
    match = re.fullmatch(r"([0-9]{1,12}) ?([A-Za-z]{0,3})", text)
    if match is None or match[2].lower() not in _BYTES or not int(match[1]):
        raise ValueError
    return int(match[1]) * _BYTES[match[2].lower()]


def written_size(size: int) -> str:
    """Return a size as `parse_size` reads it, in the largest unit that it is a whole number of."""
    for unit in ("GiB", "MiB", "KiB"):
        count, rest = divmod(size, _BYTES[unit.lower()])
        if count and not rest:
            return f"{count}{unit}"
    return str(size)
