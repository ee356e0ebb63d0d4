"""Servers as child processes: started on a free port, watched until they answer, ended without leftovers."""

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path


class ServerError(Exception):
    """A server did not start, or did not end, as it should; the message holds what it printed."""


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def answers(url: str) -> bool:
    """Whether a GET of the address gives a 2xx."""
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return False
    except OSError:
        return False


def eventually(ready: Callable[[], bool], *, what: str, seconds: float = 60) -> None:
    """Wait for something to become true.

    Raises:
        ServerError: the time was up.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise ServerError(f"{what}: not so within {seconds:.0f} s")
        time.sleep(0.02)


class Process:
    """A child that leads a process group of its own, with all it prints in one file.

    Attributes:
        pid: of the child itself.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        user: int | None = None,
    ) -> None:
        """Start a command.

        Args:
            command: the program and its arguments.
            log: takes its output and its errors; what is in the file stays.
            environment: replaces ours where given.
            folder: where it runs; ours where not given.
            user: the id of who runs it, where we are root and it does not want to be.
        """
        self._command = " ".join(str(word) for word in command)
        self._log = log
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=folder,
                user=user,
                start_new_session=True,
            )
        self.pid = self._child.pid

    @property
    def printed(self) -> str:
        """All that it has printed so far."""
        return self._log.read_text(errors="replace")

    @property
    def status(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""
        return self._child.poll()

    def wait_until(self, ready: Callable[[], bool], *, what: str, seconds: float = 60) -> None:
        """Wait for something to become true of the child.

        Raises:
            ServerError: the child ended first, or the time was up.
        """
        try:
            eventually(lambda: self.status is not None or ready(), what=what, seconds=seconds)
        except ServerError as late:
            raise ServerError(f"{self._command}: {late}\n{self.printed}") from None
        if self.status is not None:
            raise ServerError(f"{self._command} ended with {self.status} before {what}:\n{self.printed}")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the child alone, as an init system does."""
        self._child.send_signal(number)

    def wait(self, seconds: float = 60) -> int:
        """Wait for its end and give its status.

        Raises:
            ServerError: the time was up. It is killed then.
        """
        try:
            return self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerError(f"{self._command} had not ended after {seconds:.0f} s:\n{self.printed}") from None

    def kill(self) -> None:
        """Kill the child and all its children at once, as a machine that loses power does. More than once is fine."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._child.wait()
