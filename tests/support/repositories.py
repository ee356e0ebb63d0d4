"""Repositories for tests: a storage, a catalog of its own, and a clock that a test turns."""

import io
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from chartrepo.building import sync_or_build
from chartrepo.catalog import Catalog, open_catalog
from chartrepo.core.index import Form
from chartrepo.deletions import Deletions
from chartrepo.findable import Findable
from chartrepo.indexes import Indexes
from chartrepo.judging import judge_again
from chartrepo.maintenance import reindex
from chartrepo.outcomes import ReadMany
from chartrepo.policies import watch_policies
from chartrepo.policing import Policing
from chartrepo.reading import read_many
from chartrepo.repository import Overwrite, Published, Repositories
from chartrepo.sync import Report, sync
from chartrepo.trust.accepted import Acceptances
from chartrepo.trust.attestations import known_referrers
from chartrepo.trust.judge import Trust
from storage.base import ANYWAY, State, Storage
from storage.local import LocalStorage
from storage.memory import MemoryStorage
from tests.support.faults import FaultyStorage
from tests.support.packages import package

NOW = 1_700_000_000


@dataclass
class Clock:
    """Seconds since the epoch, as a test sets them."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


@dataclass
class Shop:
    """All that a server works with, in one place.

    Attributes:
        folder: for catalog and locks.
        inner: where packages lie.
        state: where the server's own state lies.
        overwrite: when a version may be replaced.
        policing: the policies that charts are held to.
        database: the address of the catalog; empty for a file in the folder.
        writes_are_safe: whether the storage keeps two writers apart.
    """

    folder: Path
    inner: Storage = field(default_factory=MemoryStorage)
    state: Storage = field(default_factory=MemoryStorage)
    overwrite: Overwrite = Overwrite.FORCE
    clock: Clock = field(default_factory=Clock)
    policing: Policing = field(default_factory=Policing)
    database: str = ""
    writes_are_safe: bool = True
    storage: FaultyStorage = field(init=False)
    catalog: Catalog = field(init=False)

    def __post_init__(self) -> None:
        _open.append(self)
        self.storage = FaultyStorage(self.inner)
        self.catalog = _catalog(self.folder, self.database)

    def close(self) -> None:
        """Close the catalog's connections."""
        self.catalog.close()

    @property
    def repositories(self) -> Repositories:
        look = self.inner.state if isinstance(self.inner, LocalStorage) else None
        return Repositories(
            self.storage,
            self.catalog,
            overwrite=self.overwrite,
            clock=self.clock,
            look=look,
            policing=self.policing,
            writes_are_safe=self.writes_are_safe,
        )

    def police(self, text: str) -> None:
        """Hold charts to the policies in a file with this text, from now on and for all that is there."""
        file = self.folder / "policies.yaml"
        file.write_text(text)
        referrers = known_referrers(lambda: self.catalog.artifacts, self.storage)
        trust = Trust(Acceptances(self.state), self.storage, referrers)
        self.policing = Policing(watch_policies(file), Deletions(self.state), trust, self.clock)
        self.policing.check()

    def judge(self) -> int:
        """Do what a server does when the policies changed."""
        return judge_again(self.repositories)

    def reader(self) -> ReadMany:
        """What reads many packages, and holds them to the policies."""
        return self.policing.reading(lambda tasks: read_many(lambda: self.storage, tasks, tell_failures=True))

    def build(self) -> Report:
        """Do what a server does when it starts."""
        return sync_or_build(self.repositories, self.reader())

    def rebuild(self) -> None:
        """Lose the catalog, and build it anew."""
        self.catalog.close()
        for file in self.folder.glob("catalog*"):
            file.unlink()
        self.catalog = _catalog(self.folder, self.database)
        self.build()

    def reindex(self) -> None:
        reindex(self.repositories, self.reader())

    def sync(self) -> Report:
        return sync(self.repositories)

    def make_findable(self) -> None:
        """Do what the background does until all charts can be found."""
        findable = Findable(self.repositories)
        while self.is_behind():
            findable.work()

    def is_behind(self) -> bool:
        """Whether charts are still to be made findable."""
        with self.catalog.documents.looking() as looking:
            return looking.is_behind()

    def publish(self, data: bytes | None = None, signature: bytes | None = None, **others: object) -> Published:
        """Publish a package; `app` 1.0.0 unless told otherwise."""
        repository = str(others.pop("repository", ""))
        force = bool(others.pop("force", False))
        bytes_ = package() if data is None else data
        return self.repositories.publish(repository, io.BytesIO(bytes_), signature, force=force)

    def put(self, key: str, data: bytes, *, published: int = NOW - 100) -> State:
        """Put a file into the storage by hand."""
        return self.inner.put(key, data, condition=ANYWAY, published=published).state

    def fetch(self, file: str = "app-1.0.0.tgz", repository: str = "") -> bytes:
        """What a GET of a package gives."""
        with self.repositories.open_package(repository, file).reader as reader:
            return reader.read()

    def fetch_provenance(self, file: str = "app-1.0.0.tgz", repository: str = "") -> bytes:
        with self.repositories.open_provenance(repository, file).reader as reader:
            return reader.read()

    def listed(self, repository: str = "") -> list[str]:
        """The versions that an index shows, as `name version`."""
        index = Indexes(self.catalog).get(repository, Form.JSON)
        return [
            f"{name} {version.version}" for name in index.names for version in self.catalog.versions(repository, name)
        ]


def _catalog(folder: Path, database: str) -> Catalog:
    url = database or f"sqlite:///{folder}/catalog.sqlite"
    return open_catalog(url, lock_dir=folder / "locks", storage_id="the storage")


_open: list[Shop] = []


def close_shops() -> None:
    """Close what the test has opened; every test does so at its end."""
    while _open:
        _open.pop().close()


def provenance(data: bytes, file: str = "app-1.0.0.tgz", *, name: str = "app", version: str = "1.0.0") -> bytes:
    """A provenance file that names the digest of `data`; nobody signed it."""
    return f"""-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA512

name: {name}
version: {version}

...
files:
  {file}: sha256:{sha256(data).hexdigest()}
-----BEGIN PGP SIGNATURE-----

wsBcBAEBCgAQBQJkd
=abcd
-----END PGP SIGNATURE-----
""".encode()
