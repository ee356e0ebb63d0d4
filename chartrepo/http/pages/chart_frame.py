"""What all pages about one version of a chart have around them: its name, what is special about it, and the tabs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from flask import Response

from chartrepo.contents import Contents
from chartrepo.core.made_manifests import metadata_of
from chartrepo.http.pages.finding import Subject, find_subject
from chartrepo.http.pages.site import Site


class Tab(NamedTuple):
    """A tab: the kind of page in its address, and what is written on it."""

    kind: str
    title: str


TABS: Final = (
    Tab("charts", "Overview"),
    Tab("values", "Values"),
    Tab("templates", "Templates"),
    Tab("crds", "CRDs"),
    Tab("dependencies", "Dependencies"),
    Tab("images", "Images"),
    Tab("changelog", "Changelog"),
    Tab("attachments", "Attachments"),
    Tab("files", "Files"),
    Tab("versions", "Versions"),
)
"""In their order."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A version of a chart, and what is in its package.

    Attributes:
        subject: which one.
        metadata: as its index entry has it, under Helm's names, empty ones left out.
        contents: the files of the package.
    """

    subject: Subject
    metadata: Mapping[str, Any]
    contents: Contents


class ChartFrame:
    """Opens charts for pages about them, and puts the frame around what those show.

    Args:
        site: that the pages are of.
    """

    def __init__(self, site: Site) -> None:
        self._site = site

    def open(self, rest: str) -> Opened:
        """Return what the rest of a page's address names; raises as `find_subject` and `ContentsCache.of`."""
        subject = find_subject(self._site.repositories.catalog, rest)
        return Opened(subject, metadata_of(subject.record.entry_json), self._site.contents.of(subject.record))

    def render(self, opened: Opened, kind: str, template: str, **values: Any) -> Response:
        """Return a page about a chart.

        Args:
            opened: the chart.
            kind: which tab it is.
            template: extends `chart_frame.html`.
            values: for the template, which also knows `subject`, `record`, `metadata`, `tabs` and `tab`.
        """
        subject = opened.subject
        return self._site.pages.render(
            template,
            subject=subject,
            record=subject.record,
            metadata=opened.metadata,
            tabs=TABS,
            tab=kind,
            **values,
        )
