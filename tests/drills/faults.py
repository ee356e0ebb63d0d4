"""The fault drills: something that the server needs goes away while it runs, and comes back.

    python -m tests.drills.faults [NAME ...]

Each drill publishes, breaks something, reads and writes meanwhile, mends it, and waits until all works again in the
same server. Packages that are at hand are served all the time, writes that cannot be kept are refused with 503 or 507
and a reason, and nothing that was acknowledged is lost.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, Literal, NamedTuple

import psutil

from tests.drills.audit import Findings, audit, index, package, package_url
from tests.drills.clients import CLIENTS, ask, make, note_removal, note_upload, remove, send
from tests.drills.ledger import Key, Ledger
from tests.drills.places import Bucket, Folder, Place
from tests.drills.tables import counted, table
from tests.support import s3server, tools
from tests.support.faultproxy import LOST_REQUEST, SILENCE_UNHEARD, SLOW_DOWN, Fault, FaultProxy
from tests.support.http import Got
from tests.support.postgres import Postgres
from tests.support.processes import ServerError, eventually
from tests.support.server import Server, running

_TURNS: Final = 6
"""So often everything is tried while something is broken."""

_READ: Final = 4
"""Packages that are only read."""

_BEFORE: Final = _READ + 2 * _TURNS

_SMALL: Final = 1_000
_LARGE: Final = 900_000
"""More than the server keeps in memory of an upload."""

_OK: Final = frozenset({200})
_AWAY: Final = frozenset({503})
_FULL: Final = frozenset({507})
_WRITTEN: Final = frozenset({200, 201})
_METHODS: Final = ("GET", "HEAD", "PUT", "POST", "DELETE")


class Meanwhile(NamedTuple):
    """The statuses that are right while something is broken, by what is asked for."""

    packages: frozenset[int]
    indexes: frozenset[int]
    writes: frozenset[int]


class Scene(NamedTuple):
    """A server that something can happen to.

    Attributes:
        server: runs all the time.
        place: its storage.
        cause: breaks something.
        mend: puts it right again; where the server has to do that by itself, nothing.
        meanwhile: what is to be answered in between.
    """

    server: Server
    place: Place
    cause: Callable[[], object]
    mend: Callable[[], object]
    meanwhile: Meanwhile


@dataclass
class Outcome:
    """What a drill gave.

    Attributes:
        answers: how many of each status while something was broken, by what was asked for.
        reasons: what refused writes were told.
        recovery: seconds from the mending until a write was acknowledged and the index was back.
        ledger: what was acknowledged.
        findings: what of that does not hold.
        problems: all else that is not as it should be, each a sentence.
    """

    answers: dict[str, Counter[int]] = field(default_factory=lambda: {what: Counter() for what in Meanwhile._fields})
    reasons: Counter[str] = field(default_factory=Counter)
    recovery: float = 0
    ledger: Ledger = field(default_factory=Ledger)
    findings: Findings = field(default_factory=Findings)
    problems: list[str] = field(default_factory=list)

    def rows(self) -> dict[str, object]:
        """The counts, for people."""
        return {
            "acknowledged": counted(self.ledger.acknowledged),
            **{f"{what} meanwhile": counted(_by_status(answers)) for what, answers in self.answers.items()},
            "without an answer, or 503, 507": self.ledger.doubtful,
            "works again after, in s": f"{self.recovery:.1f}",
            "lost": len(self.findings.lost),
            "half": len(self.findings.half),
            "wrong bytes": len(self.findings.wrong_bytes),
            "index entries without package": len(self.findings.entries_without_package),
            "packages not in the index": len(self.findings.unlisted),
            "leftovers": len(self.findings.leftovers),
            "other problems": len(self.problems),
        }


def _by_status(answers: Counter[int]) -> dict[str, int]:
    return {str(status) if status else "unanswered": count for status, count in answers.items()}


def suffer(scene: Scene, *, seed: int = 1) -> Outcome:
    """Let it happen, and compare what is answered, meanwhile and afterwards, with what was promised."""
    outcome = Outcome()
    drill = _Drill(scene, outcome, random.Random(seed))
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(drill.publish, range(_BEFORE)))
        if outcome.ledger.doubtful:
            raise ServerError(f"uploads failed before anything was broken:\n{scene.server.log[-3000:]}")
        started = psutil.Process(scene.server.process.pid).create_time()
        scene.cause()
        try:
            requests = [request for number in range(_TURNS) for request in drill.turn(number)]
            for what, got in pool.map(lambda request: (request.what, request.send()), requests):
                drill.note(what, got)
        finally:
            scene.mend()
        mended = time.monotonic()
        eventually(lambda: drill.works_for_all(pool), what="it works again", seconds=90)
    outcome.recovery = time.monotonic() - mended
    if psutil.Process(scene.server.process.pid).create_time() != started:
        outcome.problems.append("the server was started again")
    synced = ask("POST", f"{scene.server.url}/api/sync")
    if synced is None or synced.status != 200:
        outcome.problems.append(f"no sync afterwards: {synced}")
    audit([scene.server.url], outcome.ledger, scene.place, outcome.findings)
    outcome.problems += [*outcome.findings.broken, *outcome.ledger.strange]
    return outcome


class _Request(NamedTuple):
    """Something to ask while something is broken; `what` is a field of `Meanwhile`."""

    what: Literal["packages", "indexes", "writes"]
    send: Callable[[], Got | None]


class _Drill:
    def __init__(self, scene: Scene, outcome: Outcome, chance: random.Random) -> None:
        self._scene = scene
        self._outcome = outcome
        self._chance = chance
        self._base = scene.server.url
        self._untouched: list[Key] = []

    def publish(self, number: int, size: int = _SMALL) -> Got | None:
        """Upload a new version."""
        key = Key("team", f"chart-{number % 5}", f"1.{number}.0")
        got = self._upload(key, size)
        if got is not None and got.status == 201:
            self._untouched.append(key)
        return got

    def turn(self, number: int) -> list[_Request]:
        """Give one request of each kind, on keys that nobody else touches."""
        new = _BEFORE + 2 * number
        replaced, deleted = self._untouched.pop(), self._untouched.pop()
        read = self._untouched[number % _READ]
        return [
            _Request("packages", partial(ask, "GET", package_url(self._base, read))),
            _Request("indexes", partial(ask, "GET", f"{self._base}/team/index.yaml")),
            _Request("writes", partial(self.publish, new)),
            _Request("writes", partial(self.publish, new + 1, _LARGE)),
            _Request("writes", partial(self._upload, replaced, _SMALL, force=True)),
            _Request("writes", partial(self._delete, deleted)),
        ]

    def note(self, what: Literal["packages", "indexes", "writes"], got: Got | None) -> None:
        """Judge an answer that came while something was broken."""
        status = got.status if got is not None else 0
        right: frozenset[int] = getattr(self._scene.meanwhile, what)
        self._outcome.answers[what][status] += 1
        if status not in right:
            said = got.body[:200].decode(errors="replace") if got is not None else "nothing"
            self._outcome.problems.append(f"{what}: {status} is not one of {sorted(right)}: {said}")
        elif got is not None and what == "writes" and status >= 500:
            self._outcome.reasons[got.error] += 1

    def works(self) -> bool:
        """Whether a write is acknowledged, all that was acknowledged is in the index, and packages are served."""
        got = self._upload(Key("team", "last", f"1.0.{self._chance.getrandbits(32)}"), _SMALL)
        digests = index(self._base, "team")
        if got is None or got.status != 201 or digests is None:
            return False
        served = package(self._base, self._untouched[0])
        return (
            served is not None
            and served.status == 200
            and all((key.name, key.version) in digests for key in self._untouched)
        )

    def works_for_all(self, pool: ThreadPoolExecutor) -> bool:
        """Whether it works for many who ask at once, and so in each worker: each finds out by itself."""
        return all(list(pool.map(lambda _: self.works(), range(CLIENTS))))

    def _upload(self, key: Key, size: int, *, force: bool = False) -> Got | None:
        upload = make(key, self._chance, size=size)
        self._outcome.ledger.begin(key, upload.content.package)
        got = send(self._base, upload, force=force)
        note_upload(self._outcome.ledger, upload, got, kind="overwrites" if force else "uploads")
        return got

    def _delete(self, key: Key) -> Got | None:
        self._outcome.ledger.begin(key)
        got = remove(self._base, key)
        note_removal(self._outcome.ledger, key, got)
        return got


# ---- what goes away


@contextmanager
def disk(folder: Path, *, megabytes: int = 16) -> Iterator[Path]:
    """A small disk of its own, under `folder`; needs root.

    Raises:
        UnobtainableError: it may not be mounted here.
    """
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise tools.UnobtainableError(f"a small disk needs the right to mount one: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(mounted: Path) -> None:
    """Leave no byte on a disk."""
    with (mounted / "ballast").open("ab", buffering=0) as ballast, suppress(OSError):
        for size in (1 << 20, 1 << 12, 1):
            with suppress(OSError):
                while ballast.write(bytes(size)):
                    pass


def make_room(mounted: Path) -> None:
    """Undo `fill`."""
    (mounted / "ballast").unlink()


def _nothing() -> None:
    pass


@contextmanager
def full_disk(folder: Path) -> Iterator[Scene]:
    """The disk with the packages is full."""
    with disk(folder / "disk") as mounted:
        place = Folder(mounted / "data")
        with _served(folder, place, "--state-dir", folder / "state") as server:
            # What is there can still be deleted, and makes room.
            right = Meanwhile(packages=_OK, indexes=_OK, writes=_FULL | _WRITTEN)
            yield Scene(server, place, partial(fill, mounted), partial(make_room, mounted), right)


@contextmanager
def full_state(folder: Path) -> Iterator[Scene]:
    """The disk with the server's own state is full: catalog, uploads under way, and what processes count.

    A worker that is born meanwhile has next to no room either: what its forerunner leaves behind.
    """
    with disk(folder / "disk") as mounted:
        place = Folder(folder / "data")
        with _served(folder, place, "--state-dir", mounted / "state") as server:

            def cause() -> None:
                fill(mounted)
                os.kill(server.workers[0], signal.SIGKILL)

            right = Meanwhile(packages=_OK, indexes=_OK, writes=_FULL | _WRITTEN)
            yield Scene(server, place, cause, partial(make_room, mounted), right)


@contextmanager
def one_full_disk(folder: Path) -> Iterator[Scene]:
    """The one disk with packages and state is full."""
    with disk(folder / "disk") as mounted:
        place = Folder(mounted / "data")
        with _served(folder, place) as server:
            right = Meanwhile(packages=_OK, indexes=_OK, writes=_FULL | _WRITTEN)
            yield Scene(server, place, partial(fill, mounted), partial(make_room, mounted), right)


@contextmanager
def bucket_faults(folder: Path, s3: s3server.S3, fault: Fault) -> Iterator[Scene]:
    """The same happens to every request to S3. Packages are not at hand then; the index is."""
    with FaultProxy(s3.endpoint_url).running() as proxy:
        place = Bucket(s3, proxy.url)

        def cause() -> None:
            for method in _METHODS:
                proxy.inject(method, *[fault] * 10_000)

        timeouts = ("--s3-read-timeout", "1s", "--s3-connect-timeout", "1s")
        with _served(folder, place, "--state-dir", folder / "state", *timeouts) as server:
            yield Scene(server, place, cause, proxy.reset, Meanwhile(packages=_AWAY, indexes=_OK, writes=_AWAY))


@contextmanager
def gateway_stopped(folder: Path, gateway: s3server.Gateway) -> Iterator[Scene]:
    """The S3 server is not there, and connections are refused."""
    place = Bucket(gateway.s3)
    with _served(folder, place, "--state-dir", folder / "state") as server:
        right = Meanwhile(packages=_AWAY, indexes=_OK, writes=_AWAY)
        yield Scene(server, place, gateway.stop, gateway.start, right)


@contextmanager
def catalog_harmed(folder: Path, harm: Callable[[Path], None]) -> Iterator[Scene]:
    """The catalog's file is deleted or spoiled. The server builds another by itself."""
    place = Folder(folder / "data")
    state = folder / "state"
    with _served(folder, place, "--state-dir", state) as server:
        right = Meanwhile(packages=_OK, indexes=_OK | _AWAY, writes=_WRITTEN | _AWAY)
        yield Scene(server, place, partial(harm, state), _nothing, right)


def delete_catalog(state: Path) -> None:
    """Delete the catalog with all that belongs to it."""
    for path in state.glob("catalog*"):
        path.unlink()


def spoil_catalog(state: Path) -> None:
    """Overwrite the beginning of the catalog."""
    for path in state.glob("catalog*"):
        with path.open("rb+") as file:
            if path.is_symlink() or not file.read(16).startswith(b"SQLite format"):
                continue
            file.seek(0)
            file.write(b"spoiled!" * 8192)


def empty_catalog(state: Path) -> None:
    """Cut the catalog to nothing, as a broken file system may."""
    for path in state.glob("catalog*"):
        if not path.is_symlink() and not path.name.endswith(("-shm", "-wal")):
            os.truncate(path, 0)


@contextmanager
def postgres_stopped(folder: Path, postgres: Postgres, database: str) -> Iterator[Scene]:
    """PostgreSQL stops. Packages are served as they lie; an index that may be stale is not."""
    place = Folder(folder / "data")
    with _served(folder, place, "--catalog", database) as server:
        right = Meanwhile(packages=_OK, indexes=_AWAY, writes=_AWAY)
        yield Scene(server, place, postgres.stop, postgres.start, right)


@contextmanager
def background_killed(folder: Path) -> Iterator[Scene]:
    """The process that works in the background is killed. Nobody notices."""
    place = Folder(folder / "data")
    with _served(folder, place) as server:

        def cause() -> None:
            children = psutil.Process(server.process.pid).children()
            os.kill(next(child.pid for child in children if not child.children()), signal.SIGKILL)

        yield Scene(server, place, cause, _nothing, Meanwhile(packages=_OK, indexes=_OK, writes=_WRITTEN))


@contextmanager
def _served(folder: Path, place: Place, *arguments: str | Path) -> Iterator[Server]:
    with running(
        folder, "--open-writes", "--workers", "2", *place.arguments, *arguments, storage=place.url, env=place.env
    ) as server:
        yield server


# ---- from the command line


def _with_gateway(folder: Path, stack: ExitStack) -> s3server.Gateway:
    gateway = s3server.Gateway(folder)
    gateway.start()
    stack.callback(gateway.stop)
    return gateway


def _with_postgres(folder: Path, stack: ExitStack) -> Scene:
    postgres = Postgres()
    stack.callback(postgres.remove)
    postgres.start()
    database = stack.enter_context(postgres.database())
    return stack.enter_context(postgres_stopped(folder, postgres, database))


def _with_faults(folder: Path, stack: ExitStack, fault: Fault) -> Scene:
    gateway = _with_gateway(folder, stack)
    return stack.enter_context(bucket_faults(folder, gateway.s3, fault))


DRILLS: Final[dict[str, Callable[[Path, ExitStack], Scene]]] = {
    "full-disk": lambda folder, stack: stack.enter_context(full_disk(folder)),
    "full-state": lambda folder, stack: stack.enter_context(full_state(folder)),
    "one-full-disk": lambda folder, stack: stack.enter_context(one_full_disk(folder)),
    "s3-503": lambda folder, stack: _with_faults(folder, stack, SLOW_DOWN),
    "s3-silent": lambda folder, stack: _with_faults(folder, stack, SILENCE_UNHEARD),
    "s3-broken": lambda folder, stack: _with_faults(folder, stack, LOST_REQUEST),
    "s3-refused": lambda folder, stack: stack.enter_context(gateway_stopped(folder, _with_gateway(folder, stack))),
    "catalog-deleted": lambda folder, stack: stack.enter_context(catalog_harmed(folder, delete_catalog)),
    "catalog-spoiled": lambda folder, stack: stack.enter_context(catalog_harmed(folder, spoil_catalog)),
    "catalog-emptied": lambda folder, stack: stack.enter_context(catalog_harmed(folder, empty_catalog)),
    "postgres-stopped": _with_postgres,
    "background-killed": lambda folder, stack: stack.enter_context(background_killed(folder)),
}


def main() -> int:
    """Run the drills from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills.faults", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(DRILLS))
    options = parser.parse_args()
    failed = 0
    for name in options.names or DRILLS:
        problems = _run(name)
        failed += bool(problems)
        for problem in problems[:20]:
            print(f"! {problem}", flush=True)  # noqa: T201 - this is what the command says
    return 1 if failed else 0


def _run(name: str) -> Sequence[str]:
    with tempfile.TemporaryDirectory(prefix="chartrepo-drill-") as temporary:
        try:
            with ExitStack() as stack:
                outcome = suffer(DRILLS[name](Path(temporary), stack))
        except ServerError as error:
            return [f"{name}: {error}"]
    print(table(f"fault: {name}", outcome.rows()), flush=True)  # noqa: T201
    for reason, count in outcome.reasons.most_common(4):
        print(f"  said {count} times: {reason}", flush=True)  # noqa: T201
    return outcome.problems


if __name__ == "__main__":
    sys.exit(main())
