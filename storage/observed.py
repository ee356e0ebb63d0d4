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
    """

    def __init__(self, inner: Storage, observe: Observe) -> None:
        self._inner = inner
        self._observe = observe

    def check(self, *, writable: bool = True) -> Abilities:
        """See `storage.base.Storage`."""
        with self._watch("check"):
            return self._inner.check(writable=writable)

    def put(
        self, key: str, source: bytes | Readable, *, condition: Condition, published: int | None = None
    ) -> ObjectInfo:
        """See `storage.base.Storage`."""
        with self._watch("put"):
            return self._inner.put(key, source, condition=condition, published=published)

    def open(self, key: str, *, state: State | None = None, start: int = 0, length: int | None = None) -> Reader:
        """See `storage.base.Storage`."""
        with self._watch("open"):
            return self._inner.open(key, state=state, start=start, length=length)

    def stat(self, key: str) -> ObjectInfo:
        """See `storage.base.Storage`."""
        with self._watch("stat"):
            return self._inner.stat(key)

    def delete(self, key: str, *, state: State | None = None) -> None:
        """See `storage.base.Storage`."""
        with self._watch("delete"):
            self._inner.delete(key, state=state)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """See `storage.base.Storage`."""
        with self._watch("list"):
            yield from self._inner.list(prefix)

    def url(self, key: str, *, expires: int, filename: str) -> str | None:
        """See `storage.base.Storage`. Not watched: an address is made without asking the storage."""
        return self._inner.url(key, expires=expires, filename=filename)

    def remove_leftovers(self) -> int:
        """See `storage.base.Storage`."""
        with self._watch("remove_leftovers"):
            return self._inner.remove_leftovers()

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
