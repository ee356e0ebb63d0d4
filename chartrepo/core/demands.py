"""What a rule demands of the claims of a workload, written in place of a caller: `{issuer: github, repository: a/web}`.

A claim is what an issuer says of whom it made a token for. All that a demand names have to be there as it says. Values
are compared as texts, since issuers write numbers and yes or no in quotes or without, as they like: `true` is `"true"`.
In a value `*` stands for any run of characters between two `/`, so that `refs/tags/v*` is no branch.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from chartrepo.core.errors import PermissionsInvalid
from chartrepo.core.messages import shown
from chartrepo.core.patterns import Part

ISSUER: Final = "issuer"
"""The key under which a demand names the issuer."""
MAX_CLAIMS: Final = 20
"""Of one demand."""
MAX_VALUE: Final = 512
"""In characters."""

_ANY: Final = "*"
_PLAIN: Final = re.compile(r"[A-Za-z](?:[A-Za-z0-9_./@-]*[A-Za-z0-9])?")
_WORDS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
"""What YAML takes for something else than a text."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a rule wants of a token's claims.

    Attributes:
        issuer: the name of the issuer, as the table of issuers has it.
        wanted: the claims, by name, as texts with `*`.
    """

    issuer: str
    wanted: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, given: Mapping[Any, Any]) -> "Demand":
        """Read a demand, as YAML gives it.

        Raises:
            PermissionsInvalid: it is none; the problems are all that is wrong.
        """
        issuer = given.get(ISSUER)
        problems = [] if isinstance(issuer, str) else ["name the issuer, as {issuer: github, repository: acme/web}"]
        claims = {name: value for name, value in given.items() if name != ISSUER}
        if not claims:
            problems.append("name at least one claim beside the issuer, as {issuer: github, repository: acme/web}")
        if len(claims) > MAX_CLAIMS:
            problems.append(f"there are {len(claims)} claims, and {MAX_CLAIMS} are the most")
        for name, value in claims.items():
            problems += _problems(name, value)
        if problems:
            raise PermissionsInvalid(*problems)
        return cls(str(issuer), tuple(sorted((name, as_text(value) or "") for name, value in claims.items())))

    def __str__(self) -> str:
        """This as one would write it into the file, the same for all that demand the same."""
        said = [(ISSUER, self.issuer), *self.wanted]
        return "{" + ", ".join(f"{_written(name)}: {_written(value)}" for name, value in said) + "}"

    def matches(self, issuer: str, claims: Mapping[str, Any]) -> bool:
        """Return whether the claims of a token of an issuer are as this says."""
        return issuer == self.issuer and all(_meets(claim(claims, name), pattern) for name, pattern in self.wanted)


def claim(claims: Mapping[str, Any], name: str) -> Any:
    """Return a claim by its name, or by a path to it with dots between; None where there is none.

    Names have dots themselves: `kubernetes.io.namespace` is `namespace` in what `kubernetes.io` says.
    """
    if name in claims:
        return claims[name]
    at = name.rfind(".")
    while at > 0:  # the longest name first, so that only one reading counts
        inner = claims.get(name[:at])
        if isinstance(inner, Mapping):
            return claim(inner, name[at + 1 :])
        at = name.rfind(".", 0, at)
    return None


def as_text(value: object) -> str | None:
    """Return a claim as the text that it is compared as; None for what has none, as a mapping or a fraction."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | str) else None


def texts(value: object) -> Iterator[str]:
    """Give the texts of a claim, of a list those of all its entries."""
    for each in value if isinstance(value, list) else [value]:
        text = as_text(each)
        if text is not None:
            yield text


def like(pattern: str, text: str) -> bool:
    """Return whether a text is as a pattern says, in which `*` stands for any run of characters without a `/`."""
    if _ANY not in pattern:
        return pattern == text
    parts, names = pattern.split("/"), text.split("/")
    return len(parts) == len(names) and all(
        Part(part, tuple(part.split(_ANY))).matches(name) for part, name in zip(parts, names, strict=True)
    )


def _meets(value: object, pattern: str) -> bool:
    # Nearly all claims are texts, and each token is held against all rules.
    return like(pattern, value) if isinstance(value, str) else any(like(pattern, text) for text in texts(value))


def _problems(name: object, value: object) -> Iterator[str]:
    if not isinstance(name, str) or not name or not name.isprintable() or len(name) > MAX_VALUE:
        yield f"{shown(str(name))} is no name of a claim: put it in quotes if it is meant as one"
        return
    text = as_text(value)
    if text is None:
        yield f"{shown(name)}: {shown(str(value))} is no text: put it in quotes"
    elif not text or not text.isprintable() or len(text) > MAX_VALUE:
        yield f"{shown(name)}: the value is empty, longer than {MAX_VALUE} characters, or has some that cannot be seen"
    elif _ANY * 2 in text:
        yield f"{shown(name)}: {shown(text)} has '**', and '*' alone is taken, for what stands between two '/'"


def _written(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())
