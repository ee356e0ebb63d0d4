"""What a request tries to change, as far as it is known yet: for its audit record."""

import json
from dataclasses import dataclass
from typing import Final

from chartrepo.catalog import PackageRecord, SetAside, Withheld
from chartrepo.core import oci
from chartrepo.core.audit import Deed, Outcome
from chartrepo.core.permissions import Action
from chartrepo.core.signers import Signer
from chartrepo.repository import Published

_DEEDS: Final = {
    Action.PUBLISH: Deed.PUBLISH,
    Action.OVERWRITE: Deed.OVERWRITE,
    Action.DELETE: Deed.DELETE,
    Action.ADMIN: Deed.ADMINISTER,
}


@dataclass(slots=True)
class Trying:
    """What a request tries. `Visitor` begins it, views go on; see `chartrepo.core.audit.Record` for most of it.

    Attributes:
        is_part: whether it is a step on the way to something else, which leaves a record by itself.
    """

    action: Deed
    repository: str | None
    chart: str = ""
    version: str = ""
    kind: str = ""
    digest: str = ""
    replaced: str = ""
    token: str = ""
    token_id: str = ""
    detail: str = ""
    outcome: Outcome = Outcome.DONE
    is_part: bool = False

    @classmethod
    def begin(cls, action: Action, repository: str | None, chart: str, before: "Trying | None" = None) -> "Trying":
        """Return what is tried by whoever asks whether it may do this; None stands for everything.

        Args:
            action: what is asked for.
            repository: where; None for everything.
            chart: its name; empty while it is not known.
            before: what is known of the same request so far.
        """
        made = before or cls(_DEEDS[action], repository)
        made.action, made.repository, made.chart = _DEEDS[action], repository, chart
        return made

    def package(self, version: str, digest: str) -> None:
        """Say which package it is about; the digest is SHA-256 in hex."""
        self.kind, self.version, self.digest = "package", version, str(oci.sha256(digest))

    def published(self, done: Published) -> None:
        """Say that a package was published."""
        self.package(done.record.version, done.record.digest)
        if done.over is not None:
            self.action = Deed.OVERWRITE
        if isinstance(done.over, PackageRecord | Withheld):
            self.replaced = str(oci.sha256(done.over.digest))
            if self.replaced == self.digest:
                self.outcome = Outcome.UNCHANGED
        self._seen(done.record)

    def signed(self, package: PackageRecord | Withheld | None) -> None:
        """Say that a provenance was published, and of which package as it is now; None while that is to come."""
        if package is not None:
            self._seen(package)

    def _seen(self, package: PackageRecord | Withheld) -> None:
        """Say whether readers see a package, and by whose word where that is asked for."""
        if isinstance(package, Withheld):
            self.detail = f"withheld: {package.reason}"
        elif package.signer is not None:
            signer = Signer.from_json(json.loads(package.signer))
            self.detail = f"signed by {signer.name} ({signer.kind.value} key {signer.key})"

    def deleted(self, package: PackageRecord | SetAside) -> None:
        """Say that a package was deleted."""
        self.kind = "package"
        if isinstance(package, PackageRecord | Withheld):
            self.package(package.version, package.digest)
