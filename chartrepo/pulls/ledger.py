"""The pulls in the storage of the server's state, where all replicas add what they counted.

Each adds what it counted in a minute as an object of its own, that nobody writes again. When there are many, one of the
replicas, whichever comes first, adds them to the totals. The totals name the objects that are in them. These are
removed only by who has read that, and until then everybody knows not to count them twice, whoever died in between.
"""

import gzip
import json
import logging
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final, NamedTuple

from chartrepo import layout
from chartrepo.core.pulls import Pull, Tallies, Tally, add, as_json, from_json
from storage.base import ABSENT, AlreadyExists, Changed, Matching, NotFound, State, Storage, Unavailable

log = logging.getLogger(__name__)

ENOUGH: Final = 60
"""So many objects are added to the totals together: an hour of one server that is never idle."""
_FORMAT: Final = 1
_OTHERS: Final = "-"
"""Stands for the state of totals to which more was done than adding."""


class Listed(NamedTuple):
    """What there is: the state of the totals, None where there are none yet, and the batches beside them."""

    totals: State | None
    batches: frozenset[str]


class Totals(NamedTuple):
    """The totals.

    Attributes:
        state: in which they lie there; None where there are none yet.
        before: in which state those were that they were made of; empty for none.
        batches: what was added to those, and may lie there still.
        tallies: what they say, with that.
    """

    state: State | None
    before: str
    batches: frozenset[str]
    tallies: dict[Pull, Tally]


class Ledger:
    """The pulls of a storage. Every method raises `StorageError` where that does not answer.

    Args:
        storage: of the server's state.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def add(self, batch: str, tallies: Tallies) -> None:
        """Add what was counted. Twice is as good as once, with the same batch."""
        with suppress(AlreadyExists):  # by somebody who died before it was known
            self._storage.put(
                layout.new_pulls_key(batch), _packed({"pulls": as_json(tallies)}), condition=ABSENT, durable=False
            )

    def look(self) -> Listed:
        """Return what there is."""
        totals, batches = None, set[str]()
        for info in self._storage.list(layout.PULLS_PREFIX):
            batch = layout.new_pulls(info.key)
            if batch is not None:
                batches.add(batch)
            elif info.key == layout.PULL_TOTALS_KEY:
                totals = info.state
        return Listed(totals, frozenset(batches))

    def totals(self) -> Totals:
        """Return the totals, empty ones where there are none.

        Raises:
            Unavailable: also where they are broken: then nothing is added to them, so that they can be mended.
        """
        try:
            with self._storage.open(layout.PULL_TOTALS_KEY) as reader:
                state, data = reader.info.state, reader.read()
        except NotFound:
            return Totals(None, "", frozenset(), {})
        try:
            document = _unpacked(data)
            batches = frozenset(map(str, document["batches"]))
            return Totals(state, str(document["before"]), batches, from_json(document["pulls"]))
        except (KeyError, TypeError, ValueError) as error:
            raise Unavailable(
                f"{layout.PULL_TOTALS_KEY} cannot be read ({error}): put back a copy of it, or remove it to count anew"
            ) from None

    def batch(self, batch: str) -> dict[Pull, Tally] | None:
        """Return what a batch says; nothing of one that is broken, and None where it was removed meanwhile."""
        key = layout.new_pulls_key(batch)
        try:
            with self._storage.open(key) as reader:
                data = reader.read()
        except NotFound:
            return None
        try:
            return from_json(_unpacked(data)["pulls"])
        except (KeyError, TypeError, ValueError) as error:
            log.warning("%s cannot be read, and is passed over: %s", key, error)
            return {}

    def sum_up(self, listed: Listed, fold: Callable[[dict[Pull, Tally]], bool] = lambda _: False) -> None:
        """Add batches to the totals where there are many, and remove those that are in them already.

        Args:
            listed: what there is.
            fold: changes what new totals say, and returns whether it did: they are not the old ones with batches then.
        """
        if len(listed.batches) < ENOUGH:
            return
        totals = self.totals()
        for batch in sorted(listed.batches & totals.batches):
            with suppress(NotFound):  # another replica was quicker
                self._storage.delete(layout.new_pulls_key(batch))
        rest = listed.batches - totals.batches
        if len(rest) >= ENOUGH:
            self._put(totals, rest, fold)

    def _put(self, totals: Totals, batches: Iterable[str], fold: Callable[[dict[Pull, Tally]], bool]) -> None:
        added = set[str]()
        for batch in batches:
            found = self.batch(batch)
            if found is not None:  # else it is in newer totals, which the condition finds
                add(totals.tallies, found.items())
                added.add(batch)
        before = _OTHERS if fold(totals.tallies) else totals.state or ""
        document = {"before": before, "batches": sorted(added), "pulls": as_json(totals.tallies)}
        condition = ABSENT if totals.state is None else Matching(totals.state)
        with suppress(AlreadyExists, Changed):  # another replica was quicker
            self._storage.put(layout.PULL_TOTALS_KEY, _packed(document), condition=condition)


def _packed(document: dict[str, Any]) -> bytes:
    text = json.dumps({"format": _FORMAT, **document}, ensure_ascii=False, separators=(",", ":"))
    return gzip.compress(text.encode("utf-8", "surrogatepass"), mtime=0)


def _unpacked(data: bytes) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(gzip.decompress(data).decode("utf-8", "surrogatepass"))
    except (OSError, EOFError, zlib.error, RecursionError) as error:
        raise ValueError(str(error)) from None
    if document["format"] != _FORMAT:
        raise ValueError("another release wrote it")
    return document
