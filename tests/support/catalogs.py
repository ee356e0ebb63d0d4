"""Catalogs for tests: records to put in, and what other processes do with one."""

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chartrepo.catalog import Catalog, Entry, PackageRecord, Record, SetAside, open_catalog
from chartrepo.core.index import Form

NOW = 1_700_000_000


@dataclass(frozen=True)
class Place:
    """Where a catalog is; enough to open it in another process."""

    url: str
    lock_dir: Path
    storage_id: str = "the storage"

    def open(self, clock: Callable[[], float] = time.time) -> Catalog:
        return open_catalog(self.url, lock_dir=self.lock_dir, storage_id=self.storage_id, clock=clock)


def package(name: str = "app", version: str = "1.0.0", *, repository: str = "", **others: Any) -> PackageRecord:
    """A record of a package; two calls with the same arguments give equal ones."""
    digest = others.pop("digest", "ab" * 32)
    created = others.pop("created", NOW)
    entry = {"name": name, "version": version, "digest": digest, "created": created}
    values: dict[str, Any] = {
        "repository": repository,
        "file": f"{name}-{version}.tgz",
        "name": name,
        "version": version,
        "state": "state-1",
        "provenance_state": None,
        "signed": False,
        "provenance_digest": None,
        "provenance_size": 0,
        "digest": digest,
        "size": 1000,
        "created": created,
        "entry_json": json.dumps(entry)[:-1],
        "entry_yaml": f"- {json.dumps(entry)}\n",
    }
    return PackageRecord(**{**values, **others})


def aside(file: str = "bad-1.0.0.tgz", *, repository: str = "", state: str = "state-1", reason: str = "no") -> SetAside:
    return SetAside(repository, file, state, reason)


def record(catalog: Catalog, *packages: PackageRecord | SetAside) -> None:
    """Record packages as an upload does, one by one."""
    for one in packages:
        with catalog.exclusive(one.repository, one.file) as entry:
            if isinstance(one, PackageRecord):
                entry.record(one)
            else:
                entry.put_aside(one)


def remove(catalog: Catalog, one: PackageRecord | SetAside) -> None:
    with catalog.exclusive(one.repository, one.file) as entry:
        entry.remove()


def build(catalog: Catalog, *records: Record) -> None:
    with catalog.rebuilding() as building:
        building.load(records)


def charts(catalog: Catalog, repository: str = "", form: Form = Form.JSON) -> dict[str, list[Entry]]:
    """All charts of a repository."""
    with catalog.changes(repository, None, form) as changes:
        return dict(changes.charts)


# ---- in other processes


def record_many(place: Place, name: str, count: int) -> None:
    """Record so many versions of one chart."""
    catalog = place.open()
    record(catalog, *(package(name, f"1.{number}.0") for number in range(count)))
    catalog.close()


def count_up(place: Place, times: int) -> None:
    """Read a number from a record, and write it back grown by one, so many times."""
    catalog = place.open()
    for _ in range(times):
        with catalog.exclusive("", "app-1.0.0.tgz") as entry:
            known = entry.package()
            entry.record(package(size=known.size + 1 if known else 1))
    catalog.close()


def lock_and_wait(place: Place, ready: Path) -> None:
    """Hold the lock on a package, with something recorded, until killed."""
    with place.open().exclusive("", "app-1.0.0.tgz") as entry:
        entry.record(package())
        ready.touch()
        time.sleep(600)


def rebuild_and_die(place: Place) -> None:
    """Die while a catalog is being built."""
    with place.open().rebuilding() as building:
        building.load([package("lost")])
        os.kill(os.getpid(), signal.SIGKILL)


def commit_until_killed(place: Place, log: Path) -> None:
    """Record one version after the other, and note each in a file as soon as it is promised."""
    catalog = place.open()
    number = 0
    with log.open("a") as noted:
        while True:
            version = f"{os.getpid()}.{number}.0"
            record(catalog, package(version=version))
            noted.write(f"{version}\n")
            noted.flush()
            number += 1


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)
