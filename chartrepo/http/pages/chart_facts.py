"""What the page of a chart says beside its README: links, people, signature, and what else is known of a version."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from chartrepo.catalog import PackageRecord
from chartrepo.core import annotations, weblinks
from chartrepo.core.annotations import Change, Link, SignKey
from chartrepo.core.signers import KeyState, Signer
from chartrepo.policing import Policing
from storage.base import StorageError

_MOST: Final = 30
"""Entries of a list that are shown."""


class Person(NamedTuple):
    """Somebody who looks after a chart, and where a link may lead; empty for nowhere."""

    name: str
    link: str


class Keyed(NamedTuple):
    """Who signed a version, and what that is worth today.

    Attributes:
        signer: who, and how.
        look: the class of its badge.
        state: a sentence about the key today; empty where it is as good as it was.
    """

    signer: Signer
    look: str
    state: str


_STATES: Final[Mapping[KeyState, tuple[str, str]]] = {
    KeyState.VALID: ("good", ""),
    KeyState.EXPIRED: ("good", "The key has expired since; what it signed before holds."),
    KeyState.RETIRED: ("good", "The key was retired since; what it signed before holds."),
    KeyState.COMPROMISED: ("bad", "The key was revoked since: nothing that it signed would be accepted now."),
    KeyState.UNKNOWN: ("warn", "The key is no longer among those that are trusted here."),
    KeyState.REFUSED: ("warn", "The signature would not be accepted now."),
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is said of a version, with nothing in it that a page may not show.

    Attributes:
        links: home, sources, and those of the annotation.
        other_sources: those that no browser opens, as git@git.example.com:team/app.git.
        maintainers: of Chart.yaml, and of the annotation.
        keywords: of Chart.yaml.
        licence: empty where nothing is said.
        category: empty where nothing is said.
        alternative_name: empty where nothing is said.
        capabilities: of an operator; empty where nothing is said.
        kube_version: range of versions of Kubernetes; empty where nothing is said.
        recommendations: addresses of charts that go well with this one.
        screenshots: pictures that lie elsewhere.
        sign_key: as the publisher says; None where nothing is said.
        changes: of this version.
        problems: of the annotations; a sentence each.
    """

    links: tuple[Link, ...]
    other_sources: tuple[str, ...]
    maintainers: tuple[Person, ...]
    keywords: tuple[str, ...]
    licence: str
    category: str
    alternative_name: str
    capabilities: str
    kube_version: str
    recommendations: tuple[str, ...]
    screenshots: tuple[Link, ...]
    sign_key: SignKey | None
    changes: tuple[Change, ...]
    problems: tuple[str, ...]


def facts_of(metadata: Mapping[str, Any]) -> Facts:
    """Return what the metadata of a version says.

    Args:
        metadata: as its index entry has it, under Helm's names, empty ones left out.
    """
    said: Mapping[str, str] = metadata.get("annotations", {})
    return Facts(
        links=tuple(_distinct(_links(metadata, said)))[:_MOST],
        other_sources=tuple(each for each in metadata.get("sources", ()) if each and not weblinks.checked(each))[
            :_MOST
        ],
        maintainers=tuple(_people(metadata, said))[:_MOST],
        keywords=tuple(filter(None, metadata.get("keywords", ())))[:_MOST],
        licence=annotations.licence(said),
        category=annotations.category(said),
        alternative_name=annotations.alternative_name(said),
        capabilities=annotations.operator_capabilities(said),
        kube_version=metadata.get("kubeVersion", ""),
        recommendations=annotations.recommendations(said)[:_MOST],
        screenshots=tuple(Link(each.title, each.url) for each in annotations.screenshots(said)[:_MOST]),
        sign_key=annotations.sign_key(said),
        changes=annotations.changes(said)[:_MOST],
        problems=annotations.problems(said),
    )


def _links(metadata: Mapping[str, Any], said: Mapping[str, str]) -> Iterator[Link]:
    home = weblinks.checked(metadata.get("home", ""))
    if home:
        yield Link("Home", home)
    for number, source in enumerate(filter(None, map(weblinks.checked, metadata.get("sources", ()))), 1):
        yield Link("Source" if number == 1 else f"Source {number}", source)
    yield from annotations.links(said)


def _distinct(links: Iterable[Link]) -> Iterator[Link]:
    seen = set[str]()
    for link in links:
        if link.url not in seen:
            seen.add(link.url)
            yield link


def _people(metadata: Mapping[str, Any], said: Mapping[str, str]) -> Iterator[Person]:
    """Give those of Chart.yaml, whom the annotation calls otherwise by their mail address, and those that it adds."""
    renamed = {each.email: each.name for each in annotations.maintainers(said)}
    for each in metadata.get("maintainers", ()):
        name, email = each.get("name", ""), each.get("email", "")
        link = weblinks.checked(each.get("url", "")) or weblinks.mail_to(email) or ""
        yield Person(renamed.pop(email, "") or name or email, link)
    for email, name in renamed.items():
        yield Person(name, weblinks.mail_to(email) or "")


def keyed(policing: Policing, record: PackageRecord) -> Keyed | None:
    """Return who signed a version; None where nobody did who was looked for."""
    if record.signer is None:
        return None
    signer = Signer.from_json(json.loads(record.signer))
    try:
        look, state = _STATES[policing.key_state(record, signer)]
    except StorageError:
        look, state = "good", "What the key is worth today cannot be told just now."
    return Keyed(signer, look, state)
