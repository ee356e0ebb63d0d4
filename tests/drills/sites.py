"""The server of a drill, and the commands that are run beside it."""

import json
import os
import random
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests.drills.clients import ask
from tests.drills.places import Place
from tests.support.processes import ServerError, free_port
from tests.support.server import Server, command, environment, start

_EXPECTED: Final = {"provenance", "waiting"}


class Site:
    """A server under test, always at the same address, that is killed and started again.

    Args:
        place: its storage.
        folder: takes state and log.
        server: gunicorn or granian.

    Attributes:
        base: the address.
        killed: how many workers, and how many whole servers.
        starts: seconds that each start took until it was ready.
    """

    def __init__(self, place: Place, folder: Path, server: str) -> None:
        self._place = place
        self._folder = folder
        self._port = free_port()
        self.killed = {"workers": 0, "servers": 0}
        self.starts: list[float] = []
        self._arguments = ("--open-writes", "--server", server, "--workers", "2", "--state-dir", str(folder / "state"))
        self._server: Server | None = None
        self.base = f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        began = time.monotonic()
        self._server = start(
            self._folder,
            *self._arguments,
            *self._place.arguments,
            storage=self._place.url,
            port=self._port,
            env=self._place.env,
        )
        self._server.wait_until_ready()
        self.starts.append(time.monotonic() - began)

    def kill_all(self) -> None:
        """Kill all of its processes at once."""
        if self._server is not None:
            self._server.kill()
            self.killed["servers"] += 1

    def stop(self) -> None:
        """Let it end in order; that it came through kills must not show."""
        if self._server is not None:
            self._server.terminate()

    def drop(self) -> None:
        """Have it gone."""
        if self._server is not None:
            self._server.kill()

    def kill_worker(self, chance: random.Random) -> None:
        """Kill one of those that answer requests."""
        if self._server is None:
            return
        if self._server.process.status is not None:
            raise ServerError(f"the server ended by itself:\n{self._server.log[-2000:]}")
        with suppress(ProcessLookupError):
            os.kill(chance.choice(self._server.workers), signal.SIGKILL)
            self.killed["workers"] += 1

    def settle(self) -> None:
        """Have its catalog brought in line with the storage."""
        got = ask("POST", f"{self.base}/api/sync")
        if got is None or got.status != 200:
            raise ServerError(f"no sync at the end: {got}")

    def collect(self, grace: float) -> dict[str, int]:
        """Run `chartrepo gc` with this grace, in seconds, and return what it says it did."""
        done = self._run("gc", "--json", "--grace", f"{grace:g}s")
        if done.returncode != 0:
            raise ServerError(f"gc ended with {done.returncode}: {done.stderr[-2000:]}")
        said: dict[str, int] = json.loads(done.stdout)
        return said

    def check(self) -> str:
        """Return what `chartrepo check` finds; empty where all agrees."""
        done = self._run("check", "--json")
        if done.returncode not in {0, 1}:
            return f"status {done.returncode}: {done.stderr[-2000:]}"
        # Whoever replaces a signed package without signing anew leaves the old signature; our clients do.
        faults = [each for each in json.loads(done.stdout)["findings"] if each["kind"] not in _EXPECTED]
        return "; ".join(f"{each['kind']} {each['key']}: {each['message']}" for each in faults[:20])

    def _run(self, *what: str) -> subprocess.CompletedProcess[str]:
        arguments = ["--storage", self._place.url, *self._arguments[-2:], *self._place.arguments]
        return subprocess.run(
            command(*what, *arguments),
            env=environment(self._place.env),
            cwd=self._folder,
            capture_output=True,
            text=True,
            check=False,
        )
