"""Where everything lies: the only builder of storage keys.

Packages, in ChartMuseum's own layout, so that its folder or bucket is served as it is::

    <repository>/<name>-<version>.tgz
    <repository>/<name>-<version>.tgz.prov
    <repository>/index.yaml                  written for web servers when publish_index is on; never read
    <repository>/index-cache.yaml            ChartMuseum's; never read, never touched

The root repository has no folder. Everything private lies in a storage of its own (``DIR/.chartrepo`` on disk,
``.chartrepo/<prefix>`` in a bucket), so that a web server may publish the packages' folder as a whole::

    storage-id                               a random name, by which a catalog knows its storage
    snapshot.jsonl.gz                        what the catalog knew, for servers whose own disk is lost at each start
"""

from typing import Final, NamedTuple

PACKAGE_SUFFIX: Final = ".tgz"
PROVENANCE_SUFFIX: Final = ".tgz.prov"
INDEX_FILE: Final = "index.yaml"
SNAPSHOT_KEY: Final = "snapshot.jsonl.gz"
STORAGE_ID_KEY: Final = "storage-id"


class Place(NamedTuple):
    """A file of a repository."""

    repository: str
    file: str


def package_file(name: str, version: str) -> str:
    """Return the file name of a package, as `helm package` calls it."""
    return f"{name}-{version}{PACKAGE_SUFFIX}"


def key(repository: str, file: str) -> str:
    """Return the storage key of a file in a repository."""
    return f"{repository}/{file}" if repository else file


def provenance_file(package: str) -> str:
    """Return the name of the provenance file that goes with a package file."""
    return f"{package}.prov"


def index_key(repository: str) -> str:
    """Return the storage key of the published index of a repository."""
    return key(repository, INDEX_FILE)


def place(storage_key: str) -> Place:
    """Return the repository and the file that a storage key names."""
    repository, _, file = storage_key.rpartition("/")
    return Place(repository, file)


def is_package(file: str) -> bool:
    """Return whether a file or a key ends as those of packages do."""
    return file.endswith(PACKAGE_SUFFIX)


def is_provenance(file: str) -> bool:
    """Return whether a file or a key ends as that of a package's provenance does."""
    return file.endswith(PROVENANCE_SUFFIX)


def package_of(provenance: str) -> str:
    """Return the package file, or its key, that a provenance file goes with."""
    return provenance.removesuffix(".prov")
