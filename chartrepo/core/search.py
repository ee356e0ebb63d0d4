"""What is searched of a chart, and how words are taken out of texts: the same way where charts and queries are read.

A word is a run of letters and digits, without case and accents. Full text of databases is given words that are parted
already, so that each of them finds the same.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from chartrepo.core.icons import Embedded, Inside, Remote, source_of

LONGEST_WORD: Final = 40
"""Characters; what is longer is cut, in charts and in queries."""
MOST_WORDS: Final = 8
"""Of a query; those behind them are not looked for."""
README_BYTES: Final = 32 * 1024
"""Bytes of a README whose words are searched."""
_QUERY: Final = 500
_DESCRIPTION: Final = 500
_TEXT: Final = 100
_KEYWORDS: Final = 30
_KEYWORD: Final = 60
_VALUES: Final = 256 * 1024

_WORD: Final = re.compile(r"[^\W_]+")
_ADDRESS: Final = re.compile(r"https?://\S+")
_IMAGE: Final = re.compile(r"^[ \t]*\w*[iI]mage[ \t]*:", re.MULTILINE)
README_NAMES: Final = ("readme.md", "readme", "readme.txt", "readme.rst")
"""What a README is called, at the top of a chart and in whatever case."""


class Taken(NamedTuple):
    """What of a package is searched beside its Chart.yaml.

    Attributes:
        readme: what the README holds; None where there is none.
        values: what values.yaml holds; None where there is none.
        crds: whether there is anything in a folder crds.
    """

    readme: bytes | None = None
    values: bytes | None = None
    crds: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """A chart as a search shows it, by its newest version. Texts are empty where the chart says nothing.

    Attributes:
        repository: its name, empty for the root repository.
        name: the chart's.
        version: the one that Helm installs if none is named.
        app_version: of what it installs.
        description: at most some hundred characters of it.
        keywords: at most some dozen, without capitals.
        type: `application` or `library`.
        licence: of the annotation `artifacthub.io/license`.
        category: of `artifacthub.io/category`.
        alternative_name: of `artifacthub.io/alternativeName`.
        created: when that version was published, in seconds since the epoch.
        signed: whether it has a provenance file that counts.
        deprecated: whether the chart is.
        prerelease: whether the version is one, or `artifacthub.io/prerelease` says so.
        images: whether it says which images it needs.
        crds: whether it brings custom resource definitions.
        operator: whether `artifacthub.io/operator` says that it is one.
        security: whether `artifacthub.io/containsSecurityUpdates` says that it has some.
        icon_inside: whether the package has an icon that can be shown.
        icon_elsewhere: whether it names one of another host.
    """

    repository: str
    name: str
    version: str
    app_version: str
    description: str
    keywords: tuple[str, ...]
    type: str
    licence: str
    category: str
    alternative_name: str
    created: int
    signed: bool
    deprecated: bool
    prerelease: bool
    images: bool
    crds: bool
    operator: bool
    security: bool
    icon_inside: bool
    icon_elsewhere: bool


class Words(NamedTuple):
    """The words of a chart, each once, and in each list those that are not in one before it.

    Attributes:
        names: of its name and its alternative name; the first is the whole name, its words joined.
        keywords: of its keywords and its category.
        description: of its description and its repository.
        readme: of its README.
    """

    names: tuple[str, ...]
    keywords: tuple[str, ...]
    description: tuple[str, ...]
    readme: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """What is searched of a chart: what is shown of it, and its words."""

    hit: Hit
    words: Words


def words_in(text: str) -> Iterator[str]:
    """Give the words of a text, in their order and as often as they come."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(each for each in plain if not unicodedata.combining(each)) if not plain.isascii() else plain
    for found in _WORD.finditer(plain.casefold()):
        yield found[0][:LONGEST_WORD]


def words_of_query(text: str) -> tuple[str, ...]:
    """Return the words that a query is about, each once; the last one may be the beginning of a word."""
    found: dict[str, None] = {}
    for word in words_in(text[:_QUERY]):
        found.pop(word, None)  # the last one stays the last
        found[word] = None
    return tuple(found)[:MOST_WORDS]


def document(
    metadata: Mapping[str, Any], *, repository: str, created: int, signed: bool, stable: bool, taken: Taken
) -> Document:
    """Return what is searched of a chart.

    Args:
        metadata: of its newest version, as `chartrepo.core.made_manifests.metadata_of` has it.
        repository: where it lies.
        created: when it was published, in seconds since the epoch.
        signed: whether it has a provenance file that counts.
        stable: whether its version is no prerelease.
        taken: what was taken out of its package.
    """
    annotations: Mapping[str, str] = metadata.get("annotations") or {}
    said = _Said(annotations)
    values = (taken.values or b"")[:_VALUES].decode("utf-8", "replace")
    icon = source_of(metadata.get("icon"))
    hit = Hit(
        repository=repository,
        name=metadata["name"],
        version=metadata["version"],
        app_version=_clean(metadata.get("appVersion"), _TEXT),
        description=_clean(metadata.get("description"), _DESCRIPTION),
        keywords=_keywords(metadata.get("keywords") or ()),
        type=_clean(metadata.get("type"), _TEXT) or "application",
        licence=said.text("license"),
        category=said.text("category"),
        alternative_name=said.text("alternativeName"),
        created=created,
        signed=signed,
        deprecated=metadata.get("deprecated") is True,
        prerelease=not stable or said.flag("prerelease"),
        images=bool(said.text("images")) or _IMAGE.search(values) is not None,
        crds=taken.crds or bool(said.text("crds")),
        operator=said.flag("operator"),
        security=said.flag("containsSecurityUpdates"),
        icon_inside=isinstance(icon, Embedded | Inside),
        icon_elsewhere=isinstance(icon, Remote),
    )
    return Document(hit, _words(hit, (taken.readme or b"")[:README_BYTES].decode("utf-8", "replace")))


class _Said:
    """What annotations of Artifact Hub say; see its documentation, "Helm annotations"."""

    def __init__(self, annotations: Mapping[str, str]) -> None:
        self._annotations = annotations

    def text(self, name: str) -> str:
        return _clean(self._annotations.get(f"artifacthub.io/{name}"), _TEXT)

    def flag(self, name: str) -> bool:
        return self.text(name).casefold() == "true"


def _clean(value: object, most: int) -> str:
    """A text on one line that a database takes, and not too long a one."""
    text = value[: most * 4] if isinstance(value, str) else ""
    text = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _keywords(given: Iterable[object]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for each in given:
        keyword = _clean(each, _KEYWORD).casefold()
        if keyword:
            found[keyword] = None
        if len(found) == _KEYWORDS:
            break
    return tuple(found)


def _words(hit: Hit, readme: str) -> Words:
    in_name = list(words_in(hit.name))
    whole = "".join(in_name)[:LONGEST_WORD]
    known: set[str] = set()

    def fresh(words: Iterable[str]) -> tuple[str, ...]:
        """Those that were not in a list before."""
        found = tuple(dict.fromkeys(word for word in words if word not in known))
        known.update(found)
        return found

    return Words(
        names=fresh([*filter(None, (whole,)), *in_name, *words_in(hit.alternative_name)]),
        keywords=fresh(words_in(" ".join((*hit.keywords, hit.category)))),
        description=fresh(words_in(f"{hit.description} {hit.repository}")),
        readme=fresh(word for word in words_in(_ADDRESS.sub(" ", readme)) if len(word) > 1),
    )


# ---- typos

_SHORTEST_MENDED: Final = 3
_LONGEST_MENDED: Final = 24


def can_be_mended(word: str) -> bool:
    """Return whether a word is neither so short that it is like most others, nor longer than people write."""
    return _SHORTEST_MENDED <= len(word) <= _LONGEST_MENDED


def shortened(word: str) -> set[str]:
    """Return a word, and what is left of it without each one of its characters.

    Two words that differ by one typo have one of these in common: a character too many, too few, another one, or two
    that changed places. This is how SymSpell finds them, by W. Garbe: by a few exact comparisons.
    """
    return {word, *(word[:place] + word[place + 1 :] for place in range(len(word)))}


def is_typo_of(typed: str, meant: str) -> bool:
    """Return whether two words differ by one typo, and by no more."""
    if typed == meant or abs(len(typed) - len(meant)) > 1:
        return False
    start = 0
    while start < min(len(typed), len(meant)) and typed[start] == meant[start]:
        start += 1
    left, right = typed[start:], meant[start:]
    if len(left) != len(right):
        return left[1:] == right or left == right[1:]
    return left[1:] == right[1:] or (left[:2] == right[1::-1] and left[2:] == right[2:])


# ---- ranking

LAST_PLACE: Final = 3
_PLACES: Final = LAST_PLACE + 1


def ranker(words: Sequence[str]) -> Callable[[str, str, str], int]:
    """Return what tells how well a chart meets a query that it meets, as a number: the least is the best.

    It takes the words of the chart's names, those with its keywords, and those with its description, each parted by
    blanks, with one before and one behind.

    Args:
        words: of the query; the last one may be the beginning of one. There is one at least.
    """
    *others, last = words
    joined = "".join(words)
    exact, start, last = f" {joined} ", f" {joined}", f" {last}"
    whole = [f" {word} " for word in others]

    def has_all(text: str) -> bool:
        return last in text and all(word in text for word in whole)

    def rank(names: str, with_keywords: str, with_description: str) -> int:
        if has_all(names):
            return 0 if names.startswith(exact) else _PLACES if names.startswith(start) else 2 * _PLACES
        # A name that is joined of words has none of them by itself.
        begins = 0 if names.startswith(exact) else _PLACES if names.startswith(start) else 2 * _PLACES
        return begins + (1 if has_all(with_keywords) else 2 if has_all(with_description) else LAST_PLACE)

    return rank
