"""gunicorn, with a worker of our own."""

import os
import signal
import socket
from typing import Any, Final

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from chartrepo import assembly, logs
from chartrepo.access import Certificate
from chartrepo.http.front import Front
from chartrepo.serve.application import after_death, make_app
from chartrepo.serve.processes import listen_to_sigterm
from chartrepo.serve.wishes import Wishes
from chartrepo.serve.worker import AtOnceWorker
from chartrepo.settings import Settings
from chartrepo.watched import Watched

_LARGEST_FIELD: Final = 32 * 1024
"""Bytes of a header: the largest identity token that is taken, as the password beside a name, in base64."""


def run(
    settings: Settings,
    ground: assembly.Ground,
    listener: socket.socket,
    wishes: Wishes,
    *,
    certificate: Watched[Certificate] | None,
) -> None:
    """Run it until SIGTERM; leaves by `SystemExit`."""
    options: dict[str, Any] = {
        "bind": f"fd://{os.dup(listener.fileno())}",
        "workers": settings.workers,
        "threads": settings.threads,
        "worker_class": type("Worker", (AtOnceWorker,), {"certificate": certificate}),
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
        "child_exit": lambda _arbiter, worker: after_death(ground, wishes, worker.pid),
        "forwarded_allow_ips": "",
        "limit_request_field_size": _LARGEST_FIELD,
    }

    class Application(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            for name, value in options.items():
                self.cfg.set(name, value)

        def load(self) -> Front:
            return make_app(settings, ground, certificate)

    Application().run()


def _worker_is_ready() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    listen_to_sigterm()
