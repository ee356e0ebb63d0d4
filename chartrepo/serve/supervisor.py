"""The parent process: it checks everything, binds the socket, starts the others, and sees to their end."""

import gc
import logging
import os
import signal
import socket
import sys
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from chartrepo import assembly
from chartrepo.access import Certificate
from chartrepo.kinds import is_loopback
from chartrepo.serve.admin import run_admin
from chartrepo.serve.background import run_background
from chartrepo.serve.greeting import greeting
from chartrepo.serve.hearing import Hearing
from chartrepo.serve.listener import address, listen, url
from chartrepo.serve.pauses import Pauses
from chartrepo.serve.processes import HANDLED, spawn
from chartrepo.serve.web import check_installed, run_web
from chartrepo.serve.wishes import Wishes
from chartrepo.settings import Settings
from chartrepo.watched import Watched
from storage.base import Misconfigured

log = logging.getLogger(__name__)

_HEARD_AFTER: Final = 0.2
"""Seconds that a worker which was told to end takes to turn from the port.

granian's accepts before all else, and never ends where a closed port keeps failing at it.
"""
_RESTART_PAUSE: Final = 1.0
_QUICK_DEATH: Final = 5.0
_QUICK_DEATHS: Final = 3
"""So many deaths of the web server in a row, each so soon after the start, mean that starting again is of no use."""


def run_server(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then let requests under way finish.

    Raises:
        Misconfigured, CatalogMisconfigured, Unavailable: it cannot start; the message is for people.
        SystemExit: the web server could not be kept running.
    """
    if settings.open_writes and not is_loopback(settings.host):
        raise Misconfigured(
            f"--open-writes lets everybody write who can reach {settings.host}: listen on 127.0.0.1, or set "
            "basic_auth_user and basic_auth_password instead"
        )
    check_installed(settings)
    certificate = assembly.certificate(settings)
    assembly.check_files(settings, certificate)
    listener = listen(settings.host, settings.port)
    admin = None
    if settings.admin_port is not None:
        admin = listen(settings.admin_host, settings.admin_port, settings="admin_")
    asked_by = assembly.writing_asked_by(settings)
    ground = assembly.prepare(settings, writable=bool(asked_by), asked_by=asked_by)
    assembly.check_catalog(settings, ground)
    ground = assembly.begin_counting(settings, ground)
    print(  # noqa: T201 - this is what the command says
        greeting(
            settings,
            url=url(listener, settings.context_path, scheme=_scheme(certificate)),
            listening=address(listener),
            storage=ground.description,
            admin_url=url(admin, "") if admin is not None else None,
            safe=ground.writes_are_safe or not asked_by,
        ),
        flush=True,
    )
    gc.collect()
    gc.freeze()  # what was made so far stays on pages that the children share
    _Supervisor(settings, ground, listener, admin, certificate).run()


def _scheme(certificate: Watched[Certificate] | None) -> str:
    return "http" if certificate is None else "https"


@dataclass
class _Supervisor:
    settings: Settings
    ground: assembly.Ground
    listener: socket.socket
    admin: socket.socket | None
    certificate: Watched[Certificate] | None
    children: dict[int, str] = field(default_factory=dict)
    started: dict[str, float] = field(default_factory=dict)
    quick_deaths: dict[str, int] = field(default_factory=dict)
    pauses: dict[str, Pauses] = field(default_factory=lambda: defaultdict(Pauses))
    due: dict[str, float] = field(default_factory=dict)
    hearing: Hearing = field(init=False)

    def run(self) -> None:
        # Blocked before the first fork, so that no child can end unnoticed.
        signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
        for name in ("web", "background", *(["admin"] if self.admin else [])):
            self._start(name)
        while True:
            self._start_due()
            received = self._wait()
            if received in {signal.SIGTERM, signal.SIGINT}:
                break
            if received == signal.SIGCHLD:
                for name, status in self._reap():
                    self._restart(name, status)
        sys.exit(self._stop())

    def _wait(self) -> int | None:
        """Wait for a signal, and no longer than until a process is to be started again; None when that is so."""
        if not self.due:
            return signal.sigwait(HANDLED)
        received = signal.sigtimedwait(HANDLED, max(min(self.due.values()) - time.monotonic(), 0))
        return received.si_signo if received is not None else None

    def _start_due(self) -> None:
        for name in [name for name, due in self.due.items() if due <= time.monotonic()]:
            del self.due[name]
            Wishes(self.settings.state_dir).sync()
            self._start(name)

    def _start(self, name: str) -> None:
        settings, ground, listener, certificate = self.settings, self.ground, self.listener, self.certificate
        main_url = url(listener, settings.context_path, scheme=_scheme(certificate))
        wishes = Wishes(settings.state_dir)
        if name == "web":
            self.hearing = Hearing()
        work = {
            "web": lambda: run_web(settings, ground, listener, wishes, self.hearing, certificate=certificate),
            "background": lambda: run_background(settings, ground, wishes),
            "admin": lambda: run_admin(settings, ground, self.admin, main_url, certificate),
        }[name]
        self.children[spawn(name, work)] = name
        self.started[name] = time.monotonic()
        if name == "web":
            self.hearing.listen()

    def _reap(self) -> list[tuple[str, int]]:
        ended: list[tuple[str, int]] = []
        while self.children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid in self.children:
                ended.append((self.children.pop(pid), os.waitstatus_to_exitcode(status)))
        return ended

    def _restart(self, name: str, status: int) -> None:
        """See to it that a process is started again; end the server where it is the web server that cannot run.

        The others are only tried ever less often: without them charts are served all the same.
        """
        if name == "web":
            self.hearing.close()
        quick = time.monotonic() - self.started[name] < _QUICK_DEATH
        self.quick_deaths[name] = self.quick_deaths.get(name, 0) + 1 if quick else 0
        if name == "web" and self.quick_deaths[name] >= _QUICK_DEATHS:
            log.error("the %s process keeps ending (status %d): giving up", name, status)
            self._stop()
            sys.exit(1)
        if self.quick_deaths[name] > 1:
            pause = self.pauses[name].longer()
        else:
            self.pauses[name].end()
            pause = _RESTART_PAUSE
        log.error("the %s process ended (status %d): starting it again in %.0f s", name, status, pause)
        self.due[name] = time.monotonic() + pause

    def _stop(self) -> int:
        """End the children: the web server first and with patience, the others after it."""
        status = self._end("web", self.settings.graceful_timeout + 5)
        self._close_port()
        return status or max(self._end(name, 10) for name in ("background", "admin"))

    def _close_port(self) -> None:
        """Close the port for all who hold it: who comes is refused, and waits for no answer that never comes."""
        if self.listener.fileno() >= 0:
            with suppress(OSError):
                self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()

    def _end(self, name: str, patience: float) -> int:
        pids = [pid for pid, each in self.children.items() if each == name]
        if not pids:
            return 0
        os.kill(pids[0], signal.SIGTERM)
        told = time.monotonic()
        heard: float | None = None
        while time.monotonic() < told + patience:
            for ended, status in self._reap():
                if ended == name:
                    return 0 if status in {0, -signal.SIGTERM} else 1
            if name == "web" and heard is None and self.hearing.everybody_heard():
                heard = time.monotonic()
            if heard is not None and time.monotonic() > heard + _HEARD_AFTER:
                self._close_port()
            signal.sigtimedwait({signal.SIGCHLD}, _HEARD_AFTER)
        log.warning("the %s process did not end in time: it is killed", name)
        os.kill(pids[0], signal.SIGKILL)
        os.waitpid(pids[0], 0)
        del self.children[pids[0]]
        return 1
