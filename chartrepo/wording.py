"""Numbers with their nouns, in sentences for people."""

from typing import Final

_VOWELS: Final = frozenset("aeiou")


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, as `1 package`, `2,000 packages` `2 days` or `2 repositories`."""
    if number == 1:
        return f"1 {noun}"
    many = f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2:-1] not in _VOWELS else f"{noun}s"
    return f"{number:,} {many}"


def shown_size(size: int) -> str:
    """Return a number of bytes for people, as `512 bytes` or `1.5 MiB`."""
    if size < 1024:  # noqa: PLR2004
        return counted(size, "byte")
    amount, unit = size / 1024, "KiB"
    for larger in ("MiB", "GiB", "TiB"):
        if amount >= 1024:  # noqa: PLR2004
            amount, unit = amount / 1024, larger
    return f"{amount:.1f} {unit}"
