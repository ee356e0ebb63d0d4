"""granian, whose workers are replaced when the certificate is renewed: they read it at their start, and never again.

A worker that has the new one serves before the one whose place it takes is told to end, and both take from one port, so
that nobody is refused meanwhile. Workers are not given the files but what was read from them: by the time that one of
them starts, half of a pair may have been written over.

granian offers no public way to this: tests/e2e/test_tls.py holds what is relied on.
"""

import contextlib
import logging
import os
import select
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

from granian.constants import SSLProtocols
from granian.server import mp

from chartrepo.access import Certificate, as_files
from chartrepo.watched import Watched

log = logging.getLogger(__name__)

_LOOKS: Final = 1.0
"""Seconds between two looks at the files, and at whether the server is to end."""


class RenewingServer(mp.MPServer):
    """granian's parent of workers."""

    _certificate: Watched[Certificate] | None = None
    _booting: int | None = None

    def ended(self, worker: mp.WorkerProcess) -> None:
        """Take note of a worker whose place another one has taken, or is about to take."""

    def booted(self) -> None:
        """In a worker: tell that it serves."""
        if self._booting is not None:
            os.write(self._booting, b"\n")

    @contextlib.contextmanager
    def secured_by(self, certificate: Watched[Certificate]) -> Iterator[None]:
        """Encrypt connections by what the files say; to be served within this context."""
        self._certificate = certificate
        self._files = contextlib.ExitStack()
        try:
            self._secure(certificate.value)
            yield
        finally:
            self._files.close()

    def _secure(self, certificate: Certificate) -> None:
        """Let workers that start from here on have this certificate."""
        self._files = contextlib.ExitStack()
        cas = [] if certificate.client_ca is None else [certificate.client_ca]
        chain, key, *ca = self._files.enter_context(as_files(certificate.chain, certificate.key, *cas))
        least = str(SSLProtocols.tls12)
        self.ssl_ctx = (True, chain, key, None, least, ca[0] if ca else None, [], bool(ca))  # type: ignore[assignment]

    def startup(self, *arguments: Any) -> None:
        """Start the workers, and what looks after the files."""
        super().startup(*arguments)  # type: ignore[no-untyped-call]
        if self._certificate is not None:
            threading.Thread(target=self._look_after, args=(self._certificate,), daemon=True).start()

    def _look_after(self, certificate: Watched[Certificate]) -> None:
        seen = certificate.value
        while True:
            time.sleep(_LOOKS)
            if certificate.value is not seen:
                seen = certificate.value
                self.signal_handler_reload()  # type: ignore[no-untyped-call]

    def _reload(self, *loading: Any) -> None:
        if self._certificate is None:
            super()._reload(*loading)  # type: ignore[no-untyped-call]
            return
        self.main_loop_interrupt.clear()
        self.reload_signal = False
        self._renew(self._certificate.value, *loading)
        if self.interrupt_signal or self.interrupt_children:
            self.main_loop_interrupt.set()  # for what came in the moment before it was cleared

    def _renew(self, certificate: Certificate, *loading: Any) -> None:
        before, files = self.ssl_ctx, self._files
        self._secure(certificate)
        for index in range(self.workers):
            if self.interrupt_signal:
                break
            if not self._replace(index, *loading):
                log.error("granian cannot use the certificate that is in the files now: the one before stays in force")
                self._files.close()
                self.ssl_ctx, self._files = before, files
                return
        files.close()

    def _replace(self, index: int, target: Any, loader: Any) -> bool:
        """Return whether a new worker has taken the place of another one, or would have had time for it."""
        reader, self._booting = os.pipe()
        worker = self._spawn_worker(idx=index, target=target, callback_loader=loader)
        worker.interrupt_by_parent = True  # so that nobody but this method takes note of its death
        worker.start()  # type: ignore[no-untyped-call]
        os.close(self._booting)
        self._booting = None
        try:
            while not (told := select.select([reader], [], [], _LOOKS)[0]) and not self.interrupt_signal:
                pass
            serves = bool(told and os.read(reader, 1))
        finally:
            os.close(reader)
        if told and not serves:
            worker.join()  # type: ignore[no-untyped-call]
            return False
        worker.interrupt_by_parent = False
        self.wrks[index], before = worker, self.wrks[index]
        self._end(before)
        return True

    def _end(self, worker: mp.WorkerProcess) -> None:
        worker.terminate()  # type: ignore[no-untyped-call]
        worker.join(self.workers_kill_timeout)  # type: ignore[no-untyped-call]
        if worker.is_alive():  # type: ignore[no-untyped-call]
            log.warning("a worker did not end in time: it is killed")
            worker.kill()  # type: ignore[no-untyped-call]
            worker.join()  # type: ignore[no-untyped-call]
        self.ended(worker)
