"""Start, watch, weigh and end the servers that are measured."""

import os
import re
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_STOP_SECONDS: Final = 20
_PSS: Final = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)

_NGINX: Final = """\
daemon off;
worker_processes {processors};
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 10000000;
    default_type application/json;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{port}; root {folder}/files; }}
}}
"""


class ServerFailedError(Exception):
    """A server that does not do what the measure needs; the text says what is wrong."""


def _surroundings() -> dict[str, str]:
    """Our environment, but for a variable that would let a Python program be compiled anew at each start."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@dataclass(frozen=True, slots=True)
class Command:
    """How to start a server.

    Attributes:
        name: what the report calls it.
        words: the command line; `{port}`, `{storage}` and `{state}` stand for what each run has of its own. A
            line without `{port}` or `{storage}` gets `--port {port}` or `--storage {storage}` at its end.
    """

    name: str
    words: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "Command":
        """Read `name=command line`.

        Raises:
            ValueError: there is no name, or no command.
        """
        name, separator, line = text.partition("=")
        words = tuple(shlex.split(line))
        if not (name and separator and words) or "/" in name:
            raise ValueError(f"{text!r} is not of the form NAME=COMMAND LINE")
        return cls(name, words)

    @classmethod
    def chartmuseum(cls, binary: str) -> "Command":
        """ChartMuseum on local disk, with its defaults."""
        return cls(
            "chartmuseum",
            (binary, "--port", "{port}", "--storage", "local", "--storage-local-rootdir", "{storage}"),
        )

    def filled(self, *, port: int, storage: str, state: Path) -> list[str]:
        """The command line of one run."""
        words = list(self.words)
        for option in ("port", "storage"):
            if not any(f"{{{option}}}" in word for word in words):
                words += [f"--{option}", f"{{{option}}}"]
        values = {"{port}": str(port), "{storage}": storage, "{state}": str(state)}
        for mark, value in values.items():
            words = [word.replace(mark, value) for word in words]
        return words


@dataclass(slots=True)
class Server:
    """A running server, in a process session of its own so that all of its processes can be found.

    Attributes:
        words: the command line.
        port: where it is to listen on 127.0.0.1.
        log: the file that takes its output.
        folder: the working directory.
        environment: variables it gets besides ours.
    """

    words: Sequence[str]
    port: int
    log: Path
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    started: float = field(default=0.0, init=False)
    """When, on the monotonic clock."""
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        """Where it is reached, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        """Start it; it need not answer yet.

        Raises:
            ServerFailedError: it cannot be started at all.
        """
        self.started = time.monotonic()
        try:
            with self.log.open("ab") as output:
                self._process = subprocess.Popen(
                    self.words,
                    cwd=self.folder,
                    env={**_surroundings(), **self.environment},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
        except OSError as error:
            raise ServerFailedError(f"{self.words[0]} cannot be started: {error.strerror}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ask it to stop, and after a while end every process it left."""
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pid in self.processes():
            with_signal(pid, signal.SIGKILL)

    def check_alive(self) -> None:
        """Make sure it still runs.

        Raises:
            ServerFailedError: it has ended; the message has the last line it wrote.
        """
        status = self._process.poll() if self._process else None
        if status is not None:
            lines = self.log.read_text(errors="replace").strip().splitlines()
            last = lines[-1][:200] if lines else "without a word"
            raise ServerFailedError(f"the server ended with status {status}: {last}")

    def processes(self) -> list[int]:
        """The ids of all its processes that live."""
        assert self._process is not None
        return [pid for pid in _all_processes() if _session(pid) == self._process.pid]

    def memory(self) -> float:
        """What all its processes hold, in MiB: the sum of their proportional set sizes (shared pages count once)."""
        return sum(_proportional_size(pid) for pid in self.processes()) / 1024


def nginx(binary: str, folder: Path) -> Server:
    """An nginx that serves the files in `folder`/files, ready to be entered."""
    (folder / "files").mkdir(parents=True)
    folder.chmod(0o755)  # started by root, its workers are somebody else
    port = free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(_NGINX.format(folder=folder, port=port, processors=os.cpu_count()))
    return Server((binary, "-p", f"{folder}", "-c", f"{configuration}"), port, folder / "log", folder)


def wait_for_port(server: Server, *, seconds: float) -> None:
    """Wait until something listens.

    Raises:
        ServerFailedError: the server ended, or the time is over.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        server.check_alive()
        try:
            socket.create_connection(("127.0.0.1", server.port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise ServerFailedError(f"nothing listens on port {server.port} after {seconds:g} s")


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def with_signal(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may just have ended."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _all_processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _session(pid: int) -> int | None:
    """The session a process belongs to; None when it has ended, or waits to be reaped."""
    try:
        state, _parent, _group, session = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:4]
    except (OSError, ValueError):
        return None
    return None if state == "Z" else int(session)


def _proportional_size(pid: int) -> int:
    """A process's PSS in KiB, 0 when it has ended."""
    try:
        found = _PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
    except OSError:
        return 0
    return int(found[1]) if found else 0
