"""The web servers that run our WSGI application: gunicorn, or granian where more requests a second are wanted.

Both get the socket that the parent has bound, and make the application in each worker after the fork.
"""

# ruff: noqa: SLF001 - granian takes a socket, and tells of a worker's death, in no public way

import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any, Final

from chartrepo import assembly, logs
from chartrepo.http.app import Services, create_app
from chartrepo.http.front import Front
from chartrepo.metrics import worker_died
from chartrepo.orphans import die_with
from chartrepo.serve.processes import deafen_while_booting, listen_to_sigterm
from chartrepo.serve.wishes import Wishes
from chartrepo.settings import Settings
from chartrepo.sync import Report, sync_now
from storage.base import Misconfigured

log = logging.getLogger(__name__)

_CONNECTIONS: Final = 1024
"""Open connections of a granian worker, idle ones included."""


def make_app(settings: Settings, ground: assembly.Ground) -> Front:
    """Return the application of one worker process."""
    metrics = assembly.metrics(ground)
    metrics.worker_started()
    found = assembly.storages(settings, ground, observe=metrics.storage_call)
    repositories, registry = assembly.both_sides(settings, ground, found)

    def sync() -> Report:
        return sync_now(repositories, metrics)

    return create_app(
        settings,
        Services(
            repositories=repositories,
            registry=registry,
            indexes=assembly.indexes(settings, repositories.catalog, metrics=metrics),
            sync=sync,
            uploads=assembly.uploads(settings),
            metrics=metrics,
            access=logs.access_log(settings.log_format, settings.log_level) if settings.access_log else None,
            public_url=assembly.public_url(settings),
        ),
    )


def run_web(settings: Settings, ground: assembly.Ground, listener: socket.socket, wishes: Wishes) -> None:
    """Run the web server that the settings name, until SIGTERM. Returns, or leaves by `SystemExit`."""
    deafen_while_booting()
    run = _run_granian if settings.server == "granian" else _run_gunicorn
    run(settings, ground, listener, wishes)


def check_installed(settings: Settings) -> None:
    """Refuse a web server that is not there.

    Raises:
        Misconfigured: with what to install.
    """
    if settings.server == "granian":
        try:
            import granian  # noqa: F401, PLC0415 - an optional dependency
        except ImportError:
            raise Misconfigured("server is granian, which is not installed: pip install 'chartrepo[granian]'") from None


def _worker_died(ground: assembly.Ground, wishes: Wishes, pid: int | None) -> None:
    """Look at the storage again: the worker may have died between storing a package and writing the catalog."""
    wishes.sync()
    if ground.counts is not None and pid is not None:
        worker_died(ground.counts, pid)


def _worker_is_ready() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    listen_to_sigterm()


def _run_gunicorn(settings: Settings, ground: assembly.Ground, listener: socket.socket, wishes: Wishes) -> None:
    # Only one of the two servers is loaded, and this one has no types.
    from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]  # noqa: PLC0415

    from chartrepo.serve.worker import AtOnceWorker  # noqa: PLC0415

    options: dict[str, Any] = {
        "bind": f"fd://{os.dup(listener.fileno())}",
        "workers": settings.workers,
        "threads": settings.threads,
        "worker_class": AtOnceWorker,
        "keepalive": int(settings.keepalive),
        "graceful_timeout": int(settings.graceful_timeout),
        "logconfig_dict": logs.configuration(settings.log_format, settings.log_level),
        "loglevel": "warning",
        "accesslog": None,
        "proc_name": "chartrepo",
        "control_socket_disable": True,
        # The heart-beat needs a writable folder, also where the root file system is not.
        "worker_tmp_dir": "/dev/shm" if os.access("/dev/shm", os.W_OK) else str(settings.state_dir),  # noqa: S108
        # Ctrl-C reaches all processes of a terminal at once. Only the parent heeds it, and ends the others in order.
        "when_ready": lambda _arbiter: signal.signal(signal.SIGINT, signal.SIG_IGN),
        "post_worker_init": lambda _worker: _worker_is_ready(),
        "child_exit": lambda _arbiter, worker: _worker_died(ground, wishes, worker.pid),
        "forwarded_allow_ips": "",
    }

    class Application(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            for name, value in options.items():
                self.cfg.set(name, value)

        def load(self) -> Front:
            return make_app(settings, ground)

    Application().run()


def _run_granian(settings: Settings, ground: assembly.Ground, listener: socket.socket, wishes: Wishes) -> None:
    from granian import _signals  # noqa: PLC0415
    from granian._granian import SocketHolder, WorkerSignal  # noqa: PLC0415
    from granian.constants import HTTPModes, Interfaces  # noqa: PLC0415
    from granian.http import HTTP1Settings  # noqa: PLC0415
    from granian.log import LogLevels  # noqa: PLC0415
    from granian.server.mp import MPServer  # noqa: PLC0415

    parent = os.getpid()

    def hear_sigterm_once() -> Any:
        event = WorkerSignal()

        def end(_signal: int, _frame: Any) -> None:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            event.set()

        if signal.SIGTERM in signal.sigpending():
            sys.exit(0)  # it came while this worker was born, and granian would not hear it any more
        signal.signal(signal.SIGTERM, end)
        listen_to_sigterm()
        return event

    # Its workers hang when they are told twice: by Ctrl-C or an init system that signals the whole group, and by their
    # parent. See _worker_is_ready too.
    _signals._get_signals = lambda: [signal.SIGTERM]
    _signals.set_sync_signals = hear_sigterm_once

    def load() -> Callable[..., Any]:
        die_with(parent)  # its workers do not notice by themselves
        return make_app(settings, ground)

    class Server(MPServer):
        def _init_shared_socket(self) -> None:
            logging.getLogger("_granian").setLevel(logging.WARNING)  # its advice on numbers of threads is over
            # granian offers no way in but this: its own socket would let a second server share the port unnoticed.
            shared: Any = self
            shared._ssp = shared._sso = None
            shared._sfd = listener.fileno()
            shared._shd = SocketHolder(shared._sfd, False, self.backlog)  # type: ignore[call-arg]  # noqa: FBT003

        def _respawn_workers(self, workers: Any, *arguments: Any, **options: Any) -> Any:
            for index in workers:
                _worker_died(ground, wishes, self.wrks[index].inner.pid)
            return super()._respawn_workers(workers, *arguments, **options)

    Server(
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
    ).serve(target_loader=load, wrap_loader=False)
