"""The first page about a chart: how it is installed, its README, and the facts."""

import json
from typing import Final, NamedTuple

from flask import Flask, Response, request
from markupsafe import Markup

from chartrepo.access import Directory
from chartrepo.catalog import PackageRecord
from chartrepo.core import annotations, installing, oci, weblinks
from chartrepo.core.annotations import Link, Maintainer
from chartrepo.core.permissions import ANONYMOUS, Action
from chartrepo.core.signers import KeyState, Signer
from chartrepo.http.auth import visitor_of
from chartrepo.http.pages.chart_frame import ChartFrame, Opened
from chartrepo.http.pages.links import UI
from chartrepo.http.pages.raw import RawFiles
from chartrepo.http.pages.site import Site
from chartrepo.http.published_by import publisher_of
from chartrepo.markup.readme import Places, Readme, ReadmeCache
from chartrepo.publishers import Publishers

_NAMES_OF_READMES: Final = ("README.md", "README.markdown", "README.txt", "README")
_NEWEST: Final = 10
_MOST: Final = 30
"""Links, keywords or maintainers that are shown."""
_SOMEBODY: Final = "YOUR-NAME"
_STATES: Final = {
    KeyState.VALID: ("good", "verified; the key is valid today"),
    KeyState.EXPIRED: ("", "verified; the key has expired since"),
    KeyState.RETIRED: ("", "verified; the key was retired since"),
    KeyState.COMPROMISED: ("bad", "the key was revoked as compromised"),
    KeyState.UNKNOWN: ("warn", "the key is no longer trusted here"),
    KeyState.REFUSED: ("bad", "would not be accepted today"),
}


class Signature(NamedTuple):
    """Who signed a version, and what that is worth today."""

    look: str
    name: str
    key: str
    state: str


class Person(NamedTuple):
    """Somebody who looks after a chart; without an address where there is none that may be linked to."""

    name: str
    url: str | None


class ChartPage:
    """The page, and the pictures in its README.

    Args:
        site: that the page is of.
        directory: knows what needs a credential.
        publishers: know who published what.
    """

    def __init__(self, site: Site, directory: Directory, publishers: Publishers) -> None:
        self._site = site
        self._frame = ChartFrame(site)
        self._directory = directory
        self._publishers = publishers
        self._readmes = ReadmeCache()

    def register(self, app: Flask) -> None:
        """Add the routes to an application."""
        app.add_url_rule(f"{UI}/charts/<path:rest>", "ui_charts", self.view, methods=["GET"])
        RawFiles(self._frame).register(app)

    def view(self, rest: str) -> Response:
        """GET of the page."""
        opened = self._frame.open(rest)
        record, said = opened.subject.record, opened.annotations
        newest = self._site.repositories.catalog.browsing.versions(record.repository, record.name, limit=_NEWEST)
        readme = self._readme(opened)
        return self._frame.render(
            opened,
            "charts",
            "chart.html",
            ways=installing.ways(self._offer(opened)),
            readme=readme,
            readme_html=Markup(readme.html) if readme is not None else None,  # noqa: S704 - it was cleaned
            own_links=_links_of(opened),
            people=_people_of(opened),
            keywords=_texts(opened.metadata.get("keywords"))[:_MOST],
            licence=annotations.licence(said),
            category=annotations.category(said),
            alternative_name=annotations.alternative_name(said),
            capabilities=annotations.operator_capabilities(said),
            recommendations=annotations.recommendations(said)[:_MOST],
            screenshots=annotations.screenshots(said)[:_MOST],
            sign_key=annotations.sign_key(said),
            changes=annotations.changes(said)[:_NEWEST],
            problems=annotations.problems(said),
            signature=self._signature(record),
            newest_versions=newest,
            before=_before(record, newest),
            publisher=publisher_of(visitor_of(request.environ), self._publishers, record),
            package=self._site.links.package(record.repository, record.file),
            provenance=self._site.links.package(record.repository, f"{record.file}.prov") if record.signed else "",
        )

    def _readme(self, opened: Opened) -> Readme | None:
        """The README; None where there is none, or it is too large to be held."""
        path = opened.contents.find(*_NAMES_OF_READMES)
        text = opened.contents.text(path) if path is not None else None
        if path is None or text is None:
            return None
        record, links = opened.subject.record, self._site.links
        where = (record.repository, record.name, record.version)
        places = Places(
            path,
            opened.contents.files.keys(),
            lambda file: links.chart(*where, tab="files", path=file),
            lambda file: links.chart(*where, tab="raw", path=file),
        )
        return self._readmes.get((record.digest, *where), text, places)

    def _offer(self, opened: Opened) -> installing.Offer:
        """How whoever asks reaches the chart."""
        record, pages = opened.subject.record, self._site.pages
        rights = self._directory.rights(ANONYMOUS)
        is_open = rights.may(Action.READ, record.repository, record.name)
        kind, _, name = visitor_of(request.environ).caller.name.partition(":")
        user = name if kind == "user" and name else _SOMEBODY
        has_oci = oci.has_name(record.repository, record.name)
        return installing.Offer(
            record.name,
            record.version,
            record.repository.rpartition("/")[2] or "charts",
            pages.repository_url(record.repository),
            pages.oci_url(record.repository, record.name) if has_oci else "",
            oci.tag_of(record.version) or "",
            user="" if is_open else user,
            is_library=opened.metadata.get("type") == "library",
        )

    def _signature(self, record: PackageRecord) -> Signature | None:
        if record.signer is None:
            return None
        signer = Signer.from_json(json.loads(record.signer))
        look, state = _STATES[self._site.repositories.policing.key_state(record, signer)]
        return Signature(look, signer.name, signer.key, state)


def _texts(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _links_of(opened: Opened) -> list[Link]:
    """The links of a chart, those with a name of their own first; each address once."""
    found = list(annotations.links(opened.annotations))
    home = opened.metadata.get("home")
    if isinstance(home, str):
        found.append(Link("Home page", home))
    found += [Link(source, source) for source in _texts(opened.metadata.get("sources"))]
    safe = {link.url: link for link in reversed(found) if weblinks.checked(link.url) is not None}
    return [link for link in dict.fromkeys(found) if safe.get(link.url) is link][:_MOST]


def _people_of(opened: Opened) -> list[Person]:
    """Who looks after a chart; the annotation renames those of Chart.yaml by their mail address, and adds others."""
    renamed = {each.email: each for each in annotations.maintainers(opened.annotations)}
    found = []
    written = opened.metadata.get("maintainers")
    for each in written if isinstance(written, list) else ():
        name, email, url = (str(each.get(key) or "") for key in ("name", "email", "url"))
        other = renamed.pop(email, None) if email else None
        found.append(Person((other.name if other else name) or email, _address(email, url)))
    found += [_added(each) for each in renamed.values()]
    return found[:_MOST]


def _added(maintainer: Maintainer) -> Person:
    return Person(maintainer.name, _address(maintainer.email, ""))


def _address(email: str, url: str) -> str | None:
    return weblinks.checked(url) or weblinks.mail_to(email)


def _before(record: PackageRecord, newest: list[PackageRecord]) -> str | None:
    """The version before one, as far as the newest tell."""
    names = [each.version for each in newest]
    at = names.index(record.version) + 1 if record.version in names else len(names)
    return names[at] if at < len(names) else None
