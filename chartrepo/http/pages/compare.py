"""The page that compares two versions of a chart."""

from collections.abc import Sequence
from typing import Any, Final

from flask import Flask, Response, request

from chartrepo.catalog import PackageRecord
from chartrepo.core.differing.files import digest
from chartrepo.core.differing.summary import summarise
from chartrepo.core.errors import FileNotFound
from chartrepo.core.visible import visible_name
from chartrepo.differences import Differences
from chartrepo.http.pages.compare_shown import Asked, Shown
from chartrepo.http.pages.finding import Subject, find_subject
from chartrepo.http.pages.links import UI
from chartrepo.http.pages.site import Site

_CHOICES: Final = 200
"""Versions that are offered; others can be typed."""
_VIEWS: Final = ("side", "inline")


class ComparePage:
    """The page `/ui/compare/<repository>/<chart>?from=<version>&to=<version>`.

    Args:
        site: that it is of.
        comparing: finds what differs.
    """

    def __init__(self, site: Site, comparing: Differences) -> None:
        self._site = site
        self._comparing = comparing

    def register(self, app: Flask) -> None:
        """Add the route to an application."""
        app.add_url_rule(f"{UI}/compare/<path:rest>", "ui_compare", self.view, methods=["GET"])

    def view(self, rest: str) -> Response:
        """GET of the page. Without versions in the address it leads to the newest one and the one before."""
        subject = find_subject(self._site.repositories.catalog, rest)
        asked = Asked(
            request.args.get("view", "") if request.args.get("view") in _VIEWS else "",
            request.args.get("space") == "hide",
            request.args.get("file", ""),
        )
        wanted = [request.args.get("from") or None, request.args.get("to") or subject.asked]
        browsing = self._site.repositories.catalog.browsing
        name = (subject.record.repository, subject.record.name)
        new = subject.newest if wanted[1] is None else browsing.version(*name, wanted[1])
        old = browsing.version(*name, wanted[0]) if wanted[0] else browsing.before(new) if new is not None else None
        missing = [each for each, found in zip(wanted, (old, new), strict=True) if each and found is None]
        if old is None or new is None:
            return self._choose(subject, asked, new, missing)
        if request.args.get("from") != old.version or request.args.get("to") != new.version:
            return self._lead(self._address(old, new.version, asked, old=old.version))
        return self._compare(subject, asked, old, new)

    @staticmethod
    def _lead(address: str) -> Response:
        response = Response(status=302, headers={"Location": address, "Cache-Control": "no-store"})
        response.autocorrect_location_header = False
        return response

    def _address(self, record: PackageRecord, new: str, asked: Asked, *, old: str, **changes: str | None) -> str:
        query = {"from": old, "to": new, **asked.query, **changes}
        return self._site.links.chart(record.repository, record.name, tab="compare", **query)

    def _choose(self, subject: Subject, asked: Asked, new: PackageRecord | None, missing: Sequence[str]) -> Response:
        """Return a page that says which versions there are."""
        return self._site.pages.render(
            "compare_choose.html",
            status=404 if missing else 200,
            subject=subject,
            record=subject.record,
            missing=[visible_name(each[:100]) for each in missing],
            **self._form(subject, asked, "", (new or subject.newest).version),
        )

    def _form(self, subject: Subject, asked: Asked, old: str, new: str) -> dict[str, Any]:
        record = subject.record
        names = self._site.repositories.catalog.browsing.names_of_newest(record.repository, record.name, limit=_CHOICES)
        if not old and len(names) > 1:
            old = names[1]  # so that the form can be sent as it is
        return {
            "names": names,
            "has_all": subject.versions <= len(names),
            "old_version": old,
            "new_version": new,
            "chosen": asked,
            "action": self._site.links.chart(record.repository, record.name, tab="compare"),
        }

    def _compare(self, subject: Subject, asked: Asked, old: PackageRecord, new: PackageRecord) -> Response:
        found = self._comparing.compare(old, new)
        if asked.file and all(file.path != asked.file for file in found.files):
            raise FileNotFound(f"{visible_name(asked.file[:200])} does not differ between the two versions")
        shown = Shown(found, asked, lambda file: self._address(new, new.version, asked, old=old.version, file=file))
        return self._site.pages.render(
            "compare.html",
            subject=subject,
            record=new,
            old=old,
            new=new,
            comparison=found,
            summary=summarise(found),
            shown=shown,
            sections=shown.sections,
            digest=digest,
            visible_name=visible_name,
            swapped=self._address(new, old.version, asked, old=new.version),
            whole=self._address(new, new.version, asked, old=old.version, file=None),
            views=[
                (title, self._address(new, new.version, asked, old=old.version, view=view or None), asked.view == view)
                for title, view in (("As it fits", ""), ("Side by side", "side"), ("Inline", "inline"))
            ],
            spaces=[
                (
                    title,
                    self._address(new, new.version, asked, old=old.version, space=space),
                    asked.hides_space == hides,
                )
                for title, space, hides in (("Shown", None, False), ("Hidden", "hide", True))
            ],
            as_json=self._site.links.api(
                "/".join(filter(None, (new.repository, "charts", new.name, "compare"))),
                **{"from": old.version, "to": new.version},
            ),
            **self._form(subject, asked, old.version, new.version),
        )
