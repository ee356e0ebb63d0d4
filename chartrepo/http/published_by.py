"""To whom it is told who published a version: to whoever may read it, and is known."""

from collections.abc import Sequence

from chartrepo.catalog import PackageRecord
from chartrepo.http.auth import Visitor
from chartrepo.publishers import Publisher, Publishers


def publisher_of(visitor: Visitor, publishers: Publishers, record: PackageRecord) -> Publisher | None:
    """Return who published a version that a visitor may read; None where that is not known, or not told to this one."""
    return publishers.of(record) if visitor.is_known else None


def publishers_of(
    visitor: Visitor, publishers: Publishers, records: Sequence[PackageRecord], *, look_ups: int
) -> list[Publisher | None]:
    """Return the same for some versions, of which so many are looked up at most."""
    return publishers.of_some(records, look_ups=look_ups) if visitor.is_known else [None] * len(records)
