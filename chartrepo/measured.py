"""A storage whose calls are counted and timed."""

import time
from collections.abc import Callable, Iterator
from typing import BinaryIO, TypeVar

from chartrepo.metrics import Unmeasured
from storage.base import Abilities, Condition, ObjectInfo, Reader, State, Storage

T = TypeVar("T")


class MeasuredStorage:
    """A storage that does what another does, and tells `metrics` of each call.

    Args:
        storage: does the work.
        metrics: is told the method's name, the time it took, and what it raised. Of `open` that is the time until the
            first byte can be read, of `list` the time from the first to the last object, the consumer's included.
    """

    def __init__(self, storage: Storage, metrics: Unmeasured) -> None:
        self._storage = storage
        self._metrics = metrics

    def check(self, *, writable: bool = True) -> Abilities:
        """As the storage's own; not counted, for it is called once."""
        return self._storage.check(writable=writable)

    def put(
        self, key: str, source: bytes | BinaryIO, *, condition: Condition, published: int | None = None
    ) -> ObjectInfo:
        """As the storage's own."""
        return self._measured("put", lambda: self._storage.put(key, source, condition=condition, published=published))

    def open(self, key: str, *, state: State | None = None, start: int = 0, length: int | None = None) -> Reader:
        """As the storage's own."""
        return self._measured("open", lambda: self._storage.open(key, state=state, start=start, length=length))

    def stat(self, key: str) -> ObjectInfo:
        """As the storage's own."""
        return self._measured("stat", lambda: self._storage.stat(key))

    def delete(self, key: str, *, state: State | None = None) -> None:
        """As the storage's own."""
        self._measured("delete", lambda: self._storage.delete(key, state=state))

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """As the storage's own."""
        began = time.perf_counter()
        error = None
        try:
            yield from self._storage.list(prefix)
        except Exception as raised:
            error = raised
            raise
        finally:
            self._metrics.storage_call("list", time.perf_counter() - began, error)

    def url(self, key: str, *, expires: int, filename: str) -> str | None:
        """As the storage's own; not counted, for nothing is asked of the store."""
        return self._storage.url(key, expires=expires, filename=filename)

    def _measured(self, operation: str, call: Callable[[], T]) -> T:
        began = time.perf_counter()
        error = None
        try:
            return call()
        except Exception as raised:
            error = raised
            raise
        finally:
            self._metrics.storage_call(operation, time.perf_counter() - began, error)
