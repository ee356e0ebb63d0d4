"""Watch what a storage does, for metrics."""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

from storage.base import Abilities, Condition, ObjectInfo, Readable, Reader, State, Storage

Observe = Callable[[str, float, str | None], None]
"""Is told the operation (`put`, `open`, ...), the seconds it took, and the name of its error's class or None."""


class ObservedStorage:
    """A `storage.base.Storage` that tells `observe` of each call to the one it wraps.

    A listing is one call, from its beginning to its end, with whatever the caller does between; a reader is only timed
    until it is open.

    Attributes:
        inner: the one it wraps.
    """

    def __init__(self, inner: Storage, observe: Observe) -> None:
        self.inner = inner
        self._observe = observe

    def check(self, *, writable: bool = True) -> Abilities:
        """See `storage.base.Storage`."""
        with self._watch("check"):
            return self.inner.check(writable=writable)

    def put(
        self,
        key: str,
        source: bytes | Readable,
        *,
        condition: Condition,
        published: int | None = None,
        durable: bool = True,
    ) -> ObjectInfo:
        """See `storage.base.Storage`."""
        with self._watch("put"):
            return self.inner.put(key, source, condition=condition, published=published, durable=durable)

    def copy(self, key: str, source: str, *, origin: Storage | None = None) -> ObjectInfo:
        """See `storage.base.Storage`. Where the origin is watched too, this is a call to this storage alone."""
        with self._watch("copy"):
            return self.inner.copy(key, source, origin=origin.inner if isinstance(origin, ObservedStorage) else origin)

    def open(self, key: str, *, state: State | None = None, start: int = 0, length: int | None = None) -> Reader:
        """See `storage.base.Storage`."""
        with self._watch("open"):
            return self.inner.open(key, state=state, start=start, length=length)

    def stat(self, key: str) -> ObjectInfo:
        """See `storage.base.Storage`."""
        with self._watch("stat"):
            return self.inner.stat(key)

    def delete(self, key: str, *, state: State | None = None) -> None:
        """See `storage.base.Storage`."""
        with self._watch("delete"):
            self.inner.delete(key, state=state)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """See `storage.base.Storage`."""
        with self._watch("list"):
            yield from self.inner.list(prefix)

    def url(self, key: str, *, expires: int, filename: str) -> str | None:
        """See `storage.base.Storage`. Not watched: an address is made without asking the storage."""
        return self.inner.url(key, expires=expires, filename=filename)

    def remove_leftovers(self) -> int:
        """See `storage.base.Storage`."""
        with self._watch("remove_leftovers"):
            return self.inner.remove_leftovers()

    @contextmanager
    def _watch(self, operation: str) -> Generator[None]:
        began = time.perf_counter()
        failed = None
        try:
            yield
        except Exception as error:
            failed = type(error).__name__
            raise
        finally:
            self._observe(operation, time.perf_counter() - began, failed)
