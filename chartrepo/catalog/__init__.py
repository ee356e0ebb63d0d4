"""The derived SQL database: what was read out of the packages, so that no request reads an archive twice."""

from chartrepo.catalog.catalog import Building, Catalog, Changes, open_catalog, sqlite_file
from chartrepo.catalog.exclusive import Exclusive
from chartrepo.catalog.records import Entry, Known, Mark, PackageRecord, RepositoryStatus, Served, SetAside

__all__ = [
    "Building",
    "Catalog",
    "Changes",
    "Entry",
    "Exclusive",
    "Known",
    "Mark",
    "PackageRecord",
    "RepositoryStatus",
    "Served",
    "SetAside",
    "open_catalog",
    "sqlite_file",
]
