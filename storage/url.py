"""From what people write (`DIR`, or `s3://bucket/prefix`) to drivers."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from storage import keys
from storage.base import Misconfigured, State, Storage
from storage.local import LocalStorage
from storage.observed import Observe, ObservedStorage
from storage.options import S3Options

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")


Look = Callable[[str], State | None]


@dataclass(frozen=True, slots=True)
class Storages:
    """What lies at one location.

    Attributes:
        packages: the objects that everybody may know of.
        state: the server's own, which no key of `packages` reaches and no listing of it shows.
        folder: where `state` lies when it is a folder, for what must be in one: databases and locks.
        look: gives the state of a package by its key, None where there is none; None where that takes longer than to
            keep packages in memory is worth.
    """

    packages: Storage
    state: Storage
    folder: Path | None
    look: Look | None = None


def open_storage(
    location: str,
    options: S3Options | None = None,
    *,
    observe: Observe | None = None,
    conditional_writes: bool = True,
    marked: bool = False,
) -> Storages:
    """Make the drivers for a location. Nothing is touched or asked until they are used.

    Args:
        location: a folder, or `s3://bucket` or `s3://bucket/prefix`. The state lies in `<folder>/.chartrepo`, or under
            `.chartrepo/<prefix>` in the same bucket.
        options: for S3.
        observe: is told of each call to either; see `storage.observed`.
        conditional_writes: what `check` found out about this location, in this process or another. Where it is False,
            the drivers look before they write, and whoever writes keeps others out meanwhile.
        marked: the same; see `storage.base.Abilities`.

    Raises:
        Misconfigured: the location is neither, or boto3 cannot be set up.
    """
    scheme = _SCHEME.match(location)
    if scheme is None:
        storages = _local(location, conditional_writes=conditional_writes, marked=marked)
    elif scheme[1].lower() == "s3":
        rest = location[scheme.end() :]
        storages = _s3(location, rest, options or S3Options(), conditional_writes=conditional_writes)
    else:
        raise Misconfigured(f"storage {location!r}: {scheme[1]!r} is not known; use a folder or s3://bucket/prefix")
    if observe is None:
        return storages
    return replace(
        storages,
        packages=ObservedStorage(storages.packages, observe),
        state=ObservedStorage(storages.state, observe),
    )


def _local(location: str, *, conditional_writes: bool, marked: bool) -> Storages:
    if not location or "\0" in location:
        raise Misconfigured(f"storage {location!r} is not a folder: use a folder or s3://bucket/prefix")
    # An absolute path, so that it stays the same folder when the process moves.
    folder = Path(os.path.abspath(location), keys.RESERVED)  # noqa: PTH100 - resolve() would follow a link once for all
    packages = LocalStorage(folder.parent, conditional_writes=conditional_writes, marked=marked)
    state = LocalStorage(folder, private=True, conditional_writes=conditional_writes)
    return Storages(packages, state, folder, packages.state)


def _s3(location: str, rest: str, options: S3Options, *, conditional_writes: bool) -> Storages:
    bucket, _, path = rest.partition("/")
    path = path.strip("/")
    if not _BUCKET.fullmatch(bucket):
        raise Misconfigured(f"storage {location!r} names no bucket: use s3://bucket or s3://bucket/prefix")
    if path and not keys.is_sound(path):
        raise Misconfigured(f"storage {location!r} has a prefix that cannot be one: use names with `/` between them")
    # boto3 is for those who need it.
    from storage.s3 import S3Storage, connect, new_circuit  # noqa: PLC0415

    client = connect(options, bucket)
    circuit = new_circuit()
    prefix = f"{path}/" if path else ""
    packages, state = (
        S3Storage(client, bucket, each, options, conditional_writes=conditional_writes, circuit=circuit)
        for each in (prefix, f"{keys.RESERVED}/{prefix}")
    )
    return Storages(packages, state, None)
