"""The page of an OCI repository that is no chart: its tags, what they name, how to pull it, and how to delete of it."""

from dataclasses import dataclass, field
from typing import Any, Final

from flask import Flask, Response, request

from chartrepo.catalog import ManifestRecord
from chartrepo.core import oci
from chartrepo.core.errors import DigestInvalid, ManifestUnknown, NameInvalid, NameUnknown
from chartrepo.core.oci import Name
from chartrepo.core.permissions import Action
from chartrepo.http.auth import trying_of, visitor_of
from chartrepo.http.errors import BadRequest, Forbidden, NoSuchPath
from chartrepo.http.pages.links import UI
from chartrepo.http.pages.notices import DELETED, notice_of
from chartrepo.http.pages.site import Site
from chartrepo.registry import Registry
from chartrepo.registry.exhibits import Exhibits

TAGS: Final = 20
"""Of a page. Each manifest that it shows is read."""
UNTAGGED: Final = 20


@dataclass(frozen=True, slots=True)
class ArtifactPages:
    """Views of `/ui/artifacts/NAME`, where a name is that of an OCI repository without the prefix.

    Attributes:
        site: that they are of.
        registry: the use cases of OCI.
        allow_delete: the setting.
        exhibits: what is shown of manifests.
    """

    site: Site
    registry: Registry
    allow_delete: bool
    exhibits: Exhibits = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "exhibits", Exhibits(self.site.repositories.packages))

    def register(self, app: Flask) -> None:
        """Add the routes to an application."""
        app.add_url_rule(f"{UI}/artifacts/<path:path>", "ui_artifact", self.show, methods=["GET"])
        app.add_url_rule(f"{UI}/artifacts/<path:path>", "ui_artifact_delete", self.delete, methods=["POST"])

    def show(self, path: str) -> Response:
        """GET of the tags, of one manifest (`?manifest=`), or of the question whether to delete (`?delete=`)."""
        name = self._name(path, Action.READ)
        shelves = self.site.repositories.catalog.shelves
        after = request.args.get("after", "")
        found = shelves.tagged(name, after=after, limit=TAGS + 1)
        untagged = shelves.untagged(name, limit=UNTAGGED) if not after else []
        if not found and not untagged and not after and not request.args.get("manifest"):
            if notice_of(request.args) is None:
                raise NoSuchPath
            return self._render("artifact.html", name, tags=[], untagged=[], more=None, after=None)
        if "delete" in request.args:
            return self._ask(name, request.args["delete"])
        if "manifest" in request.args:
            return self._one(name, request.args["manifest"])
        return self._render(
            "artifact.html",
            name,
            tags=[(each.tag, self.exhibits.of(name, each.manifest)) for each in found[:TAGS]],
            untagged=[self.exhibits.of(name, each) for each in untagged],
            more=found[TAGS - 1].tag if len(found) > TAGS else None,
            after=after,
        )

    def _one(self, name: Name, digest: str) -> Response:
        record = self._manifest(name, digest)
        artifacts = self.site.repositories.catalog.artifacts
        referrers = artifacts.referrers(name, record.digest, after="", limit=UNTAGGED + 1)
        return self._render(
            "artifact_manifest.html",
            name,
            exhibit=self.exhibits.of(name, record),
            tags=[each.tag for each in artifacts.tags_of_manifest(name, record.digest)],
            referrers=referrers[:UNTAGGED],
            more_referrers=len(referrers) > UNTAGGED,
        )

    def _ask(self, name: Name, reference: str) -> Response:
        self._check_delete(name)
        artifacts = self.site.repositories.catalog.artifacts
        if oci.is_digest(reference):
            tags = [each.tag for each in artifacts.tags_of_manifest(name, self._manifest(name, reference).digest)]
        else:
            tags = [reference]
        return self._render("artifact_delete.html", name, reference=reference, tags=tags)

    def delete(self, path: str) -> Response:
        """POST that deletes the tag, or the manifest, in the field `reference`."""
        name = self._name(path, Action.DELETE)
        reference = request.form.get("reference", "")
        trying = trying_of(request.environ)
        trying.kind = "manifest"
        if oci.is_digest(reference):
            trying.digest = reference
        else:
            trying.version = reference
        self._check_delete(name)
        if not oci.is_digest(reference) and not oci.is_tag(reference):
            raise BadRequest("the form does not say what is to be deleted: go back, and choose it anew")
        if self.site.repositories.catalog.browsing.count(name.repository, name.chart):
            raise BadRequest("this is a chart: delete its versions on the page of the chart")
        try:
            for package in self.registry.manifests.delete(name, reference):
                trying.deleted(package)
        except NameUnknown:
            raise ManifestUnknown(f"there is no {reference} here (any more)") from None
        return self.site.moved(self.site.links.page("artifacts", name.path, done=DELETED))

    def _check_delete(self, name: Name) -> None:
        visitor_of(request.environ).require(Action.DELETE, name.repository, name.chart)
        if not self.allow_delete:
            raise Forbidden("this server deletes nothing: set allow_delete to true to let it")

    def _manifest(self, name: Name, digest: str) -> ManifestRecord:
        try:
            found = self.site.repositories.catalog.artifacts.manifest(name, str(oci.parse_digest(digest)))
        except DigestInvalid:
            found = None
        if found is None or found.chart is not None:
            raise NoSuchPath
        return found

    @staticmethod
    def _name(path: str, action: Action) -> Name:
        """Return what a path names, where the caller may do this to it.

        Raises:
            NoSuchPath: it can name none; and as `Visitor.require`.
        """
        try:
            name = oci.parse_name(path, "")
        except NameInvalid:
            raise NoSuchPath from None
        visitor_of(request.environ).require(action, name.repository, name.chart)
        return name

    def _render(self, template: str, name: Name, **values: Any) -> Response:
        visitor = visitor_of(request.environ)
        address = self.site.pages.oci_url(name.repository, name.chart).removeprefix("oci://")
        return self.site.pages.render(
            template,
            name=name,
            address=address,
            plain=self.site.pages.origin().startswith("http://"),
            may_delete=self.allow_delete and visitor.may(Action.DELETE, name.repository, name.chart),
            **values,
        )
