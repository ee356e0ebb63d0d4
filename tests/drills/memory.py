"""The memory drill: eight uploads of the largest size at once, again and again, while the server's memory is watched.

    python -m tests.drills.memory [--rounds 5] [--server granian] [--storage versitygw]

The packages cannot be compressed, so that as much passes as can. Memory is the PSS of all of the server's processes.
"""

import argparse
import random
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Final

from tests.drills.clients import CLIENTS, Upload, send
from tests.drills.ledger import Key
from tests.drills.places import Place, opened
from tests.drills.tables import counted, table
from tests.support.http import Got
from tests.support.packages import package
from tests.support.server import Server, running

LARGEST: Final = (20 << 20) - (64 << 10)
"""Bytes of a package that is just let in."""

_FILE: Final = 5 << 20
_EVERY: Final = 0.05
_TRIES: Final = 5
_PSS: Final = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)


@dataclass
class Result:
    """What the drill measured.

    Attributes:
        idle: MiB after the first small uploads.
        peaks: the most MiB in each round.
        after: MiB at the end.
        answers: how many of each status.
    """

    idle: float = 0
    peaks: list[float] = field(default_factory=list)
    after: float = 0
    answers: dict[str, int] = field(default_factory=dict)

    def rows(self) -> dict[str, object]:
        """The figures, for people."""
        return {
            "answers": counted(self.answers),
            "idle, MiB": f"{self.idle:.0f}",
            "peak of each round, MiB": ", ".join(f"{peak:.0f}" for peak in self.peaks),
            "afterwards, MiB": f"{self.after:.0f}",
        }


def largest(number: int, *, size: int = LARGEST) -> Upload:
    """A sound package of about `size` bytes that does not compress."""
    key = Key("", f"large-{number}", "1.0.0")
    chance = random.Random(number)
    lengths = [min(_FILE, size - start) for start in range(0, size, _FILE)]
    files: dict[str, bytes | str] = {f"files/{part}": chance.randbytes(length) for part, length in enumerate(lengths)}
    return Upload(key, package(key.name, key.version, files=files))


def crowd(place: Place, folder: Path, *, rounds: int, server: str = "gunicorn", size: int = LARGEST) -> Result:
    """Upload so many times eight packages at once, the first time new ones, then over them.

    Args:
        place: an empty storage.
        folder: takes state and log.
        rounds: how many.
        server: gunicorn or granian.
        size: of each package, in bytes.
    """
    result = Result()
    arguments = ("--open-writes", "--server", server, "--workers", "2", "--state-dir", folder / "state")
    with ThreadPoolExecutor(CLIENTS) as pool:
        uploads = list(pool.map(lambda number: largest(number, size=size), range(CLIENTS)))
        with running(folder, *arguments, *place.arguments, storage=place.url, env=place.env) as site:
            small = [largest(number, size=1000) for number in range(100, 150)]
            _send_all(pool, site, small, result)
            result.idle = pss(site)
            for _ in range(rounds):
                with _watching(site, result):
                    _send_all(pool, site, uploads, result)
            result.after = pss(site)
    return result


def pss(site: Server) -> float:
    """The memory of a server's processes in MiB, what they share counted once."""
    total = 0
    for pid in (site.process.pid, *site.children):
        try:
            found = _PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended
        total += int(found[1]) if found else 0
    return total / 1024


def _send(site: Server, upload: Upload) -> Got | None:
    """Upload, and once more where that is asked for: one worker may get all of a crowd, and reads some at a time."""
    for _ in range(_TRIES):
        got = send(site.url, upload, force=True)
        if got is None or got.status != HTTPStatus.SERVICE_UNAVAILABLE:
            break
        time.sleep(float(got.headers["Retry-After"]))
    return got


def _send_all(pool: ThreadPoolExecutor, site: Server, uploads: Sequence[Upload], result: Result) -> None:
    for got in pool.map(partial(_send, site), uploads):
        status = str(got.status) if got is not None else "unanswered"
        result.answers[status] = result.answers.get(status, 0) + 1


@contextmanager
def _watching(site: Server, result: Result) -> Iterator[None]:
    """Note the most memory that was taken in the block."""
    over = threading.Event()
    seen: list[float] = []

    def watch() -> None:
        while True:
            seen.append(pss(site))
            if over.wait(_EVERY):
                return

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
        result.peaks.append(max(seen))


def main() -> int:
    """Run the drill from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills.memory", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--storage", choices=["local", "moto", "versitygw"], default="local")
    parser.add_argument("--server", choices=["gunicorn", "granian"], default="gunicorn")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chartrepo-drill-") as temporary:
        folder = Path(temporary)
        with opened(options.storage, folder) as place:
            result = crowd(place, folder, rounds=options.rounds, server=options.server)
    title = f"memory: {CLIENTS} uploads of {LARGEST / (1 << 20):.1f} MiB at once, {options.storage}, {options.server}"
    print(table(title, result.rows()))  # noqa: T201 - this is what the command says
    return 0 if set(result.answers) == {"201"} else 1


if __name__ == "__main__":
    sys.exit(main())
