"""The derived SQL database: what was read out of the packages, so that no request reads an archive twice."""

from chartrepo.catalog.artifacts import Artifacts, Held
from chartrepo.catalog.browsing import Browsing, ChartStatus
from chartrepo.catalog.catalog import Building, Catalog, Changes, Record, open_catalog, sqlite_file
from chartrepo.catalog.engine import Change
from chartrepo.catalog.exclusive import Exclusive
from chartrepo.catalog.pull_view import PullView, Shown
from chartrepo.catalog.records import (
    Content,
    ContentKind,
    Entry,
    Known,
    ManifestRecord,
    Mark,
    PackageRecord,
    RepositoryStatus,
    Served,
    SetAside,
    TagRecord,
    Withheld,
)

__all__ = [
    "Artifacts",
    "Browsing",
    "Building",
    "Catalog",
    "Change",
    "Changes",
    "ChartStatus",
    "Content",
    "ContentKind",
    "Entry",
    "Exclusive",
    "Held",
    "Known",
    "ManifestRecord",
    "Mark",
    "PackageRecord",
    "PullView",
    "Record",
    "RepositoryStatus",
    "Served",
    "SetAside",
    "Shown",
    "TagRecord",
    "Withheld",
    "open_catalog",
    "sqlite_file",
]
