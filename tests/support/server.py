"""The real `chartrepo serve` as a child process."""

import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.support.processes import Process, ServerError, answers, free_port


class Server:
    """A chartrepo that runs.

    Attributes:
        port: where it listens on the loopback.
        url: its address with the context path, without a slash at the end.
        process: the parent of its workers.
        admin: the address of its listener for health and metrics; empty where it has none.
    """

    def __init__(
        self, process: Process, port: int, context_path: str, *, scheme: str = "http", admin_port: int | None = None
    ) -> None:
        self.process = process
        self.port = port
        self.url = f"{scheme}://127.0.0.1:{port}{context_path}"
        self.admin = f"http://127.0.0.1:{admin_port}" if admin_port is not None else ""

    @property
    def log(self) -> str:
        """All that it has printed so far, over all its starts."""
        return self.process.printed

    @property
    def children(self) -> list[int]:
        """The ids of all processes below it: workers, background process, and what runs them."""
        return [child.pid for child in psutil.Process(self.process.pid).children(recursive=True)]

    @property
    def workers(self) -> list[int]:
        """The ids of the processes that answer requests: they are the children of the web server's own process."""
        return [worker.pid for child in psutil.Process(self.process.pid).children() for worker in child.children()]

    def wait_until_ready(self) -> None:
        """Wait until the catalog is complete.

        Raises:
            ServerError: it ended first, or took too long.
        """
        self.process.wait_until(lambda: answers(f"{self.admin or self.url}/readyz"), what="it was ready")

    def terminate(self) -> None:
        """Ask it to end, as an init system does, and see that it does so in order.

        Raises:
            ServerError: its status is not 0, a traceback was printed, or a child was left behind.
        """
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.signal(signal.SIGTERM)
        status = self.process.wait()
        left = [child.pid for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
        self.process.kill()
        if status != 0 or left or "Traceback" in self.log:
            raise ServerError(f"The server ended with {status} and left {left} behind:\n{self.log}")

    def kill(self) -> None:
        """Kill the parent and all its children at once, as a machine that loses power does."""
        self.process.kill()


def command(*arguments: str | Path) -> list[str | Path]:
    """The command line of chartrepo with these arguments, by the Python that runs the tests."""
    return [sys.executable, "-m", "chartrepo", *arguments]


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """Our environment without the settings of a chartrepo that the person has, and with these changes."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("CHARTREPO_")}
    return {**ours, **(changes or {})}


def start(
    folder: Path,
    *arguments: str | Path,
    storage: Path | str | None = None,
    context_path: str = "",
    port: int | None = None,
    tls: Sequence[str | Path] = (),
    env: Mapping[str, str] | None = None,
) -> Server:
    """Start a server and do not wait for it. Whoever calls ends it.

    Args:
        folder: where it runs; takes its log.
        arguments: more of `chartrepo serve`.
        storage: what `--storage` names; the folder `data` in `folder` where not given.
        context_path: as `/charts`.
        port: where it listens; a free one where not given.
        tls: flags that let it speak HTTPS. It then has a listener for health and metrics too, which does not.
        env: changes of the environment.
    """
    port = port or free_port()
    admin_port = free_port() if tls else None
    fixed = ["--host", "127.0.0.1", "--port", str(port), "--storage", str(storage or folder / "data")]
    if context_path:
        fixed += ["--context-path", context_path]
    if admin_port is not None:
        fixed += ["--admin-port", str(admin_port)]
    process = Process(
        command("serve", *fixed, *tls, *arguments),
        log=folder / "server.log",
        environment=environment(env),
        folder=folder,
    )
    return Server(process, port, context_path, scheme="https" if tls else "http", admin_port=admin_port)


@contextmanager
def running(
    folder: Path,
    *arguments: str | Path,
    storage: Path | str | None = None,
    context_path: str = "",
    port: int | None = None,
    tls: Sequence[str | Path] = (),
    env: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """A server that is ready, and that has to end in order unless the test killed or terminated it.

    The arguments are those of `start`.

    Raises:
        ServerError: it does not start, or does not end, as it should.
    """
    server = start(folder, *arguments, storage=storage, context_path=context_path, port=port, tls=tls, env=env)
    try:
        server.wait_until_ready()
        yield server
        if server.process.status is None:
            server.terminate()
    finally:
        server.kill()
