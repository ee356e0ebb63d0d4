"""What a storage lists, as far as it has to do with charts."""

from collections.abc import Mapping
from dataclasses import dataclass

from chartrepo import layout
from chartrepo.pushed import PushedListed, PushedListing
from storage.base import State, Storage


@dataclass(frozen=True, slots=True)
class Listing:
    """What the storage lists.

    Attributes:
        packages: state and time of publication by key; the time is None where a listing does not tell it.
        provenance: state by the package's key.
        pushed: what came through OCI.
    """

    packages: Mapping[str, tuple[State, int | None]]
    provenance: Mapping[str, State]
    pushed: PushedListing


def listed(packages: Storage) -> Listing:
    """List a storage.

    Raises:
        Unavailable: the listing broke.
    """
    found: dict[str, tuple[State, int | None]] = {}
    provenance: dict[str, State] = {}
    pushed = PushedListed()
    for info in packages.list():
        if layout.is_oci(info.key):
            pushed.add(info.key, info.state)
        elif layout.is_package(info.key):
            found[info.key] = (info.state, info.published)
        elif layout.is_provenance(info.key):
            provenance[layout.package_of(info.key)] = info.state
    return Listing(found, provenance, pushed.listing())
