"""granian, on our socket, with signals heard in our way.

It offers no public way to either: tests/e2e/test_serving.py holds what this relies on.
"""

# ruff: noqa: SLF001 - granian takes a socket, and tells of a worker's death, in no public way

import logging
import os
import signal
import socket
from collections.abc import Callable
from contextlib import nullcontext
from multiprocessing.connection import wait
from typing import Any, Final

from granian import _signals
from granian._granian import SocketHolder, WorkerSignal, WSGIWorker
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import mp

from chartrepo import assembly, logs
from chartrepo.access import Certificate
from chartrepo.orphans import die_with
from chartrepo.serve.application import after_death, make_app
from chartrepo.serve.granian_renewing import RenewingServer
from chartrepo.serve.hearing import Hearing
from chartrepo.serve.processes import listen_to_sigterm
from chartrepo.serve.wishes import Wishes
from chartrepo.settings import Settings
from chartrepo.watched import Watched

_CONNECTIONS: Final = 1024
"""Open connections of a granian worker, idle ones included."""


def run(
    settings: Settings,
    ground: assembly.Ground,
    listener: socket.socket,
    wishes: Wishes,
    hearing: Hearing,
    *,
    certificate: Watched[Certificate] | None,
) -> None:
    """Run it until SIGTERM; leaves by `SystemExit` where its workers keep failing."""
    parent = os.getpid()

    # Its workers hang when they are told twice: by Ctrl-C or an init system that signals the whole group, and by their
    # parent.
    _signals._get_signals = lambda: [signal.SIGTERM]
    _signals.set_sync_signals = lambda: _hear_sigterm_once(hearing)
    mp.WorkerProcess = _Worker  # type: ignore[misc]
    mp.WSGIWorker = lambda *arguments: _DeafThreads(server.booted, *arguments)  # type: ignore[assignment,attr-defined]

    def load() -> Callable[..., Any]:
        die_with(parent)  # its workers do not notice by themselves
        return make_app(settings, ground, assembly.certificate(settings))

    class Server(RenewingServer):
        def _init_shared_socket(self) -> None:
            logging.getLogger("_granian").setLevel(logging.WARNING)  # its advice on numbers of threads is over
            # granian offers no way in but this: its own socket would let a second server share the port unnoticed.
            shared: Any = self
            shared._ssp = shared._sso = None
            shared._sfd = listener.fileno()
            shared._shd = SocketHolder(shared._sfd, False, self.backlog)  # type: ignore[call-arg]  # noqa: FBT003

        def _respawn_workers(self, workers: Any, *arguments: Any, **options: Any) -> Any:
            for index in workers:
                self.ended(self.wrks[index])
            return super()._respawn_workers(workers, *arguments, **options)

        def ended(self, worker: mp.WorkerProcess) -> None:
            after_death(ground, wishes, worker.inner.pid)

        def shutdown(self, exit_code: int = 0) -> None:
            hearing.heard()
            try:
                super().shutdown(exit_code)  # type: ignore[no-untyped-call]
            except SystemExit:
                # A worker that heard of the end before its parent did counts as a failed one there.
                if not self.interrupt_signal:
                    raise

    server = Server(
        "chartrepo",
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=int(settings.keepalive * 1000)),
        websockets=False,
        workers=settings.workers,
        blocking_threads=settings.threads,
        backpressure=max(_CONNECTIONS, settings.threads),
        respawn_failed_workers=True,
        workers_kill_timeout=max(int(settings.graceful_timeout), 1),
        # It would name another address than that of the socket it was given, and advise against our numbers of threads.
        log_level=LogLevels.error,
        log_dictconfig=logs.configuration(settings.log_format, settings.log_level),
        log_access=False,
    )
    with server.secured_by(certificate) if certificate is not None else nullcontext():
        server.serve(target_loader=load, wrap_loader=False)


def _hear_sigterm_once(hearing: Hearing) -> Any:
    event = WorkerSignal()

    def end(_signal: int, _frame: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        event.set()
        hearing.heard()

    signal.signal(signal.SIGTERM, end)
    return event


class _DeafThreads:
    """granian's worker, whose main thread alone gets SIGTERM, and not before the others run.

    One that comes while a worker boots is heard once it serves. In another thread it would be noted and never acted
    upon: Python runs handlers in the main thread, which waits for a lock that only a signal of its own interrupts.
    """

    def __init__(self, booted: Callable[[], None], *arguments: Any) -> None:
        self._booted = booted
        self._worker = WSGIWorker(*arguments)

    def __getattr__(self, name: str) -> Callable[..., None]:
        start_threads = getattr(self._worker, name)

        def serve(*arguments: Any) -> None:
            start_threads(*arguments)
            listen_to_sigterm()
            self._booted()

        return serve


class _Worker(mp.WorkerProcess):
    def is_alive(self) -> bool:
        """Ask the pipe that the process held, and not, as granian does, a status that another thread is yet to note.

        It would kill, and warn of, a worker that has ended.
        """
        return not wait([self.inner.sentinel], timeout=0)
