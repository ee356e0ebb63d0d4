"""A storage that fails when a test says so, and remembers what it was asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Literal, NamedTuple

from storage.base import Abilities, Condition, ObjectInfo, Readable, Reader, State, Storage, StorageError

Operation = Literal["check", "put", "copy", "open", "stat", "delete", "list", "remove_leftovers"]


class Call(NamedTuple):
    """Something that a storage was asked: the operation, and the key or the prefix (empty for neither)."""

    operation: Operation
    key: str


@dataclass
class _Fault:
    operation: Operation
    error: StorageError
    when: Literal["before", "after"]
    skip: int
    times: int | None
    key: str | None


class FaultyStorage:
    """A `storage.base.Storage` over another one.

    Attributes:
        calls: all that it was asked, in order.
    """

    def __init__(self, inner: Storage) -> None:
        self._inner = inner
        self._faults: list[_Fault] = []
        self._lock = Lock()
        self.calls: list[Call] = []

    def fail(
        self,
        operation: Operation,
        error: StorageError,
        *,
        when: Literal["before", "after"] = "before",
        skip: int = 0,
        times: int | None = 1,
        key: str | None = None,
    ) -> None:
        """Let calls fail from now on.

        Args:
            operation: which calls.
            error: what they raise.
            when: `before` anything is done, or `after` it was done, as when an answer gets lost.
            skip: how many such calls go well first.
            times: how many fail then; None for all until `heal`.
            key: only calls for this key or prefix.
        """
        self._faults.append(_Fault(operation, error, when, skip, times, key))

    def heal(self) -> None:
        """Let all go well again."""
        self._faults.clear()

    def check(self, *, writable: bool = True) -> Abilities:
        with self._fault("check", ""):
            return self._inner.check(writable=writable)

    def put(
        self,
        key: str,
        source: bytes | Readable,
        *,
        condition: Condition,
        published: int | None = None,
        durable: bool = True,
    ) -> ObjectInfo:
        with self._fault("put", key):
            return self._inner.put(key, source, condition=condition, published=published, durable=durable)

    def copy(self, key: str, source: str, *, origin: Storage | None = None) -> ObjectInfo:
        with self._fault("copy", key):
            return self._inner.copy(key, source, origin=origin._inner if isinstance(origin, FaultyStorage) else origin)

    def open(self, key: str, *, state: State | None = None, start: int = 0, length: int | None = None) -> Reader:
        with self._fault("open", key) as fault:
            reader = self._inner.open(key, state=state, start=start, length=length)
            if fault is not None:
                reader.close()
            return reader

    def stat(self, key: str) -> ObjectInfo:
        with self._fault("stat", key):
            return self._inner.stat(key)

    def delete(self, key: str, *, state: State | None = None) -> None:
        with self._fault("delete", key):
            self._inner.delete(key, state=state)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        with self._fault("list", prefix):
            yield from self._inner.list(prefix)

    def url(self, key: str, *, expires: int, filename: str) -> str | None:
        return self._inner.url(key, expires=expires, filename=filename)

    def remove_leftovers(self) -> int:
        with self._fault("remove_leftovers", ""):
            return self._inner.remove_leftovers()

    @contextmanager
    def _fault(self, operation: Operation, key: str) -> Iterator[_Fault | None]:
        with self._lock:
            self.calls.append(Call(operation, key))
            fault = self._due(operation, key)
        if fault is not None and fault.when == "before":
            raise fault.error
        yield fault
        if fault is not None:
            raise fault.error

    def _due(self, operation: Operation, key: str) -> _Fault | None:
        for fault in self._faults:
            if fault.operation != operation or fault.key not in {None, key} or fault.times == 0:
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            if fault.times is not None:
                fault.times -= 1
            return fault
        return None
