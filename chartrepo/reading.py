"""Reading many packages at once, in several processes."""

import logging
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import islice
from typing import Final

from chartrepo import layout
from chartrepo.catalog import SetAside
from chartrepo.examine import read_stored
from chartrepo.orphans import die_with
from chartrepo.outcomes import UNFORESEEN, UNREAD, Outcome, Task, Unread
from storage.base import Misconfigured, NotFound, Storage, StorageError, Unavailable

log = logging.getLogger(__name__)

_CHUNK: Final = 64
"""Packages that a process reads for one message to it."""

_AHEAD: Final = 4
"""Chunks that wait or are read, for each process."""

_WORTH_A_PROCESS: Final = 200
"""So many packages are read sooner than a process is started."""

Open = Callable[[], Storage]


def read_many(
    open_storage: Open, tasks: Iterable[Task], *, threads: int = 1, tell_failures: bool = False
) -> Iterator[Outcome]:
    """Read packages, in no promised order.

    Args:
        open_storage: makes a storage of its own for each process.
        tasks: what to read.
        threads: reads under way in a process; more than one where the storage is a network away.
        tell_failures: say of a package that the storage does not give that it is `Unread`, and go on.

    Raises:
        Unavailable: the storage does not answer, or a reading process was killed.
    """
    tasks = list(tasks)
    processes = min(os.cpu_count() or 1, len(tasks) // _WORTH_A_PROCESS)
    if processes < 2:  # noqa: PLR2004 - one other process would only add the way there
        yield from _read_chunk(_Own(open_storage(), threads, tell_failures), tasks)
        return
    context = multiprocessing.get_context("fork")
    ours = (os.getpid(), open_storage, threads, tell_failures)
    with ProcessPoolExecutor(processes, context, initializer=_start, initargs=ours) as pool:
        chunks = (tasks[start : start + _CHUNK] for start in range(0, len(tasks), _CHUNK))
        try:
            yield from _in_flight(pool, chunks, processes * _AHEAD)
        except BrokenProcessPool:
            raise Unavailable("a process that read packages was killed: the system may be short of memory") from None
        except BaseException:
            # Only then: when all was read the pool is waited for, so that it is not at work while the interpreter ends.
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _in_flight(pool: ProcessPoolExecutor, chunks: Iterator[list[Task]], limit: int) -> Iterator[Outcome]:
    waiting: set[Future[list[Outcome]]] = {pool.submit(_read, chunk) for chunk in islice(chunks, limit)}
    while waiting:
        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        waiting |= {pool.submit(_read, chunk) for chunk in islice(chunks, len(done))}
        for future in done:
            yield from future.result()


@dataclass(frozen=True, slots=True)
class _Own:
    """What a reading process has for itself."""

    storage: Storage
    threads: int
    tell_failures: bool


_own: ContextVar[_Own] = ContextVar("_own")


def _start(parent: int, open_storage: Open, threads: int, tell_failures: bool) -> None:  # noqa: FBT001 - by the pool
    die_with(parent)  # its siblings hold its pipe open, so it would wait for ever
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started us
    _own.set(_Own(open_storage(), threads, tell_failures))


def _read(chunk: list[Task]) -> list[Outcome]:
    return _read_chunk(_own.get(), chunk)


def _read_chunk(own: _Own, chunk: list[Task]) -> list[Outcome]:
    if own.threads == 1:
        return [_read_one(own, task) for task in chunk]
    with ThreadPoolExecutor(own.threads) as pool:
        return list(pool.map(lambda task: _read_one(own, task), chunk))


def _read_one(own: _Own, task: Task) -> Outcome:
    try:
        return read_stored(own.storage, task.repository, task.file, provenance_expected=task.signed)
    except NotFound:
        return None
    except StorageError as error:
        if not own.tell_failures:
            raise
        return Unread(task, str(error), needs_hands=isinstance(error, Misconfigured))
    except Exception:
        # A fault of ours must not keep all other packages from being served.
        log.exception("reading %s failed in a way that nobody foresaw", layout.key(task.repository, task.file))
        return SetAside(task.repository, task.file, UNREAD, UNFORESEEN)
