"""What all pages about one version of a chart have around them: its name, what is special about it, and the tabs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from flask import Response

from chartrepo.contents import Contents
from chartrepo.core import annotations, versions
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

    @property
    def annotations(self) -> Mapping[str, str]:
        """Those of Chart.yaml."""
        found: Mapping[str, str] = self.metadata.get("annotations", {})
        return found


class Mark(NamedTuple):
    """Something special about a version.

    Attributes:
        look: the class of its badge: `good`, `warn`, `bad`, `note`, or empty.
        text: what is written on it.
        title: the same as a sentence.
    """

    look: str
    text: str
    title: str


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
            values: for the template, which also knows `subject`, `record`, `metadata`, `tabs`, `tab`, `marks` and
                `canonical`.
        """
        return self._site.pages.render(
            template,
            subject=opened.subject,
            record=opened.subject.record,
            metadata=opened.metadata,
            tabs=_tabs_of(opened, kind),
            tab=kind,
            marks=_marks_of(opened),
            newer=_newer_than(opened.subject),
            canonical=self._canonical(opened.subject, kind),
            **values,
        )

    def _canonical(self, subject: Subject, kind: str) -> str:
        """The one address of a page: without a version where it is about the newest."""
        record = subject.record
        version = None if subject.is_newest else record.version
        return f"{self._site.pages.origin()}{self._site.links.chart(record.repository, record.name, version, tab=kind)}"


# ---- tabs


def _tabs_of(opened: Opened, kind: str) -> tuple[Tab, ...]:
    """The tabs that show something, and the one that is looked at."""
    return tuple(tab for tab in TABS if tab.kind == kind or _HAS.get(tab.kind, _always)(opened))


def _has_values(opened: Opened) -> bool:
    return "values.yaml" in opened.contents.files or "values.schema.json" in opened.contents.files


def _has_templates(opened: Opened) -> bool:
    return any(path.startswith("templates/") for path in opened.contents.files)


def _has_crds(opened: Opened) -> bool:
    """Whether there are definitions, in their folder or said to be there; those among templates are looked for."""
    return (
        any(path.startswith("crds/") or "/crds/" in path for path in opened.contents.files)
        or f"{annotations.PREFIX}crds" in opened.annotations
        or any(_DEFINITION in (file.data or b"") for file in opened.contents.files.values())
    )


def _has_dependencies(opened: Opened) -> bool:
    return "dependencies" in opened.metadata or any(path.startswith("charts/") for path in opened.contents.files)


def _always(opened: Opened) -> bool:
    _ = opened
    return True


_DEFINITION: Final = b"kind: CustomResourceDefinition"
_HAS: Final[Mapping[str, Callable[[Opened], bool]]] = {
    "values": _has_values,
    "templates": _has_templates,
    "crds": _has_crds,
    "dependencies": _has_dependencies,
}
"""What says whether a tab has something to show; for the others that takes more than a look, or they always have."""


# ---- what is special


def _marks_of(opened: Opened) -> list[Mark]:
    record, metadata, said = opened.subject.record, opened.metadata, opened.annotations
    marks = []
    if metadata.get("deprecated"):
        marks.append(Mark("bad", "deprecated", "Its publisher asks not to use this chart any more"))
    if annotations.is_prerelease(said) or not versions.is_stable(record.version):
        marks.append(Mark("warn", "prerelease", "Helm takes this version only if it is named, or with --devel"))
    if annotations.contains_security_updates(said):
        marks.append(Mark("note", "security updates", "This version mends something that concerns security"))
    if record.signer is not None:
        marks.append(Mark("note", "signed", "Its signature was verified when it was published"))
    elif record.signed:
        marks.append(Mark("", "has provenance", "A provenance file lies beside the package; Helm can verify it"))
    if metadata.get("type") == "library":
        marks.append(Mark("", "library", "Other charts use it; it cannot be installed by itself"))
    if annotations.is_operator(said, record.name):
        level = annotations.operator_capabilities(said)
        marks.append(Mark("", "operator", f"An operator: {level}" if level else "An operator"))
    return marks


def _newer_than(subject: Subject) -> str:
    """How a version stands to the one that Helm installs: `older`, `newer`, or empty for the same."""
    if subject.is_newest:
        return ""
    mine, theirs = versions.sort_key(subject.record.version), versions.sort_key(subject.newest.version)
    return "newer" if mine > theirs else "older"
