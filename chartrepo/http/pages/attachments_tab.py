"""What refers to a version of a chart: its provenance, and what was pushed for it."""

import shlex
from typing import NamedTuple

from flask import Response

from chartrepo.attachments import Attachment, attachments_of
from chartrepo.core.artifact_kinds import command_for
from chartrepo.core.visible import visible_name
from chartrepo.http.pages.chart_frame import ChartFrame
from chartrepo.http.pages.site import Site
from chartrepo.registry import Registry


class Shown(NamedTuple):
    """An attachment, and the command that verifies or gets it."""

    attachment: Attachment
    command: str


class AttachmentsTab:
    """The page.

    Args:
        frame: around it.
        site: that the page is of.
        registry: tells what refers to a chart.
    """

    def __init__(self, frame: ChartFrame, site: Site, registry: Registry) -> None:
        self._frame = frame
        self._site = site
        self._registry = registry

    def view(self, rest: str) -> Response:
        """GET of what refers to a version of a chart."""
        opened = self._frame.open(rest)
        record = opened.subject.record
        pages = self._site.pages
        found = attachments_of(self._registry, self._site.repositories.catalog.artifacts, record)
        where = pages.oci_url(record.repository, record.name).removeprefix("oci://")
        plain = pages.origin().startswith("http:")
        return self._frame.render(
            opened,
            "attachments",
            "tab_attachments.html",
            digests=found.digests,
            attachments=[
                Shown(
                    each,
                    command_for(
                        each.kind, chart=f"{where}@{each.about}", artifact=f"{where}@{each.digest}", plain=plain
                    ),
                )
                for each in found.found
            ],
            more=found.more,
            reference=f"{where}@{found.digests[0]}" if found.digests else "",
            verify=(
                f"helm pull {shlex.quote(record.name)} --repo {shlex.quote(pages.repository_url(record.repository))} "
                f"--version {shlex.quote(record.version)} --verify --keyring keyring.gpg"
            ),
            provenance=self._site.links.package(record.repository, f"{record.file}.prov"),
            provenance_file=visible_name(f"{record.file}.prov"),
        )
