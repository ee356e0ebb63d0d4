"""Objects in the memory of one process: for tests, and to try something out."""

import io
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from storage import copying, keys
from storage.base import (
    ABSENT,
    Abilities,
    AlreadyExists,
    Changed,
    Condition,
    Matching,
    NotFound,
    ObjectInfo,
    Readable,
    State,
    Storage,
    as_published,
)

_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class _Object:
    info: ObjectInfo
    content: bytes


class MemoryReader:
    """A `storage.base.Reader` over bytes that are at hand already."""

    def __init__(self, info: ObjectInfo, content: bytes) -> None:
        self.info = info
        self._file = io.BytesIO(content)

    def read(self, size: int = -1, /) -> bytes:
        """See `storage.base.Reader`."""
        return self._file.read(size)

    def close(self) -> None:
        """See `storage.base.Reader`."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()


class MemoryStorage:
    """A `storage.base.Storage` that forgets everything with the process."""

    def __init__(self) -> None:
        self._objects: dict[str, _Object] = {}
        self._writes = 0
        self._lock = threading.Lock()

    def check(self, *, writable: bool = True) -> Abilities:
        """See `storage.base.Storage`. Conditions hold as far as this memory reaches."""
        return Abilities(description="memory, gone with this process", conditional_writes=writable)

    def put(
        self,
        key: str,
        source: bytes | Readable,
        *,
        condition: Condition,
        published: int | None = None,
        durable: bool = True,  # noqa: ARG002 - the contract's arguments
    ) -> ObjectInfo:
        """See `storage.base.Storage`."""
        keys.check(key)
        content = source if isinstance(source, bytes) else b"".join(iter(lambda: source.read(_CHUNK), b""))
        with self._lock:
            current = self._objects.get(key)
            if condition is ABSENT and current is not None:
                raise AlreadyExists(f"{keys.shown(key)} exists already")
            if isinstance(condition, Matching) and (current is None or current.info.state != condition.state):
                raise Changed(f"{keys.shown(key)} is not what it was any more")
            self._writes += 1
            moment = int(time.time()) if published is None else as_published(published)
            info = ObjectInfo(key, len(content), State(str(self._writes)), moment)
            self._objects[key] = _Object(info, content)
        return info

    def copy(self, key: str, source: str, *, origin: Storage | None = None) -> ObjectInfo:
        """See `storage.base.Storage`."""
        return copying.through_this_process(self, key, source, origin or self)

    def open(self, key: str, *, state: State | None = None, start: int = 0, length: int | None = None) -> MemoryReader:
        """See `storage.base.Storage`."""
        found = self._find(key)
        if state is not None and found.info.state != state:
            raise Changed(f"{keys.shown(key)} is not what it was any more")
        return MemoryReader(found.info, found.content[start : None if length is None else start + length])

    def stat(self, key: str) -> ObjectInfo:
        """See `storage.base.Storage`."""
        return self._find(key).info

    def delete(self, key: str, *, state: State | None = None) -> None:
        """See `storage.base.Storage`."""
        with self._lock:
            found = self._find(key)
            if state is not None and found.info.state != state:
                raise Changed(f"{keys.shown(key)} is not what it was any more")
            del self._objects[key]

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """See `storage.base.Storage`. Shows the objects of the moment in which it is first asked."""
        keys.check_prefix(prefix)
        with self._lock:
            found = [one.info for one in self._objects.values() if one.info.key.startswith(prefix)]
        yield from found

    def url(self, key: str, *, expires: int, filename: str) -> str | None:  # noqa: ARG002 - the contract's arguments
        """See `storage.base.Storage`. Nobody else reaches this memory."""
        return None

    def remove_leftovers(self) -> int:
        """See `storage.base.Storage`. A dead writer leaves nothing here."""
        return 0

    def _find(self, key: str) -> _Object:
        keys.check(key)
        found = self._objects.get(key)
        if found is None:
            raise NotFound(f"there is no {keys.shown(key)}")
        return found
