"""Objects as files in a folder.

What is trusted and what is not: a key never leads out of the folder, whatever it is made of. A symbolic link in the
folder is followed wherever it leads, because only the folder's owner can have made it (people keep charts on another
disk, and Kubernetes mounts files as links); no request ever makes one.

Folders stay when their last file goes: removing them would race with writers, and an empty one means nothing.
"""

# Reading a small package is a matter of four system calls, and pathlib would take longer than those.
# ruff: noqa: PTH100, PTH102, PTH104, PTH108, PTH110, PTH112, PTH116, PTH120

import errno
import fcntl
import logging
import os
import secrets
import stat as st
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Final, Never, Self

from storage import copying, keys, walk
from storage.base import (
    ABSENT,
    Abilities,
    AlreadyExists,
    Changed,
    Condition,
    InvalidKey,
    Matching,
    Misconfigured,
    NoSpace,
    NotFound,
    ObjectInfo,
    Readable,
    State,
    Storage,
    StorageError,
    Unavailable,
    as_published,
)

_LOG: Final = logging.getLogger(__name__)

_TEMPORARY: Final = f"{keys.RESERVED}-"
_SUFFIX: Final = ".tmp"
_LOCK: Final = f"{keys.RESERVED}-lock"
_DEAD_AFTER: Final = 3600
"""Seconds without a change after which a temporary file has no writer any more."""

_SECOND: Final = 1_000_000_000
_CHUNK: Final = 1 << 20
_AHEAD: Final = 32 << 20
"""Bytes of a large object that are waited for at the end at most, rather than all of it."""

# A pipe put into the folder would otherwise block whoever opens it.
_READ: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC

_NOTHING_THERE: Final = walk.VANISHED | {errno.ENAMETOOLONG}
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NO_LINK: Final = frozenset({errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS})
"""Error numbers of two names that cannot be those of one file."""

_UNSUPPORTED: Final = frozenset({errno.EPERM, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOLCK})

_NEEDS_HANDS: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR})
"""Error numbers of what does not pass by itself."""

_REMEDIES: Final = {
    errno.EACCES: "give the user that runs this process the right to it",
    errno.EDQUOT: "make room, or raise the quota",
    errno.EFBIG: "raise the limit of a file's size (ulimit -f)",
    errno.EIO: "look after the disk",
    errno.EISDIR: "move the folder away that lies where a file must be",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENAMETOOLONG: "use a shorter name",
    errno.ENFILE: "raise the system's limit of open files (fs.file-max)",
    errno.ENOSPC: "make room",
    errno.ENOTDIR: "move the file away that lies where a folder must be",
    errno.EPERM: "give the user that runs this process the right to it",
    errno.EROFS: "mount it for writing",
}


class LocalReader:
    """A `storage.base.Reader` of an open file, which a server may also hand to `sendfile` by its `fileno`."""

    def __init__(self, info: ObjectInfo, descriptor: int, left: int) -> None:
        """Take over `descriptor`, standing where reading shall begin, to give `left` bytes from there."""
        self.info = info
        self._left = left
        self._descriptor: int | None = descriptor

    def fileno(self) -> int:
        """The descriptor, standing at the next byte that `read` would give.

        Raises:
            ValueError: the reader is closed.
        """
        if self._descriptor is None:
            raise ValueError("the reader is closed")
        return self._descriptor

    def read(self, size: int = -1, /) -> bytes:
        """See `storage.base.Reader`."""
        wanted = self._left if size < 0 else min(size, self._left)
        if not wanted:
            return b""
        descriptor = self.fileno()
        with _translated("read", self.info.key):
            data = os.read(descriptor, wanted)
            while size < 0 and len(data) < wanted and (more := os.read(descriptor, wanted - len(data))):
                data += more
            self._left -= len(data)
            # Somebody may have written into the file instead of replacing it. What was given before cannot be taken
            # back, but a transfer that ends in an error is not taken for a whole one.
            whole = data and (self._left or _state(os.fstat(descriptor)) == self.info.state)
        if not whole:
            raise Unavailable(f"{keys.shown(self.info.key)} was changed in place while it was being read")
        return data

    def close(self) -> None:
        """See `storage.base.Reader`."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()


class LocalStorage:
    """A `storage.base.Storage` in a folder of a POSIX file system.

    A new file gets its name by `link`, which fails when the name is taken; so a create needs no lock. Whoever replaces
    or removes holds a lock file for the moment between looking and doing. Both work between processes. Where a file
    system has no hard links or no locks, conditions hold between the threads of one process, and `check` says so.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        private: bool = False,
        conditional_writes: bool = True,
        marked: bool = False,
    ) -> None:
        """Keep objects under `root`, which nobody else may look into when `private`. Nothing is touched yet.

        `conditional_writes` and `marked` are what `check` found out, in whatever process; it finds out again when it is
        called.
        """
        self._root = os.path.abspath(root)
        self._folder_mode, self._file_mode = (0o700, 0o600) if private else (0o777, 0o666)
        self._conditional = conditional_writes
        self._marked = marked
        self._lock = threading.Lock()
        self._durable: set[str] = set()
        self._reported: set[str] = set()

    def check(self, *, writable: bool = True) -> Abilities:
        """See `storage.base.Storage`."""
        description = f"folder {self._root}"
        name = keys.shown(self._root)
        try:
            if writable:
                self._make_root(self._root)
            with os.scandir(self._root) as entries:
                next(entries, None)
            conditional = writable and self._probe()
            if writable:
                self._conditional = conditional
            self._marked = os.path.exists(self.path(_LOCK))
            return Abilities(description, conditional_writes=conditional, marked=self._marked)
        except (NotADirectoryError, FileExistsError):
            raise Misconfigured(f"{name} is not a folder: name one, or move the file away") from None
        except FileNotFoundError:
            raise Misconfigured(f"there is no folder {name}: make it, or name another") from None
        except OSError as error:
            _fail(error, "use the folder", self._root)

    def put(
        self,
        key: str,
        source: bytes | Readable,
        *,
        condition: Condition,
        published: int | None = None,
        durable: bool = True,
    ) -> ObjectInfo:
        """See `storage.base.Storage`. The file's mtime is `published`, with an arbitrary fraction of a second."""
        keys.check(key)
        target = self.path(key)
        with _translated("write", key):
            descriptor, temporary = self._temporary(target, durable=durable)
        try:
            _write(descriptor, source, key)
            with _translated("write", key):
                _stamp(descriptor, int(time.time()) if published is None else as_published(published))
                if durable:
                    os.fsync(descriptor)
                info = self._name(descriptor, temporary, target, key, condition)
        finally:
            # The bytes are on the disk or given up, so that an error in closing has nothing to say.
            with suppress(OSError):
                os.close(descriptor)
            with suppress(OSError):
                os.unlink(temporary)
        if durable:
            _settle(target, key)
        return info

    def copy(self, key: str, source: str, *, origin: Storage | None = None) -> ObjectInfo:
        """See `storage.base.Storage`.

        The copy is a second name of the same file, which takes no time and no room, also between two storages on one
        disk. That is safe because no file is ever changed in place here: whoever replaces one gives its name to another
        file. What a symbolic link leads to belongs to others, so that it is copied byte by byte, as is everything where
        the file system has no hard links or the disks are two.
        """
        keys.check(key)
        place = self if origin is None else origin
        if isinstance(place, LocalStorage) and self._conditional:
            try:
                return self._link(key, source, place)
            except OSError as error:
                if error.errno not in _NO_LINK:
                    _fail(error, "write", key)
        return copying.through_this_process(self, key, source, place)

    def open(self, key: str, *, state: State | None = None, start: int = 0, length: int | None = None) -> LocalReader:
        """See `storage.base.Storage`."""
        keys.check(key)
        try:
            descriptor = os.open(self.path(key), _READ)
        except OSError as error:
            self._fail_to_find(error, key)
        try:
            return _reader(descriptor, key, state, start, length)
        except BaseException:
            os.close(descriptor)
            raise

    def state(self, key: str) -> State | None:
        """What `stat` would give as the state, or None; for one system call. For keys that were opened before."""
        try:
            return _state(os.stat(self.path(key)))
        except OSError:
            return None

    def stat(self, key: str) -> ObjectInfo:
        """See `storage.base.Storage`."""
        keys.check(key)
        try:
            status = os.stat(self.path(key))
        except OSError as error:
            self._fail_to_find(error, key)
        _check_file(key, status)
        return _info(key, status)

    def delete(self, key: str, *, state: State | None = None) -> None:
        """See `storage.base.Storage`. A symbolic link is removed, not what it leads to."""
        path = self.path(key)
        self.stat(key)  # so that a file that is not there is not found on a read-only disk either
        with _translated("delete", key), self._alone():
            _check_state(self.stat(key), state)
            os.unlink(path)
        _settle(path, key)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """See `storage.base.Storage`.

        What may not be read, or is not called something in UTF-8, is left out with a warning: a disk's `lost+found`
        must not stop a listing. Asking for a key in a folder that may not be read raises `Unavailable`, not `NotFound`.
        """
        keys.check_prefix(prefix)
        with _translated("list", prefix):
            self._check_root()
            for folder in walk.folders(self._root, prefix, self._report):
                for entry in folder.files:
                    key = folder.key + entry.name
                    if key.startswith(prefix) and not entry.name.startswith(keys.RESERVED):
                        info = self._look(entry, key)
                        if info is not None:
                            yield info

    def url(self, key: str, *, expires: int, filename: str) -> str | None:  # noqa: ARG002 - the contract's arguments
        """See `storage.base.Storage`. A file has no address."""
        return None

    def remove_leftovers(self) -> int:
        """See `storage.base.Storage`. Age is that of the last change (ctime), for mtime is a time of publication."""
        removed = 0
        newest = time.time() - _DEAD_AFTER
        with _translated("clean", ""):
            for folder in walk.folders(self._root, "", self._report):
                for entry in folder.files:
                    if entry.name.startswith(_TEMPORARY) and entry.name.endswith(_SUFFIX):
                        with suppress(OSError):
                            if entry.stat(follow_symlinks=False).st_ctime < newest:
                                os.unlink(entry.path)
                                removed += 1
        return removed

    def path(self, key: str) -> str:
        """Where the file of an object is, or would be."""
        return f"{self._root}/{key}"

    # Writing

    def _temporary(self, target: str, *, durable: bool = True) -> tuple[int, str]:
        """Make an empty file beside `target`, in a folder that outlives a power cut if `durable`, and open it."""
        folder = os.path.dirname(target)
        path = f"{folder}/{_TEMPORARY}{secrets.token_hex(8)}{_SUFFIX}"
        self._check_root()
        if folder in self._durable or not durable:
            with suppress(FileNotFoundError):
                return os.open(path, _CREATE, self._file_mode), path
        if not durable:
            self._make_passing_folder(folder)
            return os.open(path, _CREATE, self._file_mode), path
        if folder in self._durable:
            self._durable.clear()  # somebody removed it by hand
        try:
            self._make_folder(folder)
        except FileNotFoundError:
            self._durable.clear()  # the same of one above it
            self._make_folder(folder)
        return os.open(path, _CREATE, self._file_mode), path

    def _make_passing_folder(self, folder: str) -> None:
        """Make `folder` and those above it, up to the root, as `_make_folder` does; a power cut may forget them."""
        if folder != self._root:
            with suppress(FileExistsError):
                try:
                    os.mkdir(folder, self._folder_mode)
                except FileNotFoundError:
                    self._make_passing_folder(os.path.dirname(folder))
                    os.mkdir(folder, self._folder_mode)

    def _make_folder(self, folder: str) -> None:
        """Make `folder` and those above it, up to the root, and make sure that none is forgotten in a power cut.

        The root itself is not made here: where it is missing, a disk is not mounted.
        """
        if folder != self._root and folder not in self._durable:
            above = os.path.dirname(folder)
            self._make_folder(above)
            with suppress(FileExistsError):
                os.mkdir(folder, self._folder_mode)
            # Also when somebody else made it: they may not have come as far as this yet.
            _sync_folder(above)
        self._durable.add(folder)

    def _make_root(self, folder: str) -> None:
        if not os.path.isdir(folder):
            above = os.path.dirname(folder)
            if above != folder:
                self._make_root(above)
            os.mkdir(folder, self._folder_mode if folder == self._root else 0o777)
            _sync_folder(above)

    def _link(self, key: str, source: str, origin: "LocalStorage") -> ObjectInfo:
        """Give the file under `source` a second name.

        Raises:
            OSError: that cannot be.
        """
        target, path = self.path(key), origin.path(source)
        with origin.open(source) as reader:
            if st.S_ISLNK(os.lstat(path).st_mode):
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
            # The folder has to be there and to last, and its files have the rights that this one's shall have.
            descriptor, temporary = self._temporary(target)
            try:
                rights = st.S_IMODE(os.fstat(descriptor).st_mode)
                if rights & ~os.fstat(reader.fileno()).st_mode:
                    os.fchmod(reader.fileno(), rights)
                os.fsync(reader.fileno())  # other hands may have put it there
                try:
                    os.link(path, target)
                except FileExistsError:
                    raise AlreadyExists(f"{keys.shown(key)} exists already") from None
                except FileNotFoundError:
                    raise NotFound(f"there is no {keys.shown(source)}") from None
                info = _info(key, os.lstat(target))
            finally:
                with suppress(OSError):
                    os.close(descriptor)
                with suppress(OSError):
                    os.unlink(temporary)
        _settle(target, key)
        return info

    def _name(self, descriptor: int, temporary: str, target: str, key: str, condition: Condition) -> ObjectInfo:
        """Give the finished file its name, as far as the condition allows."""
        if not isinstance(condition, Matching):
            info = _info(key, os.fstat(descriptor))
            try:
                self._create(temporary, target, key)
            except AlreadyExists:
                if condition is ABSENT:
                    raise
            else:
                return info
        return self._replace(descriptor, temporary, target, key, condition)

    def _create(self, temporary: str, target: str, key: str) -> None:
        """Give the finished file its name, unless that is taken."""
        if not self._conditional:
            with self._alone():
                if os.path.lexists(target):
                    raise AlreadyExists(f"{keys.shown(key)} exists already")
                os.rename(temporary, target)
            return
        try:
            os.link(temporary, target)
        except FileExistsError:
            # A file server that repeats a call whose answer got lost finds the link that it made itself.
            with suppress(OSError):
                if os.path.samestat(os.lstat(temporary), os.lstat(target)):
                    return
            raise AlreadyExists(f"{keys.shown(key)} exists already") from None

    def _replace(self, descriptor: int, temporary: str, target: str, key: str, condition: Condition) -> ObjectInfo:
        """Give the finished file its name, whatever has it now, as far as the condition allows."""
        with self._alone():
            try:
                before = self.stat(key)
            except NotFound:
                before = None
            if isinstance(condition, Matching):
                _check_state(before, condition.state, key)
            info = _info(key, os.fstat(descriptor))
            second = info.published or 0
            while before is not None and info.state == before.state:
                if os.fstat(descriptor).st_mtime_ns % _SECOND == 0:
                    second = max(second - 1, 1)  # at the end of its times a file system keeps no fractions
                _stamp(descriptor, second)
                os.fsync(descriptor)
                info = _info(key, os.fstat(descriptor))
            os.rename(temporary, target)
            return info

    @contextmanager
    def _alone(self) -> Generator[None]:
        """Keep out everybody else who replaces or removes something here, in any thread or process."""
        with self._lock:
            if not self._conditional:
                yield
                return
            with self._locked():
                yield

    @contextmanager
    def _locked(self) -> Generator[None]:
        """Keep out other processes that lock, where the file system has locks."""
        descriptor = os.open(f"{self._root}/{_LOCK}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, self._file_mode)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            # Closing would not do: a child that another thread forked meanwhile holds the file open too.
            with suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)

    def _probe(self) -> bool:
        """Write here as `put` does it, and find out whether links and locks work."""
        descriptor, first = self._temporary(self.path("probe"))
        second = f"{first.removesuffix(_SUFFIX)}-link{_SUFFIX}"
        try:
            os.write(descriptor, b"probe")
            os.utime(descriptor, ns=(_SECOND, _SECOND + 123_456_700))
            os.fsync(descriptor)
            if os.fstat(descriptor).st_mtime_ns % _SECOND == 0:
                raise Misconfigured(
                    f"the file system of {keys.shown(self._root)} keeps times in whole seconds, so that a replaced "
                    "file could look like the old one: use another file system"
                )
            try:
                with self._lock, self._locked():
                    os.link(first, second)
            except OSError as error:
                if error.errno not in _UNSUPPORTED:
                    raise
                return False
            return True
        finally:
            os.close(descriptor)
            for path in (first, second):
                with suppress(FileNotFoundError):
                    os.unlink(path)

    # Looking

    def _look(self, entry: os.DirEntry[str], key: str) -> ObjectInfo | None:
        """What a listing says of an entry that is no folder, or None where it says nothing."""
        try:
            status = entry.stat()
        except OSError as error:
            if error.errno in walk.FORBIDDEN:
                self._report(entry.path, "the user that runs this process may not look at it")
            elif error.errno not in _NOTHING_THERE:
                raise
            return None
        if not st.S_ISREG(status.st_mode):
            return None
        if not keys.is_sound(key):
            self._report(entry.path, f"its name is not UTF-8, or it is longer than {keys.MAX_BYTES} bytes")
            return None
        return _info(key, status)

    def _report(self, path: str, why: str) -> None:
        """Warn of something that is left out of listings; once, since listings are made all the time."""
        if path not in self._reported:
            self._reported.add(path)
            _LOG.warning("%s is left out: %s", keys.shown(path), why)

    def _fail_to_find(self, error: OSError, key: str) -> Never:
        if error.errno in _NOTHING_THERE:
            self._check_root()
            raise NotFound(f"there is no {keys.shown(key)}") from None
        _fail(error, "read", key)

    def _check_root(self) -> None:
        """Where the root is gone, or empty of our mark, a disk is not mounted; then a missing file means nothing."""
        if not os.path.isdir(self._root):
            raise Unavailable(f"the folder {keys.shown(self._root)} is gone: mount it, or make it again")
        if self._marked and not os.path.exists(self.path(_LOCK)):
            raise Unavailable(
                f"the folder {keys.shown(self._root)} is another one than at the start, for it lacks the file {_LOCK}: "
                "mount the right one, or start again with this one"
            )


def _reader(descriptor: int, key: str, state: State | None, start: int, length: int | None) -> LocalReader:
    status = os.fstat(descriptor)
    _check_file(key, status)
    info = _info(key, status)
    _check_state(info, state)
    if start:
        os.lseek(descriptor, start, os.SEEK_SET)
    left = max(info.size - start, 0)
    return LocalReader(info, descriptor, left if length is None else min(left, length))


def _check_file(key: str, status: os.stat_result) -> None:
    if not st.S_ISREG(status.st_mode):
        raise NotFound(f"{keys.shown(key)} is not a file")


def _check_state(info: ObjectInfo | None, state: State | None, key: str = "") -> None:
    if state is not None and (info is None or info.state != state):
        raise Changed(f"{keys.shown(info.key if info else key)} is not what it was any more")


def _state(status: os.stat_result) -> State:
    return State(f"{status.st_size}-{status.st_mtime_ns}")


def _info(key: str, status: os.stat_result) -> ObjectInfo:
    return ObjectInfo(key, status.st_size, _state(status), as_published(status.st_mtime_ns // _SECOND))


def _stamp(descriptor: int, second: int) -> None:
    """Set the time of publication. The fraction tells two writes in one second apart."""
    moment = second * _SECOND + secrets.randbelow(_SECOND)
    os.utime(descriptor, ns=(moment, moment))


def _write(descriptor: int, source: bytes | Readable, key: str) -> None:
    """Write all that `source` has. Its own errors are not the storage's, and pass as they are."""
    written = begun = 0
    while chunk := source if isinstance(source, bytes) else source.read(_CHUNK):
        left = memoryview(chunk)
        with _translated("write", key):
            while left:
                left = left[os.write(descriptor, left) :]
        if chunk is source:
            return
        written += len(chunk)
        if written - begun >= _AHEAD:
            _begin_to_sync(descriptor, begun, written - begun)
            begun = written


def _begin_to_sync(descriptor: int, start: int, length: int) -> None:
    """Let the disk begin with what will have to be on it, while the rest is still to come."""
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):
            os.posix_fadvise(descriptor, start, length, os.POSIX_FADV_DONTNEED)  # Linux writes it before it forgets it


def _sync_folder(path: str) -> None:
    descriptor = os.open(path, _FOLDER)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems have no such call for folders, and need none.
        if error.errno not in _UNSUPPORTED:
            raise
    finally:
        os.close(descriptor)


def _settle(target: str, key: str) -> None:
    """Make what was done to the name `target` outlive a power cut."""
    try:
        _sync_folder(os.path.dirname(target))
    except OSError as error:
        raise Unavailable(
            f"the change of {keys.shown(key)} may not outlive a power cut: {error.strerror}; try again"
        ) from None


@contextmanager
def _translated(action: str, key: str) -> Generator[None]:
    try:
        yield
    except OSError as error:
        _fail(error, action, key)


def _fail(error: OSError, action: str, key: str) -> Never:
    """Raise what the error means to the caller."""
    number = error.errno or 0
    kind: type[StorageError] = Unavailable
    if number in _FULL:
        kind = NoSpace
    elif number in _NEEDS_HANDS:
        kind = Misconfigured
    elif number == errno.ENAMETOOLONG:
        kind = InvalidKey
    remedy = f"; {_REMEDIES[number]}" if number in _REMEDIES else ""
    raise kind(f"cannot {action} {keys.shown(key)}: {error.strerror or error}{remedy}") from None
