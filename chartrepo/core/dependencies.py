"""Where a chart's dependencies may come from: patterns over the `repository` of a dependency.

A pattern is an address, in whose parts `*` stands for any run of characters, and which may end in `/**`: this address
and all below it. What stands behind a `*` was written by whoever made the chart, so only plain addresses match one: no
user, query, fragment, escape, backslash, `..` or empty part, by any of which an address can lead elsewhere than it
looks. Three texts are no addresses: an empty one is a dependency that the chart brings along and names no repository
for, `file://**` is every `file://...`, and `@name` or `alias:name` (as Helm's client is set up) stands for itself.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from chartrepo.core.errors import PoliciesInvalid
from chartrepo.core.messages import shown
from chartrepo.core.patterns import DEEP, Part

MAX_LENGTH: Final = 512
"""Of a pattern, in characters."""

_LOCAL: Final = "file://"
_ANY_LOCAL: Final = f"{_LOCAL}{DEEP}"
_ADDRESS: Final = re.compile(r"(https?|oci)://([A-Za-z0-9._~*:/+-]+)", re.IGNORECASE)
_ALIAS: Final = re.compile(r"(?:@|alias:)[^*\s]+")
_LONGEST: Final = 2048
"""Of an address that a pattern with `*` matches."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """Some repositories.

    Attributes:
        text: as it was written.
        scheme: in small letters; empty where the text stands for itself alone.
        parts: what stands between the slashes, host and port first; without the `**`.
        below: whether it ended in `/**`.
    """

    text: str
    scheme: str = ""
    parts: tuple[Part, ...] = ()
    below: bool = False

    @classmethod
    def parse(cls, text: str) -> "Allowed":
        """Read a pattern.

        Raises:
            PoliciesInvalid: it is none.
        """
        if text in ("", _ANY_LOCAL) or _ALIAS.fullmatch(text):
            return cls(text)
        split = _split(text)
        if len(text) > MAX_LENGTH or split is None or not _is_pattern(split[1]):
            raise PoliciesInvalid(
                f"{shown(text)} names no repositories: write an address as https://charts.example.com/stable, with "
                f"'*' for a part or '/**' at its end if need be, {_ANY_LOCAL}, @name, or '' for those that the "
                "chart brings along"
            )
        scheme, names = split
        below = names[-1] == DEEP
        parts = tuple(Part(name, tuple(name.split("*"))) for name in (names[:-1] if below else names))
        return cls(text, scheme, parts, below)

    def matches(self, repository: str) -> bool:
        """Return whether a dependency may come from there."""
        if self.text == _ANY_LOCAL:
            return repository.startswith(_LOCAL)
        if not self.scheme or repository == self.text:
            return repository == self.text
        split = _split(repository) if len(repository) <= _LONGEST and "*" not in repository else None
        if split is None or split[0] != self.scheme:
            return False
        names = split[1]
        if len(names) < len(self.parts) or (len(names) > len(self.parts) and not self.below):
            return False
        return all(part.matches(name) for part, name in zip(self.parts, names, strict=False))


def _is_pattern(names: Sequence[str]) -> bool:
    """Return whether `**` stands at the end alone, if anywhere, and behind a host."""
    return (
        names[0] != DEEP
        and not any(DEEP in name for name in names[:-1])
        and (names[-1] == DEEP or DEEP not in names[-1])
    )


@lru_cache(maxsize=256)  # the same few repositories are looked up for each policy
def _split(address: str) -> tuple[str, tuple[str, ...]] | None:
    """Return scheme and parts of a plain address, without a slash at its end; None for any other text."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        return None
    host, *path = found[2].removesuffix("/").split("/")
    if not {"", ".", ".."}.isdisjoint((host, *path)):
        return None
    return found[1].lower(), (host.lower(), *path)
